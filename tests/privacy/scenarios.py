"""What is run to look at the views: every primitive, twice in a row, on two extreme secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpyc_core.bits import pack
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.value import Public, Share
from mpyc_core.ring import Z64, Ring
from mpyc_core.transport.mesh import Array, Steps

from ..parties import Parties

Secret = tuple[Array, Meta]
OWNER = 1
"""The party whose data `input` shares."""


@dataclass(frozen=True)
class Scenario:
    """A primitive with its inputs.

    Parameters
    ----------
    inputs : two extreme choices of the secrets, `inputs(which, n)`.
    steps : `steps(p, *shares)` at party p.
    private : whether the secrets are the owner's, not shares.
    wide : whether there are too many bit planes to test every pair of them.
    """

    name: str
    inputs: Callable[[int, int], list[Secret]]
    steps: Callable[..., Steps[Any]]
    private: bool = False
    wide: bool = False


def numbers(low: int, high: int, ring: Ring = Z64) -> Callable[[int, int], Secret]:
    """All elements `low`, or all `high`."""
    return lambda which, n: (
        np.full(n, (low, high)[which] % (1 << ring.bits), ring.dtype),
        Meta((n,), "fixed", ring, 16),
    )


def planes(count: int) -> Callable[[int, int], Secret]:
    """Bits, all 0 or all 1."""

    def make(which: int, n: int) -> Secret:
        plane = pack(np.full(n, which))
        return np.stack([plane] * count), Meta((n,), "bit", Z64)

    return make


def both(*makers: Callable[[int, int], Secret]) -> Callable[[int, int], list[Secret]]:
    """Several inputs."""
    return lambda which, n: [make(which, n) for make in makers]


def column(which: int, n: int) -> list[Secret]:
    """A matrix of n rows and one of a single column."""
    (x, meta), (y, _) = numbers(0, 1 << 40)(which, 2 * n), numbers(0, -7)(which, 2)
    return [
        (x.reshape(n, 2), meta.with_(shape=(n, 2))),
        (y.reshape(2, 1), meta.with_(shape=(2, 1))),
    ]


def _product(kind: str, shift: int) -> Callable[..., Steps[Share]]:
    def steps(p: Protocol, x: Share, y: Share) -> Steps[Share]:
        shape = x.meta.shape if kind == "mul" else (x.meta.shape[0], 1)
        return p.product(kind, x, y, x.meta.with_(shape=shape), shift, {})

    return steps


def _compose(p: Protocol, b: Share) -> Steps[Share]:
    weights = np.array([1, 2, 1 << 63], np.uint64)
    return p.compose(b, weights, b.meta.with_(kind="int"))


WIDE = (0, -(1 << 63))
BOUNDED = (0, -(1 << 12))
NARROW = (0, (1 << 62) - 1)

SCENARIOS = [
    Scenario("mul", both(numbers(*WIDE), numbers(0, -1)), _product("mul", 0)),
    Scenario("mul-truncate", both(numbers(0, 1 << 40), numbers(0, 1 << 20)), _product("mul", 16)),
    Scenario("matmul", column, _product("matmul", 0)),
    Scenario("matmul-truncate", column, _product("matmul", 20)),
    Scenario("truncate", both(numbers(*NARROW)), lambda p, x: p.truncate(x, 16)),
    Scenario("truncate-local", both(numbers(0, -1)), lambda p, x: p.truncate_local(x, 16)),
    Scenario("msb", both(numbers(*WIDE)), lambda p, x: p.msb(x, 64), wide=True),
    Scenario("msb-bounded", both(numbers(*BOUNDED)), lambda p, x: p.msb(x, 13)),
    Scenario("msb_number", both(numbers(*WIDE)), lambda p, x: p.msb_number(x, 64), wide=True),
    Scenario("msb_number-bounded", both(numbers(*BOUNDED)), lambda p, x: p.msb_number(x, 13)),
    Scenario("relu", both(numbers(*WIDE)), lambda p, x: p.relu(x, 64), wide=True),
    Scenario("relu-bounded", both(numbers(*BOUNDED)), lambda p, x: p.relu(x, 13)),
    Scenario("is_zero", both(numbers(*WIDE)), lambda p, x: p.is_zero(x, 64), wide=True),
    Scenario("is_zero-bounded", both(numbers(*BOUNDED)), lambda p, x: p.is_zero(x, 13)),
    Scenario("decompose", both(numbers(0, -1)), lambda p, x: p.decompose(x, 64), wide=True),
    Scenario("decompose-bounded", both(numbers(0, -1)), lambda p, x: p.decompose(x, 9)),
    Scenario("and", both(planes(3), planes(3)), lambda p, x, y: p.and_(x, y)),
    Scenario("compose", both(planes(3)), _compose),
    Scenario("select", both(planes(1), numbers(*WIDE)), lambda p, b, x: p.select(b, x)),
    Scenario(
        "input",
        both(numbers(*WIDE)),
        lambda p, x: p.input(OWNER, x[0] if p.me == OWNER else None, x[1]),
        private=True,
    ),
    Scenario(
        "input-bits",
        both(planes(1)),
        lambda p, x: p.input(OWNER, x[0] if p.me == OWNER else None, x[1]),
        private=True,
    ),
]

NAMED = ("mul", "mul-truncate", "truncate", "msb-bounded", "relu-bounded", "and", "select")
MAIN = [scenario for scenario in SCENARIOS if scenario.name in NAMED]
"""What stands for all where the number of parties varies."""


class Play:
    """A scenario with its secrets shared, ready to run again and again at one place.

    The first secrets are dealt by a client. The second are embedded, so that their shares are
    constant: no randomness but that of the protocol itself hides them.
    """

    def __init__(self, parties: Parties, scenario: Scenario, which: int, n: int) -> None:
        self.parties, self.scenario = parties, scenario
        share = _embedded if which else _dealt
        self.shares: list[list[Any]] = []
        for _ in range(2):
            secrets = scenario.inputs(which, n)
            self.shares.append(
                secrets if scenario.private else [share(parties, x, meta) for x, meta in secrets]
            )
        self.start = parties.position

    def run(self) -> list[Any]:
        """Run the primitive on both sets of secrets, from the same place every time."""
        self.parties.rewind(self.start)
        return self.parties.run(self._steps)

    def _steps(self, p: Protocol) -> Steps[list[Any]]:
        results = []
        for shares in self.shares:
            mine = shares if self.scenario.private else [s[p.me] for s in shares]
            results.append((yield from self.scenario.steps(p, *mine)))
        return results

    def own(self, party: int) -> list[Array]:
        """The input components that a party holds before it starts."""
        if self.scenario.private:
            return []
        return [part for shares in self.shares for s in shares for part in s[party].parts]


def _embedded(parties: Parties, x: Array, meta: Meta) -> list[Share]:
    return [p.embed(Public(meta, x)) for p in parties.protocols]


def _dealt(parties: Parties, x: Array, meta: Meta) -> list[Share]:
    if meta.kind != "bit":
        return parties.deal(x, meta)
    single = [parties.deal(plane[None], meta) for plane in x]
    return [p.stack_planes(*(shares[p.me] for shares in single)) for p in parties.protocols]
