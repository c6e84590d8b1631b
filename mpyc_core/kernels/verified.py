"""Local work on shares with MACs, each step in one pass over memory and divided among threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.limbs import flat_words
from mpyc_core.ring import Ring

from .flat import split

Array = npt.NDArray[Any]


def evidence(ring: Ring, mac: Array, x: Array, key: Array) -> Array:
    """mac - key * x for a single key."""
    from . import tags

    out = np.empty(x.shape, ring.dtype)
    m, v, k, z = (flat_words_of(part) for part in (mac, x, key, out))
    split(x.size, lambda i, j: tags.evidence(m, v, k, ring.bits // 64, i, j, z), ring.bits // 64)
    return out


def recombine(ring: Ring, c: Array, a: Array, b: Array, d: Array, e: Array, key: Array) -> Array:
    """c + d * (b + key * e) + a * e, element by element; all of one shape but for the key."""
    from . import tags

    out = np.empty(c.shape, ring.dtype)
    flats = [flat_words_of(part) for part in (c, a, b, d, e, key)]
    z = flat_words_of(out)
    split(c.size, lambda i, j: tags.recombine(*flats, ring.bits // 64, i, j, z), ring.bits // 64)
    return out


def round_down(ring: Ring, opened: Array, u: Array, m: Array, key: Array, shift: int) -> Array:
    """u - c_(k-1) * m * 2^(k-shift) + key * ((c >> shift) - 2^(k-2-shift)) for c = opened mod 2^k.

    All of one shape but for the key; the ring is Z/2^(2k), 0 < shift <= k - 2.
    """
    from . import tags

    out, limbs = np.empty(opened.shape, ring.dtype), ring.bits // 64
    o, x, y, k, z = (flat_words_of(part) for part in (opened, u, m, key, out))
    split(out.size, lambda i, j: tags.round_down(o, x, y, k, shift, limbs, i, j, z), limbs)
    return out


def flat_words_of(x: Array) -> Array:
    """Elements of 64 or 128 bits as words."""
    return flat_words(x) if x.dtype.names else np.require(x, requirements=["C", "A"]).reshape(-1)
