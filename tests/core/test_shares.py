"""Kernels of replicated sharing: odd sizes, both rings, both forms of pads, errors."""

from __future__ import annotations

import numpy as np
import pytest

from mpyc_core.errors import RingMismatch, ShapeMismatch
from mpyc_core.kernels import pads, replicated
from mpyc_core.kernels.streams import KernelStream, in_kernels
from mpyc_core.ring import Z32, Z64, Ring

from . import check_shares as check
from .check_kernels import words

RINGS = pytest.mark.parametrize("ring", [Z32, Z64], ids=lambda ring: ring.name)


@RINGS
@pytest.mark.parametrize("n", [0, 1, 7, 8, 63, 64, 65, 130])
def test_numbers(ring: Ring, n: int) -> None:
    check.check_all(ring, (n,))


@RINGS
def test_planes_of_several_groups(ring: Ring) -> None:
    check.check_split(ring, 1030, 5, 1)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 16])
def test_bits(width: int) -> None:
    check.check_bits((width,))


def test_ranges_for_threads_fit_together() -> None:
    n = 300_001
    rng, stream = np.random.default_rng(5), KernelStream(check.KEY)
    x, y = ((words(rng, Z64, n), words(rng, Z64, n)) for _ in range(2))
    f, g = (stream.words(check.OP, i, n) for i in range(2))
    zero = tuple(stream.pad(check.OP, i, n) for i in range(2))
    expected = x[0] * y[0] + x[0] * y[1] + x[1] * y[0]
    made = replicated.multiply_terms(1, x, y, (n,), zero)
    assert np.array_equal(made, expected + f - g)
    made = replicated.and_terms(x, y, (n,), zero)
    assert np.array_equal(made, x[0] & y[0] ^ x[0] & y[1] ^ x[1] & y[0] ^ f ^ g)


def test_operands_that_do_not_fit_are_refused() -> None:
    x = np.zeros(4, np.uint64)
    with pytest.raises(ShapeMismatch, match=r"\(5,\), got \(4,\)"):
        replicated.multiply_terms(0, (x, x), (x, x), (5,))
    with pytest.raises(RingMismatch, match="uint64, got uint32"):
        replicated.multiply_terms(0, (x, x), (x, x.astype(np.uint32)), (4,))


def test_operands_may_be_strided_or_unaligned() -> None:
    rng = np.random.default_rng(6)
    x, y = words(rng, Z64, 40), words(rng, Z64, 20)
    odd = np.frombuffer(b"\0" + y.tobytes(), np.uint8)[1:].view(np.uint64)
    made = replicated.multiply_terms(2, (x[::2], odd), (y, odd), (20,))
    assert np.array_equal(made, odd * y + x[::2] * odd)


def test_kernels_have_aes_where_the_processor_has() -> None:
    assert in_kernels() == pads.IN_KERNELS
