"""`simulate(debug=True)`: a broken promise stops the program at the operation that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import ConsistencyCheckFailed

BROKEN: dict[str, Callable[[Any, int], Any]] = {
    "lt": lambda s, k: s.share([100000]).lt(0, bits=8),
    "relu": lambda s, k: s.share([100000]).relu(bits=16),
    "mul": lambda s, k: s.share([2.0 ** (k // 2)], f=6) * s.share([2.0**20], f=6),
    "matmul": lambda s, k: s.share([2.0 ** (k // 2)], f=6) @ s.share([2.0**20], f=6),
    "add": lambda s, k: s.share(np.array([3 * 2 ** (k - 3)])) + np.array([3 * 2 ** (k - 3)]),
    "sum": lambda s, k: s.share(np.array([3 * 2 ** (k - 3)] * 2)).sum(),
    "sub": lambda s, k: s.share(np.array([-3 * 2 ** (k - 3)])) - np.array([3 * 2 ** (k - 3)]),
    "sort": lambda s, k: s.share([-64, 64]).sort(bits=8),
}


@pytest.mark.parametrize("ring", [32, 64])
@pytest.mark.parametrize("op", BROKEN)
def test_broken_promises_are_found(op: str, ring: int) -> None:
    f = 6
    with (
        mpc.simulate(3, ring=ring, f=f, debug=True) as s,
        pytest.raises(
            ConsistencyCheckFailed, match=rf"^{op} at .*test_debug.py:\d+: .* the limit is"
        ),
    ):
        BROKEN[op](s, ring)


@pytest.mark.parametrize("ring", [32, 64])
def test_kept_promises_pass(ring: int) -> None:
    with mpc.simulate(3, ring=ring, f=8, debug=True) as s:
        x = s.share([1.5, -3.0])
        assert x.lt(2, bits=16).reveal().all()
        assert x.max(bits=16).reveal() == 1.5
        assert x.sort(bits=16).reveal().tolist() == [-3.0, 1.5]
        assert (x * x).reveal().tolist() == [2.25, 9.0]
        edge = s.share(np.array([2 ** (ring - 2) - 1]))
        assert (edge + edge).reveal() == 2 ** (ring - 1) - 2


def test_matrices_have_a_bit_less_of_range() -> None:
    with mpc.simulate(3, debug=True) as s:
        x, y = s.share([[1.5 * 2.0**15]]), s.share([[2.0**14]])
        assert (x * y).reveal() == 1.5 * 2.0**29
        assert ((x / 2) @ y).reveal() == 1.5 * 2.0**28
        with pytest.raises(ConsistencyCheckFailed, match="the limit is 2\\^61"):
            x @ y
