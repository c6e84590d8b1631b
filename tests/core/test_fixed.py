"""Fixed point: exact limits, rounding to nearest even, round trips, and what is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpyc_core.errors import EncodingError, EncodingOverflow, RingMismatch
from mpyc_core.fixed import DEFAULT_F, decode, default_f, encode
from mpyc_core.ring import Z32, Z64, Z128, Ring

RINGS = pytest.mark.parametrize("ring", [Z32, Z64, Z128], ids=lambda ring: ring.name)


def rounded(value: Fraction) -> int:
    """To nearest, ties to even: what Python's round does."""
    return round(value)


@RINGS
@pytest.mark.parametrize("f", [0, 1, 8, 16, 31])
def test_limits_are_exact(ring: Ring, f: int) -> None:
    limit = 2.0 ** (ring.bits - 1 - f)
    below = np.nextafter(limit, 0) if ring is not Z32 else limit - 2.0**-f
    for value in (-limit, below, -below):
        assert ring.to_int(encode(value, ring, f)) == rounded(Fraction(value) * 2**f)
        assert decode(encode(value, ring, f), ring, f) == value
    for value in (limit, np.nextafter(-limit, -np.inf) * 2, 1e300, -1e300):
        with pytest.raises(EncodingOverflow, match=rf"\[-2\^{ring.bits - 1 - f}, "):
            encode([0.0, value], ring, f)


def test_a_value_that_rounds_out_of_range_is_refused() -> None:
    just_below = 2.0**23 - 2.0**-10  # rounds up to 2^23, which 32 bits with 8 of fraction lack
    with pytest.raises(EncodingOverflow):
        encode(just_below, Z32, 8)
    assert Z32.to_int(encode(-(2.0**23) - 2.0**-10, Z32, 8)) == -(2**31)


def test_ties_go_to_even() -> None:
    ties = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5]
    assert Z64.to_int(encode(ties, Z64, 0)).tolist() == [0, 2, 2, 0, -2, -2]
    assert Z64.to_int(encode(np.array(ties) / 2**16, Z64, 16)).tolist() == [0, 2, 2, 0, -2, -2]


@RINGS
@given(value=st.floats(-(2.0**14), 2.0**14), f=st.integers(0, 16))
@settings(max_examples=20, derandomize=True)
def test_encoding_is_the_nearest_and_decodes_to_it(ring: Ring, value: float, f: int) -> None:
    nearest = rounded(Fraction(value) * 2**f)
    code = encode(value, ring, f)
    assert (code.dtype, code.shape) == (ring.dtype, ())
    assert int(ring.to_int(code)) == nearest
    assert Fraction(float(decode(code, ring, f))) == Fraction(nearest, 2**f)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 63))
@settings(max_examples=20, derandomize=True)
def test_decoding_is_correctly_rounded(n: int, f: int) -> None:
    # A quotient of Python's integers is correctly rounded by definition of the language.
    assert float(decode(Z64.from_int([n]), Z64, f)[0]) == n / 2**f


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g", "?", "i1", "u2", "i8", "O"])
def test_real_dtypes(dtype: str) -> None:
    x = np.array([[0, 1], [1, 0]]).astype(dtype)
    assert decode(encode(x, Z64, 16), Z64, 16).tolist() == [[0, 1], [1, 0]]


def test_integers_are_scaled_exactly() -> None:
    n = 2**46 + 1  # times 2^16 it needs 63 bits, more than a float64 holds
    assert int(encode(n, Z64, 16)) == n << 16
    assert int(Z64.to_int(encode(-(2**47), Z64, 16))) == -(2**63)
    for value in (2**47, -(2**47) - 1, 2**64, 10**30):
        with pytest.raises(EncodingOverflow):
            encode(value, Z64, 16)


def test_wide_numbers_keep_every_bit_of_a_float() -> None:
    rng = np.random.default_rng(8)
    x = np.ldexp(rng.uniform(-1, 1, 100), rng.integers(0, 64, 100))
    code = encode(x, Z128, 63)  # down to 2^-63: what is not smaller than 2^-10 has room for all
    big = np.abs(x) >= 2.0**-10
    assert np.array_equal(decode(code, Z128, 63)[big], x[big])
    assert Z128.to_int(encode(10**30, Z128, 16)) == 10**30 << 16
    assert Z128.to_int(encode(-(2**95), Z128, 32)) == -(2**127)


def test_empty_and_transposed_arrays() -> None:
    assert encode(np.zeros((0, 3)), Z64, 16).shape == (0, 3)
    x = np.arange(6.0).reshape(2, 3).T
    assert np.array_equal(decode(encode(x, Z64, 16), Z64, 16), x)


@pytest.mark.parametrize(
    "value", [np.nan, [1.0, np.inf], -np.inf, 1j, "1", None, [object()], np.datetime64(0, "s")]
)
def test_what_is_not_a_finite_number_is_refused(value: object) -> None:
    with pytest.raises(EncodingError, match="fixed point holds"):
        encode(value, Z64, 16)  # type: ignore[arg-type]


def test_fraction_bits_and_ring_are_checked() -> None:
    for f in (-1, 64):
        with pytest.raises(EncodingError, match=f"0 to 63 fraction bits .* got {f}"):
            encode(1.0, Z64, f)
    with pytest.raises(RingMismatch):
        decode(np.zeros(1, np.uint32), Z64, 16)


def test_default_fraction_bits() -> None:
    assert default_f(Z128) == DEFAULT_F[128] == 16
    assert default_f(Z64) == DEFAULT_F[64] == 16
    assert default_f(Z32) == DEFAULT_F[32] == 8
