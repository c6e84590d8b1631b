"""Exact laws of noise, and tests of samples against them; nothing here is shared with the library.

All tests together raise a false alarm with a probability of at most `ALPHA` each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import beta, chi2

ALPHA = 1e-6
Law = Callable[[int], float]


def laplace(scale: float) -> Law:
    """P(z) of the discrete Laplace law."""
    q = math.exp(-1 / scale)
    return lambda z: (1 - q) / (1 + q) * q ** abs(z)


def gaussian(sigma: float) -> Law:
    """P(z) of the discrete Gaussian law."""
    reach = math.ceil(40 * sigma)
    total = math.fsum(math.exp(-z * z / (2 * sigma * sigma)) for z in range(-reach, reach + 1))
    return lambda z: math.exp(-z * z / (2 * sigma * sigma)) / total


def chi_square(sample: Any, law: Law, least: float = 20.0) -> float:
    """p of a sample of integers; cells with fewer than `least` expected are joined to tails."""
    values = np.asarray(sample).reshape(-1)
    n, reach = values.size, 0
    while n * law(reach + 1) >= least:
        reach += 1
    expected = np.array([n * law(z) for z in range(-reach, reach + 1)])
    rest = (n - expected.sum()) / 2
    counts = np.array([np.sum(values == z) for z in range(-reach, reach + 1)])
    cells = np.array([*expected, rest, rest])
    seen = np.array([*counts, np.sum(values < -reach), np.sum(values > reach)])
    keep = cells > 1
    return float(chi2.sf(np.sum((seen - cells)[keep] ** 2 / cells[keep]), keep.sum() - 1))


def kolmogorov(sample: Any, law: Law) -> float:
    """p of the largest distance between the distribution functions; conservative on integers."""
    from scipy.stats import kstwobign

    values = np.sort(np.asarray(sample).reshape(-1))
    low, high = int(values[0]) - 1, int(values[-1]) + 1
    mass = np.array([law(z) for z in range(low, high + 1)])
    below = 1.0 - mass.sum()
    exact = below / 2 + np.cumsum(mass)
    seen = np.searchsorted(values, np.arange(low, high + 1), side="right") / values.size
    return float(kstwobign.sf(np.abs(seen - exact).max() * math.sqrt(values.size)))


def privacy_loss(x: Any, y: Any) -> tuple[float, float]:
    """The loss over all half lines, both ways: (what is certain of the largest, its estimate).

    With confidence 1 - ALPHA, no half line has a smaller loss than its lower bound says.
    """
    x, y = np.asarray(x).reshape(-1), np.asarray(y).reshape(-1)
    cuts = np.unique(np.concatenate([x, y]))
    cuts = cuts[:: max(1, cuts.size // 400)]
    alpha = ALPHA / (8 * cuts.size)
    certain, largest = -math.inf, -math.inf
    for t in cuts:
        for a, b in ((x, y), (y, x)):
            for events in ((a <= t, b <= t), (a > t, b > t)):
                k, m = int(events[0].sum()), int(events[1].sum())
                if not k:
                    continue
                low = beta.ppf(alpha, k, a.size - k + 1)
                high = beta.isf(alpha, m + 1, b.size - m) if m < b.size else 1.0
                certain = max(certain, math.log(low / high))
                if min(k, m) >= 2000:
                    largest = max(largest, math.log(k / m))
    return certain, largest
