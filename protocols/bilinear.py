"""Bilinear products over a ring: everything one multiplication protocol can do at once.

A protocol multiplies components locally and communicates once per element of the *result*, so one
protocol serves elementwise products, matrix products and convolutions with their gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mpyc_core.ring import Z64, Ring
from mpyc_core.transport.mesh import Array

Params = Mapping[str, Any]


def _mul(ring: Ring, x: Array, y: Array, params: Params) -> Array:
    return ring.mul(x, y)


def _dot(ring: Ring, x: Array, y: Array, params: Params) -> Array:
    """Sums of products along the first axis."""
    return ring.dot(x, y)


def _matmul(ring: Ring, x: Array, y: Array, params: Params) -> Array:
    return ring.matmul(x, y)


def _conv2d(ring: Ring, x: Array, w: Array, params: Params) -> Array:
    return ring.conv2d(x, w, params["stride"], params["padding"])


def _conv2d_grad_x(ring: Ring, g: Array, w: Array, params: Params) -> Array:
    shape = tuple(params["shape"])
    return ring.conv2d_grad_x(g, w, shape, params["stride"], params["padding"])


def _conv2d_grad_w(ring: Ring, x: Array, g: Array, params: Params) -> Array:
    shape = tuple(params["shape"])
    return ring.conv2d_grad_w(x, g, shape, params["stride"], params["padding"])


BILINEAR: dict[str, Callable[[Ring, Array, Array, Params], Array]] = {
    "mul": _mul,
    "dot": _dot,
    "matmul": _matmul,
    "conv2d": _conv2d,
    "conv2d_grad_x": _conv2d_grad_x,
    "conv2d_grad_w": _conv2d_grad_w,
}


def doubles(kind: str, ring: Ring, shift: int) -> bool:
    """Whether a product that drops `shift` bits is worth making twice as large, to drop one more.

    Protocols make 2 x y of fewer local products than x y, for a bit of range. Products of matrices
    and convolutions are bound by multiplications, elementwise ones by memory; a ring of 32 bits
    has no bit of range to spare.
    """
    return kind not in ("mul", "dot") and ring == Z64 and 0 < shift < Z64.bits - 2
