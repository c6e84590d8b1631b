"""The only source of entropy: keys that must be unpredictable start here.

There is no seed argument and no environment variable, so that no run can be made predictable from
outside; tests replace `fresh_key` itself.
"""

from __future__ import annotations

import os


def fresh_key(n: int = 32) -> bytes:
    """Draw `n` bytes from the operating system's generator.

    Parameters
    ----------
    n : number of bytes, 16 or more for anything that keys a cipher.

    Returns
    -------
    bytes
        `n` uniform bytes; blocks only while the kernel's pool is not yet initialised.
    """
    return os.urandom(n)
