"""Products of octets by AMX, where the processor has it and the system lets a process use it."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

from numba import config

from mpyc_core.jit import cpu_features

if config.DISABLE_JIT:
    from .amx_numpy import (
        add_products,
        clear,
        configure,
        keep,
        release,
        split_octets,
    )
else:
    from .amx_llvm import (
        add_products,
        clear,
        configure,
        keep,
        release,
    )
    from .octets_llvm import split_octets

__all__ = [
    "add_products",
    "available",
    "clear",
    "configure",
    "keep",
    "release",
    "split_octets",
]

_NEEDED = {"amx-tile", "amx-int8", "avx512vbmi"}
_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA = 158, 0x1023, 18


@cache
def available() -> bool:
    """Whether this process may use tiles: Linux gives their memory to processes that ask for it.

    A process asks once, for all its threads [Linux, Documentation/arch/x86/xstate.rst].
    """
    if config.DISABLE_JIT or platform.system() != "Linux" or platform.machine() != "x86_64":
        return False
    if not set(cpu_features()) >= _NEEDED:
        return False
    system_call = ctypes.CDLL(None).syscall
    return bool(system_call(_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA) == 0)
