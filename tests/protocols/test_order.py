"""Order along an axis beyond the registered cases: ties, every small length, the network itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mpyc_core.errors import ShareError
from mpyc_core.protocols.ops.order import network
from mpyc_core.protocols.simulation import Simulation
from mpyc_core.transport.mesh import Array


@pytest.fixture(scope="module")
def s() -> Simulation:
    return Simulation(3, wrap=lambda ref: ref)


@pytest.mark.parametrize("n", range(1, 14))
def test_network_sorts_all_zero_one_inputs(n: int) -> None:
    """Then it sorts everything: the zero-one principle."""
    rows = np.array(list(itertools.product([0, 1], repeat=n))).T.copy()
    for low, high in network(n):
        assert np.intersect1d(low, high).size == 0
        rows[low], rows[high] = np.minimum(rows[low], rows[high]), np.maximum(rows[low], rows[high])
    assert np.all(np.diff(rows, axis=0) >= 0)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7, 8, 11])
def test_first_of_equals(s: Simulation, n: int) -> None:
    """Every pattern of ties at once, and odd lengths whose last element waits."""
    rng = np.random.default_rng(n)
    x = rng.integers(0, 3, (n, 70))
    x[:, 0] = 1
    ref = s.share(x)
    best, marks = (s.reveal(r) for r in s.execute("max", [ref], {"axis": 0}))
    np.testing.assert_array_equal(best, x.max(axis=0))
    np.testing.assert_array_equal(marks, np.arange(n)[:, None] == x.argmax(axis=0))
    for op, fn in (("argmax", np.argmax), ("argmin", np.argmin)):
        (place,) = s.execute(op, [ref], {"axis": 0})
        np.testing.assert_array_equal(s.reveal(place), fn(x, axis=0))


@pytest.mark.parametrize("op", ["max", "argmax", "min"])
def test_nothing_has_no_extreme(s: Simulation, op: str) -> None:
    with pytest.raises(ShareError, match="of none"):
        s.execute(op, [s.share(np.zeros((2, 0)))], {"axis": 1})


@pytest.mark.parametrize("n", [1, 2, 3, 7, 12])
def test_sort_keeps_ties_and_extremes(s: Simulation, n: int) -> None:
    edge = 2.0**45
    pool = np.array([0.0, 0.0, 1.0, -1.0, edge, -edge, 2.0**-16])
    x = np.random.default_rng(n).choice(pool, (3, n))
    (y,) = s.execute("sort", [s.share(x)], {"axis": 1})
    np.testing.assert_array_equal(s.reveal(y), np.sort(x, axis=1))


def _bits(n: int) -> Array:
    return np.random.default_rng(n).random((n, 3)) < 0.9


@pytest.mark.parametrize("n", [1, 2, 3, 64, 65])
def test_all_and_any(s: Simulation, n: int) -> None:
    x = _bits(n)
    for op, fn in (("all", np.all), ("any", np.any)):
        for axis in (None, 0, 1):
            (y,) = s.execute(op, [s.share(x)], {"axis": axis})
            np.testing.assert_array_equal(s.reveal(y), fn(x, axis=axis))
