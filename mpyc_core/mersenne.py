"""Arithmetic of GF(2^61 - 1) and GF(2^127 - 1) on arrays: shapes, threads, and the kernels' calls.

Elements are words, or pairs of words (`mpyc_core.limbs`), below p. Elementwise functions broadcast
like NumPy's; `mpyc_core.field` checks operands and calls them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core import limbs
from mpyc_core.errors import ShapeMismatch

Array = npt.NDArray[Any]

WORD = np.dtype("<u8")
P61 = np.uint64((1 << 61) - 1)
P127 = limbs.pack(2**64 - 1, 2**63 - 1)
BLOCK = 32
"""Columns of a product whose operands stay in cache while rows pass by."""
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def add(x: Array, y: Array) -> Array:
    """x + y, broadcast."""
    return both("add", x, y)


def sub(x: Array, y: Array) -> Array:
    """x - y, broadcast."""
    return both("sub", x, y)


def neg(x: Array) -> Array:
    """-x."""
    return both("sub", np.zeros((), x.dtype), x)


def mul(x: Array, y: Array) -> Array:
    """x * y, elementwise and broadcast."""
    return both("mul", x, y)


def lshift(x: Array, s: int) -> Array:
    """x * 2^s: the bits of x turned by s places."""
    return turned61(x, s) if x.dtype == WORD else turned127(x, s)


def rshift_logical(x: Array, s: int) -> Array:
    """floor(x / 2^s) of the residue in [0, p)."""
    if x.dtype == WORD:
        return np.asarray(x >> np.uint64(min(s, 63)))
    return limbs.rshift_logical(x, s)


def rshift_arithmetic(x: Array, s: int) -> Array:
    """floor(x / 2^s) of the signed integer in (-p/2, p/2)."""
    if x.dtype == WORD:
        return from_twos(np.asarray(twos(x).view("<i8") >> min(s, 63)).view(WORD))
    return from_twos(limbs.rshift_arithmetic(twos(x), s))


def bit(x: Array, i: int) -> npt.NDArray[np.bool_]:
    """Bit i of the signed integer as two's complement."""
    words = twos(x)
    if x.dtype != WORD:
        words = np.ascontiguousarray(words["lo"] if i < 64 else words["hi"])
    return np.asarray(words >> np.uint64(i % 64) & np.uint64(1), np.bool_)


def nonzero(x: Array) -> npt.NDArray[np.bool_]:
    """Whether an element is not 0."""
    return np.asarray(x if x.dtype == WORD else x["lo"] | x["hi"], np.bool_)


def scatter_add(out: Array, key: Any, x: Array) -> None:
    """out[key] += x for an `out` of zeros, where places may occur several times."""

    def total_of(words: Array) -> Array:
        sums = np.zeros(out.shape, np.uint64)
        np.add.at(sums, key, words)
        return sums

    out[...] = accumulate(x, total_of)


def to_signed(x: Array) -> Array:
    """The integers in (-p/2, p/2) that elements stand for; Python's where 64 bits do not do."""
    words = twos(x)
    return words.view("<i8") if x.dtype == WORD else limbs.to_integers(words, signed=True)


def to_floats(x: Array) -> npt.NDArray[np.float64]:
    """The signed integers as float64, correctly rounded."""
    words = twos(x)
    return words.view("<i8").astype(np.float64) if x.dtype == WORD else limbs.to_floats(words)


def twos(x: Array) -> Array:
    """The signed integers as two's complement, in words or pairs of words."""
    if x.dtype == WORD:
        return np.asarray(x - (x >> np.uint64(60)) * P61)
    negative = (x["hi"] >> np.uint64(62)) != 0
    return limbs.where(negative, limbs.sub(x, P127), x)


def from_twos(words: Array) -> Array:
    """Elements from two's complement; the integers lie in (-p/2, p/2)."""
    if words.dtype == WORD:
        return np.asarray(words + (words >> np.uint64(63)) * P61)
    negative = (words["hi"] >> np.uint64(63)) != 0
    return limbs.where(negative, limbs.add(words, P127), words)


def both(name: str, x: Array, y: Array) -> Array:
    """`add`, `sub` or `mul`, elementwise and broadcast."""
    from .kernels.flat import split

    kernels, size = _kernels(x.dtype)
    out = np.empty(np.broadcast_shapes(x.shape, y.shape), x.dtype)
    (a, s), (b, t) = (_operand(v, out.shape, size) for v in (x, y))
    z, kernel = out.reshape(-1).view(WORD), getattr(kernels, name)
    split(out.size, lambda i, j: kernel(a, s, b, t, i, j, z), size)
    return out


