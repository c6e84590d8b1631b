"""Running one case of one operation: over any protocol and ring, in lock step or over a mesh."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpyc_core.meta import Meta
from mpyc_core.protocols.backend import Backend, encode
from mpyc_core.protocols.bilinear import BILINEAR
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.dealt.provider import Provider
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, Op, all_ops
from mpyc_core.protocols.simulation import Simulation
from mpyc_core.transport.mesh import Array

WHOLE = (
    *("add", "sub", "neg", "mul", "matmul", "conv2d", "power", "sum", "cumsum", "reshape"),
    *("lt", "lt_number", "eq", "sign", "relu", "where", "select", "maximum", "max", "sort"),
    *("bit_and", "bit_or", "to_number"),
)
"""Operations that integers over GF(2^61 - 1) are tested with."""


@dataclass(frozen=True)
class Ran:
    """What an operation gave, and what it sent."""

    values: tuple[Array, ...]
    metas: tuple[Meta, ...]
    counted: Cost


@dataclass(frozen=True)
class Outcome(Ran):
    """The same, with what it had declared to send."""

    declared: Cost


def cases(ring: int) -> Iterator[tuple[str, Op, Case]]:
    """Every case of every registered operation that makes sense in a ring, with a name."""
    for op in all_ops():
        for i, case in enumerate(op.cases):
            if suits(op, case, ring):
                yield f"{op.name}-{i}", op, case


def suits(op: Op, case: Case, ring: int) -> bool:
    """Whether a case makes sense in a ring; fields take those of the ring that they stand in for.

    GF(2^127 - 1) holds what Z/2^64 does. GF(2^61 - 1) compares integers, but has no room to drop
    fraction bits or to take numbers apart.
    """
    if ring == 61:
        whole = all(np.asarray(x).dtype.kind in "bi" for x in case.inputs)
        return 64 in case.rings and whole and op.name in WHOLE
    if ring == 127:
        return 64 in case.rings and not op.name.startswith("clip")  # refused over fields
    return ring in case.rings


def parties_of(protocol: type[Protocol]) -> int:
    """The fewest parties that the protocol runs with, but more than one."""
    return next(n for n in (2, 3, 4, 5) if protocol.supports(n))


def main_ring(protocol: type[Protocol]) -> int:
    """Z/2^64, or the first ring of a protocol that does without it."""
    return 64 if 64 in protocol.rings else protocol.rings[0]


def like(backend: Backend, case: Case) -> Meta:
    """The secret beside which public operands are encoded: the first number, else the first."""
    secret = [np.asarray(x) for i, x in enumerate(case.inputs) if i not in case.public]
    number = next((x for x in secret if x.dtype != bool), secret[0])
    return encode(number, backend.ring, backend.f).meta


def constant(backend: Backend, op: Op, case: Case, i: int) -> Any:
    """Input `i`, which is public, as an operand."""
    meta = like(backend, case)
    return backend.constant(case.inputs[i], meta, factor=op.name in BILINEAR)


def operands_of(s: Simulation, op: Op, case: Case) -> list[Any]:
    """The case's inputs, shared or as constants."""
    return [
        constant(s, op, case, i) if i in case.public else s.share(x)
        for i, x in enumerate(case.inputs)
    ]


def declared_cost(s: Simulation, op: Op, case: Case) -> Cost:
    """What one case declares to send, before it runs."""
    return s.declared_cost(op.name, operands_of(s, op, case), **case.params)


def run_case(s: Simulation, op: Op, case: Case) -> Outcome:
    """Run one case in a simulation."""
    operands = operands_of(s, op, case)
    declared = s.declared_cost(op.name, operands, **case.params)
    bytes_before = [c.payload for c in s.counters]
    rounds_before = {c.rounds for c in s.counters}
    dealt_before, uses_before = s.dealt, uses(s.providers)
    refs = s.execute(op.name, operands, case.params)
    sent = tuple(c.payload - b for c, b in zip(s.counters, bytes_before, strict=True))
    (rounds,) = {c.rounds for c in s.counters}
    counted = Cost(
        rounds - min(rounds_before),
        sent,
        s.dealt - dealt_before,
        dict(uses(s.providers) - uses_before),
    )
    values = tuple(s.reveal(ref) for ref in refs)
    return Outcome(values, tuple(ref.meta for ref in refs), counted, declared)


def uses(providers: Sequence[Provider]) -> Counter[str]:
    """How many correlations of each kind were taken; every party takes all of them."""
    counted = [provider.uses for provider in providers]
    assert all(other == counted[0] for other in counted)
    return Counter(counted[0]) if counted else Counter()


def oracle(op: Op, case: Case) -> tuple[Array, ...]:
    """What NumPy says."""
    want = op.oracle(*case.inputs, **case.params)
    return tuple(np.asarray(w) for w in (want if isinstance(want, tuple) else (want,)))


def check_cost(outcome: Outcome) -> None:
    """Declared equals counted: bytes of every party and rounds, no tolerance."""
    assert outcome.counted == outcome.declared


def check_plain(outcome: Ran, plain: Ran, ulps: float) -> None:
    """A protocol is at most `ulps` units of the result's last place away from plaintext."""
    assert [m.with_(label=frozenset()) for m in outcome.metas] == [
        m.with_(label=frozenset()) for m in plain.metas
    ]
    for got, want, meta in zip(outcome.values, plain.values, plain.metas, strict=True):
        assert got.shape == want.shape == meta.shape
        assert got.dtype == want.dtype
        if meta.kind == "bit" or ulps == 0:
            np.testing.assert_array_equal(got, want)
        else:
            off = np.abs(got.astype(float) - want.astype(float)) * 2.0**meta.f
            assert np.max(off, initial=0) <= ulps, worst(off, got, want)


def check_oracle(plain: Ran, want: tuple[Array, ...], case: Case) -> None:
    """Plaintext is within the case's stated error of NumPy's answer."""
    for got, expected in zip(plain.values, want, strict=True):
        assert got.shape == expected.shape
        if case.atol == case.rtol == 0 or got.dtype == bool:
            np.testing.assert_array_equal(got, expected)
            continue
        off = np.abs(got.astype(float) - expected.astype(float))
        limit = case.atol + case.rtol * np.abs(expected.astype(float))
        assert np.all(off <= limit), worst(off - limit, got, expected)


def worst(off: Array, got: Array, want: Array) -> str:
    """The element that is furthest off, in words."""
    at = np.unravel_index(int(np.argmax(off)), off.shape)
    return f"element {tuple(int(i) for i in at)}: got {got[at]}, expected {want[at]}"
