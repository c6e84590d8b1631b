"""Mechanisms: integers in, noisy integers out, and the price.

Values are integers in units of a grid and so is their sensitivity, which makes it exact. OpenDP
samples the noise from the operating system's generator in exact integer and rational arithmetic,
and its privacy maps, which round upwards, say what a scale costs: there is no floating-point noise,
whose gaps between numbers give values away [Mir12].

The noise is drawn apart and added in Python's integers, so nothing saturates but noise beyond
2^63, which the limit on scales makes less likely than 2^-150.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ConfigError
from mpyc_core.protocols.sampler import checked_scale, gaussian, opendp, vector_space

from .price import Price, Real, exact

Integers = npt.NDArray[Any]
"""Of dtype int64, or object for larger numbers."""
MAX_SENSITIVITY = 1 << 60
ROUNDS = 64


@dataclass(frozen=True)
class Noisy:
    """What a mechanism gave, and what it costs.

    Parameters
    ----------
    values : noisy integers, in the units of the input.
    price : an upper bound on (epsilon, delta).
    scale : of the noise, in the units of the input: b of a Laplace law, sigma of a normal law.
    """

    values: Integers
    price: Price
    scale: float


def check_sensitivity(sensitivity: int) -> int:
    """A sensitivity that the mechanisms take."""
    if not 0 <= sensitivity < MAX_SENSITIVITY:
        raise ConfigError(
            f"expected a sensitivity from 0 to 2^60 - 1 units, got {sensitivity}; clip the data to "
            "a smaller range, or release it in coarser units"
        )
    return int(sensitivity)


def positive(x: Real, what: str) -> float:
    """A positive number as the largest float that does not exceed it."""
    value = exact(x, what)
    if value <= 0:
        raise ConfigError(f"expected {what} above 0, got {x}")
    found = float(value)
    return found if exact(found, what) <= value else math.nextafter(found, 0.0)


def _laplace(scale: float) -> Any:
    return opendp().m.make_laplace(*vector_space("l1"), scale=checked_scale(scale))


def _added(values: Integers, measurement: Any) -> Integers:
    """Exact sums of values and fresh noise, int64 where they fit."""
    flat = np.asarray(values).reshape(-1)
    noise = measurement([0] * flat.size)
    total = [int(v) + int(z) for v, z in zip(flat, noise, strict=True)]
    fits = all(-(1 << 63) <= v < 1 << 63 for v in total)
    out = np.array(total, np.int64 if fits else object)
    return out.reshape(np.shape(values))


# -- pure epsilon ------------------------------------------------------------------------------
def laplace_scale(sensitivity: int, epsilon: Real) -> float:
    """The smallest scale, in grid units, for which OpenDP's map stays within epsilon.

    Parameters
    ----------
    sensitivity : L1, in grid units, 1 or more.
    epsilon : more than 0.
    """
    limit, units = positive(epsilon, "epsilon"), check_sensitivity(sensitivity)
    scale = units / limit
    for _ in range(ROUNDS):
        if _laplace(scale).map(units) <= limit:
            return scale
        scale = math.nextafter(scale, math.inf)
    raise ConfigError(f"no scale of noise for sensitivity {units} and epsilon {limit}")


def discrete_laplace(values: Integers, sensitivity: int, epsilon: Real) -> Noisy:
    """Add discrete Laplace noise: P(z) proportional to e^(-|z| / scale) on the integers.

    Parameters
    ----------
    values : integers.
    sensitivity : L1 over all values, in the same units.
    epsilon : the price; the noise has scale sensitivity / epsilon.

    Reference
    ---------
    [GRS12]; sampled as in [CKS20, algorithm 2].
    """
    if check_sensitivity(sensitivity) == 0:
        return Noisy(np.array(values), Price(), 0.0)
    scale = laplace_scale(sensitivity, epsilon)
    return Noisy(_added(values, _laplace(scale)), Price.of(epsilon), scale)


# -- epsilon and delta -------------------------------------------------------------------------
def l2_upper(squared: int) -> float:
    """A float that is at least the square root of a whole number."""
    root = math.isqrt(squared)
    found = float(root if root * root == squared else root + 1)
    return found if int(found) >= root else math.nextafter(found, math.inf)


def gaussian_scale(squared: int, epsilon: Real, delta: Real) -> float:
    """A sigma, in grid units, for which OpenDP's conversion of zCDP stays within (epsilon, delta).

    Parameters
    ----------
    squared : square of the L2 sensitivity, in grid units.
    """
    limit, d = positive(epsilon, "epsilon"), positive(delta, "delta")
    if not d < 1:
        raise ConfigError(f"expected delta below 1, got {delta}")
    check_sensitivity(math.isqrt(squared))
    reach = l2_upper(squared)
    conversion = opendp().c

    def enough(factor: float) -> bool:
        measurement = conversion.make_zCDP_to_approxDP(gaussian(reach * factor))
        return bool(conversion.make_fix_delta(measurement, d).map(reach)[0] <= limit)

    low, high = 0.0, 1.0
    while not enough(high):
        low, high = high, 2 * high
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return reach * high


def discrete_gaussian(values: Integers, squared: int, epsilon: Real, delta: Real) -> Noisy:
    """Add discrete Gaussian noise: P(z) proportional to e^(-z^2 / 2 sigma^2) on the integers.

    Parameters
    ----------
    values : integers.
    squared : square of the L2 sensitivity over all values, in the same units.
    epsilon, delta : the price.

    Reference
    ---------
    [CKS20, theorem 4 and algorithm 3]
    """
    if squared == 0:
        return Noisy(np.array(values), Price(), 0.0)
    sigma = gaussian_scale(squared, epsilon, delta)
    return Noisy(_added(values, gaussian(sigma)), Price.of(epsilon, delta), sigma)


# -- choosing ----------------------------------------------------------------------------------
def choose(scores: Integers, sensitivity: int, epsilon: Real) -> tuple[int, Price]:
    """The index of a high score: report noisy max with exponential noise.

    That is permute-and-flip, whose expected error is never above the exponential mechanism's.

    Parameters
    ----------
    scores : integers, one per candidate, candidates public.
    sensitivity : by how much one subject can change any single score.
    epsilon : the price.

    Reference
    ---------
    [MS20]
    """
    limit, units = positive(epsilon, "epsilon"), check_sensitivity(sensitivity)
    flat = [int(s) for s in np.asarray(scores).reshape(-1)]
    if not flat:
        raise ConfigError("expected at least one candidate to choose from, got none")
    dp = opendp()

    def chooser(scale: float) -> Any:
        scale = checked_scale(scale)
        return dp.m.make_noisy_max(*vector_space("linf"), dp.max_divergence(), scale=scale)

    scale = 2.0 * max(units, 1) / limit
    for _ in range(ROUNDS):
        if chooser(scale).map(units) <= limit:
            return int(chooser(scale)(flat)), Price.of(epsilon) if units else Price()
        scale = math.nextafter(scale, math.inf)
    raise ConfigError(f"no scale of noise for sensitivity {units} and epsilon {limit}")


# -- from an error to a price ------------------------------------------------------------------
def laplace_error(scale: float, confidence: float = 0.95, count: int = 1) -> float:
    """The error, in grid units, that all of `count` values stay below with this confidence."""
    return float(opendp().discrete_laplacian_scale_to_accuracy(scale, _alpha(confidence, count)))


def epsilon_for_error(
    error: Real, sensitivity: int, confidence: float = 0.95, count: int = 1
) -> Price:
    """The smallest epsilon with which discrete Laplace noise stays below an error.

    Parameters
    ----------
    error : what is tolerable, in grid units.
    sensitivity : L1, in grid units.
    confidence : with which probability all values are to be within the error.
    count : number of values.
    """
    target, alpha = positive(error, "error"), _alpha(confidence, count)
    scale = opendp().accuracy_to_discrete_laplacian_scale(target, alpha)
    if not scale > 0:
        raise ConfigError(f"an error of {error} units cannot be reached; allow a larger one")
    return Price.of(exact(check_sensitivity(sensitivity), "sensitivity") / exact(scale, "scale"))


def _alpha(confidence: float, count: int) -> float:
    if not 0 < confidence < 1 or count < 1:
        raise ConfigError(
            f"expected a confidence between 0 and 1 and at least one value, got {confidence}, "
            f"{count}"
        )
    return (1 - confidence) / count
