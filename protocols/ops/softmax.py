"""Softmax and its logarithm along an axis.

The largest element is subtracted, so that every exponential lies in (0, 1] and their sum S in
[1, n]. On an interval that small no normalisation is needed: 1 / S comes from the centred iteration
of `division.py` alone. Its factor sits in the table of exponentials, so that it costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache
from typing import Any

import numpy as np

from mpyc_core.errors import ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Share, Value
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from . import fit
from .axis import from_front, to_front
from .division import Centred, centred
from .domain import FRACTION, RINGS, approximable, lifted
from .exponential import power_of_digits, whole_powers
from .infer import axis_of
from .lookup import digits, plus
from .order import largest
from .roots import logarithm

LOWEST = -16
"""Elements 15 or more below the largest one count as e^-infinity = 0."""
SCALE = 28
"""Fraction bits of exponentials and of their sum."""
WHOLE, FRACTIONAL = 32, 26
"""Fraction bits of the table of whole powers, and of what they are multiplied by."""
RECIPROCAL = 22
"""Fraction bits of the reciprocal of the sum."""
PRECISION = Decimal(2) ** -19

ROWS = np.array([[0.5, -1.25, 3.0, 0.0], [7.0, 7.0, -20.0, 6.5], [1000.0, 0.0, -1000.0, 2.0]])
TEN = np.linspace(-3, 3, 40).reshape(4, 10) ** 3 / 8


@dataclass(frozen=True)
class Normaliser:
    """How exponentials and their sum are scaled for n elements.

    Parameters
    ----------
    chain : the constants of the iteration for 1 / S.
    factor : what every exponential is multiplied by.
    """

    chain: Centred
    steps: int
    factor: Decimal


@cache
def normaliser(n: int, last: Decimal) -> Normaliser:
    """Constants for S in [1, n], with `last` / S as the result; the end is 2^-19 close."""
    with localcontext(fit.context()):
        slack = Decimal(2) ** -10
        low, high = 1 - slack, n * (1 + slack)
        middle, half = (low + high) / 2, (high - low) / 2
        m, d, steps = middle, half, 0
        while d > m * PRECISION:
            m, d, steps = m * m - d * d / 2, d * d / 2, steps + 1
        chain = centred(middle, half, steps, last)
        return Normaliser(chain, steps, chain.factor)


def exponentials(p: Protocol, z: Share, bits: int, factor: Decimal) -> Steps[Share]:
    """factor * e^z for z <= 0 in units of 2^-16, with SCALE fraction bits.

    Cost        18 rounds
    """
    low = (LOWEST << FRACTION) + 1  # so that z = 0 is the last of 2^20 values
    planes = yield from digits(p, z, low, FRACTION + 4, bits, bounded=True)
    with localcontext(fit.context()):
        first = LOWEST + Decimal(2) ** -FRACTION
    whole = whole_powers(first, 16, WHOLE, factor)
    return (
        yield from power_of_digits(p, planes, whole, FRACTIONAL, WHOLE + FRACTIONAL - SCALE, z.meta)
    )


def inverse_sum(p: Protocol, total: Share, how: Normaliser, to: int) -> Steps[Share]:
    """last / S with `to` fraction bits, from factor * S; 3 rounds a step."""
    chain, steps, meta = how.chain, how.steps, total.meta
    # y grows to 1 / factor: its product with a factor of SCALE bits stays below 2^61
    room = 60 - SCALE - max(4, int(1 / how.factor).bit_length())
    now, bits = SCALE, min(SCALE, room)
    d = plus(p, total, -chain.middle(0, SCALE))
    y = plus(p, p.neg(d), chain.middle(0, SCALE))

    def squared(d: Share, step: int) -> Steps[Share]:
        square = yield from p.product("mul", d, d, meta, SCALE, {})
        return plus(p, p.neg(square), chain.shifted(step, SCALE))

    if steps < 2:
        return (yield from p.truncate(y, SCALE - to))
    d = yield from squared(d, 0)
    for step in range(1, steps - 1):
        factor = plus(p, p.neg(d), chain.middle(step, SCALE))
        shift = now + SCALE - bits
        d, y = yield from together(squared(d, step), p.product("mul", y, factor, meta, shift, {}))
        now = bits
    factor = plus(p, p.neg(d), chain.middle(steps - 1, SCALE))
    return (yield from p.product("mul", y, factor, meta, now + SCALE - to, {}))


def below_largest(p: Protocol, rows: Share, bits: int) -> Steps[Share]:
    """Rows of the first axis less the largest."""
    top = yield from largest(p, rows, bits)
    result: Share = p.sub(rows, top)
    return result


def normalised(
    p: Protocol, e: Share, total: Share, how: Normaliser, halved: int, out: Meta
) -> Steps[Share]:
    """last * 2^-halved * e / sum(e), to the scale of `out`."""
    y_bits = max(FRACTION - 4, RECIPROCAL - halved)
    y = yield from inverse_sum(p, total, how, y_bits)
    shift = SCALE + y_bits + halved - out.f
    return (yield from p.product("mul", e, y, out, shift, {}))


def row_sums(p: Protocol, rows: Share) -> Share:
    """Sums along the first axis, which stays with length 1; local."""
    meta = rows.meta.with_(shape=(1, *rows.meta.shape[1:]))
    result: Share = p.linear(lambda a: p.ring(rows).sum(a, 0, keepdims=True), meta, rows)
    return result


def axis_infer(x: Meta, *, axis: int = -1, bits: int | None = None) -> Meta:
    """The operand, a fixed-point tensor with a non-empty axis."""
    approximable(x, bits=bits)
    if not x.shape[axis_of(x, axis)]:
        raise ShareError(f"expected at least one element along axis {axis}, got {x.shape}")
    return x


def softmax_oracle(x: Array, axis: int = -1, bits: int | None = None) -> Array:
    """Softmax in floating point."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def _softmax_grad(
    ins: Any, outs: Any, grads: Any, axis: int = -1, bits: int | None = None
) -> list[Any]:
    weighted = grads[0] * outs[0]
    return [weighted - outs[0] * weighted.sum(axis=axis, keepdims=True)]


