"""The primitives of `shamir` for 3 to 7 parties on edge values, against Python's integers.

Each runs for every party as king, and its counted cost equals the declared one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.bits import unpack
from mpyc_core.errors import ConsistencyCheckFailed, ShareError
from mpyc_core.field import F61, F127, PrimeField
from mpyc_core.meta import Meta
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.shamir import Shamir
from mpyc_core.protocols.shamir.king import range_bits
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Counters, Steps

from ..parties import Parties

COUNTS = (3, 4, 5, 7)
FIELDS = pytest.mark.parametrize("field", [F127, F61], ids=lambda f: f.name)
EVERY = pytest.mark.parametrize("n", COUNTS)


@cache
def parties(n: int) -> Parties:
    return Parties(Shamir, n)


def turns(n: int) -> Iterator[Parties]:
    """The parties: three with each as king in turn."""
    p = parties(n)
    for _ in range(3 if n == 3 else 1):
        yield p


def run(p: Parties, name: str, facts: dict[str, Any], *args: Any) -> list[Any]:
    """Run a primitive and compare its cost to the declared one.

    Parameters
    ----------
    facts : what the cost depends on.
    args : of the primitive; of a list, each party takes its element.
    """
    p.counters = [Counters() for _ in range(p.n)]
    declared = p.protocols[0].cost(name, p.position + 1, **facts)
    found = call(p, name, *args)
    (rounds,) = {c.rounds for c in p.counters}
    assert Cost(rounds, tuple(c.payload for c in p.counters)) == declared, name
    return found


def call(p: Parties, name: str, *args: Any) -> list[Any]:
    """Run a primitive."""

    def steps(q: Protocol) -> Steps[Any]:
        started: Steps[Any] = getattr(q, name)(
            *(a[q.me] if isinstance(a, list) else a for a in args)
        )
        return started

    return p.run(steps)


def edges(bits: int) -> list[int]:
    """0, and all powers of two with their neighbours, in [-2^(bits-1), 2^(bits-1))."""
    half = 1 << (bits - 1)
    near = {0, *(s * (1 << k) + d for k in range(bits) for s in (1, -1) for d in (-1, 0, 1))}
    return sorted(v for v in near if -half <= v < half)


def shared(p: Parties, field: PrimeField, values: list[int]) -> tuple[list[Share], Meta]:
    meta = Meta((len(values),), "int", field)
    return p.deal(field.from_int(np.array(values, object)), meta), meta


def integers(field: PrimeField, x: Array) -> list[int]:
    return [int(v) for v in field.to_int(x)]


@EVERY
@FIELDS
def test_input_and_open(n: int, field: PrimeField) -> None:
    values = edges(field.bits - 1)
    x, meta = field.from_int(np.array(values, object)), Meta((len(values),), "int", field)
    for p in turns(n):
        for owner in range(0, n, 2):
            held = [x if i == owner else None for i in range(n)]
            shares = run(p, "input", {"meta": meta, "owner": owner}, owner, held, meta)
            for opened in run(p, "open", {"meta": meta, "to": None}, shares, None):
                assert integers(field, opened) == values
            doubled = [q.add(s, s) for q, s in zip(p.protocols, shares, strict=True)]
            assert integers(field, p.collect(doubled)) == integers(field, field.add(x, x))
            found = run(p, "open", {"meta": meta, "to": owner}, shares, owner)
            assert integers(field, found[owner]) == values
            assert all(o is None for i, o in enumerate(found) if i != owner)


@EVERY
@FIELDS
def test_products(n: int, field: PrimeField) -> None:
    values = edges(20)
    for p in turns(n):
        a, meta = shared(p, field, values)
        b, _ = shared(p, field, values[::-1])
        facts = {"kind": "mul", "meta": meta, "shift": 0}
        z = run(p, "product", facts, "mul", a, b, meta, 0, {})
        want = [u * v for u, v in zip(values, values[::-1], strict=True)]
        assert integers(field, p.collect(z)) == want


@EVERY
def test_truncation_is_floor_or_one_more(n: int) -> None:
    values = edges(range_bits(n))
    for p in turns(n):
        x, meta = shared(p, F127, values)
        for shift in (1, 16):
            z = run(p, "truncate", {"meta": meta, "shift": shift}, x, shift)
            for got, v in zip(integers(F127, p.collect(z)), values, strict=True):
                assert got - (v >> shift) in ((0,) if v % (1 << shift) == 0 else (0, 1))


@EVERY
def test_product_of_fixed_point(n: int) -> None:
    values = [v << 8 for v in edges(32)]
    for p in turns(n):
        x, meta = shared(p, F127, values)
        y, _ = shared(p, F127, values[::-1])
        facts = {"kind": "mul", "meta": meta, "shift": 16}
        z = run(p, "product", facts, "mul", x, y, meta, 16, {})
        want = [u * v >> 16 for u, v in zip(values, values[::-1], strict=True)]
        assert integers(F127, p.collect(z)) == want  # multiples of 2^16 are exact


@pytest.mark.parametrize("n", [3, 5, 7])
def test_rounding_is_unbiased(n: int) -> None:
    size, low = 40_000, 3000
    p = parties(n)
    x, _ = shared(p, F127, [low - (1 << 40)] * size)
    up = np.array(integers(F127, p.collect(call(p, "truncate", x, 16)))) + (1 << 24)
    assert set(up) <= {0, 1}
    mean = low / 65536
    assert abs(up.mean() - mean) < 6 * (mean / size) ** 0.5


@EVERY
@FIELDS
def test_signs_and_zeros(n: int, field: PrimeField) -> None:
    for bits in (2, 9, field.width):
        values = edges(bits)
        for p in turns(n):
            x, meta = shared(p, field, values)
            facts = {"meta": meta, "bits": bits}
            sign, zero = run(p, "msb", facts, x, bits), run(p, "is_zero", facts, x, bits)
            assert p.collect(sign)[0].tolist() == [int(v < 0) for v in values]
            assert p.collect(zero)[0].tolist() == [int(v == 0) for v in values]


@EVERY
def test_bits_and_back(n: int) -> None:
    for bits in (1, 2, 9, 64):
        values = edges(64)
        weights = [(-1) ** i * 3**i for i in range(bits)]
        for p in turns(n):
            x, meta = shared(p, F127, values)
            planes = run(p, "decompose", {"meta": meta, "bits": bits}, x, bits)
            assert p.collect(planes).tolist() == [[v >> i & 1 for v in values] for i in range(bits)]
            w = F127.reduce(np.array(weights, object))
            total = run(p, "compose", {"meta": meta, "planes": bits}, planes, w, meta)
            want = [sum(w * (v >> i & 1) for i, w in enumerate(weights)) for v in values]
            assert p.collect(total).tolist() == F127.reduce(np.array(want, object)).tolist()


@EVERY
@FIELDS
def test_logic_and_selection(n: int, field: PrimeField) -> None:
    meta = Meta((130,), "int", field)
    u, v = np.arange(130) % 2, np.arange(130) // 2 % 2
    numbers = list(range(-65, 65))
    for p in turns(n):
        a, b = p.deal_bits(u, meta), p.deal_bits(v, meta)
        z = run(p, "and_", {"meta": meta, "planes": 1}, a, b)
        assert p.collect(z)[0].tolist() == (u & v).tolist()
        flipped = [q.not_(q.xor(s, t)) for q, s, t in zip(p.protocols, a, b, strict=True)]
        assert p.collect(flipped)[0].tolist() == (1 - (u ^ v)).tolist()
        for opened in call(p, "open", flipped, None):
            assert unpack(opened[0], 130).tolist() == (1 - (u ^ v)).tolist()
        x, _ = shared(p, field, numbers)
        y = run(p, "select", {"meta": meta}, a, x)
        assert integers(field, p.collect(y)) == [
            i * int(c) for i, c in zip(numbers, u, strict=True)
        ]


def test_what_the_small_field_cannot_do() -> None:
    p = parties(3)
    x, meta = shared(p, F61, [1, 2])
    for name, args in [
        ("truncate", (x, 4)),
        ("decompose", (x, 4)),
        ("product", ("mul", x, x, meta, 4, {})),
    ]:
        with pytest.raises(ShareError, match="ring=127"):
            call(p, name, *args)


@pytest.mark.parametrize("n", [3, 5, 7])
@FIELDS
def test_wrong_shares_are_noticed_and_corrected(n: int, field: PrimeField) -> None:
    p = parties(n)
    x, meta = shared(p, field, list(range(100)))
    t = (n - 1) // 2
    most = (n - t - 1) // 2
    for wrong in range(1, n - t):
        faulty = list(x)
        for i in range(wrong):
            part = x[i].parts[0].copy()
            part[10 * i + 3 :] = field.add(part[10 * i + 3 :], field.full((), i + 1))
            faulty[i] = Share(meta, (part,))
        if wrong > most:
            with pytest.raises(ConsistencyCheckFailed, match="contradict"):
                call(p, "open", faulty, None)
        else:
            with pytest.warns(UserWarning, match=", ".join(f"party {i}" for i in range(wrong))):
                found = call(p, "open", faulty, n - 1)
            assert integers(field, found[n - 1]) == list(range(100))


def test_a_wrong_share_of_a_bit_is_corrected() -> None:
    p, meta = parties(5), Meta((130,), "int", F61)
    bits = np.arange(130) % 3 == 0
    b = p.deal_bits(bits, meta)
    b[3] = Share(b[3].meta, (b[3].parts[0] ^ np.uint64(1 << 40), *b[3].parts[1:]))
    with pytest.warns(UserWarning, match="party 3 sent"):
        found = call(p, "open", b, 0)
    assert unpack(found[0][0], 130).tolist() == bits.tolist()


@pytest.mark.parametrize("field", [F61, F127])
def test_what_is_no_element_is_refused(field: PrimeField) -> None:
    """A client deals words of p or more: sums of such would be wrong."""
    meta = Meta((1,), "int", field)
    for value, right in ((field.modulus - 1, True), (field.modulus, False)):
        words = value if field.bits == 61 else (value & (1 << 64) - 1, value >> 64)
        part = np.array([words], field.dtype)
        if right:
            Shamir(0, 3).check_dealt(meta, (part,))
            continue
        with pytest.raises(ShareError, match="no element"):
            Shamir(0, 3).check_dealt(meta, (part,))


@pytest.mark.parametrize("n", [3, 5])
def test_arrays_without_elements(n: int) -> None:
    with mpc.simulate(n, protocol="shamir") as s:
        x = s.share(np.zeros((0, 4)))
        found = (x * x).reveal(), (x < x).reveal(), (x == x).reveal(), x.relu().reveal()
        assert [y.shape for y in found] == [(0, 4)] * 4
