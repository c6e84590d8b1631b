"""`Price`: what a release costs, in whole numbers that can be added without rounding.

Budgets are sums of many small prices, and a sum that rounds down would give privacy away. So a
price is counted in units of 10^-9 epsilon and 10^-18 delta, rounded up once when it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from mpyc_core.errors import ConfigError

EPSILON_UNIT = 10**9
DELTA_UNIT = 10**18
Real = int | float | str | Fraction


def exact(x: Real, what: str) -> Fraction:
    """A number without rounding; "0.1" is one tenth, the float 0.1 the decimal it prints as.

    Raises
    ------
    ConfigError : not a finite number.
    """
    try:
        return x if isinstance(x, Fraction) else Fraction(str(x))
    except ValueError:
        raise ConfigError(f"expected a finite number as {what}, got {x!r}") from None


def _ceil(x: Fraction, unit: int) -> int:
    return -((-x * unit).__floor__())


@dataclass(frozen=True)
class Price:
    """(epsilon, delta) of a release, or of several: `a + b` is basic composition.

    Parameters
    ----------
    nano_epsilon : epsilon in units of 10^-9.
    atto_delta : delta in units of 10^-18.
    """

    nano_epsilon: int = 0
    atto_delta: int = 0

    def __post_init__(self) -> None:
        if self.nano_epsilon < 0 or self.atto_delta < 0:
            raise ConfigError(f"expected a price of 0 or more, got {self}")

    @classmethod
    def of(cls, epsilon: Real, delta: Real = 0) -> Self:
        """The price of given epsilon and delta, rounded up to whole units."""
        e, d = exact(epsilon, "epsilon"), exact(delta, "delta")
        return cls(_ceil(e, EPSILON_UNIT), _ceil(d, DELTA_UNIT))

    @classmethod
    def limit(cls, epsilon: Real, delta: Real = 0) -> Self:
        """The same as a budget: rounded down."""
        e, d = exact(epsilon, "epsilon"), exact(delta, "delta")
        return cls((e * EPSILON_UNIT).__floor__(), (d * DELTA_UNIT).__floor__())

    @property
    def epsilon(self) -> float:
        """Epsilon, to be read; sums are made of prices."""
        return self.nano_epsilon / EPSILON_UNIT

    @property
    def delta(self) -> float:
        """Delta, to be read."""
        return self.atto_delta / DELTA_UNIT

    def __add__(self, other: Price) -> Price:
        return Price(self.nano_epsilon + other.nano_epsilon, self.atto_delta + other.atto_delta)

    def __mul__(self, times: int) -> Price:
        return Price(self.nano_epsilon * times, self.atto_delta * times)

    def covers(self, other: Price) -> bool:
        """Whether both epsilon and delta of `other` are at most these."""
        return other.nano_epsilon <= self.nano_epsilon and other.atto_delta <= self.atto_delta

    def minus(self, other: Price) -> Price:
        """What is left, at least 0 in both."""
        return Price(
            max(0, self.nano_epsilon - other.nano_epsilon),
            max(0, self.atto_delta - other.atto_delta),
        )

    def __str__(self) -> str:
        delta = f", delta {self.delta:.3g}" if self.atto_delta else ""
        return f"epsilon {self.epsilon:.9g}{delta}"
