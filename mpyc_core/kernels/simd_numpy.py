"""512-bit vectors as NumPy arrays: what `simd_llvm` does, for runs without compilation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def lanes(array: Array) -> int:
    """Words of the array's dtype in one vector, 8 for u8."""
    return 64 // array.itemsize


def load(array: Array, index: int) -> Array:
    """The vector of consecutive words from `index` of the array taken flat."""
    return array.reshape(-1)[index : index + lanes(array)].copy()


def store(array: Array, index: int, value: Array) -> None:
    """Write a vector to consecutive words from `index` of the array taken flat."""
    array.reshape(-1)[index : index + lanes(array)] = value


def load_some(array: Array, index: int, count: int) -> Array:
    """As `load`, but only `count` lanes if that is less than all; the others are zero."""
    m = max(0, min(count, lanes(array)))
    v = np.zeros(lanes(array), array.dtype)
    v[:m] = array.reshape(-1)[index : index + m]
    return v


def store_some(array: Array, index: int, value: Array, count: int) -> None:
    """As `store`, but only `count` lanes if that is less than all."""
    m = max(0, min(count, lanes(array)))
    array.reshape(-1)[index : index + m] = value[:m]


def splat(array: Array, index: int) -> Array:
    """The word at `index` of the array taken flat, in every lane."""
    return np.full(lanes(array), array.reshape(-1)[index])


def fill(array: Array, word: int) -> Array:
    """`word`, taken modulo the array's word size, in every lane."""
    return np.full(lanes(array), int(word) % (1 << 8 * array.itemsize), array.dtype)


def gather(array: Array, index: int, offsets: Array, at: int) -> Array:
    """The words at `index` + offsets[at], index + offsets[at + 1], ... of the array taken flat."""
    return np.asarray(array.reshape(-1)[index + offsets[at : at + lanes(array)]])


def dot_pairs(total: Array, x: Array, y: Array) -> Array:
    """total + x0 * y0 + x1 * y1 in every lane of 32 bits, of signed halves of x and y."""
    a, b = x.view(np.int16).astype(np.int32), y.view(np.int16).astype(np.int32)
    return np.asarray(total + (a[::2] * b[::2] + a[1::2] * b[1::2]).view(np.uint32))


def residue(v: Array, m: int, inverse: float) -> Array:
    """In the low half of every 32-bit lane v - q * m, q about v / m; v and halves are signed.

    The high half is anything. The inverse is of m, and |v / m| < 2^22.
    """
    q = np.rint(v.view(np.int32).astype(np.float32) * np.float32(inverse)).astype(np.int32)
    return v - (q * np.int32(m)).view(np.uint32)


def add_fraction(total: Array, r: Array, inverse: float) -> Array:
    """total + r * inverse in 32-bit floats, r the signed low half of every lane."""
    low = r.view(np.int16)[::2].astype(np.float32)
    return (total.view(np.float32) + low * np.float32(inverse)).view(np.uint32)


def nearest(total: Array) -> Array:
    """The signed integer nearest to a 32-bit float of less than 2^22 in every lane."""
    return np.rint(total.view(np.float32)).astype(np.int32).view(np.uint32)


def high_product(x: Any, y: Any) -> Any:
    """floor(x * y / 2^64) of two words of 64 bits."""
    return np.uint64(int(x) * int(y) >> 64)


def add_product(s0: Any, s1: Any, s2: Any, x: Any, y: Any) -> Any:
    """s + x * y for a number of three words of 64 bits, the lowest first."""
    total = int(s0) + (int(s1) << 64) + (int(s2) << 128) + int(x) * int(y)
    return tuple(np.uint64(total >> 64 * i & 0xFFFFFFFFFFFFFFFF) for i in range(3))


def lane(v: Array, index: int) -> Any:
    """The word of lane `index`."""
    return v[index]


def as_words(v: Array, like: Array) -> Array:
    """The same 512 bits as words of the dtype of the array `like`."""
    return v.view(like.dtype)


def where(packed: Array, index: int, like: Array) -> Array:
    """All ones in the lanes whose bit is set, from packed bit `index` on, a multiple of `lanes`."""
    n = lanes(like)
    octets = packed.reshape(-1).view(np.uint8)[index // 8 : (index + n) // 8]
    bits = np.unpackbits(octets, bitorder="little").astype(like.dtype)
    return np.asarray(like.dtype.type(0) - bits)


def add_where(total: Array, v: Array, packed: Array, index: int) -> Array:
    """total + v in the lanes whose bit is set, total in the others; bits as in `where`."""
    return total + (v & where(packed, index, v))


def widen_some(octets: Array, index: int, size: int, count: int, like: Array) -> Array:
    """Words of `size` bytes, a literal, from word `index` on, one a lane; at most `count`."""
    m = max(0, min(count, lanes(like)))
    v = np.zeros(lanes(like), like.dtype)
    v[:m] = octets[index * size : (index + m) * size].view(f"u{size}")
    return v


def narrow_some(octets: Array, index: int, size: int, count: int, v: Array) -> None:
    """Write the low `size` bytes of lanes, a literal, from word `index` on; at most `count`."""
    m = max(0, min(count, v.size))
    octets[index * size : (index + m) * size] = v[:m].astype(f"u{size}").view(np.uint8)


def prefetch(array: Array, index: int) -> None:
    """Nothing: a hint for compiled code only."""


def shl(v: Array, n: int) -> Array:
    """v << n in every lane."""
    return np.asarray(v << v.dtype.type(n))


def shr(v: Array, n: int) -> Array:
    """v >> n in every lane, logical."""
    return np.asarray(v >> v.dtype.type(n))


def zip_low(x: Array, y: Array, run: int) -> Array:
    """Even runs of `run` lanes, of x and y in turn."""
    return np.concatenate([x, y])[zip_order(x.size, run, 0)]


def zip_high(x: Array, y: Array, run: int) -> Array:
    """Odd runs of `run` lanes, of x and y in turn."""
    return np.concatenate([x, y])[zip_order(x.size, run, 1)]


def zip_order(count: int, run: int, half: int) -> list[int]:
    """Indices into x then y: every second run of lanes of x, each followed by that of y."""
    starts = range(half * run, count, 2 * run)
    return [side + s + i for s in starts for side in (0, count) for i in range(run)]
