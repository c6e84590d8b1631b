"""Kernels of verified protocols against Python's integers: GF(2^64), claims, sums for checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.kernels import authenticated, claims
from mpyc_core.kernels import binary_field as field
from mpyc_core.ring import Z32, Z64, Z128, Ring

from .check_kernels import agree, exact, words

Array = npt.NDArray[Any]

MODULUS = 1 << 64 | 0x1B
"""X^64 + X^4 + X^3 + X + 1."""


def times(x: Any, y: Any) -> int:
    """The product of two field elements, bit by bit."""
    a, b, total = int(x), int(y), 0
    while b:
        total ^= a if b & 1 else 0
        a <<= 1
        a ^= MODULUS if a >> 64 else 0
        b >>= 1
    return total


def total(values: Any) -> int:
    """The sum of field elements."""
    found = 0
    for value in values:
        found ^= value
    return found


def zeros(n: int) -> Array:
    return np.zeros(n, np.uint64)


def check_field(n: int) -> None:
    """Products, weighed sums and powers."""
    rng = np.random.default_rng(n)
    x, y = words(rng, Z64, n), words(rng, Z64, n)
    expected = np.array([times(a, b) for a, b in zip(x, y, strict=True)], object)
    out, sum_ = zeros(n), zeros(1)
    field.multiply(x, y, out)
    agree(out, expected, Z64)
    field.weigh(x, y, sum_)
    assert int(sum_[0]) == total(expected)
    scaled = x.copy()
    field.scale(y, scaled)
    agree(scaled, expected, Z64)
    field.powers(np.array([7], np.uint64), out)
    assert all(int(out[i]) == times(out[i - 1], 7) for i in range(1, n))


def check_correlations(n: int) -> None:
    """What a prover sends: sums over chunks of bits, and of elements."""
    rng = np.random.default_rng([n, 1])
    w, x, y = (words(rng, Z64, n) for _ in range(3))
    out = zeros(2 * field.BITS)
    field.correlate_bits(w, x, y, out)
    for d in (-63, -62, -1, 0, 1, 31, 63):
        moved = [int(b) << d & (1 << 64) - 1 if d >= 0 else int(b) >> -d for b in y]
        assert int(out[d + 64]) == total(
            times(a, int(b) & c) for a, b, c in zip(w, x, moved, strict=True)
        )
    u, v, sums = words(rng, Z64, 4 * n), words(rng, Z64, 4 * n), zeros(7)
    field.correlate(u, v, 4, n, sums)
    for d in range(-3, 4):
        pairs = [(j, j - d) for j in range(4) if 0 <= j - d < 4]
        assert int(sums[d + 3]) == total(
            times(u[j * n + i], v[k * n + i]) for j, k in pairs for i in range(n)
        )


def check_combinations(n: int) -> None:
    """What prover and verifiers go on with: chunks weighed with powers, bits with a table."""
    rng = np.random.default_rng([n, 2])
    u, powers, out = words(rng, Z64, 4 * n), words(rng, Z64, 4), zeros(n)
    field.combine(powers, u, n, out)
    expected = [total(times(powers[j], u[j * n + i]) for j in range(4)) for i in range(n)]
    agree(out, np.array(expected, object), Z64)
    table, sums, x = words(rng, Z64, 64), zeros(field.BYTE_SUMS), words(rng, Z64, n)
    field.byte_sums(table, sums)
    field.combine_bits(sums, x, out)
    named = [total(int(table[j]) for j in range(64) if int(v) >> j & 1) for v in x]
    agree(out, np.array(named, object), Z64)


def check_claims(ring: Ring, n: int) -> None:
    """Carries of a sum, the claim about them, and what is left of a number without its low bits."""
    rng, k = np.random.default_rng([ring.bits, n]), ring.bits
    x, y, d, e = (words(rng, ring, n) for _ in range(4))
    out = np.empty(n, ring.dtype)
    claims.carries(x, y, d, out)
    carries = [0] * n
    for i, (a, b) in enumerate(zip(exact(x), exact(y), strict=True)):
        low = [(a % 2 ** (j + 1) + b % 2 ** (j + 1)) >> (j + 1) for j in range(k)]
        carries[i] = sum(bit << j for j, bit in enumerate(low))
    agree(out, np.array(carries, object) ^ exact(d), ring)
    e = out  # with d the carries: then the claim holds
    halves = [[np.empty(n, ring.dtype) for _ in range(3)] for _ in range(2)]
    claims.carry_claim(x, d, *halves[0])
    claims.carry_claim(y, e, *halves[1])
    (u, v, a), (s, t, b) = halves
    assert np.array_equal((u & s) ^ (v & t), a ^ b)
    claims.carry_claim(y, e ^ ring.full(n, 8), *halves[1])
    assert not np.any((u & s) ^ (v & t) == a ^ b)
    for limbs in (1, 2):
        left = zeros(limbs * n)
        claims.drop(x, y, d, 7, (1 << k) - 5, limbs, left)
        low = (exact(x) >> 7) + exact(y) - (exact(d) << (k - 7)) - 5
        agree(left[::limbs], low % (1 << k), Z64)
        assert limbs == 1 or not np.any(left[1::2])
    claims.drop(x, x[:0], d, 7, 3, 1, left[:n])
    agree(left[:n], ((exact(x) >> 7) - (exact(d) << (k - 7)) + 3) % (1 << k), Z64)


def check_choices(n: int) -> None:
    """64 sums at once, each of its own choice of elements."""
    rng = np.random.default_rng([n, 3])
    choices, x, pairs = words(rng, Z64, n), words(rng, Z64, n), words(rng, Z128, n)
    sums, wide, out = zeros(64), zeros(3 * 64), np.empty(64, Z128.dtype)
    authenticated.choose_words(choices, x, sums)
    authenticated.choose_pairs(choices, pairs.view(np.uint64), wide)
    authenticated.carry_sums(wide, out.view(np.uint64))
    bits = exact(choices)[:, None] >> np.arange(64, dtype=object) & 1
    agree(sums, exact(x) @ bits if n else np.zeros(64, object), Z64)
    agree(out, exact(pairs) @ bits if n else np.zeros(64, object), Z128)


def check_all(n: int) -> None:
    """Everything, on n elements."""
    check_field(n)
    check_correlations(n)
    check_combinations(n)
    check_choices(n)
    if n:
        for ring in (Z32, Z64):
            check_claims(ring, n)
