"""Packed bits: order, padding, and what is refused. Planes are tested with the kernels."""

from __future__ import annotations

import numpy as np
import pytest

from mpyc_core.bits import from_planes, ones, pack, to_planes, unpack, words
from mpyc_core.errors import EncodingError, ShapeMismatch

SIZES = [0, 1, 7, 63, 64, 65, 128, 129]


@pytest.mark.parametrize("n", SIZES)
def test_packing_is_little_endian_and_padded_with_zeros(n: int) -> None:
    b = np.random.default_rng(n).integers(0, 2, n)
    w = pack(b)
    assert (w.dtype, w.shape) == (np.uint64, (words(n),))
    whole = sum(int(v) << 64 * i for i, v in enumerate(w))
    assert whole == sum(int(v) << i for i, v in enumerate(b))
    back = unpack(w, n)
    assert back.dtype == np.uint8
    assert np.array_equal(back, b)


@pytest.mark.parametrize("n", SIZES)
def test_ones_mask_the_padding(n: int) -> None:
    assert np.array_equal(ones(n), pack(np.ones(n)))


def test_any_shape_and_any_truth() -> None:
    b = np.array([[0, 5], [256, 0]])
    assert pack(b).tolist() == [0b0110]
    assert pack(b.T).tolist() == [0b0110]
    assert pack(b[:, ::-1]).tolist() == [0b1001]
    assert pack(True).tolist() == [1]


def test_unpacking_checks_the_words() -> None:
    with pytest.raises(ShapeMismatch, match=r"shape \(2,\), dtype uint64, got \(1,\)"):
        unpack(np.zeros(1, np.uint64), 65)
    with pytest.raises(ShapeMismatch):
        unpack(np.zeros(1, np.int64), 5)


def test_planes_check_words_and_counts() -> None:
    with pytest.raises(EncodingError, match="32, 64 or 128 bits"):
        to_planes(np.zeros(3, np.int64), 4)
    with pytest.raises(EncodingError, match="0 to 32 bit planes, got 33"):
        to_planes(np.zeros(3, np.uint32), 33)
    with pytest.raises(ShapeMismatch):
        from_planes(np.zeros((3, 2), np.uint64), 64)
    with pytest.raises(EncodingError, match="got dtype float64"):
        from_planes(np.zeros((3, 1), np.uint64), 64, np.float64)


def test_planes_of_any_shape_are_flat() -> None:
    x = np.arange(6, dtype=np.uint64).reshape(2, 3)
    assert np.array_equal(to_planes(x.T, 3), to_planes(np.array([0, 3, 1, 4, 2, 5], np.uint64), 3))
