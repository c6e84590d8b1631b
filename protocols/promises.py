"""What operations take on trust about their operands, checked on cleartext.

Nobody sees the values of a real run, so ranges and `bits=` are promises of the program. A
simulation with `debug` knows the values and checks them before it compares results: a protocol and
plaintext in the same ring would otherwise agree on a number that wrapped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mpyc_core.transport.mesh import Array

from .bilinear import BILINEAR
from .registry import get_op
from .value import Public, Value

PAIRS = ("lt", "lt_number", "le", "gt", "ge", "maximum", "minimum", "sub")
SINGLE = ("negative", "relu", "abs", "sign", "neg")
EXACT = 53
"""Bits that a float64 holds exactly; beyond, a value just inside a limit rounds to the limit."""
ALONG_AN_AXIS = ("max", "largest", "min", "argmax", "argmin", "sort")


def broken_promise(op: str, operands: Sequence[Value], params: Mapping[str, Any]) -> str | None:
    """What an operation was promised and does not hold; None when all is well.

    Parameters
    ----------
    op : a registered operation.
    operands : cleartext, as the protocol `plain` holds it.
    params : public parameters of the operation.
    """
    if any(v.meta.kind == "bit" or not v.meta.size for v in operands):
        return None
    found = _extreme(op, operands, params)
    if found is None:
        return None
    what, size, bits = found
    limit = 2.0 ** (bits - 1)
    if size < limit or (size == limit and bits > EXACT):
        return None
    given = " (bits=)" if params.get("bits") is not None else ""
    return f"{what} reaches {size:.4g} units of the last place, the limit is 2^{bits - 1}{given}"


def _extreme(
    op: str, operands: Sequence[Value], params: Mapping[str, Any]
) -> tuple[str, float, int] | None:
    """(what must be small, how large it is, signed bits that it must fit)."""
    k = operands[0].meta.ring.width
    bits = params.get("bits") or k
    if op in BILINEAR:
        x, y = (_units(v, v.meta.f) for v in operands)
        (out,) = get_op(op).metas([v.meta for v in operands], params)
        size = _largest(_oracle(op, params, x, y))
        if sum(v.meta.f for v in operands) == out.f:
            return "the product", size, k
        summed = op not in ("mul", "dot") and not any(isinstance(v, Public) for v in operands)
        return "the product before rounding", size, k - 1 - (summed and k == 64)
    f = max(v.meta.f for v in operands)
    values = [_units(v, f) for v in operands]
    if op in PAIRS:
        return "the difference", _largest(values[0] - values[1]), bits
    if op in SINGLE:
        return "the operand", _largest(values[0]), bits
    if op in ALONG_AN_AXIS:
        return "the spread", float(np.max(np.ptp(values[0], axis=params.get("axis")))), bits
    if op in ("add", "sum", "cumsum"):
        return "the sum", _largest(_oracle(op, params, *values)), k
    return None


def _units(v: Value, f: int) -> Array:
    """The operand in units of 2^-f, as floats wide enough for any product."""
    raw = v.value if isinstance(v, Public) else v.parts[0]
    scaled: Array = np.ldexp(v.meta.ring.to_int(raw).astype(np.float64), f - v.meta.f)
    return scaled


def _oracle(op: str, params: Mapping[str, Any], *values: Array) -> Array:
    known = {name: value for name, value in params.items() if name != "rounding"}
    return np.asarray(get_op(op).oracle(*values, **known))


def _largest(x: Array) -> float:
    return float(np.max(np.abs(x)))
