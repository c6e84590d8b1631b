"""Claims about sums of two words, whose carries are words too: all bits of an element at once.

Bit j of the carries of a sum is what bit j hands to bit j + 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.jit import kernel

Array = npt.NDArray[Any]

_SUM = "const {0}[::1], const {0}[::1], const {0}[::1], {0}[::1]"
_HALF = "const {0}[::1], const {0}[::1], {0}[::1], {0}[::1], {0}[::1]"


@kernel(_SUM.format("u8"), _SUM.format("u4"))
def carries(x: Array, y: Array, mask: Array, out: Array) -> None:
    """out = the carries of x + y, XOR mask."""
    for i in range(out.size):
        a, b = x[i], y[i]
        out[i] = (a & b | (a | b) & ~(a + b)) ^ mask[i]


@kernel(_HALF.format("u8"), _HALF.format("u4"))
def carry_claim(x: Array, d: Array, first: Array, second: Array, part: Array) -> None:
    """What the holder of x and d adds to the claim that d ^ e are the carries of x + y.

    The holder of y and e does the same. With c for the carries one place up, a carry is the
    majority of three bits, (x ^ c) & (y ^ c) ^ c, and c is shared as 2 d and 2 e. So the factors
    are x ^ 2 d and 2 d, to be multiplied with the other holder's in turn.
    """
    one = np.uint64(1)
    for i in range(part.size):
        above = d[i] << one
        factor = x[i] ^ above
        first[i], second[i] = factor, above
        part[i] = d[i] ^ above ^ factor & above


_DROP = "const {0}[::1], const {0}[::1], const {0}[::1], i8, u8, i8, u8[::1]"


@kernel(_DROP.format("u8"), _DROP.format("u4"))
def drop(x: Array, plus: Array, wraps: Array, shift: int, c: int, limbs: int, out: Array) -> None:
    """out = (x >> shift) + plus - (wraps << (k - shift)) + c mod 2^k, with zeros above.

    An empty `plus` counts as 0, c is in [0, 2^k), and `out` has `limbs` words an element.
    """
    down, constant = np.uint64(shift), x.dtype.type(c)
    up = np.uint64(8 * x.itemsize - shift)
    for i in range(x.size):
        total = (x[i] >> down) - (wraps[i] << up) + constant
        if plus.size > 0:
            total += plus[i]
        out[limbs * i] = x.dtype.type(total)
        if limbs == 2:
            out[2 * i + 1] = np.uint64(0)
