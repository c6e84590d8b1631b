"""Corrections that a kernel makes in one pass are those that the definition gives."""

from __future__ import annotations

import numpy as np
import pytest

from mpyc_core.protocols.dealt.correlation import Correlation, correlation
from mpyc_core.protocols.dealt.source import SEED_BYTES, Source
from mpyc_core.protocols.dealt.want import Want


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("shape", [(), (3,), (5, 13), (70_001,)])
@pytest.mark.parametrize("shift", [0, 5, 16, 20, 40])
def test_products(n: int, shape: tuple[int, ...], shift: int) -> None:
    """Party 0's shares of the dealt places complete what all seeds give."""
    facts = (64, "mul", shape, shape, shape, ())
    want = Want("rounded-triple", 7, 3, (facts, shift)) if shift else Want("triple", 7, 3, facts)
    kind = correlation(want.kind)
    sources = [Source(bytes([i]) * SEED_BYTES, b"session", i) for i in range(n)]
    made, plain = (
        method(kind, sources, want) for method in (type(kind).corrections, Correlation.corrections)
    )
    assert made.keys() == plain.keys() == {0}
    for ours, theirs in zip(made[0], plain[0], strict=True):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        np.testing.assert_array_equal(ours, theirs)
