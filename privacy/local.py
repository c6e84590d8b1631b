"""Local differential privacy: randomised response with two coins.

Everybody tosses a coin. Heads: answer truthfully. Tails: toss again and answer what that coin says.
Nobody's answer gives them away, for it may be the coin's; and the truth shows in the mean, because
what the coins add to it is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.bits import unpack, words
from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConfigError, EncodingError
from mpyc_core.prg import Stream

from .price import Price

Bits = npt.NDArray[np.bool_]
EPSILON = 1.098612288668110
"""ln 3, rounded up: "yes" is three times as likely from those whose answer is yes."""
PRICE = Price.of(EPSILON)
"""What an answer costs the person who gives it, whoever collects it."""


def randomise(answers: npt.ArrayLike) -> Bits:
    """Truthful answers behind two fair coins each.

    Parameters
    ----------
    answers : truth values, of any shape; the caller's own, before they leave the caller.

    Returns
    -------
    Array of the same shape: the truth with probability 3/4.

    Raises
    ------
    EncodingError : not truth values.

    Reference
    ---------
    [War65], with the second coin in place of the opposite answer
    """
    truth = np.asarray(answers)
    if truth.dtype != bool:
        raise EncodingError(f"expected truth values, got {truth.dtype}; compare first, as in x > 0")
    coins = Stream(fresh_key(16)).words(0, 0, (2, words(truth.size)))
    honest, other = (unpack(row, truth.size).astype(bool).reshape(truth.shape) for row in coins)
    return np.where(honest, truth, other)


@dataclass(frozen=True)
class Share:
    """An estimate of how many would truthfully say yes, as a fraction.

    Parameters
    ----------
    value : unbiased but for being kept within 0 and 1.
    low, high : ends of the confidence interval.
    confidence : with which probability the interval holds the truth.
    count : number of answers.
    """

    value: float
    low: float
    high: float
    confidence: float
    count: int

    def __str__(self) -> str:
        return (
            f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%} with {self.confidence:.0%} "
            f"confidence, {self.count} answers)"
        )


def estimate(answers: npt.ArrayLike, confidence: float = 0.95) -> Share:
    """What randomised answers say about the truth.

    Parameters
    ----------
    answers : as `randomise` gave them, of many people.
    confidence : of the interval, which is Wilson's for the answers, taken back to the truth.

    Example
    -------
    >>> import numpy as np
    >>> print(estimate(np.arange(10_000) < 5_500))    # 55 % of all answers were yes
    60.0% (58.0% to 61.9% with 95% confidence, 10000 answers)
    """
    given = np.asarray(answers)
    if given.dtype != bool:
        raise EncodingError(f"expected truth values, got {given.dtype}")
    return from_share(int(given.sum()), given.size, confidence)


def from_share(yes: int, count: int, confidence: float = 0.95) -> Share:
    """The same from the number of those who said yes.

    Raises
    ------
    ConfigError : no answers, or a confidence that is not between 0 and 1.
    """
    if not 0 <= yes <= count or count < 1 or not 0 < confidence < 1:
        raise ConfigError(
            f"expected answers and a confidence between 0 and 1, got {yes} of {count} and "
            f"{confidence}"
        )
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    seen = yes / count
    centre = (seen + z * z / (2 * count)) / (1 + z * z / count)
    spread = math.sqrt(seen * (1 - seen) / count + z * z / (4 * count * count))
    reach = z * spread / (1 + z * z / count)
    value, low, high = (_debiased(v) for v in (seen, centre - reach, centre + reach))
    return Share(value, low, high, confidence, count)


def _debiased(seen: float) -> float:
    """seen = truth / 2 + 1 / 4, the other way round."""
    return float(min(1.0, max(0.0, 2 * seen - 0.5)))


__all__: list[Any] = ["EPSILON", "PRICE", "Share", "estimate", "from_share", "randomise"]
