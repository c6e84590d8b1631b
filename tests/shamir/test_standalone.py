"""Shares without parties: keys split and put together, wrong shares, packed secrets."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import gmpy2
import numpy as np
import pytest

from mpyc_core.errors import (
    ConfigError,
    ConsistencyCheckFailed,
    EncodingError,
    EncodingOverflow,
    ShapeMismatch,
    ShareError,
)
from mpyc_core.field import F61, F127, PrimeField
from mpyc_core.gmp_field import GmpField
from mpyc_core.protocols.shamir import reconstruct, split, wrong_shares
from mpyc_core.protocols.shamir.packed import PackedShares, Packing
from mpyc_core.protocols.shamir.scalars import Binary, Prime

OTHER = int(gmpy2.next_prime(10**30))
Field = PrimeField | GmpField
FIELDS = pytest.mark.parametrize("field", [F61, F127, GmpField(OTHER)], ids=lambda f: f.name)


@pytest.mark.parametrize("prime", [(1 << 61) - 1, OTHER, (1 << 521) - 1])
def test_any_t_plus_one_shares_reconstruct(prime: int) -> None:
    for secret in (0, 1, prime - 1, 123456789):
        shares = split(secret, n=6, t=2, prime=prime)
        for some in combinations(shares, 3):
            assert reconstruct(some[::-1]) == secret
        with pytest.raises(ShareError, match="3 are needed"):
            reconstruct(shares[:2])


def test_bytes_keep_their_length() -> None:
    for secret in (b"\x00" * 32, b"\x00\x01", bytes(range(64))):
        assert reconstruct(split(secret, n=5, t=4)) == secret
    with pytest.raises(ConfigError, match="secret below"):
        split(b"\xff" * 66, n=3, t=1)


def test_t_shares_are_uniform_whatever_the_secret() -> None:
    p, runs = 11, 6000
    counts = np.zeros((2, p, p), int)
    for secret in (0, 7):
        for _ in range(runs):
            a, b, _ = split(secret, n=3, t=2, prime=p)
            counts[int(secret > 0), a.value, b.value] += 1
    expected = runs / p**2
    chi_square = ((counts - expected) ** 2 / expected).sum(axis=(1, 2))
    assert (chi_square < 240).all()  # 120 degrees of freedom; 240 has probability below 1e-9


def test_every_pattern_of_few_errors_is_corrected() -> None:
    shares = split(42, n=7, t=2, prime=OTHER)
    for e in range(3):
        for places in combinations(range(7), e):
            bad = [
                replace(s, value=(s.value + 1 + i) % OTHER) if i in places else s
                for i, s in enumerate(shares)
            ]
            assert reconstruct(bad) == 42
            assert wrong_shares(bad) == [i + 1 for i in places]


def test_more_errors_are_noticed() -> None:
    shares = split(42, n=7, t=2, prime=OTHER)
    for places in combinations(range(7), 4):
        bad = [
            replace(s, value=pow(3, 50 + i, OTHER)) if i in places else s
            for i, s in enumerate(shares)
        ]
        with pytest.raises(ConsistencyCheckFailed, match="bring more shares"):
            reconstruct(bad)


def test_what_split_and_reconstruct_refuse() -> None:
    shares = split(1, n=3, t=1)
    for wrong in ([], [shares[0], shares[0]], [shares[0], replace(shares[1], t=2)]):
        with pytest.raises(ShareError):
            reconstruct(wrong)
    for facts in ({"n": 3, "t": 0}, {"n": 3, "t": 3}, {"n": 20, "t": 1, "prime": 17}):
        with pytest.raises(ConfigError, match="0 < t < n"):
            split(1, **facts)
    for composite in (561, 2**61 + 1, OTHER * OTHER):
        with pytest.raises(ConfigError, match="prime"):
            split(1, n=3, t=1, prime=composite)
    assert "hidden" in repr(shares[0])
    assert str(shares[0].value) not in repr(shares[0])


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_binary_fields(m: int) -> None:
    field = Binary(m)
    every = range(field.order)
    for x in every:
        assert sorted(field.mul(x, y) for y in every) == (sorted(every) if x else [0] * len(every))
        assert x == 0 or field.mul(x, field.inverse(x)) == 1
        for y in every:
            for z in every:
                left = field.mul(x, field.add(y, z))
                assert left == field.add(field.mul(x, y), field.mul(x, z))
                assert field.mul(field.mul(x, y), z) == field.mul(x, field.mul(y, z))


def test_interpolation_gives_values_anywhere() -> None:
    for field in (Prime(101), Binary(4)):
        polynomial = [9, 4, 7]
        points = [3, 8, 11]
        for at in (0, 1, 5, 8):
            weights = field.lagrange(points, at)
            total = 0
            for w, x in zip(weights, points, strict=True):
                total = field.add(total, field.mul(w, field.value(polynomial, x)))
            assert total == field.value(polynomial, at)


@FIELDS
def test_packed_secrets(field: Field) -> None:
    packing = Packing(field, n=7, t=2, k=2)
    u, v = np.arange(-6, 6).reshape(2, 3, 2), np.arange(12).reshape(2, 3, 2) * 10**6
    x, y = packing.share(field.from_int(u)), packing.share(field.from_int(v))
    assert packing.multiplies
    for parties in ([0, 1, 2, 3], [6, 2, 4, 1], None):
        assert field.to_int(packing.open(x, parties)).tolist() == u.tolist()
    assert field.to_int(packing.open(packing.sub(packing.add(x, y), y))).tolist() == u.tolist()
    assert field.to_int(packing.open(packing.scale(x, -3))).tolist() == (-3 * u).tolist()
    z = packing.mul(x, y)
    assert field.to_int(packing.open(z)).tolist() == (u * v).tolist()
    with pytest.raises(ShareError, match="7 are needed"):
        packing.open(z, [0, 1, 2, 3, 4, 5])
    with pytest.raises(ShareError, match="degree 9"):
        packing.mul(z, x)
    with pytest.raises(ShapeMismatch):
        packing.share(field.from_int([1, 2, 3]))
    with pytest.raises(ConfigError, match="t \\+ k <= n"):
        Packing(field, n=3, t=2, k=2)


@FIELDS
@pytest.mark.parametrize(("n", "t", "k"), [(3, 1, 1), (5, 2, 1), (7, 3, 1), (7, 2, 2), (9, 2, 3)])
def test_degree_reduction(field: Field, n: int, t: int, k: int) -> None:
    """Products of products, packed or not; a product of degree 2d needs every party."""
    packing = Packing(field, n, t, k)
    u, v = np.arange(-3, 3 * k * 2 - 3).reshape(3, 2, k), np.arange(6 * k).reshape(3, 2, k) * 10**4
    x, y = packing.share(field.from_int(u)), packing.share(field.from_int(v))
    z = packing.reduce(packing.mul(x, y))
    assert z.degree == packing.degree
    few = list(range(n))[-packing.degree - 1 :]
    assert field.to_int(packing.open(z, few)).tolist() == (u * v).tolist()
    cube = packing.reduce(packing.mul(z, x))
    assert field.to_int(packing.open(cube)).tolist() == (u * u * v).tolist()
    assert not np.array_equal(packing.reduce(z).values, z.values)


@FIELDS
def test_wrong_packed_shares_are_corrected_or_noticed(field: Field) -> None:
    packing = Packing(field, n=7, t=2, k=2)  # degree 3: 1 of 7 shares can be corrected
    u = np.arange(20).reshape(10, 2)
    x = packing.share(field.from_int(u))

    def off(*places: tuple[int, int]) -> PackedShares:
        values = x.values.copy()
        for party, column in places:
            values[party, column] = field.add(values[party, column : column + 1], one)[0]
        return replace(x, values=values)

    one = field.full((1,), 1)
    for party in range(7):
        with pytest.warns(UserWarning, match=f"party {party} brought"):
            found = packing.open(off((party, 3), (party, 5)))
        assert field.to_int(found).tolist() == u.tolist()
    for places in (((0, 3), (1, 3)), ((0, 3), (1, 5)), ((2, 0), (5, 0), (6, 0))):
        with pytest.raises(ConsistencyCheckFailed, match="bring more shares"):
            packing.open(off(*places))


def test_packed_shares_of_any_prime_are_uniform() -> None:
    """One party's share of a secret 0, in a small field, where counting is a test."""
    packing = Packing(GmpField(11), n=5, t=2, k=2)
    x = packing.share(GmpField(11).full((6000, 2), 0))
    doubled = packing.reduce(packing.add(x, x))
    for shares in (x, doubled):
        for i, j in combinations(range(5), 2):
            pairs = 11 * shares.values[i].astype(int) + shares.values[j].astype(int)
            counts, expected = np.bincount(pairs, minlength=121), 6000 / 121
            assert ((counts - expected) ** 2 / expected).sum() < 250  # 120 degrees: below 1e-10


def test_what_a_field_of_any_prime_refuses() -> None:
    for composite in (561, 2**61 + 1, OTHER * OTHER, 4, 1, -7):
        with pytest.raises(ConfigError, match="prime"):
            GmpField(composite)
    field = GmpField(101)
    with pytest.raises(EncodingOverflow, match="at most 50"):
        field.from_int([51])
    with pytest.raises(EncodingError, match="integers"):
        field.reduce([0.5])
    assert field.to_int(field.reduce([200, -1, 50, 51])).tolist() == [-2, -1, 50, -50]


def test_t_packed_shares_are_uniform() -> None:
    packing, size = Packing(F61, n=5, t=2, k=2), 20_000
    for secret in (0, 2**59):
        x = packing.share(F61.full((size, 2), secret))
        for i, j in combinations(range(5), 2):
            top = (x.values[[i, j]] >> np.uint64(58)).astype(int)  # 3 bits of each
            counts = np.bincount(8 * top[0] + top[1], minlength=64)
            chi_square = ((counts - size / 64) ** 2 / (size / 64)).sum()
            assert chi_square < 160  # 63 degrees of freedom; probability below 1e-9
