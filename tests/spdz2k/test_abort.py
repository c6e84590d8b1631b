"""What happens when a check fails, and how often weakened checks do not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.stats import fisher_exact

import mpyc_core as mpc
from mpyc_core.entropy import fresh_key
from mpyc_core.errors import (
    ConfigError,
    ConsistencyCheckFailed,
    MacCheckFailed,
    MpcError,
    PeerTimeout,
    SessionClosed,
    ShapeMismatch,
)
from mpyc_core.meta import Meta
from mpyc_core.protocols.cheating import Adder, Cheater, LastMover, Move
from mpyc_core.protocols.simulation import Simulation
from mpyc_core.protocols.spdz2k import Spdz2k
from mpyc_core.protocols.spdz2k.client import deal, unsealed
from mpyc_core.protocols.value import Share
from mpyc_core.ring import Z64, Z128
from mpyc_core.transport.lockstep import lockstep
from mpyc_core.transport.mesh import Array

from ..parties import Parties

S = 8
BOUND = (S + 1) * 2.0**-S
RUNS = 800
META = Meta((1,), "int", Z64)


class Listener(Adder):
    """Notes how much the honest parties send to the cheater, and when."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rounds: list[tuple[str, int, int]] = []

    def act(self, move: Move) -> None:
        super().act(move)
        size = sum(a.nbytes for arrays in move.received.values() for a in arrays)
        self.rounds.append((move.name, move.round, size))


@pytest.mark.parametrize("n", [2, 3])
def test_nothing_is_opened_after_a_failed_check(n: int) -> None:
    cheat = Listener("party1", "mul", error=1)
    s = mpc.simulate(n, protocol="spdz2k", cheat=cheat)
    x = s.share(np.arange(1000), owner="party0")
    y = x * x
    with pytest.raises(MacCheckFailed, match="MAC check of numbers"):
        y.reveal()
    assert cheat.rounds[-1][0] == "open"
    # commitments and their openings, of a coin and of sums: no share of y, 16000 bytes
    assert max(size for name, _, size in cheat.rounds if name == "open") < 400
    assert all(outcome.opened == [] for outcome in cheat.outcomes.values())
    for evaluator in s.evaluators:
        assert evaluator.values == {}
        assert evaluator.protocol._keys is None
        assert evaluator.protocol.provider is None
        assert not evaluator.protocol.transcript.pending
    before = len(cheat.rounds)
    for use in (lambda: y.reveal(), lambda: x + x, lambda: s.share([1])):
        with pytest.raises(SessionClosed, match="MAC check"):
            use()
    assert len(cheat.rounds) == before, "a frame left after the failed check"


def honest(n: int) -> Simulation:
    return mpc.simulate(n, protocol="spdz2k")


@pytest.mark.parametrize("n", [2, 3])
def test_a_party_with_another_mac_key_is_found(n: int) -> None:
    s = honest(n)
    keys = s.evaluators[1].protocol._keys
    keys._alpha[128] = Z128.add(keys._alpha[128], Z128.full((), 1))
    x = s.share([1, 2, 3], owner="party0")
    with pytest.raises(MacCheckFailed, match="another MAC key"):
        x.reveal()


def test_a_party_with_another_key_of_bits_is_found() -> None:
    s = honest(2)
    s.evaluators[0].protocol._keys.bits ^= ~np.uint64(0)
    x = s.share([True, False], owner="party0")
    with pytest.raises(MacCheckFailed, match="MAC check of bits"):
        (x & x).reveal()


def test_dealt_values_of_another_session_are_found() -> None:
    s = honest(2)
    s.providers[1]._source = honest(2).providers[1].source
    x = s.share([1, 2, 3], owner="party0")
    with pytest.raises(MacCheckFailed, match="other dealt randomness"):
        (x * x).reveal()


class Silent(Cheater):
    """Leaves the check out: it sends nothing from some round of an opening on."""

    def __init__(self, party: str, round_: int) -> None:
        super().__init__(party)
        self.round = round_

    def act(self, move: Move) -> None:
        if move.name == "open" and move.round >= self.round:
            move.send.clear()


@pytest.mark.parametrize("round_", range(11))
def test_a_party_that_skips_the_check_is_named(round_: int) -> None:
    cheat = Silent("party1", round_)
    s = mpc.simulate(3, protocol="spdz2k", cheat=cheat)
    x = s.share([1, 2, 3], owner="party0")
    with pytest.raises(PeerTimeout, match="party1"):
        (x * x).reveal()
    for outcome in cheat.outcomes.values():
        assert isinstance(outcome.error, MpcError)
        assert outcome.opened == []


def test_a_last_mover_cannot_bend_a_coin_or_copy_a_sum() -> None:
    def copy(move: Move, peer: int, mine: Array, theirs: Array) -> Array:
        return theirs if mine.dtype == np.uint8 else mine

    s = mpc.simulate(3, protocol="spdz2k", cheat=LastMover("party2", "open", copy))
    x = s.share([1, 2, 3], owner="party0")
    with pytest.raises(ConsistencyCheckFailed):
        x.reveal()


