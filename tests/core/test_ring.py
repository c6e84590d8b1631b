"""Rings: wrap-around, shifts, embedding of integers, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpyc_core.errors import (
    ConfigError,
    EncodingError,
    EncodingOverflow,
    RingMismatch,
    ShapeMismatch,
)
from mpyc_core.ring import Z32, Z64, Z128, Ring, ring

from .check_kernels import agree, elements, exact, words

RINGS = pytest.mark.parametrize("r", [Z32, Z64, Z128], ids=lambda r: r.name)


def edges(r: Ring) -> np.ndarray:
    k = r.bits
    near = [2 ** (k // 2), 2 ** (k // 2) - 1, 2 ** (k // 2 + 1) + 1]
    return elements(r, [0, 1, 2, 2**k - 1, 2 ** (k - 1), 2 ** (k - 1) - 1, *near])


def listed(x: np.ndarray) -> list[int]:
    """The unsigned words, flat."""
    return [int(v) for v in exact(x).flat]


def test_properties() -> None:
    assert (Z64.dtype, Z64.signed, Z64.bytes, Z64.name) == (np.uint64, np.int64, 8, "Z/2^64")
    assert (Z32.dtype, Z32.signed, Z32.bytes, Z32.name) == (np.uint32, np.int32, 4, "Z/2^32")
    assert (Z128.bytes, Z128.name, Z128.signed) == (16, "Z/2^128", object)
    assert Z128.dtype == np.dtype([("lo", "<u8"), ("hi", "<u8")])
    assert Ring(64) == Z64 != Z32
    assert ring(128) is Z128
    assert ring(32) is Z32


@pytest.mark.parametrize("make", [ring, Ring])
@pytest.mark.parametrize("bits", [0, 63, 256, -64])
def test_other_rings_are_refused(make: Callable[[int], Ring], bits: int) -> None:
    with pytest.raises(ConfigError, match=f"32, 64 or 128 bits, got {bits}"):
        make(bits)


@RINGS
def test_arithmetic_wraps(r: Ring) -> None:
    x, y = edges(r)[:, None], edges(r)[None, :]
    cases: list[tuple[np.ndarray, Callable[[int, int], int]]] = [
        (r.add(x, y), lambda a, b: a + b),
        (r.sub(x, y), lambda a, b: a - b),
        (r.mul(x, y), lambda a, b: a * b),
    ]
    for result, op in cases:
        assert result.dtype == r.dtype
        pairs = [(a, b) for a in listed(x) for b in listed(y)]
        assert listed(result) == [op(a, b) % 2**r.bits for a, b in pairs]
    assert listed(r.neg(edges(r))) == [-v % 2**r.bits for v in listed(edges(r))]


@RINGS
def test_operands_broadcast_as_in_numpy(r: Ring) -> None:
    rng = np.random.default_rng(5)
    for left, right in [((), (3,)), ((2, 1, 3), (4, 1)), ((1,), ()), ((0, 3), (3,)), ((5,), (1,))]:
        x, y = words(rng, r, *left), words(rng, r, *right)
        for op, of in ((r.add, np.add), (r.sub, np.subtract), (r.mul, np.multiply)):
            agree(op(x, y), np.asarray(of(exact(x), exact(y)), object), r)
    x = words(rng, r, 4, 6)
    agree(r.add(x.T, x.T[::-1]), exact(x).T + exact(x).T[::-1], r)
    with pytest.raises(ValueError, match="broadcast"):
        r.add(words(rng, r, 2), words(rng, r, 3))


@RINGS
def test_sums_wrap(r: Ring) -> None:
    x = words(np.random.default_rng(6), r, 3, 4, 5)
    whole = exact(x)
    for axis in (None, 0, -1, (0, 2)):
        for keepdims in (False, True):
            want = np.asarray(np.sum(whole, axis=axis, keepdims=keepdims), object)
            agree(r.sum(x, axis, keepdims), want, r)
    agree(r.cumsum(x, 1), np.cumsum(whole, axis=1), r)
    agree(r.dot(x, x[:, ::-1]), np.sum(whole * whole[:, ::-1], axis=0), r)
    want = np.zeros((4, 2), object)
    np.add.at(want, ([1, 1, 3],), whole[:, 0, :2])
    agree(r.scatter_add((4, 2), ([1, 1, 3],), x[:, 0, :2]), want, r)
    agree(r.sum(x[:, :0], 1), np.zeros((3, 5), object), r)


@RINGS
def test_bits_of_elements(r: Ring) -> None:
    x = edges(r)
    for i in range(r.bits):
        assert r.bit(x, i).tolist() == [bool(v >> i & 1) for v in listed(x)]
    assert r.nonzero(x).tolist() == [v != 0 for v in listed(x)]


@RINGS
def test_arithmetic_of_scalars_stays_in_the_ring(r: Ring) -> None:
    big = r.full((), -1)
    for result in (r.add(big, big), r.mul(big, big), r.neg(big), r.lshift(big, 1)):
        assert isinstance(result, np.ndarray)
        assert (result.dtype, result.shape) == (r.dtype, ())


@RINGS
def test_shifts_by_every_amount(r: Ring) -> None:
    x, modulus = edges(r), 2**r.bits
    for s in range(r.bits + 1):
        assert listed(r.lshift(x, s)) == [(v << s) % modulus for v in listed(x)]
        assert listed(r.rshift_logical(x, s)) == [v >> s for v in listed(x)]
        signed = [v - modulus * (v >= modulus // 2) for v in listed(x)]
        assert listed(r.rshift_arithmetic(x, s)) == [(v >> s) % modulus for v in signed]
    for s in (-1, r.bits + 1):
        with pytest.raises(EncodingError, match=f"got {s}"):
            r.lshift(x, s)


@RINGS
def test_integers_embed_and_return(r: Ring) -> None:
    half = 2 ** (r.bits - 1)
    values = [0, 1, -1, half - 1, -half]
    x = r.from_int(values)
    assert x.dtype == r.dtype
    assert listed(x) == [v % 2**r.bits for v in values]
    assert r.to_int(x).dtype == r.signed
    assert r.to_int(x).tolist() == values


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "O"])
def test_every_integer_dtype_embeds(dtype: str) -> None:
    x = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    for r in (Z32, Z64, Z128):
        embedded = r.from_int(x.T)
        assert embedded.flags.c_contiguous
        assert np.array_equal(r.to_int(embedded), x.T.astype(int))


@RINGS
def test_integers_out_of_range_are_refused(r: Ring) -> None:
    half = 2 ** (r.bits - 1)
    for value in (half, -half - 1, 2**r.bits, 10**50):
        with pytest.raises(EncodingOverflow, match=rf"\[-2\^{r.bits - 1}, 2\^{r.bits - 1}\)"):
            r.from_int([0, value])
    with pytest.raises(EncodingOverflow):
        r.from_int(np.array([half], object))


@RINGS
def test_integers_of_any_size_are_reduced(r: Ring) -> None:
    values = [0, -1, 2**r.bits, 3 * 2**r.bits - 5, -(10**50), 10**50]
    assert listed(r.reduce(values)) == [v % 2**r.bits for v in values]
    assert listed(r.reduce(np.array([[-3, 7]], np.int8))) == [2**r.bits - 3, 7]
    assert r.reduce(np.array([2**64 - 1], np.uint64)).dtype == r.dtype
    assert listed(r.reduce(np.array([2**64 - 1], np.uint64))) == [(2**64 - 1) % 2**r.bits]
    full = r.full((2, 3), -7)
    assert (full.shape, full.dtype, listed(full)) == ((2, 3), r.dtype, [2**r.bits - 7] * 6)


@RINGS
def test_floats_embed_exactly_and_return_rounded(r: Ring) -> None:
    rng, k = np.random.default_rng(7), r.bits
    x = np.rint(np.ldexp(rng.uniform(-1, 1, 200), rng.integers(0, k, 200)))
    x = np.concatenate([x, [0.0, -1.0, -(2.0 ** (k - 1)), 2.0 ** (k - 2)]])
    assert listed(r.from_float(x)) == [int(v) % 2**k for v in x]
    assert np.array_equal(r.to_float(r.from_float(x)), x)
    for shift in range(k - 12):
        near = [(2**11 + i << shift) + j for i in range(3) for j in (-1, 0, 1)]
        values = [v * sign for v in near for sign in (1, -1)]
        assert r.to_float(r.reduce(values)).tolist() == [float(v) for v in values]


@pytest.mark.parametrize("value", [1.0, float("nan"), 1j, "1", None, [1, 2.5]])
def test_what_is_not_an_integer_is_refused(value: object) -> None:
    with pytest.raises(EncodingError, match="holds integers"):
        Z64.from_int(value)  # type: ignore[arg-type]


def test_operands_of_another_ring_are_refused() -> None:
    x, y = np.zeros((2, 2), np.uint64), np.zeros((2, 2), np.uint32)
    for op in (Z64.add, Z64.sub, Z64.mul, Z64.matmul):
        with pytest.raises(RingMismatch, match=r"Z/2\^64 \(dtype uint64\), got dtype uint32"):
            op(x, y)
    with pytest.raises(RingMismatch):
        Z64.to_int(np.zeros(2, np.int64))


@pytest.mark.parametrize(
    ("left", "right"), [((2, 3), (2, 3)), ((3,), (2,)), ((), (2,)), ((2, 3, 4), (3, 4, 5))]
)
def test_matmul_of_shapes_that_do_not_fit(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    with pytest.raises(ShapeMismatch, match="matmul"):
        Z64.matmul(np.zeros(left, np.uint64), np.zeros(right, np.uint64))


@pytest.mark.parametrize(
    ("x", "w", "stride", "padding"),
    [
        ((1, 2, 5, 5), (1, 3, 2, 2), 1, 0),
        ((2, 5, 5), (1, 2, 2, 2), 1, 0),
        ((1, 1, 5, 5), (1, 1, 6, 2), 1, 0),
        ((1, 1, 5, 5), (1, 1, 2, 2), 0, 0),
        ((1, 1, 5, 5), (1, 1, 2, 2), 1, -1),
        ((1, 1, 5, 5), (1, 1, 0, 2), 1, 0),
    ],
)
def test_conv2d_of_shapes_that_do_not_fit(
    x: tuple[int, ...], w: tuple[int, ...], stride: int, padding: int
) -> None:
    with pytest.raises(ShapeMismatch, match="conv2d"):
        Z64.conv2d(np.zeros(x, np.uint64), np.zeros(w, np.uint64), stride, padding)


def test_gradients_of_a_wrong_shape_are_refused() -> None:
    x, w = np.zeros((1, 1, 5, 5), np.uint64), np.zeros((1, 1, 2, 2), np.uint64)
    g = np.zeros((1, 1, 5, 4), np.uint64)
    with pytest.raises(ShapeMismatch, match=r"\(1, 1, 4, 4\), got \(1, 1, 5, 4\)"):
        Z64.conv2d_grad_x(g, w, x.shape)
    with pytest.raises(ShapeMismatch, match=r"\(1, 1, 4, 4\), got \(1, 1, 5, 4\)"):
        Z64.conv2d_grad_w(x, g, w.shape)


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.integers(0, 64))
@settings(max_examples=20, derandomize=True)
def test_arithmetic_shift_is_floor_division(values: list[int], s: int) -> None:
    x = Z64.from_int(np.array(values, np.int64))
    assert Z64.to_int(Z64.rshift_arithmetic(x, s)).tolist() == [v >> s for v in values]
