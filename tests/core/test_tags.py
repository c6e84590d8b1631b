"""Local work of SPDZ2k in one pass, against Python's integers."""

from __future__ import annotations

import secrets

import numpy as np
import pytest

from mpyc_core.kernels.verified import round_down
from mpyc_core.ring import Ring, ring

EDGES = [0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, 2**64, 2**127, 2**128 - 1]


def _elements(wide: Ring, size: int) -> list[int]:
    values = [*EDGES, *(secrets.randbits(128) for _ in range(size - len(EDGES)))]
    return [v % (1 << wide.bits) for v in values]


@pytest.mark.parametrize("bits", [64, 128])
@pytest.mark.parametrize("shift", [1, 8, 16, 30])
def test_rounding_is_what_it_says(bits: int, shift: int) -> None:
    wide, k, size = ring(bits), bits // 2, 200
    opened, u, m = (_elements(wide, size) for _ in range(3))
    (key,) = _elements(wide, len(EDGES) + 1)[-1:]
    arrays = [wide.reduce(np.array(part, object)) for part in (opened, u, m)]
    found = round_down(wide, *arrays, wide.reduce(key), shift)
    for i in range(size):
        c = opened[i] % (1 << k)
        lost = (c >> k - 1) * m[i] << k - shift
        want = u[i] - lost + key * ((c >> shift) - (1 << k - 2 - shift))
        got = found[i]
        value = int(got["lo"]) + (int(got["hi"]) << 64) if bits == 128 else int(got)
        assert value == want % (1 << bits)
