"""The lowest level of a carry tree straight from words: sliced and combined while in cache."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import kernel

from .carries import multiplex
from .pads import pad_words
from .simd import fill, load, store_some
from .terms import both
from .transpose import BATCH, GROUP, slice_groups

Array = npt.NDArray[Any]


@kernel(
    "const u1[::1], const u1[::1], i8, const u8[::1], const u8[::1], const u8[::1], i8, i8, i8, "
    "i8, u8[::1], u8[:,::1], u8[::1]"
)
def words_to_leaves(
    x: Array,
    nothing: Array,
    size: int,
    r: Array,
    zn: Array,
    zp: Array,
    pairs: int,
    lowest: int,
    first: int,
    last: int,
    work: Array,
    top: Array,
    out: Array,
) -> None:
    """`combine_leaves` for role 1, whose components of p are planes of x and the pad r.

    For groups `first` to `last`; top = the planes of x from `lowest` on, `nothing` is empty.
    """
    width, zero = top.shape[1], fill(out, 0)
    for done in range(first, last, BATCH):
        end = min(done + BATCH, last)
        slice_groups(x, nothing, size, 0, done, end, work)
        for j in range(pairs):
            hi, lo = 2 * j * width, (2 * j - 1) * width
            d, p = j * width, (pairs + j - 1) * width
            for g in range(done, end):
                c, m, rows = 8 * g, width - 8 * g, (g - done) * GROUP + 16 * j
                pn, pp, qn = load(work, rows), pad_words(r, hi + c), zero
                if j > 0:
                    qn, qp = load(work, rows - 8), pad_words(r, lo + c)
                    hidden = pad_words(zn, p + c) ^ pad_words(zp, p + c)
                    store_some(out, p + c, both(pn, pp, qn, qp) ^ hidden, m)
                hidden = pad_words(zn, d + c) ^ pad_words(zp, d + c)
                store_some(out, d + c, multiplex(pn, pp, pn, zero, qn, zero) ^ hidden, m)
        for k in range(top.shape[0]):
            for g in range(done, end):
                row = load(work, (g - done) * GROUP + 8 * (lowest + k))
                store_some(top, k * width + 8 * g, row, width - 8 * g)
