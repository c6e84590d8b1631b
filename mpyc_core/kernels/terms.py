"""Elementwise kernels of `replicated`: vectors first, then the rest word by word."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import kernel

from .simd import lanes, load, store

Array = npt.NDArray[Any]

_SEVEN = "const {0}[::1], " * 6 + "{0}[::1]"


@kernel(_SEVEN.format("u8"), _SEVEN.format("u4"))
def multiply_terms(
    xn: Array, xp: Array, yn: Array, yp: Array, zn: Array, zp: Array, out: Array
) -> None:
    """out = xn*yn + xn*yp + xp*yn + zn - zp."""
    n = lanes(out)
    whole = out.size // n * n
    for i in range(0, whole, n):
        a, c = load(xn, i), load(yn, i)
        t = a * (c + load(yp, i)) + load(xp, i) * c
        store(out, i, t + load(zn, i) - load(zp, i))
    for i in range(whole, out.size):
        out[i] = xn[i] * (yn[i] + yp[i]) + xp[i] * yn[i] + zn[i] - zp[i]


@kernel(_SEVEN.format("u8"))
def and_words(xn: Array, xp: Array, yn: Array, yp: Array, zn: Array, zp: Array, out: Array) -> None:
    """out = (xn & yn) ^ (xn & yp) ^ (xp & yn) ^ zn ^ zp."""
    n = lanes(out)
    whole = out.size // n * n
    for i in range(0, whole, n):
        a, c = load(xn, i), load(yn, i)
        t = (a & (c ^ load(yp, i))) ^ (load(xp, i) & c)
        store(out, i, t ^ load(zn, i) ^ load(zp, i))
    for i in range(whole, out.size):
        out[i] = (xn[i] & (yn[i] ^ yp[i])) ^ (xp[i] & yn[i]) ^ zn[i] ^ zp[i]
