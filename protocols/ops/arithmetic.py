"""Addition, products and changes of scale.

Fixed-point rule: a product of two values with f fraction bits has 2f; the protocol drops f of them
(`rounding`). A public factor may have more or fewer fraction bits than its partner; the result has
those of the secret. Integers times fixed point need no rounding.

Rounding
    "stochastic"  floor or floor + 1 of the exact result, unbiased; certain while the product
                  before rounding is below 2^(k-2), that of matrices or a convolution over Z/2^64
                  below 2^(k-3)
    "exact"       the floor; one comparison more
    "local"       one round less, but wrong by 2^(k-f) with probability |z| / 2^(k-1)
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from mpyc_core.errors import ShapeMismatch, ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Public, Share, Value
from mpyc_core.transport.mesh import Steps

from .infer import broadcast, joined, numbers, product_meta, same

Rounding = Literal["stochastic", "exact", "local"]

INTS = np.array([[0, 1, -1, 7], [100, -100, 2**30 - 1, -(2**30)]])
SMALL = np.array([[0, 1, -1, 7], [100, -100, 300, -301]])
FLOATS = np.array([[0.0, 1.0, -1.0, 0.5], [-0.25, 3.75, -7.5, 10.0]])
ULP = 2.0**-8
"""The last place of the coarsest default scale (Z/2^32, 8 fraction bits)."""


def align(p: Protocol, x: Value, y: Value) -> tuple[Any, Any]:
    """Lift an integer operand to the other's scale; local."""
    f = max(x.meta.f, y.meta.f)
    return _lift(p, x, f, y.meta), _lift(p, y, f, x.meta)


def _lift(p: Protocol, x: Value, f: int, other: Meta) -> Any:
    if x.meta.kind == "fixed" or other.kind != "fixed":
        return x
    return p.scale(x, 1 << f, x.meta.with_(kind="fixed", f=f))


@operation(
    "add",
    infer=joined,
    oracle=np.add,
    grad=lambda ins, outs, grads: [grads[0].sum_to(x.shape) for x in ins],
    cases=[
        Case((INTS, INTS[::-1].copy())),
        Case((FLOATS, FLOATS[:, :1])),
        Case((FLOATS, FLOATS[0]), public=(1,)),
        Case((INTS[0] % 50, FLOATS)),
    ],
)
def add(p: Protocol, x: Value, y: Value) -> Value:
    """x + y; exact."""
    return p.add(*align(p, x, y))


@operation(
    "sub",
    infer=joined,
    oracle=np.subtract,
    grad=lambda ins, outs, grads: [grads[0].sum_to(ins[0].shape), -grads[0].sum_to(ins[1].shape)],
    cases=[
        Case((SMALL, SMALL[::-1].copy())),
        Case((FLOATS[0], FLOATS)),
        Case((FLOATS[0], FLOATS), public=(0,)),
    ],
)
def sub(p: Protocol, x: Value, y: Value) -> Value:
    """x - y; exact."""
    return p.sub(*align(p, x, y))


@operation(
    "neg",
    infer=same,
    oracle=np.negative,
    grad=lambda ins, outs, grads: [-grads[0]],
    cases=[Case((INTS,)), Case((FLOATS,))],
)
def neg(p: Protocol, x: Value) -> Value:
    """-x; exact."""
    return p.neg(x)


def excess(x: Meta, y: Meta, out: Meta) -> int:
    """Fraction bits to drop after a product."""
    return x.f + y.f - out.f


def product(
    p: Protocol,
    kind: str,
    x: Value,
    y: Value,
    out: Meta,
    rounding: Rounding = "stochastic",
    **params: Any,
) -> Steps[Any]:
    """Any bilinear product of values, secret or public, brought to the scale of `out`."""
    shift = excess(x.meta, y.meta, out)
    fused = shift if rounding == "stochastic" else 0
    if isinstance(x, Share) and isinstance(y, Share):
        z = yield from p.product(kind, x, y, out, fused, params)
        if fused or not shift:
            return z
    else:
        z = p.product_public(kind, x, y, out, params)
    return (yield from drop_bits(p, z, shift, rounding))


