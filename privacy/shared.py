"""Release of shared values under a budget: clipped, summed and made noisy among the parties.

Nobody ever holds the exact value. The parties draw discrete Laplace noise together from random bits
that no allowed coalition knows, so all of it counts.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ConfigError
from mpyc_core.ml.tensor import SecretTensor, apply
from mpyc_core.protocols.geometric import law

from .mechanisms import check_sensitivity
from .price import Price, Real, exact

DELTA_DIGITS = 10


def price_of_noise(sensitivity: int, epsilon: Real, count: int) -> Price:
    """What noise made by the parties costs: epsilon, and a delta for the last digits of its law.

    Noise at statistical distance d of the exact law gives ((1 + e^epsilon) d) as delta.

    Parameters
    ----------
    sensitivity : L1, in units of the last place.
    epsilon : more than 0.
    count : number of values in the release.
    """
    e = exact(epsilon, "epsilon")
    if e <= 0:
        raise ConfigError(f"expected epsilon above 0, got {epsilon}")
    distance = law(check_sensitivity(sensitivity), e, count).distance
    # two roundings of a float at most: a relative 2^-50 more covers them
    factor = Fraction(math.exp(min(float(e), 700.0))) * (1 + Fraction(1, 1 << 50)) + 1
    return Price.of(e, min(Fraction(1), factor * distance))


def add_noise(x: SecretTensor, sensitivity: int, epsilon: Real) -> tuple[SecretTensor, Price]:
    """x with discrete Laplace noise, still secret; opening it costs the price.

    Parameters
    ----------
    x : integers or fixed point.
    sensitivity : by how much one subject changes all elements of x together (L1), in units of the
        last place, every rounding on the way included.
    epsilon : the price of the noisy value.

    Cost: see the operation `add_discrete_laplace`.
    """
    e = exact(epsilon, "epsilon")
    price = price_of_noise(sensitivity, e, x.size)
    params = {"sensitivity": sensitivity, "epsilon": [e.numerator, e.denominator]}
    return apply("add_discrete_laplace", x, **params), price


def clip(x: SecretTensor, lower: int, upper: int) -> SecretTensor:
    """x between two bounds, whatever ring element it is: no difference may wrap unnoticed.

    Parameters
    ----------
    lower, upper : in units of the last place, below 2^(k-3) in size.
    """
    return apply("clip_units", x, lower=lower, upper=upper)


def noisy_sum(
    x: SecretTensor,
    lower: float,
    upper: float,
    epsilon: Real,
    *,
    rows: int = 1,
    why: str = "noisy sum",
) -> tuple[npt.NDArray[np.float64] | None, Price]:
    """The sum over the first axis, clipped and made noisy inside, then opened.

    Parameters
    ----------
    x : one row per record, shape (n, ...).
    lower, upper : every element is clipped to them.
    epsilon : the price for all sums together.
    rows : at most how many rows belong to one subject.
    why : for the list of openings.

    Returns
    -------
    (sums, price) : the sums where the caller may see them, None elsewhere.

    Example
    -------
    >>> import mpyc_core as mpc
    >>> from mpyc_core.privacy.shared import noisy_sum
    >>> with mpc.simulate(3) as s:
    ...     ages = s.share([34.0, 61.0, 47.0, 250.0])
    ...     total, price = noisy_sum(ages, 0, 120, epsilon=50)
    ...     print(abs(total - 262) < 120, price.epsilon)
    True 50.0
    """
    if not lower < upper or rows < 1:
        raise ConfigError(f"expected lower < upper and rows of 1 or more, got {lower}, {upper}")
    unit = 1 << x.f
    low, high = math.floor(Fraction(lower) * unit), math.ceil(Fraction(upper) * unit)
    total = clip(x, low, high).sum(axis=0)
    noisy, price = add_noise(total, (high - low) * total.size * rows, epsilon)
    return _revealed(noisy, why), price


def _revealed(x: SecretTensor, why: str) -> Any:
    return x.reveal(why=why)
