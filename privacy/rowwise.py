"""Operations element by element: what they make of the bounds of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from .interval import Interval
from .label import Rows
from .step import Refusal, Step, aligned, interval_of

Bounds = Sequence[Interval | None]
Rule = Callable[[Step, Bounds, tuple[int, ...]], Interval | None]
"""rule(step, bounds of the operands, shape of one row of the result) -> bounds."""

PRODUCTS = ("mul", "square", "power")


def _known(fn: Callable[..., Interval]) -> Rule:
    """Bounds by interval arithmetic, where all operands have some."""

    def rule(step: Step, bounds: Bounds, columns: tuple[int, ...]) -> Interval | None:
        return None if any(b is None for b in bounds) else fn(*bounds)

    return rule


def _between(low: int, high: int) -> Rule:
    """Bounds that hold whatever the operands are."""
    return lambda step, bounds, columns: Interval.full(columns, low, high)


def _only_plain(rule: Rule) -> Rule:
    """Functions that are approximated on shares, where nothing is promised outside their domain."""

    def known(step: Step, bounds: Bounds, columns: tuple[int, ...]) -> Interval | None:
        return None if step.ring else rule(step, bounds, columns)

    return known


def _unknown(step: Step, bounds: Bounds, columns: tuple[int, ...]) -> Interval | None:
    return None


def _maximum(step: Step, bounds: Bounds, columns: tuple[int, ...]) -> Interval | None:
    x, y = bounds
    return None if x is None or y is None else x.maximum(y)


def _minimum(step: Step, bounds: Bounds, columns: tuple[int, ...]) -> Interval | None:
    x, y = bounds
    return None if x is None or y is None else x.minimum(y)


def _clip(step: Step, bounds: Bounds, columns: tuple[int, ...]) -> Interval | None:
    """Clip plain rows to [low, high]: bounded even where nothing was known, if both are given."""
    low, high = step.params.get("low"), step.params.get("high")
    x = bounds[0]
    if x is None:
        if low is None or high is None:
            return None
        return Interval.full(columns, Fraction(min(low, high)), Fraction(high))
    if low is not None:
        x = x.maximum(Interval.full((), Fraction(low), Fraction(low)))
    if high is not None:
        x = x.minimum(Interval.full((), Fraction(high), Fraction(high)))
    return x


def _clip_units(step: Step, bounds: Bounds, columns: tuple[int, ...]) -> Interval | None:
    """Clip shares to bounds in units of the last place, which holds for any ring element."""
    unit = 1 << step.grid()
    low, high = (Fraction(step.params[key], unit) for key in ("lower", "upper"))
    return Interval.full(columns, low, high)


def _power(step: Step, bounds: Bounds, columns: tuple[int, ...]) -> Interval | None:
    exponent, x = step.params["exponent"], bounds[0]
    if x is None or not isinstance(exponent, int) or not 0 <= exponent <= 16:
        return None
    if step.ring and exponent > 2:
        return None  # the roundings add up
    return x.power(exponent)


def _div(step: Step, bounds: Bounds, columns: tuple[int, ...]) -> Interval | None:
    x, y = bounds
    if x is None or y is None or not ((y.lo > 0) | (y.hi < 0)).all():
        return None
    return x * Interval(1 / y.hi, 1 / y.lo)


def _where(step: Step, bounds: Bounds, columns: tuple[int, ...]) -> Interval | None:
    _, x, y = bounds
    return None if x is None or y is None else x | y


def _select(step: Step, bounds: Bounds, columns: tuple[int, ...]) -> Interval | None:
    x = bounds[1]
    return None if x is None else x | Interval.full(x.lo.shape, 0, 0)


def _steps(fn: Callable[[Any], int]) -> Rule:
    """A rounding to whole numbers."""
    each = np.frompyfunc(lambda v: Fraction(fn(v)), 1, 1)
    return _known(lambda x: x.map(each))


TRUTH = _between(0, 1)
RULES: dict[str, Rule] = {
    "add": _known(lambda x, y: x + y),
    "sub": _known(lambda x, y: x - y),
    "mul": _known(lambda x, y: x * y),
    "neg": _known(lambda x: -x),
    "abs": _known(lambda x: x.absolute()),
    "square": _known(lambda x: x.power(2)),
    "relu": _known(lambda x: x.maximum(Interval.full((), 0, 0))),
    "power": _power,
    "maximum": _maximum,
    "minimum": _minimum,
    "clip": _clip,
    "clip_units": _clip_units,
    "where": _where,
    "select": _select,
    "div": _only_plain(_div),
    "sign": _between(-1, 1),
    "sigmoid": _only_plain(_between(0, 1)),
    "tanh": _only_plain(_between(-1, 1)),
    "floor": _steps(lambda v: v.__floor__()),
    "ceil": _steps(lambda v: v.__ceil__()),
    "rint": _steps(round),
    "embed": _known(lambda x: x),
    "to_number": _between(0, 1),
    "rescale": _known(lambda x: x),
    **dict.fromkeys(("exp", "log", "sqrt", "rsqrt", "reciprocal"), _only_plain(_unknown)),
    **dict.fromkeys(
        [
            "lt",
            "le",
            "gt",
            "ge",
            "eq",
            "ne",
            "negative",
            "lt_number",
            "bit_and",
            "bit_or",
            "bit_xor",
            "bit_not",
        ],
        TRUTH,
    ),
}
LOGIC = ("and", "or", "xor", "invert")
"""Of truth values; bit by bit on integers nothing is known."""
CERTAIN = {name for name, rule in RULES.items() if rule is TRUTH} | {"sign", "to_number"}
"""On shares their results are made of bits, whatever the operands are."""


def rowwise(step: Step) -> Rows:
    """The result of an elementwise operation on rows.

    Raises
    ------
    Refusal : the rows do not belong together, or a value of shares may leave its ring.
    """
    first, axis = aligned(step)
    out = step.out.shape
    columns = tuple(1 if i == axis else d for i, d in enumerate(out))
    bounds = [
        interval_of(state, look, out, axis)
        for state, look in zip(step.states, step.looks, strict=True)
    ]
    found = _rule(step)(step, bounds, columns)
    if step.ring and step.op != "clip_units" and not _proved(step, bounds):
        found = None
    if found is not None:
        found = found.map(lambda a: np.broadcast_to(a, columns))
    return step.made(first, found, axis=axis)


def _rule(step: Step) -> Rule:
    if step.op in LOGIC:
        return TRUTH if step.out.kind == "bool" else _unknown
    if step.op == "astype":
        return TRUTH if step.out.kind == "bool" else _cast
    if step.op == "relu" and step.out.kind == "bool":
        return TRUTH  # its second result
    return RULES[step.op]


def _cast(step: Step, bounds: Bounds, columns: tuple[int, ...]) -> Interval | None:
    """To integers towards zero, so between floor and ceiling; to floats nothing changes."""
    return None if bounds[0] is None else bounds[0].outward(0)


def _proved(step: Step, bounds: Bounds) -> bool:
    """On shares: whether bounds of the result are certain.

    Raises
    ------
    Refusal : products before rounding, or differences that are compared, do not fit the ring.
    """
    if step.op in CERTAIN or step.out.kind == "bool":
        return True
    if any(b is None for b in bounds) or step.params.get("rounding") == "local":
        return False
    if step.params.get("bits") is not None:
        return False  # a promise that nothing checks
    limit = 1 << (step.ring - 2)
    scales = [look.f or 0 for look in step.looks]
    sizes: list[Fraction] = [b.magnitude() for b in bounds if b is not None]
    if step.op in PRODUCTS:
        exponent = int(step.params.get("exponent", 2))
        f = sum(scales) if step.op == "mul" else 2 * scales[0]
        size = sizes[0] * sizes[1] if step.op == "mul" else sizes[0] ** exponent
    else:
        f, size = max(scales), sum(sizes, Fraction(0))
    if size * (1 << f) >= limit:
        raise Refusal(f"{step.op} may leave the range of the ring; clip to a smaller range")
    return True


OPS = frozenset(RULES) | frozenset(LOGIC) | {"astype"}