def drop_bits(p: Protocol, z: Value, shift: int, rounding: Rounding) -> Steps[Any]:
    """z / 2^shift; see the module's docstring for `rounding`."""
    if shift == 0:
        return z
    if isinstance(z, Public):
        return Public(z.meta, z.meta.ring.rshift_arithmetic(z.value, shift))
    if rounding == "local":
        return (yield from p.truncate_local(z, shift))
    t = yield from p.truncate(z, shift)
    if rounding == "stochastic":
        return t
    # t is floor or floor + 1, so z - t * 2^shift lies in [-2^shift, 2^shift)
    rest = p.sub(z, p.scale(t, 1 << shift))
    above = yield from p.msb_number(rest, shift + 1)
    return p.sub(t, above)


def _mul_infer(x: Meta, y: Meta, *, rounding: Rounding = "stochastic") -> Meta:
    numbers(x, y)
    return product_meta(x, y, broadcast(x, y))


@operation(
    "mul",
    infer=_mul_infer,
    oracle=lambda x, y, rounding="stochastic": x * y,
    grad=lambda ins, outs, grads, rounding="stochastic": [
        (grads[0] * ins[1]).sum_to(ins[0].shape),
        (grads[0] * ins[0]).sum_to(ins[1].shape),
    ],
    cases=[
        Case((INTS, SMALL % 2)),
        Case((SMALL, SMALL[0])),
        Case((FLOATS, FLOATS[::-1].copy()), ulps=1, atol=12 * ULP),
        Case((FLOATS, FLOATS[:1]), {"rounding": "exact"}, atol=12 * ULP),
        Case((FLOATS, SMALL[0]), atol=8 * ULP),
        Case((FLOATS, FLOATS[0]), public=(1,), ulps=1, atol=12 * ULP),
        Case((SMALL, SMALL[0]), public=(1,)),
    ],
)
def mul(p: Protocol, x: Value, y: Value, *, rounding: Rounding = "stochastic") -> Steps[Any]:
    """x * y, elementwise with broadcasting."""
    out = _mul_infer(x.meta, y.meta)
    return (yield from product(p, "mul", x, y, out, rounding))


def _matmul_infer(x: Meta, y: Meta, *, rounding: Rounding = "stochastic") -> Meta:
    numbers(x, y)
    if not x.ndim or not y.ndim:
        raise ShapeMismatch("a matrix product needs at least one axis each; use * for scalars")
    a = x.shape if x.ndim > 1 else (1, *x.shape)
    b = y.shape if y.ndim > 1 else (*y.shape, 1)
    if a[-1] != b[-2]:
        raise ShapeMismatch(
            f"cannot multiply matrices {x.shape} @ {y.shape}: inner lengths {a[-1]} and {b[-2]}"
        )
    try:
        batch = np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError:
        raise ShapeMismatch(f"batches of {x.shape} @ {y.shape} do not broadcast") from None
    rows = (a[-2],) if x.ndim > 1 else ()
    cols = (b[-1],) if y.ndim > 1 else ()
    return product_meta(x, y, (*batch, *rows, *cols))


def _matmul_grad(ins: Any, outs: Any, grads: Any, rounding: Rounding = "stochastic") -> list[Any]:
    x, y = ins
    g = grads[0]
    if x.ndim == 1 and y.ndim == 1:
        return [g * y, g * x]
    if x.ndim == 1:
        g, x2 = g.expand_dims(-2), x.expand_dims(0)
        return [
            (g @ y.mT)
            .sum_to((*g.shape[:-2], 1, x.shape[0]))
            .sum_to((1, x.shape[0]))
            .reshape(x.shape),
            (x2.mT @ g).sum_to(y.shape),
        ]
    if y.ndim == 1:
        g2 = g.expand_dims(-1)
        return [(g2 * y).sum_to(x.shape), (x.mT @ g2).sum_to((y.shape[0], 1)).reshape(y.shape)]
    return [(g @ y.mT).sum_to(x.shape), (x.mT @ g).sum_to(y.shape)]


