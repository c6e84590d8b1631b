"""What the C library does with memory that is freed.

Arrays of shares are megabytes long and live for one operation. By default glibc returns such memory
to the system as soon as it is freed, and the next operation pays for fresh pages again, up to half
of its time.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of mallopt(3)."""


def keep_freed_memory(limit: int = 1 << 30) -> bool:
    """Let this process reuse what it frees instead of returning it: for party processes.

    Parameters
    ----------
    limit : bytes of free memory at the end of the heap from which on it is returned after all.

    Returns
    -------
    bool
        Whether the C library could be told; only glibc can.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = {_ARENA_MAX: 1, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: limit}
    return all([mallopt(name, value) == 1 for name, value in wanted.items()])
