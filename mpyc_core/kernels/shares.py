"""Truncation and conversion of replicated shares: the parties' local work, each in one pass.

What the arrays mean is said in `mpyc_core.protocols.replicated`; these functions check, allocate
and divide the work among threads. Results are fresh arrays unless the text says otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .flat import flat, split

Array = npt.NDArray[Any]
Parts = tuple[Array, ...]

_NO_PAD = np.empty(0, np.uint64)


def with_top_bit(
    x: Array,
    word: np.dtype[Any],
    *,
    plus: Array | None = None,
    pad: Array | None = None,
    minus_pad: Array | None = None,
    constant: int = 0,
) -> tuple[Array, Array]:
    """x + plus + pad - minus_pad + constant mod 2^k, and its highest bit as words of dtype `word`.

    Parameters
    ----------
    x, plus : of one shape and dtype, u4 or u8.
    pad, minus_pad : pads of that shape and dtype, at most one of the two.
    """
    from .truncation import top_bit

    out, top = np.empty(x.shape, x.dtype), np.empty(x.shape, word)
    a = flat(x, x.shape, x.dtype)
    b = a[:0] if plus is None else flat(plus, x.shape, x.dtype)
    sign = (pad is not None) - (minus_pad is not None)
    p = next((q for q in (pad, minus_pad) if q is not None), _NO_PAD)
    z, octets = out.reshape(-1), top.reshape(-1).view(np.uint8)
    split(
        out.size,
        lambda i, j: top_bit(a, b, p, sign, constant, word.itemsize, i, j, octets, z),
    )
    return out, top


def shift_down(
    x: Array, wrap: Array, shift: int, constant: int, minus_pad: Array
) -> tuple[Array, Array]:
    """(x >> shift) - wrap * 2^(k - shift) + constant - pad mod 2^k, and the pad's words.

    Parameters
    ----------
    x : u4 or u8.
    wrap : of the same shape, unsigned words of at least `shift` bits.
    minus_pad : a pad of the shape and dtype of x.
    """
    from .truncation import unwrap

    out, mask = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
    a = flat(x, x.shape, x.dtype)
    w = flat(wrap, x.shape, wrap.dtype).view(np.uint8)
    z, s, size = out.reshape(-1), mask.reshape(-1), wrap.itemsize
    split(
        out.size,
        lambda i, j: unwrap(a, w, size, shift, constant, minus_pad, i, j, s, z),
    )
    return out, mask


def offer_product(bits: Array, x: Parts, pads: Parts) -> tuple[Array, Array]:
    """b * (xn + xp) - pads[0] and b - pads[1] mod 2^k, for packed bits b.

    Parameters
    ----------
    bits : u8, as many words as the bits of one per element of x need.
    x : components of one shape and dtype, u4 or u8.
    pads : two pads of that shape and dtype.
    """
    from .conversion import offer

    shape, dtype = x[0].shape, x[0].dtype
    al, u = np.empty(shape, dtype), np.empty(shape, dtype)
    a, b, packed = flat(x[0], shape, dtype), flat(x[1], shape, dtype), bits.reshape(-1)
    y, z = al.reshape(-1), u.reshape(-1)
    split(u.size, lambda i, j: offer(a, b, packed, *pads, i, j, y, z))
    return al, u


def answer_product(
    role: int, bits: Array, s12: Array, other: Array, factors: Parts, pad: Array
) -> tuple[Array, Array]:
    """(1 - 2v) * (al + u * s12) + v * rest - pad mod 2^k, and the pad's words.

    Parameters
    ----------
    role : 1 or 2. At role 1 rest = s12 + other, at role 2 rest = other.
    bits : v, packed.
    s12, other : components of one shape and dtype, u4 or u8.
    factors : al and u; pads at role 1, arrays at role 2.
    pad : of the shape and dtype of the components, like all pads.
    """
    from .conversion import answer

    shape, dtype = s12.shape, s12.dtype
    out, mask = np.empty(shape, dtype), np.empty(shape, dtype)
    a, b, packed = flat(s12, shape, dtype), flat(other, shape, dtype), bits.reshape(-1)
    pads, came = (factors, (a[:0], a[:0])) if role == 1 else ((_NO_PAD, _NO_PAD), factors)
    al, u = (flat(v, v.shape, dtype) for v in came)
    s, z = mask.reshape(-1), out.reshape(-1)
    split(out.size, lambda i, j: answer(a, b, al, u, *pads, packed, pad, role, i, j, s, z))
    return out, mask


def minus_mask(bits: Array, mask: Array) -> Array:
    """b - mask mod 2^k, for planes of bits.

    Parameters
    ----------
    bits : packed planes, u8, shape (planes, words).
    mask : u4 or u8, shape (planes, n).
    """
    from .conversion import hide_bits

    out = np.empty_like(mask)
    split(out.shape[1], lambda i, j: hide_bits(mask, bits, i, j, out), len(out))
    return out


def weigh_bits(role: int, bits: Array, u: Array, weights: Array) -> Array:
    """sum_i weights[i] * t_i mod 2^k for t_i = (1 - 2 v_i) * u_i, to which role 1 adds v_i.

    Parameters
    ----------
    bits : packed planes v_i, u8, shape (planes, words).
    u : u4 or u8, shape (planes, n).
    weights : of the dtype of u, shape (planes,).

    Returns
    -------
    Array
        Shape (n,).
    """
    from . import conversion

    out = np.empty(u.shape[1], u.dtype)
    split(out.size, lambda i, j: conversion.weigh_bits(u, bits, weights, role, i, j, out), len(u))
    return out
