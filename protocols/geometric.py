"""Discrete Laplace noise bit by bit: the law of its binary digits, as 64-bit constants.

A geometric number G, P(G = k) = (1 - q) q^k, has independent binary digits: bit j is 1 with
probability q^(2^j) / (1 + q^(2^j)). So is the difference of two of them discrete Laplace noise,
P(z) = (1 - q) / (1 + q) * q^|z|, made of independent coins, and a coin is a comparison of 64 random
bits with a constant [DKMMN06; CSU19].

With q = e^(-epsilon / sensitivity) noise on an integer of that sensitivity costs epsilon. Two
things are cut off: digits from 2^D on, and the constants after 64 bits. `Law.distance` bounds what
both change, in statistical distance; `law` keeps it below 2^-40.

Constants are computed between two bounds in decimal arithmetic with directed rounding, so that
every party gets the same ones and their error is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from functools import cache

from mpyc_core.errors import ShareError

BITS = 64
"""Random bits per coin."""
DIGITS = 60
DISTANCE = Fraction(1, 1 << 40)
"""The largest statistical distance of a whole release from the exact law."""


@dataclass(frozen=True)
class Law:
    """Coins that make discrete Laplace noise.

    Parameters
    ----------
    coins : one for each binary digit; digit j is 1 if 64 random bits are below coins[j].
    distance : of `count` samples from the exact law, in statistical distance; an upper bound.
    """

    coins: tuple[int, ...]
    distance: Fraction

    @property
    def digits(self) -> int:
        """Binary digits of each of the two geometric numbers: noise is smaller than 2^digits."""
        return len(self.coins)


@cache
def law(sensitivity: int, epsilon: Fraction, count: int = 1) -> Law:
    """The coins for `count` samples of noise.

    Parameters
    ----------
    sensitivity : L1, in units of the last place, 1 or more.
    epsilon : the exact price, more than 0.
    count : number of samples in the release.

    Raises
    ------
    ShareError : too many samples for 64-bit coins to stay within 2^-40, or not positive.
    """
    if sensitivity < 1 or epsilon <= 0 or count < 0:
        raise ShareError(
            f"expected a sensitivity of 1 or more, epsilon above 0 and a number of samples, got "
            f"{sensitivity}, {epsilon} and {count}"
        )
    rate = epsilon / sensitivity  # q = e^-rate
    # The tail 2 * count * q^(2^D) is at most 2^-42 if rate * 2^D >= ln(2 * count) + 42 ln 2.
    reach = Fraction(7, 10) * (max(2 * count, 1).bit_length() + 42)
    digits = 1
    while rate * (1 << digits) < reach:
        digits += 1
    coins = tuple(_coin(rate * (1 << j)) for j in range(digits))
    rounding = Fraction(2 * digits * count, 1 << (BITS - 1))
    distance = Fraction(1, 1 << 42) + rounding if count else Fraction(0)
    if distance > DISTANCE:
        raise ShareError(
            f"{count} samples of {digits} digits are further than 2^-40 from the exact law with "
            '64-bit coins; release fewer values at a time, or use noise="distributed"'
        )
    return Law(coins, distance)


def _coin(x: Fraction) -> int:
    """The 64-bit constant of a coin with probability e^-x / (1 + e^-x) = 1 / (1 + e^x).

    It is at most the probability, and less than 2^-63 below it.

    Raises
    ------
    ArithmeticError : the bounds are too far apart, which 60 digits rule out.
    """
    if x > 64:
        return 0  # e^-64 < 2^-92
    lower, upper = _bound(x, ROUND_FLOOR), _bound(x, ROUND_CEILING)
    if upper - lower > 1:
        raise ArithmeticError(f"a coin lies between {lower} and {upper}; more digits are needed")
    return lower


def _bound(x: Fraction, rounding: str) -> int:
    """2^64 / (1 + e^x) rounded down to an integer, all steps rounded towards `rounding`.

    `exp` rounds to nearest whatever the context says; one unit in the last place more covers it.
    """
    down = Context(prec=DIGITS, rounding=rounding)
    away = Context(prec=DIGITS, rounding=ROUND_CEILING if rounding == ROUND_FLOOR else ROUND_FLOOR)
    exponent = away.divide(Decimal(x.numerator), Decimal(x.denominator))
    power = away.exp(exponent)
    power = away.next_plus(power) if rounding == ROUND_FLOOR else away.next_minus(power)
    return int(down.divide(Decimal(1 << BITS), away.add(Decimal(1), power)))
