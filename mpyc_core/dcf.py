"""Distributed comparison functions: two keys whose evaluations at x add up to [x < alpha].

A key hides alpha from its holder. The tree is that of [BCGGIKR21, figure 1] with one bit as payload
over XOR, one block of AES a level:

    h = H(s | direction)      H(s) = AES_K(s) ^ s under a public K (Matyas-Meyer-Oseas)

The low three bits of a seed are zero, so that H is asked for the left child, the right child and
the leaf at different places, and give way to the control bit t and the value bit v in its result:
seeds of 125 bits. A correction word of a level is one block too, with its three bits in the same
place. The lowest seven levels are one leaf of 128 bits [BGI16, early termination].

Keys are arrays of words of 64 bits, padded to whole groups of 64 elements:

    root      (2, size)                    own to each party: low and high words of the first seed
    levels    (size / 8, depth, 2, 8)    the same for both parties; depth = max(bits - 7, 0)
    leaf      (2, size)                    the same for both parties

Security: as long as one root is unknown, the other party's key is pseudo-random, in the model that
AES under a fixed key is a random permutation [BCGGIKR21, section 3; GKWY20 on such H]. A key
may be evaluated at one x only: two opened values x + r under one r say their difference. Whoever
guesses T seeds finds one of N that were used under one K with probability T * N / 2^125, so K is
another one for every batch: with 2^15 keys of 64 levels a batch, more than 100 bits.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from mpyc_core.bits import pack, words

Array = npt.NDArray[Any]

LEAF_BITS = 7
"""Levels that the leaf's 128 bits stand for."""
PUBLIC_KEY = hashlib.sha256(b"mpyc-core distributed comparison function 1").digest()[:16]
"""A key of H for tests and lessons; it keeps no secret and masks nothing."""
CLEAR = np.uint64(2**64 - 8)
_ONE, _TWO, _SIX, _TOP = (np.uint64(v) for v in (1, 2, 63, 127))
_U8 = np.dtype(np.uint64)


def depth(bits: int) -> int:
    """Levels above the leaf."""
    return max(bits - LEAF_BITS, 0)


def padded(size: int) -> int:
    """Elements with the padding to whole packed words."""
    return 64 * words(size)


