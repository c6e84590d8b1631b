"""Prime fields against Python's integers: every operation, edge values, both primes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mpyc_core import mersenne
from mpyc_core.errors import EncodingError, EncodingOverflow, RingMismatch
from mpyc_core.field import F61, F127, PrimeField
from mpyc_core.ring import ring
from mpyc_core.transport.mesh import Array

FIELDS = pytest.mark.parametrize("field", [F61, F127], ids=lambda f: f.name)


def edges(field: PrimeField) -> list[int]:
    p = field.modulus
    near = {0, 1, 2, 3, p - 1, p - 2, p // 2, p // 2 + 1}
    near |= {1 << k for k in range(field.bits)} | {(1 << k) - 1 for k in range(field.bits)}
    return sorted(v % p for v in near)


def integers(x: Array) -> Array:
    """Residues as Python's integers."""
    if x.dtype.fields:
        return np.asarray(x["lo"].astype(object) + x["hi"].astype(object) * 2**64, object)
    return x.astype(object)


def random(field: PrimeField, *shape: int) -> tuple[Array, Array]:
    """Elements with many edges among them, and the same as integers."""
    rng = np.random.default_rng(7)
    size = int(np.prod(shape))
    found = [int.from_bytes(rng.bytes(16), "big") % field.modulus for _ in range(size)]
    known = edges(field)
    for i in range(0, size, 3):
        found[i] = known[int(rng.integers(len(known)))]
    values = np.array(found, object).reshape(shape)
    return field.reduce(values), values


def same(field: PrimeField, got: Array, want: Array) -> None:
    assert got.dtype == field.dtype
    assert integers(got).tolist() == np.asarray(np.asarray(want, object) % field.modulus).tolist()


@FIELDS
def test_all_pairs_of_edges(field: PrimeField) -> None:
    values = np.array(edges(field), object)
    x = field.reduce(values)
    a, b = x[:, None], x[None, :]
    same(field, field.add(a, b), values[:, None] + values)
    same(field, field.sub(a, b), values[:, None] - values)
    same(field, field.mul(a, b), values[:, None] * values)
    same(field, field.neg(x), -values)


@FIELDS
def test_products_of_matrices(field: PrimeField) -> None:
    for m, k, n in [(1, 1, 1), (2, 70, 9), (37, 5, 3), (3, 0, 2), (6, 33, 41)]:
        a, u = random(field, m, k)
        b, v = random(field, k, n)
        want = u.dot(v) if k else np.zeros((m, n), object)
        same(field, field.matmul(a, b), want)
    a, u = random(field, 4, 2, 3)
    b, v = random(field, 4, 3, 5)
    same(field, field.matmul(a, b), np.stack([x.dot(y) for x, y in zip(u, v, strict=True)]))
    same(field, field.matmul(a[0, 0], b[0, :, 0]), u[0, 0].dot(v[0, :, 0]))


@FIELDS
def test_large_products_of_matrices(field: PrimeField) -> None:
    """By residues over GF(2^127 - 1): more products than one sum holds, and the largest values."""
    p = field.modulus
    for m, k, n, extreme in [(9, 1441, 33, True), (130, 7, 260, False), (8, 2000, 9, False)]:
        (a, u), (b, v) = random(field, m, k), random(field, k, n)
        u[0], v[:, -1] = p // 2, p // 2 + 1
        if extreme:
            u[1:], v[:, :-1] = p - 1, p // 2
        a, b = field.reduce(u), field.reduce(v)
        same(field, field.matmul(a, b), u.dot(v))


