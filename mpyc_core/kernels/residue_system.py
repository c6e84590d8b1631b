"""A residue number system for products modulo 2^128 or 2^127 - 1: its moduli, and ways in and out.

Operands are read as signed integers. A sum S of DEPTH products is then below M / 4, for M the
product of MODULI, so its residues determine it: S = sum_i s_i * M / m_i - q * M, where s_i is any
integer congruent to S * (M / m_i)^-1 modulo m_i, and q the integer nearest to sum_i s_i / m_i
[Garner 1959; Ozaki, Uchino, Imamura 2025]. The inverse is a factor of the left operand's residues.

Residues are so small that sums of DEPTH products of two fit 32 bits, and are made two products at
a time by one instruction where processors have it (VPDPWSSD, VPMADDWD).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

DEPTH = 1440
"""Most products in one sum: residues are below 1200 in size, and 1440 * 1200^2 < 2^31."""
COUNT = 24
DIGITS = 8
"""Digits of an element, of 16 bits and signed."""
BIAS = sum(1 << 16 * j + 15 for j in range(DIGITS - 1))
"""Added, digits are unsigned but for the last one; with their top bits flipped they are signed."""


def _primes_below(limit: int, count: int) -> list[int]:
    found = [n for n in range(limit - 1, 2, -1) if all(n % d for d in range(2, math.isqrt(n) + 1))]
    return found[:count]


def _coefficients(scaled: bool) -> Array:
    """Factors of digits for each modulus, in pairs; if scaled, times the inverse of M / m."""
    rows = []
    for m in _PRIMES:
        factor = pow(PRODUCT // m, -1, m) if scaled else 1
        rows.append([((factor << 16 * j) + m // 2) % m - m // 2 for j in range(DIGITS)])
    return _paired(np.array(rows, np.int16))


def _digits(value: int) -> list[int]:
    """An integer modulo 2^128 as signed digits."""
    biased = (value + BIAS ^ BIAS) % (1 << 128)
    return [(biased >> 16 * j & 0xFFFF ^ 0x8000) - 0x8000 for j in range(DIGITS)]


def _cofactors(modulus: int) -> Array:
    """Digits of M / m in pairs of moduli, and of -M with nothing beside it; all by a modulus."""
    half = modulus // 2
    values = [*(PRODUCT // m for m in _PRIMES), -PRODUCT]
    rows = [_digits((v + half) % modulus - half) for v in values] + [[0] * DIGITS]
    table = np.array(rows, np.int16).reshape(-1, 2, DIGITS)
    return _paired(np.ascontiguousarray(table.transpose(0, 2, 1)).reshape(-1, 2 * DIGITS))


def _paired(halves: Array) -> Array:
    """Neighbours of 16 bits as one word of 32."""
    return halves.view(np.uint32)


_PRIMES = _primes_below(2343, COUNT)
PRODUCT = math.prod(_PRIMES)
MODULI = np.array(_PRIMES, np.int64)
LEFT = _coefficients(scaled=True)
RIGHT = _coefficients(scaled=False)
COFACTORS = _cofactors(1 << 128)
COFACTORS_127 = _cofactors((1 << 127) - 1)