@operation(
    "softmax",
    infer=axis_infer,
    oracle=softmax_oracle,
    grad=_softmax_grad,
    cases=[
        Case((ROWS,), ulps=3, atol=3 * 2.0**-16, rings=RINGS),
        Case((TEN,), {"axis": 0, "bits": 32}, ulps=3, atol=3 * 2.0**-16, rings=RINGS),
        Case((TEN,), {"axis": -1}, ulps=3, atol=3 * 2.0**-16, rings=RINGS),
        Case((np.zeros((2, 1)),), {"axis": 1}, ulps=3, atol=3 * 2.0**-16, rings=RINGS),
        Case((np.linspace(0, 4, 300),), {"bits": 24}, ulps=3, atol=3 * 2.0**-16, rings=RINGS),
    ],
)
def softmax(p: Protocol, x: Value, *, axis: int = -1, bits: int | None = None) -> Steps[Any]:
    """e^x / sum(e^x) along an axis.

    Domain      |x| < 2^45; `bits` bounds the differences of elements
    Error       |error| < 2 * 2^-16 for up to 100 elements; the sum of n exponentials may be off by
                n units of 2^-28, and |error| < 8 * 2^-16 for n = 1000
    Cost        the largest element (see `max`), then 18 + 3 s + 3 rounds at 64 bits, s = 5 for
                n = 10 and 8 for n = 1000. For n = 10 among three parties 49 rounds and 878 bytes
                per element where few are compared, 68 rounds and 682 bytes where many are
    """
    number, wide, _ = lifted(p, x, bits)
    rows = to_front(p, number, axis)
    how = normaliser(rows.meta.shape[0], Decimal(1))
    z = yield from below_largest(p, rows, wide)
    e = yield from exponentials(p, z, wide, how.factor)
    out = x.meta.with_(shape=rows.meta.shape, public=False)
    y = yield from normalised(p, e, row_sums(p, e), how, 0, out)
    return from_front(p, y, x.meta, axis)


def _log_softmax_oracle(x: Array, axis: int = -1, bits: int | None = None) -> Array:
    z = x - np.max(x, axis=axis, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=axis, keepdims=True)))


def sum_bits(n: int) -> int:
    """Bits of a sum of n exponentials and its sign."""
    return SCALE + (2 * n).bit_length() + 2


@operation(
    "log_softmax",
    infer=axis_infer,
    oracle=_log_softmax_oracle,
    grad=lambda ins, outs, grads, axis=-1, bits=None: [
        grads[0] - outs[0].exp() * grads[0].sum(axis=axis, keepdims=True)
    ],
    cases=[
        Case((ROWS,), ulps=3, atol=4 * 2.0**-16, rings=RINGS),
        Case((TEN,), {"axis": 0, "bits": 32}, ulps=3, atol=4 * 2.0**-16, rings=RINGS),
    ],
)
def log_softmax(p: Protocol, x: Value, *, axis: int = -1, bits: int | None = None) -> Steps[Any]:
    """ln(softmax(x)) = x - max(x) - ln(sum(e^(x - max(x)))) along an axis.

    Domain      |x| < 2^45; `bits` bounds the differences of elements
    Error       |error| < 4 * 2^-16
    Cost        as `softmax`, with a logarithm of the sums in place of the reciprocal: 58 rounds
                and 849 bytes per element at n = 10, 77 rounds and 652 bytes where many are compared
    """
    number, wide, drop = lifted(p, x, bits)
    rows = to_front(p, number, axis)
    z = yield from below_largest(p, rows, wide)
    e = yield from exponentials(p, z, wide, Decimal(1))
    n = rows.meta.shape[0]
    total = row_sums(p, e)
    log_total = yield from logarithm(p, total, sum_bits(n), SCALE, FRACTION)
    y = p.sub(z, log_total)
    y = from_front(p, y, x.meta, axis)
    if drop:
        y = yield from p.truncate(y, drop)
    return p.scale(y, 1, x.meta.with_(public=False))
