"""Mistakes that the other tests of this folder must find; each is made on purpose here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mpyc_core.protocols.replicated import Replicated
from mpyc_core.protocols.replicated.turn import Turn
from mpyc_core.transport.mesh import Array

from ..parties import Parties
from .scenarios import SCENARIOS, Play, Scenario
from .statistics import alarms
from .tape import Tape
from .test_exact import leaks
from .test_statistical import views

BY_NAME = {s.name: s for s in SCENARIOS}
VICTIMS = ["mul", "mul-truncate", "truncate", "msb-bounded", "and", "select", "input"]


def one_for_all_elements(tape: Tape) -> None:
    tape.weaken = lambda block: np.broadcast_to(block.reshape(-1)[:1], block.shape)


def one_for_two_operations(tape: Tape) -> None:
    tape.operation = lambda op: 1


def _keep_low(block: Array, bits: int) -> Array:
    return block & block.dtype.type((1 << bits) - 1)


def too_short(tape: Tape) -> None:
    tape.weaken = lambda block: _keep_low(block, 8 * block.itemsize * 5 // 8)


def without_top_bit(tape: Tape) -> None:
    tape.weaken = lambda block: _keep_low(block, 8 * block.itemsize - 1)


def odd(tape: Tape) -> None:
    tape.weaken = lambda block: block | block.dtype.type(1)


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


@pytest.mark.parametrize("name", VICTIMS)
@pytest.mark.parametrize("mistake", MISTAKES, ids=by_name)
def test_exact_test_finds(mistake: Callable[[Tape], None], name: str, tape: Tape) -> None:
    mistake(tape)
    assert leaks(tape, Play(Parties(Replicated, 3), BY_NAME[name], 1, 100))


def _alarmed(tape: Tape, scenario: Scenario) -> bool:
    return any(alarms(view) for view in views(tape, "replicated", scenario, 1))


@pytest.mark.parametrize("name", ["mul", "and"])
@pytest.mark.parametrize("mistake", MISTAKES, ids=by_name)
def test_statistics_find(mistake: Callable[[Tape], None], name: str, tape: Tape) -> None:
    mistake(tape)
    assert _alarmed(tape, BY_NAME[name])


@pytest.mark.parametrize("name", ["mul", "and"])
def test_a_pad_that_the_receiver_knows_is_found(
    name: str, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A product whose zero-share is F(next) alone: next can take it off."""

    def zero(self: Turn, buffer: int, ring: object, shape: object) -> Array:
        return self._masks.ring(self.next, "zero", buffer, ring, shape)

    def zero_bits(self: Turn, buffer: int, shape: object) -> Array:
        return self._masks.words(self.next, "zero", buffer, shape)

    monkeypatch.setattr(Turn, "zero", zero)
    monkeypatch.setattr(Turn, "zero_bits", zero_bits)
    scenario = BY_NAME[name]
    assert leaks(tape, Play(Parties(Replicated, 3), scenario, 1, 100))
    assert _alarmed(tape, scenario)


def test_one_key_for_all_pairs_is_found(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that depend on the session alone: every party holds all of them."""
    monkeypatch.setattr("mpyc_core.protocols.masks.derive", lambda seed, session, *_: session[:16])
    assert leaks(tape, Play(Parties(Replicated, 3), BY_NAME["mul"], 1, 100))