@operation(
    "matmul",
    infer=_matmul_infer,
    oracle=lambda x, y, rounding="stochastic": x @ y,
    grad=_matmul_grad,
    cases=[
        Case((SMALL, SMALL.T.copy())),
        Case((FLOATS, FLOATS.T.copy()), ulps=1, atol=40 * ULP),
        Case((np.stack([FLOATS, -FLOATS]), FLOATS[0]), ulps=1, atol=40 * ULP),
        Case((FLOATS, FLOATS.T.copy()), public=(0,), ulps=1, atol=40 * ULP),
    ],
)
def matmul(p: Protocol, x: Value, y: Value, *, rounding: Rounding = "stochastic") -> Steps[Any]:
    """x @ y by NumPy's rules; traffic depends on the result's size alone."""
    out = _matmul_infer(x.meta, y.meta)
    return (yield from product(p, "matmul", x, y, out, rounding))


def _rescale_infer(x: Meta, *, f: int, rounding: Rounding = "stochastic") -> Meta:
    numbers(x)
    if not 0 <= f <= x.ring.width - 2:
        raise ShareError(f"expected 0 to {x.ring.width - 2} fraction bits, got {f}")
    return x.with_(kind="fixed" if f else "int", f=f)


@operation(
    "rescale",
    infer=_rescale_infer,
    oracle=lambda x, f, rounding="stochastic": x if f else np.floor(x),
    grad=lambda ins, outs, grads, f, rounding="stochastic": [grads[0].rescale(ins[0].meta.f)],
    cases=[
        Case((FLOATS,), {"f": 4}, ulps=1, atol=2.0**-4),
        Case((FLOATS,), {"f": 4, "rounding": "exact"}, atol=2.0**-4),
        Case((FLOATS,), {"f": 0, "rounding": "exact"}),
        Case((FLOATS,), {"f": 12}, atol=ULP),
        Case((FLOATS,), {"f": 4, "rounding": "local"}, ulps=2, atol=2.0**-3, rings=(64,)),
    ],
)
def rescale(p: Protocol, x: Value, *, f: int, rounding: Rounding = "stochastic") -> Steps[Any]:
    """x with f fraction bits; f = 0 gives integers (the floor with rounding="exact")."""
    meta = _rescale_infer(x.meta, f=f)
    if f >= x.meta.f:
        return p.scale(x, 1 << (f - x.meta.f), meta)
    z = p.scale(x, 1, meta)
    return (yield from drop_bits(p, z, x.meta.f - f, rounding))


def _power_infer(x: Meta, *, exponent: int) -> Meta:
    numbers(x)
    if exponent < 1:
        raise ShareError(f"expected an exponent of 1 or more, got {exponent}; use reciprocal()")
    return x


@operation(
    "power",
    infer=_power_infer,
    oracle=lambda x, exponent: x**exponent,
    grad=lambda ins, outs, grads, exponent: [
        grads[0] * (ins[0] ** (exponent - 1)) * exponent if exponent > 1 else grads[0]
    ],
    cases=[
        Case((SMALL % 9,), {"exponent": 3}),
        Case((FLOATS[0],), {"exponent": 5}, ulps=24, atol=8 * ULP),
    ],
)
def power(p: Protocol, x: Share, *, exponent: int) -> Steps[Any]:
    """x ** exponent for a public exponent of 1 or more, by squaring."""
    out = x.meta
    result: Any = None
    base = x
    while True:
        if exponent & 1:
            result = base if result is None else (yield from product(p, "mul", result, base, out))
        exponent >>= 1
        if not exponent:
            return result
        base = yield from product(p, "mul", base, base, out)
