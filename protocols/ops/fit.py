"""Constants of approximations, computed in decimal arithmetic.

Every party must use the same constants to the last bit, and binary floating-point functions differ
between machines. Decimal arithmetic is defined digit by digit, so parties compute their tables
instead of carrying printed ones, and the reader sees what a table holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

DIGITS = 40
_NODES = {
    2: ("0.8660254038", "0"),
    3: ("0.9238795325", "0.3826834324"),
    4: ("0.9510565163", "0.5877852523", "0"),
    5: ("0.9659258263", "0.7071067812", "0.2588190451"),
    6: ("0.9749279122", "0.7818314825", "0.4338837391", "0"),
}
"""Zeros cos((2i + 1) pi / (2d + 2)) of the Chebyshev polynomial of degree d + 1, those >= 0."""

Function = Callable[[Decimal], Decimal]


def context() -> Context:
    """The arithmetic in which all constants are computed."""
    return Context(prec=DIGITS, rounding=ROUND_HALF_EVEN)


def integer(x: Decimal, bits: int) -> int:
    """x * 2^bits, rounded to the nearest integer."""
    with localcontext(context()):
        return int((x * 2**bits).to_integral_value())


def polynomial(fn: Function, middle: Decimal, half: Decimal, degree: int) -> list[Decimal]:
    """Coefficients, in powers of t - middle, of a polynomial near fn on [middle - half, + half].

    It interpolates fn at the Chebyshev nodes; its error is within a small factor of the best.
    """
    positive = [Decimal(node) for node in _NODES[degree]]
    nodes = positive + [-node for node in positive if node]
    with localcontext(context()):
        scaled = _interpolate(nodes, [fn(middle + half * node) for node in nodes])
        return [c / half**i for i, c in enumerate(scaled)]


def _interpolate(nodes: Sequence[Decimal], values: Sequence[Decimal]) -> list[Decimal]:
    """Monomial coefficients of the interpolating polynomial: Newton's divided differences."""
    differences = list(values)
    for order in range(1, len(nodes)):
        for i in range(len(nodes) - 1, order - 1, -1):
            span = nodes[i] - nodes[i - order]
            differences[i] = (differences[i] - differences[i - 1]) / span
    coefficients = [Decimal(0)] * len(nodes)
    for node, difference in zip(reversed(nodes), reversed(differences), strict=True):
        # Horner: multiply what there is by (t - node), add the next difference
        shifted = [Decimal(0), *coefficients[:-1]]
        coefficients = [s - node * c for s, c in zip(shifted, coefficients, strict=True)]
        coefficients[0] += difference
    return coefficients


def exp(x: Decimal) -> Decimal:
    """e^x in the arithmetic of all constants."""
    return context().exp(x)


def ln(x: Decimal) -> Decimal:
    """The natural logarithm in the arithmetic of all constants."""
    return context().ln(x)


def sqrt(x: Decimal) -> Decimal:
    """The square root in the arithmetic of all constants."""
    return context().sqrt(x)
