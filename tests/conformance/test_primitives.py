"""The primitives of every protocol on edge values of the ring, against Python's integers.

Each test runs three times in a row, so that where roles rotate every party plays every role.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from mpyc_core.bits import pack, unpack
from mpyc_core.meta import Meta
from mpyc_core.protocols.registry import get_protocol, protocols
from mpyc_core.protocols.value import Public, Share
from mpyc_core.ring import Z64, Ring
from mpyc_core.ring import ring as ring_of
from mpyc_core.transport.mesh import Array

from ..parties import Parties
from .runner import parties_of

BITS = (32, 64, 128)
"""The rings of integers modulo a power of two."""
PLACES = [(name, bits) for name, cls in protocols().items() for bits in cls.rings if bits in BITS]


@cache
def _parties(protocol: str) -> Parties:
    cls = get_protocol(protocol)
    return Parties(cls, parties_of(cls))


@pytest.fixture(params=PLACES, ids=lambda place: f"{place[0]}-{place[1]}")
def place(request: pytest.FixtureRequest) -> tuple[str, int]:
    found: tuple[str, int] = request.param
    return found


@pytest.fixture
def parties(place: tuple[str, int]) -> Parties:
    return _parties(place[0])


@pytest.fixture
def ring(place: tuple[str, int]) -> Ring:
    return ring_of(place[1])


def turns(parties: Parties) -> Iterator[int]:
    for turn in range(parties.protocols[0].turns):
        parties.turn_to(turn)
        yield turn


def edge_integers(k: int) -> list[int]:
    """0, 1, -1, 2^(k-1), 2^k - 1 and all powers of two, with neighbours, modulo 2^k."""
    powers = [1 << j for j in range(k)]
    near = {0, 1, *powers, *(p - 1 for p in powers), *(p + 1 for p in powers)}
    return sorted({v % (1 << k) for w in near for v in (w, -w)})


def edges(ring: Ring) -> tuple[list[int], Array, Meta]:
    numbers = edge_integers(ring.bits)
    return numbers, ring.reduce(numbers), Meta((len(numbers),), "int", ring)


def within(ring: Ring, bits: int) -> tuple[list[int], Array, Meta]:
    """The edges as signed integers in [-2^(bits-1), 2^(bits-1))."""
    half, k = 1 << (bits - 1), ring.bits
    signed = [v - (1 << k) if v >> (k - 1) else v for v in edge_integers(k)]
    chosen = [v for v in signed if -half <= v < half]
    return chosen, ring.from_int(chosen), Meta((len(chosen),), "int", ring)


def integers(ring: Ring, x: Array) -> list[object]:
    """Elements as Python's integers modulo 2^k."""
    found: list[object] = (ring.to_int(x).astype(object) % (1 << ring.bits)).tolist()
    return found