def dealt_wrongly(s: Simulation, party: int, part: int) -> None:
    """Let one party get something else from the client than it was meant to."""

    def wrong(x: Array, meta: Meta, n: int) -> list[tuple[Array, ...]]:
        made = [list(parts) for parts in deal(x, meta, Z128, n)]
        changed = made[party][part].copy()
        changed.reshape(-1).view(np.uint8)[0] ^= 1
        made[party][part] = changed
        return [tuple(parts) for parts in made]

    s.protocol = type("Wrong", (s.protocol,), {"deal": staticmethod(wrong)})


@pytest.mark.parametrize("x", [[1, 2, 3], [True, False, True]])
@pytest.mark.parametrize("part", range(4))
def test_a_share_of_a_client_that_was_changed_is_found(part: int, x: list[int]) -> None:
    """Value, tag, key or digests: at once, or by the check before anything is opened."""
    s = honest(2)
    dealt_wrongly(s, 1, part)
    expected = MacCheckFailed if part < 2 else ConsistencyCheckFailed
    with pytest.raises(expected):
        s.share(x).reveal()


def test_a_client_that_deals_something_else_is_refused() -> None:
    s = honest(2)
    parts = s.protocol.deal(Z64.from_int([1]), META, 2)
    with pytest.raises(ShapeMismatch, match="form of its shares"):
        s.evaluators[0].put(77, META, parts[0][:2])


@pytest.mark.parametrize("kind", ["int", "bit"])
def test_a_client_finds_every_lie_of_a_party(kind: str) -> None:
    parties = Parties(Spdz2k, 3)
    meta = Meta((3,), "int", Z64) if kind == "int" else Meta((3,), "bit", Z64)
    value = Z64.from_int([5, -6, 7]) if kind == "int" else np.array([[5]], np.uint64)
    shares = parties.deal(value, meta)
    shown = parties.run(lambda p: p.for_client(shares[p.me]))
    parts = [p.to_client(x) for p, x in zip(parties.protocols, shown, strict=True)]
    np.testing.assert_array_equal(unsealed(parts, meta, Z128), value)
    for party in range(3):
        for at in range(0, parts[0].size, 5):
            wrong = [part.copy() for part in parts]
            wrong[party][at] ^= 1
            with pytest.raises(ConsistencyCheckFailed, match=r"nothing was shown|deviates"):
                unsealed(wrong, meta, Z128)
    with pytest.raises(ShapeMismatch):
        Spdz2k.from_parties([parts[0], parts[1], np.zeros((3,), np.uint64)], meta)


def attack(parties: Parties, secret: int) -> bool:
    """Party 1 opens a factor wrong by 2^63, the lightest error, in a product with a secret."""
    session = fresh_key(32)
    parties.run(lambda p: p.setup(session))  # fresh keys: the rate is over alpha too
    y = Z64.from_int([secret])
    x = [p.input(0, y if p.me == 0 else None, META) for p in parties.protocols]
    shares = lockstep(x, names=parties.names, counters=parties.counters)
    lie = Share(META, (Z128.add(shares[1].parts[0], Z128.full(1, 1 << 63)), shares[1].parts[1]))
    factors = [Share(META, shares[0].parts), lie]
    parties.run(lambda p: p.product("mul", factors[p.me], shares[p.me], META, 0, {}))
    return passed(parties)


def passed(parties: Parties) -> bool:
    """Whether the check of all that was opened passes."""
    steps = [p.before_open() for p in parties.protocols]
    try:
        lockstep(steps, names=parties.names, counters=parties.counters)
    except MacCheckFailed:
        return False
    return True


def test_best_attack_succeeds_as_rarely_as_stated() -> None:
    """It passes if alpha and the coefficient have 9 factors 2 together; whatever the secret is."""
    parties = Parties(Spdz2k, 2)
    for p in parties.protocols:
        p.weaken(S)
    hits = [sum(attack(parties, secret) for _ in range(RUNS)) for secret in (0, 1)]
    limit = BOUND * 2 * RUNS
    print(f"{hits} of {RUNS} each passed, bound {limit / 2:.0f} each")
    assert sum(hits) <= limit + 5 * np.sqrt(limit)
    assert sum(hits) >= limit / 16
    table = [[found, RUNS - found] for found in hits]
    assert fisher_exact(table).pvalue > 1e-6, "whether a run stops depends on the secret"


def test_whole_checks_find_everything() -> None:
    parties = Parties(Spdz2k, 2)
    assert not any(attack(parties, secret) for secret in (0, 1) for _ in range(50))


def test_security_says_what_it_covers() -> None:
    with honest(2) as s:
        text = str(s.security)
    for word in ("malicious", "1 of 2", "57 statistical", "128 computational", "INSECURE local"):
        assert word in text
    assert "not covered: a dealer that deviates" in text


def test_active_security_of_other_numbers_of_parties() -> None:
    for n in (2, 4, 5):
        with mpc.simulate(n, security="active") as s:
            assert s.protocol is Spdz2k
            assert (s.share([2]) * s.share([3])).reveal().tolist() == [6]


def test_the_small_ring_warns() -> None:
    with mpc.simulate(2, protocol="spdz2k", ring=32) as s, pytest.warns(UserWarning, match="2.-26"):
        s.share([1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        honest(2).share([1])


def test_strength_may_only_be_lowered_in_simulations() -> None:
    with pytest.raises(ConfigError, match="1 to 32 bits"):
        mpc.simulate(2, protocol="spdz2k", stat_bits=33)
