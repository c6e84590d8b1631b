"""Distributed comparison functions against comparison, in kernels and in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from mpyc_core import dcf
from mpyc_core.bits import unpack

U8 = np.dtype(np.uint64)
SIZE = 192


def uniform(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(0, 2**64, shape, dtype=np.uint64)


@pytest.fixture(params=["kernels", "numpy"])
def maker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "numpy":
        monkeypatch.setattr(dcf, "_in_kernels", lambda: False)
    elif not dcf._in_kernels():
        pytest.skip("this processor has no AES instructions for kernels")
    return str(request.param)


@pytest.mark.parametrize("bits", [1, 2, 6, 7, 8, 9, 15, 31, 32, 63, 64])
def test_evaluations_add_up_to_the_comparison(maker: str, bits: int) -> None:
    rng, top = np.random.default_rng(bits), np.uint64((1 << bits) - 1)
    alpha = uniform(rng, SIZE) & top
    alpha[:4] = np.array([0, 1, top, top - np.uint64(1)], U8) & top
    roots = uniform(rng, 2, SIZE), uniform(rng, 2, SIZE)
    levels, leaf = dcf.generate(alpha, roots, bits)
    one = np.uint64(1)
    near = [alpha, alpha - one, alpha + one, np.zeros(SIZE, U8), np.full(SIZE, top)]
    for x in [*near, uniform(rng, SIZE), alpha ^ (one << np.uint64(bits // 2))]:
        at = x & top
        shares = [dcf.evaluate(p, bits, roots[p], levels, leaf, at) for p in range(2)]
        np.testing.assert_array_equal(unpack(shares[0] ^ shares[1], SIZE), at < alpha)


def test_all_points_of_a_small_domain(maker: str) -> None:
    rng, bits = np.random.default_rng(0), 9
    for value in (0, 1, 127, 128, 300, 511):
        alpha, x = np.full(512, value, U8), np.arange(512, dtype=U8)
        roots = uniform(rng, 2, 512), uniform(rng, 2, 512)
        levels, leaf = dcf.generate(alpha, roots, bits)
        shares = [dcf.evaluate(p, bits, roots[p], levels, leaf, x) for p in range(2)]
        np.testing.assert_array_equal(unpack(shares[0] ^ shares[1], 512), x < value)


@pytest.mark.parametrize("bits", [5, 20, 63])
def test_kernels_make_the_keys_that_numpy_makes(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if not dcf._in_kernels():
        pytest.skip("this processor has no AES instructions for kernels")
    rng = np.random.default_rng(7)
    alpha = uniform(rng, SIZE) >> np.uint64(64 - bits)
    roots = uniform(rng, 2, SIZE), uniform(rng, 2, SIZE)
    fast = dcf.generate(alpha, roots, bits)
    share = dcf.evaluate(1, bits, roots[1], *fast, alpha)
    monkeypatch.setattr(dcf, "_in_kernels", lambda: False)
    for mine, theirs in zip(fast, dcf.generate(alpha, roots, bits), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(share, dcf.evaluate(1, bits, roots[1], *fast, alpha))


def test_a_key_says_nothing_of_alpha_by_its_bits() -> None:
    """Every bit of the correction words is one half of the time set, whatever alpha is.

    65536 keys for each alpha; a bit's count is within 6 standard deviations. Bits 3 to 127 of a
    level's word are of the seed, bits 0 to 2 control; all are uniform to one party.
    """
    rng, bits, size = np.random.default_rng(11), 12, 1 << 16
    for value in (0, 1, 2047, 4095):
        roots = uniform(rng, 2, size), uniform(rng, 2, size)
        levels, leaf = dcf.generate(np.full(size, value, U8), roots, bits)
        by_word = levels.transpose(1, 2, 0, 3).reshape(-1, size)
        for words in (*by_word, *leaf):
            ones = [int(np.count_nonzero(words >> np.uint64(i) & np.uint64(1))) for i in range(64)]
            assert max(abs(2 * count - size) for count in ones) < 6 * np.sqrt(size)
