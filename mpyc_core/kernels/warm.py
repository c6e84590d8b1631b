"""Compilation of every kernel ahead of its first call."""

from __future__ import annotations

import numpy as np

from mpyc_core.jit import Kernel

from . import gemm, terms, thin, transpose


def warm(*bits: int) -> None:
    """Compile, or load from the cache, every kernel for rings of these sizes (default: 32 and 64).

    Processes that start together on one machine should find a warm cache: one of them, or their
    parent, calls this first. It takes about 20 seconds once and one second from then on.
    """
    for size in bits or (32, 64):
        dtype = np.dtype(f"<u{size // 8}")
        for module in (gemm, terms, thin, transpose):
            for kernel in vars(module).values():
                if isinstance(kernel, Kernel) and f"u{dtype.itemsize}" in kernel.signatures:
                    kernel.prepare(dtype)