def widths(ring: Ring) -> list[int]:
    return [2, 3, 9, ring.bits // 2, ring.bits - 1, ring.bits]


def test_input_and_open(parties: Parties, ring: Ring) -> None:
    _, x, meta = edges(ring)
    for _ in turns(parties):
        for owner in range(parties.n):
            shares = parties.run(lambda p, o=owner: p.input(o, x if p.me == o else None, meta))
            for opened in parties.run(lambda p, s=shares: p.open(s[p.me], None)):
                np.testing.assert_array_equal(opened, x)
            for to in range(parties.n):
                opened = parties.run(lambda p, s=shares, t=to: p.open(s[p.me], t))
                np.testing.assert_array_equal(opened[to], x)
                assert all(o is None for i, o in enumerate(opened) if i != to)


def test_input_and_open_of_bits(parties: Parties) -> None:
    bits = np.arange(130) % 3 == 0
    meta = Meta(bits.shape, "bit", Z64)
    packed = pack(bits)[None]
    for _ in turns(parties):
        for owner in range(parties.n):
            shares = parties.run(lambda p, o=owner: p.input(o, packed if p.me == o else None, meta))
            for opened in parties.run(lambda p, s=shares: p.open(s[p.me], None)):
                np.testing.assert_array_equal(unpack(opened[0], bits.size), bits)


def test_client_gets_back_what_it_dealt(parties: Parties, ring: Ring) -> None:
    numbers, x, meta = edges(ring)
    for _ in turns(parties):
        np.testing.assert_array_equal(parties.collect(parties.deal(x, meta)), x)
        bits = np.array(numbers, object) % 2
        np.testing.assert_array_equal(parties.collect(parties.deal_bits(bits, meta))[0], bits)


def test_embed_and_local_operations(parties: Parties, ring: Ring) -> None:
    numbers, x, meta = edges(ring)
    y = x[::-1].copy()
    shares, modulus = parties.deal(y, meta), 1 << ring.bits
    with np.errstate(over="ignore"):
        made = {
            "embed": [p.embed(Public(meta, x)) for p in parties.protocols],
            "add": [p.add(s, Public(meta, x)) for p, s in zip_(parties, shares)],
            "sub": [p.sub(Public(meta, x), s) for p, s in zip_(parties, shares)],
            "neg": [p.neg(s) for p, s in zip_(parties, shares)],
            "scale": [p.scale(s, -3) for p, s in zip_(parties, shares)],
        }
    pairs = list(zip(numbers, numbers[::-1], strict=True))
    want = {
        "embed": numbers,
        "add": [(b + a) % modulus for a, b in pairs],
        "sub": [(a - b) % modulus for a, b in pairs],
        "neg": [-b % modulus for _, b in pairs],
        "scale": [-3 * b % modulus for _, b in pairs],
    }
    for name, result in made.items():
        assert integers(ring, parties.collect(result)) == want[name], name


def zip_(parties: Parties, shares: list[Share]) -> Iterator[tuple[object, Share]]:
    return zip(parties.protocols, shares, strict=True)


def test_product_of_all_pairs(parties: Parties, ring: Ring) -> None:
    numbers, x, _ = edges(ring)
    meta = Meta((len(x), len(x)), "int", ring)
    left, right = (np.ascontiguousarray(g) for g in np.meshgrid(x, x, indexing="ij"))
    want = [[a * b % (1 << ring.bits) for b in numbers] for a in numbers]
    a, b = parties.deal(left, meta), parties.deal(right, meta)
    for _ in turns(parties):
        z = parties.run(lambda p: p.product("mul", a[p.me], b[p.me], meta, 0, {}))
        assert integers(ring, parties.collect(z)) == want


def test_msb(parties: Parties, ring: Ring) -> None:
    for bits in widths(ring):
        numbers, x, meta = within(ring, bits)
        shares = parties.deal(x, meta)
        for _ in turns(parties):
            sign = parties.run(lambda p, s=shares, b=bits: p.msb(s[p.me], b))
            assert parties.collect(sign)[0].tolist() == [int(v < 0) for v in numbers], bits


def test_msb_as_a_number(parties: Parties, ring: Ring) -> None:
    for bits in widths(ring):
        numbers, x, meta = within(ring, bits)
        shares = parties.deal(x, meta)
        for _ in turns(parties):
            sign = parties.run(lambda p, s=shares, b=bits: p.msb_number(s[p.me], b))
            assert integers(ring, parties.collect(sign)) == [int(v < 0) for v in numbers], bits


def test_relu(parties: Parties, ring: Ring) -> None:
    for bits in widths(ring):
        numbers, x, meta = within(ring, bits)
        shares = parties.deal(x, meta)
        for _ in turns(parties):
            found = parties.run(lambda p, s=shares, b=bits: p.relu(s[p.me], b))
            assert integers(ring, parties.collect([y for y, _ in found])) == [
                max(v, 0) for v in numbers
            ]
            keep = parties.collect([bit for _, bit in found])[0]
            assert keep.tolist() == [int(v >= 0) for v in numbers], bits


def test_is_zero(parties: Parties, ring: Ring) -> None:
    numbers, x, meta = edges(ring)
    shares = parties.deal(x, meta)
    for bits in (1, *widths(ring)):
        for _ in turns(parties):
            zero = parties.run(lambda p, b=bits: p.is_zero(shares[p.me], b))
            assert parties.collect(zero)[0].tolist() == [int(v % (1 << bits) == 0) for v in numbers]


def test_decompose_and_compose(parties: Parties, ring: Ring) -> None:
    numbers, x, meta = edges(ring)
    shares = parties.deal(x, meta)
    for bits in (1, *widths(ring)):
        weights = [(-1) ** i * 3**i % (1 << ring.bits) for i in range(bits)]
        for _ in turns(parties):
            planes = parties.run(lambda p, b=bits: p.decompose(shares[p.me], b))
            want = [[v >> i & 1 for v in numbers] for i in range(bits)]
            assert parties.collect(planes).tolist() == want
            w = ring.reduce(weights)
            total = parties.run(lambda p, s=planes, w=w: p.compose(s[p.me], w, meta))
            assert integers(ring, parties.collect(total)) == [
                sum(w * (v >> i & 1) for i, w in enumerate(weights)) % (1 << ring.bits)
                for v in numbers
            ]


def test_select(parties: Parties, ring: Ring) -> None:
    numbers, x, meta = edges(ring)
    shares = parties.deal(x, meta)
    for bit in (0, 1):
        chosen = parties.deal_bits(np.full(meta.shape, bit), meta)
        for _ in turns(parties):
            y = parties.run(lambda p, b=chosen: p.select(b[p.me], shares[p.me]))
            assert integers(ring, parties.collect(y)) == [bit * v for v in numbers]


def test_logic_on_planes(parties: Parties) -> None:
    meta = Meta((130,), "int", Z64)
    x, y = np.arange(130) % 2, np.arange(130) // 2 % 2
    a, b = parties.deal_bits(x, meta), parties.deal_bits(y, meta)
    for _ in turns(parties):
        z = parties.run(lambda p: p.and_(a[p.me], b[p.me]))
        np.testing.assert_array_equal(parties.collect(z)[0], x & y)
    z = [p.not_(p.xor(s, t)) for p, s, t in zip(parties.protocols, a, b, strict=True)]
    np.testing.assert_array_equal(parties.collect(z)[0], 1 - (x ^ y))
    stacked = [p.stack_planes(s, t) for p, s, t in zip(parties.protocols, a, b, strict=True)]
    picked = [p.planes(s, [1, 0, 1]) for p, s in zip_(parties, stacked)]
    np.testing.assert_array_equal(parties.collect(picked), [y, x, y])