def generate(
    alpha: Array, roots: tuple[Array, Array], bits: int, key: bytes = PUBLIC_KEY
) -> tuple[Array, Array]:
    """The correction words of f(x) = [x < alpha], for both parties.

    Parameters
    ----------
    alpha : words of 64 bits below 2^bits, shape (size,), whole groups of 64.
    roots : of party 0 and of party 1, shape (2, size): uniform, each unknown to the other.
    bits : of x and alpha, 1 to 64.
    key : of H: public, and best another one for every batch of keys.

    Returns
    -------
    levels of shape (size / 8, depth, 2, 8) and leaf of shape (2, size).

    Cost: 4 blocks of AES a level.
    """
    levels = np.empty((alpha.size // 8, depth(bits), 2, 8), _U8)
    leaf = np.empty((2, alpha.size), _U8)
    if not _in_kernels():
        _generate(alpha, roots, bits, levels, leaf, key)
        return levels, leaf
    from mpyc_core.kernels import dcf
    from mpyc_core.kernels.flat import split

    first, second = (np.ascontiguousarray(root).reshape(-1) for root in roots)
    keys, flat, end = _round_keys(key), levels.reshape(-1), leaf.reshape(-1)
    split(
        alpha.size,
        lambda i, j: dcf.generate(keys, alpha, first, second, bits, i, j, flat, end),
        weight=4 * (depth(bits) + 1),
    )
    return levels, leaf


def evaluate(
    party: int,
    bits: int,
    root: Array,
    levels: Array,
    leaf: Array,
    x: Array,
    key: bytes = PUBLIC_KEY,
) -> Array:
    """This party's share, over XOR, of [x < alpha], one packed word for 64 elements.

    Parameters
    ----------
    party : 0 or 1.
    x : public, words of 64 bits below 2^bits, shape (size,), whole groups of 64.

    Cost: one block of AES a level.
    """
    if not _in_kernels():
        return _evaluate(party, bits, root, levels, leaf, x, key)
    from mpyc_core.kernels import dcf
    from mpyc_core.kernels.flat import split

    out = np.empty(x.size // 64, _U8)
    arrays = (np.ascontiguousarray(a).reshape(-1) for a in (levels, leaf, root))
    rest, keys = tuple(arrays), _round_keys(key)
    split(
        out.size,
        lambda i, j: dcf.evaluate(keys, x, *rest, party, bits, i, j, out),
        weight=64 * (depth(bits) + 1),
    )
    return out


@cache
def _in_kernels() -> bool:
    from mpyc_core.kernels import streams

    return streams.in_kernels()


def _round_keys(key: bytes) -> Array:
    from mpyc_core.kernels.streams import round_keys

    return round_keys(key)


def _hash(low: Array, high: Array, key: bytes) -> tuple[Array, Array]:
    blocks = np.stack([low, high], axis=-1)
    encryptor = Cipher(AES(key), ECB()).encryptor()
    done = np.frombuffer(encryptor.update(blocks.tobytes()), _U8).reshape(blocks.shape) ^ blocks
    return done[..., 0], done[..., 1]


def _evaluate(
    party: int, bits: int, root: Array, levels: Array, leaf: Array, x: Array, key: bytes
) -> Array:
    low, high = root[0] & CLEAR, root[1]
    t, total = np.full(x.size, party, _U8), np.zeros(x.size, _U8)
    for level in range(depth(bits)):
        c_low, c_high = (levels[:, level, i].reshape(-1) for i in range(2))
        right = x >> np.uint64(bits - 1 - level) & _ONE
        h_low, h_high = _hash(low | right, high, key)
        total ^= h_low >> _ONE ^ t * (c_low >> _TWO)
        low, high = (h_low ^ t * c_low) & CLEAR, h_high ^ t * c_high
        t = (h_low ^ t * (c_low >> right)) & _ONE
    h_low, h_high = _hash(low | _TWO, high, key)
    at = x & _TOP
    half = np.where(at <= _SIX, h_low ^ t * leaf[0], h_high ^ t * leaf[1])
    return pack(((half >> (at & _SIX) ^ total) & _ONE).astype(bool))


def _generate(
    alpha: Array,
    roots: tuple[Array, Array],
    bits: int,
    levels: Array,
    leaf: Array,
    key: bytes,
) -> None:
    lows, highs = [root[0] & CLEAR for root in roots], [root[1] for root in roots]
    ts, value = [np.full(alpha.size, p, _U8) for p in range(2)], np.zeros(alpha.size, _U8)
    for level in range(depth(bits)):
        right = alpha >> np.uint64(bits - 1 - level) & _ONE
        children = [
            [_hash(low | np.uint64(d), high, key) for d in range(2)]
            for low, high in zip(lows, highs, strict=True)
        ]
        sums = [[children[0][d][i] ^ children[1][d][i] for i in range(2)] for d in range(2)]
        lost = [np.where(right == _ONE, sums[0][i], sums[1][i]) for i in range(2)]
        kept = np.where(right == _ONE, sums[1][0], sums[0][0])
        v = (lost[0] >> _ONE ^ value ^ right) & _ONE
        value = (value ^ kept >> _ONE ^ v) & _ONE
        t_left, t_right = (sums[0][0] ^ right ^ _ONE) & _ONE, (sums[1][0] ^ right) & _ONE
        c_low, c_high = lost[0] & CLEAR | t_left | t_right << _ONE | v << _TWO, lost[1]
        levels[:, level, 0], levels[:, level, 1] = c_low.reshape(-1, 8), c_high.reshape(-1, 8)
        t_kept = np.where(right == _ONE, t_right, t_left)
        for p in range(2):
            low, high = (
                np.where(right == _ONE, children[p][1][i], children[p][0][i]) for i in range(2)
            )
            lows[p] = (low ^ ts[p] * c_low) & CLEAR
            highs[p] = high ^ ts[p] * c_high
            ts[p] = (low ^ ts[p] * t_kept) & _ONE
    ends = [_hash(low | _TWO, high, key) for low, high in zip(lows, highs, strict=True)]
    below = alpha & _TOP
    masks = (
        _below(np.minimum(below, np.uint64(64))),
        _below(np.maximum(below, 64) - np.uint64(64)),
    )
    for i in range(2):
        leaf[i] = ends[0][i] ^ ends[1][i] ^ value * np.uint64(2**64 - 1) ^ masks[i]


def _below(count: Array) -> Array:
    """Words whose lowest `count` bits are set, count up to 64."""
    some = (_ONE << np.minimum(count, _SIX)) - _ONE
    return np.where(count == np.uint64(64), np.uint64(2**64 - 1), some)
