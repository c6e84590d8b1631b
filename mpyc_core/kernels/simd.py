"""Vectors of 512 bits as values in kernels: `load`, `store`, `splat` and arithmetic.

A vector holds 8 words of 64 bits, or 16 of 32, as the array it came from; `+ - * & | ^` work lane
by lane and wrap. LLVM keeps such values in registers and splits them where the processor's are
narrower, so one source serves every machine. With NUMBA_DISABLE_JIT=1 a vector is a NumPy array.
"""

from numba import config

if config.DISABLE_JIT:
    from .simd_numpy import (
        add_fraction,
        add_product,
        add_where,
        as_words,
        dot_pairs,
        fill,
        gather,
        high_product,
        lane,
        lanes,
        load,
        load_some,
        narrow_some,
        nearest,
        prefetch,
        residue,
        shl,
        shr,
        splat,
        store,
        store_some,
        where,
        widen_some,
        zip_high,
        zip_low,
    )
else:
    from .dots_llvm import add_fraction, dot_pairs, nearest, residue
    from .simd_llvm import (
        add_product,
        add_where,
        as_words,
        fill,
        gather,
        high_product,
        lane,
        lanes,
        load,
        load_some,
        narrow_some,
        prefetch,
        shl,
        shr,
        splat,
        store,
        store_some,
        where,
        widen_some,
        zip_high,
        zip_low,
    )

__all__ = [
    "add_fraction",
    "add_product",
    "add_where",
    "as_words",
    "dot_pairs",
    "fill",
    "gather",
    "high_product",
    "lane",
    "lanes",
    "load",
    "load_some",
    "narrow_some",
    "nearest",
    "prefetch",
    "residue",
    "shl",
    "shr",
    "splat",
    "store",
    "store_some",
    "where",
    "widen_some",
    "zip_high",
    "zip_low",
]
