"""Local terms of products of replicated shares, in one pass over memory.

A party holds two of three components of each operand, here `n` and `p`. It adds its three cross
products and a zero-share; the terms of all parties sum to the product
[Araki, Furukawa, Lindell, Nof, Ohara 2016, section 3].
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import RingMismatch, ShapeMismatch
from mpyc_core.jit import Kernel
from mpyc_core.parallel import run_rows

Array = npt.NDArray[Any]

_MIN_WORDS = 1 << 16


def replicated_terms(
    xn: Array, xp: Array, yn: Array, yp: Array, zn: Array, zp: Array, out: Array
) -> None:
    """out = xn*yn + xn*yp + xp*yn + zn - zp, elementwise mod 2^k.

    Parameters
    ----------
    xn, xp, yn, yp : components of the operands, all of one shape and of one dtype, u4 or u8.
    zn, zp : the two blocks whose difference is the party's zero-share.
    out : C-contiguous; may be one of the others.

    Raises
    ------
    ShapeMismatch
        The shapes differ, or `out` is not C-contiguous.
    RingMismatch
        The dtypes differ.
    """
    from .terms import multiply_terms

    _run(multiply_terms, (xn, xp, yn, yp, zn, zp), out)


def and_terms(xn: Array, xp: Array, yn: Array, yp: Array, zn: Array, zp: Array, out: Array) -> None:
    """out = (xn & yn) ^ (xn & yp) ^ (xp & yn) ^ zn ^ zp, on packed bits of dtype u8.

    Parameters, shapes and errors are those of `replicated_terms`.
    """
    from .terms import and_words

    _run(and_words, (xn, xp, yn, yp, zn, zp), out)


def _run(terms: Kernel, operands: tuple[Array, ...], out: Array) -> None:
    if not (out.flags.c_contiguous and out.flags.aligned):
        raise ShapeMismatch("expected a C-contiguous and aligned array for the result")
    flat = [_flat(x, out) for x in operands]
    flat.append(out.reshape(-1))
    if out.size < 2 * _MIN_WORDS:
        terms(*flat)
    else:
        run_rows(lambda i, j: terms(*(x[i:j] for x in flat)), out.size, _MIN_WORDS)


def _flat(x: Array, out: Array) -> Array:
    if x.shape != out.shape:
        raise ShapeMismatch(f"expected operands of shape {out.shape}, got {x.shape}")
    if x.dtype != out.dtype:
        raise RingMismatch(f"expected operands of dtype {out.dtype}, got {x.dtype}")
    flags = x.flags
    if not (flags.c_contiguous and flags.aligned):
        x = np.require(x, requirements=["C", "A"])
    return x.reshape(-1)
