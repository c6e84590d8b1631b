"""Mistakes that the other tests of this folder must find; each is made on purpose here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mpyc_core.protocols.additive import Additive, AdditiveFSS
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.replicated import Replicated
from mpyc_core.protocols.replicated_active import ReplicatedActive
from mpyc_core.protocols.spdz2k import Spdz2k
from mpyc_core.transport.mesh import Array

from ..parties import Parties, Sent
from .exact import Relation, unprotected
from .scenarios import SCENARIOS, Play, Scenario
from .statistics import alarms
from .tape import Tape
from .test_exact import leaks
from .test_statistical import views

COMMON = ("mul", "mul-truncate", "truncate", "msb-bounded", "and", "select")
BY_NAME = {s.name: s for s in SCENARIOS}
VICTIMS: list[tuple[type[Protocol], int, str]] = [
    *((Replicated, 3, name) for name in (*COMMON, "input")),
    *((Additive, 2, name) for name in (*COMMON, "relu-bounded")),
    *((Additive, 3, name) for name in ("mul-truncate", "relu-bounded")),
    (Additive, 5, "mul-truncate"),
    *((AdditiveFSS, 2, name) for name in ("mul-truncate", "msb-bounded", "relu-bounded")),
    *((ReplicatedActive, 3, name) for name in ("mul", "msb-bounded", "and", "input")),
    *((Spdz2k, 2, name) for name in ("mul", "truncate", "and", "input")),
]


def one_for_all_elements(tape: Tape) -> None:
    tape.weaken = lambda block: np.broadcast_to(
        block.reshape(-1)[:1].reshape((1,) * block.ndim), block.shape
    )


def one_for_two_operations(tape: Tape) -> None:
    tape.operation = lambda op: 1


def _changed(block: Array, keep: int, or_: int = 0) -> Array:
    """Every word with some bits kept and some set, also of words of 128 bits."""
    if block.dtype.fields is None:
        return block & block.dtype.type(keep) | block.dtype.type(or_)
    made = block.copy()
    for half, shift in (("lo", 0), ("hi", 64)):
        made[half] &= np.uint64(keep >> shift & (1 << 64) - 1)
        made[half] |= np.uint64(or_ >> shift & (1 << 64) - 1)
    return made


def too_short(tape: Tape) -> None:
    tape.weaken = lambda block: _changed(block, (1 << 5 * block.itemsize) - 1)


def without_top_bit(tape: Tape) -> None:
    tape.weaken = lambda block: _changed(block, (1 << 8 * block.itemsize - 1) - 1)


def odd(tape: Tape) -> None:
    tape.weaken = lambda block: _changed(block, (1 << 8 * block.itemsize) - 1, 1)


def absent(tape: Tape) -> None:
    tape.weaken = np.zeros_like


MISTAKES: list[Callable[[Tape], None]] = [
    one_for_all_elements,
    one_for_two_operations,
    too_short,
    without_top_bit,
    odd,
    absent,
]


def by_name(mistake: Callable[[Tape], None]) -> str:
    return mistake.__name__


@pytest.mark.parametrize(
    ("protocol", "n", "name"), VICTIMS, ids=lambda v: getattr(v, "name", str(v))
)
@pytest.mark.parametrize("mistake", MISTAKES, ids=by_name)
def test_exact_test_finds(
    mistake: Callable[[Tape], None], protocol: type[Protocol], n: int, name: str, tape: Tape
) -> None:
    mistake(tape)
    assert leaks(tape, Play(Parties(protocol, n), BY_NAME[name], 1, 100))


def _alarmed(tape: Tape, protocol: str, scenario: Scenario) -> bool:
    return any(alarms(view) for view in views(tape, protocol, scenario, 1))


@pytest.mark.parametrize("name", ["mul", "and"])
@pytest.mark.parametrize("protocol", ["replicated", "additive"])
@pytest.mark.parametrize("mistake", MISTAKES, ids=by_name)
def test_statistics_find(
    mistake: Callable[[Tape], None], protocol: str, name: str, tape: Tape
) -> None:
    mistake(tape)
    assert _alarmed(tape, protocol, BY_NAME[name])


def test_one_key_for_all_pairs_is_found(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that depend on the session alone: every party holds all of them."""
    monkeypatch.setattr("mpyc_core.protocols.masks.derive", lambda seed, session, *_: session[:16])
    assert leaks(tape, Play(Parties(Replicated, 3), BY_NAME["mul"], 1, 100))


def _unprotected(holders: set[int], *blocks: str) -> int:
    """How many of the messages to party 0 have no pad; each block says what it does to each.

    A letter per message: p if the block pads it, c if it changes it otherwise, - if not.
    """
    keys = [bytes([i]) for i in range(len(blocks))]
    messages = [Sent((0, i, 0), 1, 0, np.zeros(1)) for i in range(len(blocks[0]))]
    tape = Tape(holders=dict.fromkeys(keys, holders))
    found = {
        (key, 0, 0): Relation([c != "-" for c in block], [c == "p" for c in block])
        for key, block in zip(keys, blocks, strict=True)
    }
    return len(unprotected(tape, messages, found, {0}))


def test_which_pads_protect() -> None:
    others = {1, 2}
    assert _unprotected(others, "p-", "-p") == 0
    assert _unprotected(others, "pc-", "-pc", "--p") == 0, "a chain: each pad changes later ones"
    assert _unprotected({0, 1}, "p-", "-p") == 2, "the receiver holds the key"
    assert _unprotected(others, "pp") == 2, "one pad for two messages"
    assert _unprotected(others, "pp", "-p") == 0
    assert _unprotected(others, "pc", "cp") == 2, "each pad changes the other message"
    assert _unprotected(others, "c") == 1, "changed, but not by the block itself"
    assert _unprotected(others, "-") == 1
