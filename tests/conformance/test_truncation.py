"""Dropping fraction bits: which results occur, how often, and where the range ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binomtest

from mpyc_core.meta import Meta
from mpyc_core.protocols.registry import get_protocol, protocols
from mpyc_core.protocols.value import Share
from mpyc_core.ring import Z32, Z64, Ring
from mpyc_core.transport.mesh import Array

from ..parties import Parties
from .runner import parties_of

SECURE = [name for name, cls in protocols().items() if name != "plain" and 64 in cls.rings]
N = 100_000
ALPHA = 1e-9
"""For each of about 200 tests, so that a false alarm comes once in five million runs."""
SHIFTS = {64: (1, 8, 16, 20), 32: (1, 8, 12)}
RINGS = pytest.mark.parametrize("ring", [Z64, Z32], ids=lambda r: r.name)
RNG = np.random.default_rng(2024)


@pytest.fixture(scope="module", params=SECURE)
def parties(request: pytest.FixtureRequest) -> Parties:
    cls = get_protocol(request.param)
    return Parties(cls, parties_of(cls))


def shifted(parties: Parties, ring: Ring, z: Array, shift: int) -> Array:
    """z / 2^shift as signed integers, by `truncate`."""
    meta = Meta(z.shape, "int", ring)
    shares = parties.deal(ring.from_int(z), meta)
    return ring.to_int(
        parties.collect(parties.run(lambda p: p.truncate(shares[p.me], shift)))
    ).astype(np.int64)


def multiplied(parties: Parties, ring: Ring, z: Array, shift: int) -> Array:
    """(z * 1) / 2^shift, by a product that drops bits itself."""
    meta = Meta(z.shape, "int", ring)
    x, one = (parties.deal(ring.from_int(v), meta) for v in (z, np.ones_like(z)))
    made: list[Share] = parties.run(lambda p: p.product("mul", x[p.me], one[p.me], meta, shift, {}))
    return ring.to_int(parties.collect(made)).astype(np.int64)


def summed(parties: Parties, ring: Ring, z: Array, shift: int) -> Array:
    """(z * 1) / 2^shift, as a product of matrices."""
    meta = Meta((z.size, 1), "int", ring)
    x, one = (
        parties.deal(ring.from_int(v), meta.with_(shape=v.shape))
        for v in (z[:, None], np.ones((1, 1), np.int64))
    )
    made: list[Share] = parties.run(
        lambda p: p.product("matmul", x[p.me], one[p.me], meta, shift, {})
    )
    return ring.to_int(parties.collect(made)).astype(np.int64)[:, 0]


def range_of(way: Way, ring: Ring) -> int:
    """What numbers must stay below: products of matrices have a bit less in wide rings."""
    return 1 << (ring.bits - 2 - (way is summed and ring.bits >= 64))


Way = Callable[[Parties, Ring, Array, int], Array]
WAYS = pytest.mark.parametrize("way", [shifted, multiplied, summed])


def size(parties: Parties) -> int:
    """How many elements are tried: fewer under verified protocols, which work much longer."""
    return N // 20 if parties.protocols[0].verifies else N


def likely(hits: int, n: int, p: float) -> bool:
    """Whether `hits` of n is what an event of probability p does (two-sided, exact)."""
    return bool(binomtest(hits, n, p).pvalue > ALPHA)


@RINGS
@WAYS
def test_floor_or_one_more_over_the_whole_range(parties: Parties, ring: Ring, way: Way) -> None:
    limit = range_of(way, ring)
    extremes = [limit - 1, -(limit - 1), limit - 2, -(limit - 2), 0, 1, -1]
    n = size(parties)
    z = np.concatenate([RNG.integers(-limit + 1, limit, n), np.repeat(extremes, n // 100)])
    for shift in SHIFTS[ring.bits]:
        for turn in range(3):
            parties.turn_to(turn)
            off = way(parties, ring, z, shift) - (z >> shift)
            assert set(np.unique(off).tolist()) == {0, 1}


@RINGS
@WAYS
def test_exact_on_multiples(parties: Parties, ring: Ring, way: Way) -> None:
    for shift in SHIFTS[ring.bits]:
        top = range_of(way, ring) >> shift
        whole = np.concatenate([RNG.integers(-top + 1, top, 1000), [0, 1, -1, top - 1, 1 - top]])
        for turn in range(3):
            parties.turn_to(turn)
            np.testing.assert_array_equal(way(parties, ring, whole << shift, shift), whole)


@RINGS
@WAYS
def test_unbiased(parties: Parties, ring: Ring, way: Way) -> None:
    """floor + 1 occurs with probability (z mod 2^f) / 2^f, whatever z is."""
    n = size(parties)
    for shift in SHIFTS[ring.bits]:
        unit = 1 << shift
        for base in (0, -12345, range_of(way, ring) >> (shift + 1)):
            for rest in sorted({1, unit // 4, unit // 2, unit - 1} - {0}):
                z = np.full(n, base * unit + rest)
                up = way(parties, ring, z, shift) - base
                assert likely(int(up.sum()), n, rest / unit), (shift, base, rest)


@WAYS
def test_rounding_is_independent(parties: Parties, way: Way) -> None:
    """The rounding of neighbours and of two runs is independent: no mask serves twice."""
    z = np.full(N, (5 << 16) + (1 << 15))
    first, second = (way(parties, Z64, z, 16) for _ in range(2))
    for a, b in ((first, second), (first[1:], first[:-1])):
        assert likely(int(np.sum(a == b)), a.size, 0.5)


def test_local_on_small_values(parties: Parties) -> None:
    """Far off with probability |z| / 2^(k-1): below 2^-42 for each of these."""
    z = RNG.integers(-(1 << 20), 1 << 20, 1000)
    meta = Meta(z.shape, "int", Z64)
    for turn in range(3):
        parties.turn_to(turn)
        shares = parties.deal(Z64.from_int(z), meta)
        made = parties.run(lambda p, s=shares: p.truncate_local(s[p.me], 8))
        off = Z64.to_int(parties.collect(made)) - (z >> 8)
        assert set(np.unique(off).tolist()) <= {-1, 0, 1}
