"""Products of replicated shares, one party's part, in one pass over memory.

A party holds two of three components of each operand, here (next, prev). It adds the products of
components that are its own and a zero-share, the difference of two pads that it has with its
neighbours; the terms of all parties sum to the product [Araki, Furukawa, Lindell, Nof, Ohara 2016,
section 3].
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .flat import flat, split

Array = npt.NDArray[Any]
Parts = tuple[Array, ...]


def multiply_terms(
    role: int, x: Parts, y: Parts, shape: tuple[int, ...], zero: Parts | None = None
) -> Array:
    """This role's terms of x * y, elementwise mod 2^k, in a fresh array of shape `shape`.

    Parameters
    ----------
    role : role 0 takes (xn + xp) * (yn + yp), role 1 xn * (yn + yp) + xp * yn and role 2
        xp * yn + xn * yp.
    x, y : components of one dtype, u4 or u8, which broadcast to `shape`.
    zero : two pads of this shape, whose difference is added. Without them the terms are not fit to
        be sent.

    Raises
    ------
    ShapeMismatch, RingMismatch
        Components do not broadcast to the shape, or are of different dtypes.
    """
    from .terms import multiply, multiply_masked

    out = np.empty(shape, x[0].dtype)
    a, z = [flat(part, shape, out.dtype) for part in (*x, *y)], out.reshape(-1)
    if zero is None:
        split(out.size, lambda i, j: multiply(*a, role, i, j, z))
    else:
        split(out.size, lambda i, j: multiply_masked(*a, *zero, role, i, j, z))
    return out


def weighed_sum(x: Parts, weights: tuple[int, int]) -> Array:
    """weights[0] * xn + weights[1] * xp mod 2^k, for components of one shape, u4 or u8."""
    from .terms import weigh

    out = np.empty(x[0].shape, x[0].dtype)
    a, z = [flat(part, out.shape, out.dtype) for part in x], out.reshape(-1)
    split(out.size, lambda i, j: weigh(*a, *weights, i, j, z))
    return out


def and_terms(x: Parts, y: Parts, shape: tuple[int, ...], zero: Parts) -> Array:
    """This party's term of x & y on packed bits, and a zero-share over XOR, in a fresh array.

    Parameters
    ----------
    x, y : components of dtype u8, which broadcast to `shape`.
    zero : two pads of this shape, whose XOR is added.

    Raises
    ------
    ShapeMismatch, RingMismatch
        Components do not broadcast to the shape, or are not of dtype u8.
    """
    from .terms import and_masked

    out = np.empty(shape, np.uint64)
    a, z = [flat(part, out.shape, out.dtype) for part in (*x, *y)], out.reshape(-1)
    split(out.size, lambda i, j: and_masked(*a, *zero, i, j, z))
    return out


def add_zero_share(x: Array, zero: Parts) -> Array:
    """x + zn - zp mod 2^k, for pads of the shape and dtype of `x`, u4 or u8."""
    from .terms import add_zero

    out = np.empty(x.shape, x.dtype)
    a, z = flat(x, x.shape, x.dtype), out.reshape(-1)
    split(out.size, lambda i, j: add_zero(a, *zero, i, j, z))
    return out


def xor_zero_share(x: Array, zero: Parts) -> Array:
    """x ^ zn ^ zp, for packed bits of dtype u8 and pads of their shape."""
    from .terms import xor_zero

    out = np.empty(x.shape, x.dtype)
    a, z = flat(x, x.shape, x.dtype), out.reshape(-1)
    split(out.size, lambda i, j: xor_zero(a, *zero, i, j, z))
    return out


def combine_leaves(role: int, p: Parts, shape: tuple[int, int], zero: Parts) -> Array:
    """The first level of a carry tree (see `carries`) at role 0 or 2, leaf 0 left out.

    Parameters
    ----------
    p : components, planes of shape (at least 2m - 1, words) for m pairs of leaves; at role 0 the
        first one is a pad.
    shape : of the result, (2m - 1, words).
    zero : two pads of this shape, whose XOR is added.

    Returns
    -------
    Array
        This role's message: D_0 ... D_{m-1}, P_1 ... P_{m-1}.
    """
    from . import carries

    out = np.empty(shape, np.uint64)
    pairs, width = (shape[0] + 1) // 2, shape[1]
    last = flat(p[1], p[1].shape, out.dtype)
    first = flat(p[0], p[0].shape, out.dtype) if role else last
    pad, z = p[0] if role == 0 else zero[0], out.reshape(-1)
    split(
        width,
        lambda i, j: carries.combine_leaves(first, last, pad, *zero, role, pairs, width, i, j, z),
        len(out),
    )
    return out


def leaves_of_words(
    x: Array, r: Array, bits: int, shape: tuple[int, int], zero: Parts
) -> tuple[Array, Array]:
    """The same at role 1, in one pass from the words that roles 1 and 2 know.

    Parameters
    ----------
    x : u4 or u8, of any shape, taken in C order; its planes are the first component of p.
    r : pad of the second one, of shape (bits - 1, words of the size of x).
    bits : at least 2.
    shape, zero : as in `combine_leaves`.

    Returns
    -------
    The message, and the two highest of the low `bits` planes of x.
    """
    from .planes import leaves_of

    return leaves_of(flat(x, x.shape, x.dtype), r, (shape[0] + 1) // 2, bits, zero)


def combine_nodes(x: Parts, shape: tuple[int, int], zero: Parts) -> Array:
    """A further level of a carry tree (see `carries`).

    Parameters
    ----------
    x : components of D and P of n nodes, shape (2n - 1, words).
    shape : of the result, (2m - 1, words) for m = n // 2.
    zero : two pads of this shape, whose XOR is added.

    Returns
    -------
    Array
        This party's message: D_0 ... D_{m-1}, P_1 ... P_{m-1}.
    """
    from . import carries

    out = np.empty(shape, np.uint64)
    nodes, width = (len(x[0]) + 1) // 2, shape[1]
    parts, z = [flat(part, part.shape, out.dtype) for part in x], out.reshape(-1)
    split(
        width,
        lambda i, j: carries.combine_nodes(*parts, *zero, nodes, width, i, j, z),
        len(out),
    )
    return out


def combine_prefixes(p: Parts, d: Parts, step: int, shape: tuple[int, int], zero: Parts) -> Array:
    """A level of a parallel prefix: upper halves of 2 * step nodes take the node below them.

    Parameters
    ----------
    p, d : components of the nodes, planes of shape (nodes, words).
    step : a power of two.
    shape : of the result, (rows, words).
    zero : two pads of this shape, whose XOR is added.

    Returns
    -------
    Array
        This party's message: D of every node i with i & step, then P of those from 2 * step on.
    """
    from . import carries

    out = np.empty(shape, np.uint64)
    split(
        shape[1],
        lambda i, j: carries.combine_prefixes(*p, *d, *zero, step, i, j, out),
        len(out),
    )
    return out


def split_planes(
    x: Parts, pad: Array, bits: int, more: int, keep: bool = True
) -> tuple[Array, Array, Array]:
    """The low bits of xn + xp as planes, split in two by a pad.

    Parameters
    ----------
    x : components, u4 or u8, of any shape, taken in C order.
    pad : of shape (bits, words of the size of x).
    bits, more : how many planes to split, and how many of the next ones to leave whole.
    keep : whether the mask is wanted; else it has no planes.

    Returns
    -------
    The mask drawn from the pad, the planes ^ that mask, and the `more` planes above them.
    """
    from .planes import share_planes

    a, b = (flat(part, x[0].shape, x[0].dtype) for part in x)
    return share_planes(a, b, pad, bits, more, keep)