def total(rows: Array) -> Array:
    """The sum of raw rows: of any words, each of which stands for its number modulo p.

    Parameters
    ----------
    rows : shape (count, ...).

    Returns
    -------
    Array
        Shape (...).
    """
    from .kernels.flat import split

    kernels, size = _kernels(rows.dtype)
    out = np.empty(rows.shape[1:], rows.dtype)
    a, z = limbs.flat_words(rows), out.reshape(-1).view(WORD)
    split(out.size, lambda i, j: kernels.total(a, len(rows), i, j, z), size * len(rows))
    return out


def combine(matrix: Array, rows: Array) -> Array:
    """matrix @ rows for a small public matrix, and rows that may be raw; in one pass.

    Parameters
    ----------
    matrix : elements, shape (r, c).
    rows : shape (c, ...).

    Returns
    -------
    Array
        Shape (r, ...).
    """
    from .kernels.flat import split

    kernels, size = _kernels(rows.dtype)
    count, length = len(rows), math.prod(rows.shape[1:])
    if matrix.ndim != 2 or matrix.shape[1] != count:
        raise ShapeMismatch(f"expected a matrix of {count} columns, got shape {matrix.shape}")
    out = np.empty((len(matrix), *rows.shape[1:]), rows.dtype)
    m, a, z = limbs.flat_words(matrix), limbs.flat_words(rows), out.reshape(-1).view(WORD)
    split(
        length,
        lambda i, j: kernels.combine(m, a, count, length, i, j, z),
        size * (count + len(matrix)),
    )
    return out


def product_into(a: Array, b: Array, out: Array) -> None:
    """out = a @ b for matrices; `out` is zero before, and C-contiguous."""
    from .kernels.flat import split

    (m, k), n = a.shape, b.shape[1]
    if m * k * n == 0:
        return
    if a.dtype != WORD:
        from .kernels.wide_product import FEW, product_127_into

        if min(m, n) >= FEW:
            product_127_into(a, b, out)
            return
    kernels, size = _kernels(a.dtype)
    x, y, z = limbs.flat_words(a), limbs.flat_words(b.T), out.reshape(-1).view(WORD)

    def columns(i: int, j: int) -> None:
        for first in range(i, j, BLOCK):
            kernels.dots(x, y, k, first, min(first + BLOCK, j), z)

    def rows(i: int, j: int) -> None:
        kernels.dots(x[size * k * i : size * k * j], y, k, 0, n, z[size * n * i : size * n * j])

    if n >= m:
        split(n, columns, m * k)
    else:
        split(m, rows, n * k)


def accumulate(x: Array, total_of: Callable[[Array], Array]) -> Array:
    """What a function gives that adds up words, on elements: fewer than 2^32 for each result."""
    if x.dtype == WORD:
        low, high = total_of(x & _LOW), total_of(x >> _HALF)
        return both("add", reduce61(low), turned61(reduce61(high), 32))
    parts = [total_of(w) for v in (x["lo"], x["hi"]) for w in (v & _LOW, v >> _HALF)]
    sums = [limbs.pack(part, 0) for part in parts]
    found = sums[0]
    for i, part in enumerate(sums[1:], 1):
        found = both("add", found, turned127(part, 32 * i))
    return found


def reduce61(x: Array) -> Array:
    """Words modulo 2^61 - 1."""
    r = (x & P61) + (x >> np.uint64(61))
    return np.asarray((r + ((r + np.uint64(1)) >> np.uint64(61))) & P61)


def turned61(x: Array, s: int) -> Array:
    """x * 2^s for elements of GF(2^61 - 1): their 61 bits turned by s places."""
    s %= 61
    if s == 0:
        return x
    return np.asarray(((x << np.uint64(s)) & P61) | (x >> np.uint64(61 - s)))


def turned127(x: Array, s: int) -> Array:
    """x * 2^s for elements of GF(2^127 - 1): their 127 bits turned by s places."""
    s %= 127
    if s == 0:
        return x
    upper = limbs.lshift(x, s)
    upper["hi"] &= np.uint64((1 << 63) - 1)
    lower = limbs.rshift_logical(x, 127 - s)
    return limbs.pack(upper["lo"] | lower["lo"], upper["hi"] | lower["hi"])


def _kernels(dtype: np.dtype[Any]) -> tuple[ModuleType, int]:
    """The kernels of a field, and the words of an element."""
    if dtype == WORD:
        from .kernels import mersenne61

        return mersenne61, 1
    from .kernels import mersenne127

    return mersenne127, 2


def _operand(x: Array, shape: tuple[int, ...], size: int) -> tuple[Array, int]:
    """Words of an operand, and how far its elements are apart for those of the result."""
    if x.size == 1 and math.prod(shape) != 0:
        return limbs.flat_words(x), 0
    return limbs.flat_words(x if x.shape == shape else np.broadcast_to(x, shape)), size