@FIELDS
def test_convolution_and_its_adjoints(field: PrimeField) -> None:
    x, xi = random(field, 2, 3, 5, 6)
    w, wi = random(field, 4, 3, 2, 3)
    z = field.conv2d(x, w, 2, 1)
    padded = np.zeros((2, 3, 7, 8), object)
    padded[:, :, 1:-1, 1:-1] = xi
    want = np.zeros(z.shape, object)
    for i, j in np.ndindex(*z.shape[2:]):
        window = padded[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 3]
        for n, o in np.ndindex(*z.shape[:2]):
            want[n, o, i, j] = (window[n] * wi[o]).sum()
    same(field, z, want)
    g, gi = random(field, *z.shape)
    inner = int((gi * want).sum())  # <g, conv(x, w)> = <x, adjoint> = <w, adjoint>
    for adjoint, other in [
        (field.conv2d_grad_x(g, w, x.shape, 2, 1), xi),
        (field.conv2d_grad_w(x, g, w.shape, 2, 1), wi),
    ]:
        assert int((integers(adjoint) * other).sum() - inner) % field.modulus == 0


@FIELDS
def test_sums(field: PrimeField) -> None:
    x, v = random(field, 40, 7)
    same(field, field.sum(x, 0), v.sum(0))
    same(field, field.sum(x, (0, 1), keepdims=True), v.sum(keepdims=True).reshape(1, 1))
    same(field, field.cumsum(x, 1), v.cumsum(1))
    same(field, field.dot(x, x[:, :1]), (v * v[:, :1]).sum(0))
    key = np.arange(40) % 3
    want = np.stack([v[key == i].sum(0) for i in range(3)])
    same(field, field.scatter_add((3, 7), key, x), want)


@FIELDS
def test_raw_words_stand_for_themselves_modulo_p(field: PrimeField) -> None:
    rng = np.random.default_rng(3)
    raw = np.frombuffer(rng.bytes(5 * 90 * field.bytes), field.dtype).reshape(5, 90).copy()
    raw[0] = np.frombuffer(b"\xff" * raw[0].nbytes, field.dtype)
    values = integers(raw)
    same(field, field.total(raw), values.sum(0))
    matrix, m = random(field, 3, 5)
    same(field, field.combine(matrix, raw), m.dot(values))
    same(field, field.uniform(raw), values)


@FIELDS
def test_shifts_and_bits_are_those_of_the_signed_integer(field: PrimeField) -> None:
    x, v = random(field, 200)
    p = field.modulus
    signed = np.array([u - p if u > p // 2 else u for u in v], object)
    assert field.to_int(x).tolist() == signed.tolist()
    for s in (0, 1, 16, 31, 59, field.bits - 1):
        same(field, field.lshift(x, s), v << s)
        same(field, field.rshift_arithmetic(x, s), signed >> s)
        same(field, field.rshift_logical(x, s), v >> s)
    for i in (0, 1, 40, 63):
        assert field.bit(x, i).tolist() == [bool(u >> i & 1) for u in signed]
    assert field.nonzero(x).tolist() == [u != 0 for u in v]
    same(field, mersenne.from_twos(field.twos(x)), v)


@FIELDS
@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, np.uint64, np.bool_])
def test_integers_of_every_width(field: PrimeField, dtype: npt.DTypeLike) -> None:
    info = None if dtype is np.bool_ else np.iinfo(dtype)
    ends = [0, 1] if info is None else [0, 1, info.min, info.max]
    x = np.array(ends, dtype)
    same(field, field.reduce(x), np.array([int(v) for v in ends], object))


@FIELDS
def test_limits(field: PrimeField) -> None:
    half = field.modulus // 2
    assert field.to_int(field.from_int([half, -half])).tolist() == [half, -half]
    with pytest.raises(EncodingOverflow, match="outside"):
        field.from_int([half + 1])
    with pytest.raises(EncodingError, match="shift"):
        field.lshift(field.from_int([1]), field.bits + 1)
    with pytest.raises(RingMismatch, match="GF"):
        field.add(np.zeros(1, np.float64), np.zeros(1, field.dtype))
    floats = np.array([0.0, 1.0, -1.0, 2.0**50 + 1, -(2.0**52)])
    assert field.to_float(field.from_float(floats)).tolist() == floats.tolist()
    assert ring(field.bits) is field
