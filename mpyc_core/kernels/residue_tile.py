"""Products of matrices modulo 2^128 or 2^127 - 1 by residues: into them, tiles, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.jit import device, kernel

from .mersenne127 import canonical, plus
from .residue_system import BIAS, COUNT, DIGITS
from .simd import (
    add_fraction,
    dot_pairs,
    fill,
    load,
    nearest,
    residue,
    shl,
    splat,
    store,
    store_some,
)

Array = npt.NDArray[Any]

ROWS = 8
COLUMNS = 32
CHUNK = 256
"""Pairs of elements whose digits are held at once, a multiple of both panels' widths."""
_OVER = 1 << 32
"""More than what is carried out of 128 bits, which may be below 0."""
_REST_LO, _REST_HI = (1 << 64) - 1 - 2 * _OVER, (1 << 63) - 1
"""-2 * _OVER modulo 2^127 - 1."""
_BIAS_LO, _BIAS_HI = BIAS & 0xFFFFFFFFFFFFFFFF, BIAS >> 64


@kernel("const u8[::1], i8, i8, i8, i8, i8, i8, const u4[:,::1], const i8[::1], u4[:,::1], u4[::1]")
def to_residues(
    x: Array,
    across: int,
    along: int,
    lines: int,
    depth: int,
    width: int,
    first: int,
    coefficients: Array,
    moduli: Array,
    digits: Array,
    out: Array,
) -> None:
    """Panels of residues of `lines` rows or columns of x, from line `first` on.

    Element (line, k) of x is at line * across + k * along. A panel holds `width` lines for each
    modulus: for each pair of k both elements of every line in a word. What is missing is zero.
    """
    pairs = (depth + 1) // 2
    for v0 in range(0, lines, width):
        panel = v0 // width * COUNT * pairs * width
        for p0 in range(0, pairs, CHUNK // width):
            p1 = min(p0 + CHUNK // width, pairs)
            at = 0
            for p in range(p0, p1):
                for v in range(v0, v0 + width):
                    element = (first + v) * across + 2 * p * along
                    put_digits(x, element, v < lines, digits, 0, at)
                    odd = v < lines and 2 * p + 1 < depth
                    put_digits(x, element + along, odd, digits, 1, at)
                    at += 1
            for i in range(COUNT):
                start = panel + (i * pairs + p0) * width
                reduce_digits(digits, coefficients, i, moduli[i], at, out, start)


@device
def put_digits(x: Array, element: int, exists: bool, digits: Array, odd: int, at: int) -> None:
    """Pairs of signed digits of an element, or of 0, in every second row of `digits`."""
    half, low = np.uint64(32), np.uint64(0xFFFFFFFF)
    bias_lo, bias_hi = np.uint64(_BIAS_LO), np.uint64(_BIAS_HI)
    lo, hi = np.uint64(0), np.uint64(0)
    if exists:
        lo = x[2 * element] + bias_lo
        hi = x[2 * element + 1] + bias_hi + np.uint64(lo < bias_lo)
        lo, hi = lo ^ bias_lo, hi ^ bias_hi
    digits[odd, at] = np.uint32(lo & low)
    digits[odd + 2, at] = np.uint32(lo >> half)
    digits[odd + 4, at] = np.uint32(hi & low)
    digits[odd + 6, at] = np.uint32(hi >> half)


@device
def reduce_digits(
    digits: Array, coefficients: Array, i: int, m: int, count: int, out: Array, start: int
) -> None:
    """Residues modulo m of `count` pairs of elements from their digits, a pair in each word."""
    zero, low, inverse = fill(out, 0), fill(out, 0xFFFF), 1.0 / m
    c0, c1 = splat(coefficients, 4 * i), splat(coefficients, 4 * i + 1)
    c2, c3 = splat(coefficients, 4 * i + 2), splat(coefficients, 4 * i + 3)
    for e in range(0, count, 16):
        v = dot_pairs(dot_pairs(zero, load(digits, e), c0), load(digits, 2 * CHUNK + e), c1)
        v = dot_pairs(v, load(digits, 4 * CHUNK + e), c2)
        v = dot_pairs(v, load(digits, 6 * CHUNK + e), c3)
        w = dot_pairs(dot_pairs(zero, load(digits, CHUNK + e), c0), load(digits, 3 * CHUNK + e), c1)
        w = dot_pairs(w, load(digits, 5 * CHUNK + e), c2)
        w = dot_pairs(w, load(digits, 7 * CHUNK + e), c3)
        both = (residue(v, m, inverse) & low) | shl(residue(w, m, inverse), 16)
        store_some(out, start + e, both, count - e)


@kernel(
    "const u4[::1], const u4[::1], i8, i8, i8, i8, i8, i8, i8, const u4[:,::1], const i8[::1], "
    "u4[::1], u4[:,::1], u8[::1]"
)
def multiply_residues(
    a: Array,
    b: Array,
    rows: int,
    columns: int,
    pairs: int,
    ldc: int,
    c0: int,
    add: int,
    prime: int,
    cofactors: Array,
    moduli: Array,
    sums: Array,
    digits: Array,
    c: Array,
) -> None:
    """c = (add ? c : 0) + a @ b for panels of rows and of columns, modulo what `cofactors` are.

    That is 2^127 - 1 if `prime`, else 2^128. Element (i, j) of c is at c0 + i * ldc + j; `sums` and
    `digits` are scratch.
    """
    panels = (rows + ROWS - 1) // ROWS
    for j in range(0, columns, COLUMNS):
        for m in range(COUNT):
            b0 = (j // COLUMNS * COUNT + m) * pairs * COLUMNS
            for i in range(panels):
                a0 = (i * COUNT + m) * pairs * ROWS
                tile(a, a0, b, b0, pairs, sums, (m * panels + i) * ROWS * COLUMNS)
        for i in range(rows):
            stride = panels * ROWS * COLUMNS
            reconstruct(sums, i * COLUMNS, stride, cofactors, moduli, digits, 0)
            reconstruct(sums, i * COLUMNS + 16, stride, cofactors, moduli, digits, 16)
            count, at = min(COLUMNS, columns - j), c0 + i * ldc + j
            if prime != 0:
                put_row_127(digits, count, add, c, at)
            else:
                put_row(digits, count, add, c, at)


@device
def tile(a: Array, a0: int, b: Array, b0: int, pairs: int, sums: Array, s0: int) -> None:
    """Sums of 8 rows by 2 vectors, row after row."""
    zero = fill(sums, 0)
    p0, p1, p2, p3, p4, p5, p6, p7 = zero, zero, zero, zero, zero, zero, zero, zero
    q0, q1, q2, q3, q4, q5, q6, q7 = zero, zero, zero, zero, zero, zero, zero, zero
    for _ in range(pairs):
        y, z = load(b, b0), load(b, b0 + 16)
        x = splat(a, a0)
        p0, q0 = dot_pairs(p0, x, y), dot_pairs(q0, x, z)
        x = splat(a, a0 + 1)
        p1, q1 = dot_pairs(p1, x, y), dot_pairs(q1, x, z)
        x = splat(a, a0 + 2)
        p2, q2 = dot_pairs(p2, x, y), dot_pairs(q2, x, z)
        x = splat(a, a0 + 3)
        p3, q3 = dot_pairs(p3, x, y), dot_pairs(q3, x, z)
        x = splat(a, a0 + 4)
        p4, q4 = dot_pairs(p4, x, y), dot_pairs(q4, x, z)
        x = splat(a, a0 + 5)
        p5, q5 = dot_pairs(p5, x, y), dot_pairs(q5, x, z)
        x = splat(a, a0 + 6)
        p6, q6 = dot_pairs(p6, x, y), dot_pairs(q6, x, z)
        x = splat(a, a0 + 7)
        p7, q7 = dot_pairs(p7, x, y), dot_pairs(q7, x, z)
        a0 += ROWS
        b0 += COLUMNS
    put(sums, s0, p0, q0, 16)
    put(sums, s0 + 32, p1, q1, 16)
    put(sums, s0 + 64, p2, q2, 16)
    put(sums, s0 + 96, p3, q3, 16)
    put(sums, s0 + 128, p4, q4, 16)
    put(sums, s0 + 160, p5, q5, 16)
    put(sums, s0 + 192, p6, q6, 16)
    put(sums, s0 + 224, p7, q7, 16)


@device
def put(out: Array, at: int, p: Any, q: Any, distance: int) -> None:
    """Write two vectors."""
    store(out, at, p)
    store(out, at + distance, q)


@device
def reconstruct(
    sums: Array, at: int, stride: int, cofactors: Array, moduli: Array, digits: Array, column: int
) -> None:
    """Digits, with carries in them, of 16 results from their sums for each modulus."""
    zero, low = fill(sums, 0), fill(sums, 0xFFFF)
    d0, d1, d2, d3, d4, d5, d6, d7 = zero, zero, zero, zero, zero, zero, zero, zero
    fractions = zero
    for i in range(COUNT // 2 + 1):
        if i < COUNT // 2:
            m, n = moduli[2 * i], moduli[2 * i + 1]
            even = residue(load(sums, at + 2 * i * stride), m, 1.0 / m)
            odd = residue(load(sums, at + (2 * i + 1) * stride), n, 1.0 / n)
            fractions = add_fraction(add_fraction(fractions, even, 1.0 / m), odd, 1.0 / n)
            r = (even & low) | shl(odd, 16)
        else:
            r = nearest(fractions) & low
        d0 = dot_pairs(d0, r, splat(cofactors, DIGITS * i))
        d1 = dot_pairs(d1, r, splat(cofactors, DIGITS * i + 1))
        d2 = dot_pairs(d2, r, splat(cofactors, DIGITS * i + 2))
        d3 = dot_pairs(d3, r, splat(cofactors, DIGITS * i + 3))
        d4 = dot_pairs(d4, r, splat(cofactors, DIGITS * i + 4))
        d5 = dot_pairs(d5, r, splat(cofactors, DIGITS * i + 5))
        d6 = dot_pairs(d6, r, splat(cofactors, DIGITS * i + 6))
        d7 = dot_pairs(d7, r, splat(cofactors, DIGITS * i + 7))
    put(digits, column, d0, d1, COLUMNS)
    put(digits, column + 2 * COLUMNS, d2, d3, COLUMNS)
    put(digits, column + 4 * COLUMNS, d4, d5, COLUMNS)
    put(digits, column + 6 * COLUMNS, d6, d7, COLUMNS)


@device
def put_row(digits: Array, count: int, add: int, c: Array, at: int) -> None:
    """c = (add ? c : 0) + sum_j 2^(16 j) * digit j modulo 2^128, for `count` columns."""
    for j in range(count):
        lo, hi, _ = carried(digits, j)
        if add != 0:
            before = c[2 * (at + j)]
            lo += before
            hi += c[2 * (at + j) + 1] + np.uint64(lo < before)
        c[2 * (at + j)], c[2 * (at + j) + 1] = lo, hi


@device
def put_row_127(digits: Array, count: int, add: int, c: Array, at: int) -> None:
    """c = (add ? c : 0) + sum_j 2^(16 j) * digit j modulo 2^127 - 1, for `count` columns."""
    for j in range(count):
        lo, hi, over = carried(digits, j)
        lo, hi = canonical(lo, hi)
        above = np.uint64(over + np.int64(_OVER)) << np.uint64(1)  # 2^128 = 2
        lo, hi = plus(lo, hi, above, np.uint64(0))
        lo, hi = plus(lo, hi, np.uint64(_REST_LO), np.uint64(_REST_HI))
        if add != 0:
            lo, hi = plus(lo, hi, c[2 * (at + j)], c[2 * (at + j) + 1])
        c[2 * (at + j)], c[2 * (at + j) + 1] = lo, hi


@device
def carried(digits: Array, j: int) -> Any:
    """The sum of 2^(16 i) * digit i of column j as lo + 2^64 * hi + 2^128 * (a signed word)."""
    t0 = signed(digits[0, j]) + (signed(digits[1, j]) << np.int64(16))
    t1 = signed(digits[2, j]) + (signed(digits[3, j]) << np.int64(16))
    t2 = signed(digits[4, j]) + (signed(digits[5, j]) << np.int64(16))
    t3 = signed(digits[6, j]) + (signed(digits[7, j]) << np.int64(16))
    t1 += t0 >> np.int64(32)
    t2 += t1 >> np.int64(32)
    t3 += t2 >> np.int64(32)
    low = np.int64(0xFFFFFFFF)
    lo = np.uint64((t0 & low) | t1 << np.int64(32))
    hi = np.uint64((t2 & low) | t3 << np.int64(32))
    return lo, hi, t3 >> np.int64(32)


@device
def signed(word: Any) -> Any:
    """A word of 32 bits as the signed integer it stands for."""
    return np.int64(np.int32(word))
