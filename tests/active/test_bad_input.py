"""Mixed keys, another MAC key: each honest party says what failed; nothing leaves afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import ConsistencyCheckFailed, MacCheckFailed, MpcError, SessionClosed
from mpyc_core.protocols.cheating import Cheater, Move, WrongProduct, against
from mpyc_core.protocols.simulation import Simulation
from mpyc_core.ring import Z128
from mpyc_core.transport.mesh import Array, Received

PLACES = [("replicated-active", 3), ("spdz2k", 2), ("spdz2k", 3), ("spdz2k", 5)]


class Passive(Cheater):
    """Follows the protocol, but for what is wrong with what it holds."""

    def act(self, move: Move) -> None:
        del move


def spoil_mac_key(s: Simulation) -> None:
    """Let party 1 have another share of the MAC key."""
    protocol: Any = s.evaluators[1].protocol
    if s.protocol.name == "spdz2k":
        protocol._keys._alpha[128] = Z128.add(protocol._keys._alpha[128], Z128.full((), 1))
    else:
        mine, other = protocol._mac_keys[128]
        protocol._mac_keys[128] = Z128.add(mine, Z128.full((), 1)), other


def mix_keys(s: Simulation) -> None:
    """Let party 1 have keys of another session."""
    other = mpc.simulate(len(s.names), protocol=s.protocol.name)
    if s.protocol.name == "spdz2k":
        s.providers[1]._source = other.providers[1].source  # type: ignore[attr-defined]
    else:
        protocol: Any = s.evaluators[1].protocol
        protocol._keys = other.evaluators[1].protocol._keys  # type: ignore[attr-defined]
    # what the driver shares is dealt anew, so the session goes on until a key is used


@pytest.mark.parametrize(("protocol", "n"), PLACES)
@pytest.mark.parametrize("spoil", [spoil_mac_key, mix_keys])
def test_every_honest_party_says_what_failed(
    protocol: str, n: int, spoil: Callable[[Simulation], None]
) -> None:
    cheat = Passive("party1")
    s = mpc.simulate(n, protocol=protocol, cheat=cheat)
    spoil(s)
    with pytest.raises(MpcError):
        x = s.share(np.array([1, 2, 3]), owner="party0")
        (x * x).reveal()
    for name, outcome in cheat.outcomes.items():
        assert isinstance(outcome.error, (MacCheckFailed, ConsistencyCheckFailed)), name
        assert any(word in outcome.error.message for word in ("check", "opening", "proof"))
        assert "found while a value is opened" in outcome.error.message
        assert outcome.opened == []
    with pytest.raises(SessionClosed):
        s.share([1])


@pytest.mark.parametrize(("protocol", "n"), PLACES)
def test_no_frame_leaves_an_honest_party_after_a_failed_check(
    protocol: str, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every message of the honest parties is recorded, to whomever it goes."""
    frames: list[tuple[str, int, int]] = []
    failed: dict[int, int] = {}
    advance = against.Duel._advance

    def recorded(self: against.Duel, i: int, mail: Received | None) -> None:
        advance(self, i, mail)
        if i != self._liar and i in self._waiting:
            assert i not in failed, "a frame left after the failed check"
            sent = self._waiting[i].send.values()
            frames.append((self._name, i, sum(_size(arrays) for arrays in sent)))
        elif isinstance(self._ended[i], MpcError) and i != self._liar:
            failed[i] = len(frames)

    monkeypatch.setattr(against.Duel, "_advance", recorded)
    cheat = WrongProduct("party1")
    s = mpc.simulate(n, protocol=protocol, cheat=cheat)
    x = s.share(np.arange(1000), owner="party0")
    y = x * x
    with pytest.raises(MacCheckFailed):
        y.reveal()
    assert failed
    # a share of y has 8000 bytes or 16000, to every peer; what a check says has a few hundred
    assert max(size for name, _, size in frames if name == "open") < 4000 * (n - 1)
    before = len(frames)
    for use in (lambda: y.reveal(), lambda: x + x, lambda: s.share([1])):
        with pytest.raises(SessionClosed, match="MAC check"):
            use()
    assert len(frames) == before
    for evaluator in s.evaluators:
        assert evaluator.values == {}


def _size(arrays: list[Array]) -> int:
    return sum(a.nbytes for a in arrays)
