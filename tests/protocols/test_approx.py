"""Approximations keep their stated errors: dense sweeps in cleartext, smaller ones on shares."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from mpyc_core.errors import ShareError
from mpyc_core.protocols.ops import fit
from mpyc_core.protocols.ops.lookup import subset_weights
from mpyc_core.protocols.simulation import Simulation
from mpyc_core.transport.mesh import Array

ULP = 2.0**-16
SIZES = {"plain": 100_000, "replicated": 10_000}


def run(op: str, *arrays: Array, protocol: str = "replicated", f: int = 16, **params: Any) -> Any:
    """The results of an operation on secret arrays."""
    s = Simulation(3, protocol=protocol, f=f, wrap=lambda ref: ref)
    found = [s.reveal(r) for r in s.execute(op, [s.share(a) for a in arrays], params)]
    return found[0] if len(found) == 1 else found


def grid(low: float, high: float, n: int) -> Array:
    """Evenly spread multiples of 2^-16, both ends among them."""
    return np.unique(np.rint(np.linspace(low / ULP, high / ULP, n))) * ULP


def octaves(low: int, high: int, n: int, seed: int = 1) -> Array:
    """Random magnitudes, powers of two and their neighbours."""
    rng = np.random.default_rng(seed)
    powers = 2.0 ** np.arange(low, high)
    x = np.concatenate([2.0 ** rng.uniform(low, high, n), powers, powers + ULP, powers - ULP])
    x = np.rint(x / ULP) * ULP
    return x[(x >= 2.0**low) & (x < 2.0**high)]


def signed(x: Array) -> Array:
    return np.concatenate([x, -x])


SWEEPS: list[tuple[str, Callable[[int], Array], Callable[[Array], Array], float, float]] = [
    ("exp", lambda n: grid(-11.0, 20 - ULP, n), np.exp, 2, 2.0**-15),
    ("exp", lambda n: grid(-14.0, -11.0, n), np.exp, 2, 0),
    ("reciprocal", lambda n: signed(octaves(-16, 30, n // 2)), lambda x: 1 / x, 2, 2.0**-18),
    ("log", lambda n: octaves(-16, 46, n), np.log, 2, 0),
    ("sqrt", lambda n: octaves(-16, 46, n), np.sqrt, 3, 2.0**-18),
    ("rsqrt", lambda n: octaves(-16, 46, n), lambda x: x**-0.5, 2, 2.0**-17.5),
    ("sigmoid", lambda n: grid(-13, 13, n), lambda x: 1 / (1 + np.exp(-x)), 2.5, 0),
    ("tanh", lambda n: grid(-8, 8, n), np.tanh, 4, 0),
]


@pytest.mark.parametrize("protocol", SIZES)
@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda s: s[0])
def test_stated_error(sweep: Any, protocol: str) -> None:
    op, points, exact, ulps, relative = sweep
    x = points(SIZES[protocol])
    want = exact(x)
    off = np.abs(run(op, x, protocol=protocol) - want)
    worst = int(np.argmax(off - relative * np.abs(want)))
    assert off[worst] < ulps * ULP + relative * abs(want[worst]), (x[worst], off[worst] / ULP)


@pytest.mark.parametrize("protocol", SIZES)
def test_quotients(protocol: str) -> None:
    n = SIZES[protocol]
    rng = np.random.default_rng(2)
    y = signed(octaves(-16, 24, n // 2))
    x = np.rint(y * 2.0 ** rng.uniform(-16, 15, y.size) * rng.choice([-1, 1], y.size) / ULP) * ULP
    fits = (np.abs(x) < 2.0**45) & (np.abs(x / y) < 2.0**15 - 1)
    x, y = x[fits], y[fits]
    off = np.abs(run("div", x, y, protocol=protocol) - x / y)
    assert np.all(off < 4 * ULP + 2.0**-27 * np.abs(x / y)), np.max(off) / ULP


def test_rounding_is_unbiased_on_shares() -> None:
    """Stochastic truncation leaves no systematic error beyond the fit of the curve."""
    x = grid(-8, 8, 20_000)
    assert abs(np.mean(run("sigmoid", x) - 1 / (1 + np.exp(-x)))) < 0.05 * ULP


@pytest.mark.parametrize(
    ("op", "x", "want", "atol"),
    [
        ("exp", [-12.0, -1e3, -(2.0**45)], [0.0, 0.0, 0.0], 0),
        ("exp", [20.0, 1e3, 2.0**45], [np.exp(20.0)] * 3, np.exp(20.0) * 2.0**-14),
        ("reciprocal", [0.0, 2.0**17, -(2.0**40)], [0.0, 0.0, 0.0], ULP),
        ("log", [0.0, -ULP, -5.0, -(2.0**45)], [-14.582] * 4, 0.001),
        ("sqrt", [0.0, -ULP, -5.0, -(2.0**45)], [0.0] * 4, 0),
        ("rsqrt", [0.0, -ULP, -5.0, -(2.0**45)], [0.0] * 4, 0),
        ("sigmoid", [-(2.0**45), -500.0, 500.0, 2.0**45], [0.0, 0.0, 1.0, 1.0], 2 * ULP),
        ("tanh", [-(2.0**45), -500.0, 500.0, 2.0**45], [-1.0, -1.0, 1.0, 1.0], 3 * ULP),
    ],
)
def test_outside_the_domain(op: str, x: list[float], want: list[float], atol: float) -> None:
    np.testing.assert_allclose(run(op, np.array(x)), want, rtol=0, atol=atol)


def test_division_by_zero_and_by_large_numbers_is_zero() -> None:
    x, y = np.array([5.0, -3.0, 0.0, 7.0]), np.array([0.0, 0.0, 0.0, 2.0**24])
    np.testing.assert_array_equal(run("div", x, y), np.zeros(4))


@pytest.mark.parametrize("f", [2, 8, 13])
def test_fewer_fraction_bits(f: int) -> None:
    """Results are within a unit of their own last place, and what 16 bits would have."""
    x = np.arange(1, 2**f * 4) * 2.0**-f
    for op, exact in [
        ("exp", np.exp),
        ("log", np.log),
        ("sqrt", np.sqrt),
        ("reciprocal", lambda x: 1 / x),
        ("tanh", np.tanh),
    ]:
        want = exact(x)
        off = np.abs(run(op, x, f=f) - want)
        assert np.all(off < 2.0**-f + 4 * ULP + 2.0**-15 * np.abs(want)), op


@pytest.mark.parametrize("bits", [2, 9, 17, 20, 21, 25, 40, 63])
def test_bounded_operands(bits: int) -> None:
    top = min(2.0 ** (bits - 17), 2.0**45)
    x = np.unique(np.rint(np.linspace(ULP, top - ULP, 30) / ULP) * ULP)
    for op, exact in [
        ("log", np.log),
        ("rsqrt", lambda x: x**-0.5),
        ("reciprocal", lambda x: 1 / x),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    ]:
        want = exact(x)
        off = np.abs(run(op, x, bits=bits) - want)
        assert np.all(off < 3 * ULP + 2.0**-17 * np.abs(want)), op


@pytest.mark.parametrize("shape", [(), (1,), (2, 0), (3, 1, 2)])
def test_shapes(shape: tuple[int, ...]) -> None:
    for op, want in [("exp", np.exp(0.5)), ("sqrt", 0.5**0.5), ("div", 1.0)]:
        x = np.full(shape, 0.5)
        got = run(op, *[x] * (2 if op == "div" else 1))
        np.testing.assert_allclose(got, np.full(shape, want), atol=3 * ULP)


def test_what_cannot_be_approximated_is_refused() -> None:
    def refused(ring: int, x: Array, words: str, f: int | None = None) -> None:
        s = Simulation(3, ring=ring, f=f, wrap=lambda ref: ref)
        with pytest.raises(ShareError, match=words):
            s.execute("exp", [s.share(x)], {})

    refused(32, np.ones(2), "ring of 64 bits")
    refused(64, np.ones(2, np.int64), "fixed point")
    refused(64, np.ones(2), "16 fraction bits", f=20)


# -- the constants themselves --------------------------------------------------------------
def test_polynomials_are_close_to_the_best() -> None:
    """The best cubic for e^t on [0, 1] is off by 5.45e-4, interpolation by at most twice that."""
    half = Decimal("0.5")
    coefficients = [float(c) for c in fit.polynomial(fit.exp, half, half, 3)]
    t = np.linspace(0, 1, 1001)
    off = np.max(np.abs(np.polyval(coefficients[::-1], t - 0.5) - np.exp(t)))
    assert 5.4e-4 < off < 11e-4


def test_polynomials_reproduce_polynomials() -> None:
    wanted = [Decimal(c) for c in ("3", "-1.5", "0.25", "7")]
    middle = Decimal("0.75")

    def cubic(t: Decimal) -> Decimal:
        a, b, c, d = wanted
        u = t - middle
        return a + u * (b + u * (c + u * d))

    for degree in (3, 4, 5, 6):
        found = fit.polynomial(cubic, middle, Decimal("0.25"), degree)
        np.testing.assert_allclose(
            [float(c) for c in found], [*map(float, wanted), *[0.0] * (degree - 3)], atol=1e-25
        )


def test_subset_weights_invert() -> None:
    table = [int(v) for v in np.random.default_rng(3).integers(-(2**40), 2**40, 32)]
    weights = subset_weights(table)
    for m in range(32):
        assert table[m] == sum(w for s, w in enumerate(weights) if s & ~m == 0)
