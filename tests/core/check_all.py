"""All kernels on small sizes, for the rings given as arguments.

It is started as `python -m tests.core.check_all 32 64` in processes of their own: without
compilation, and as if on a processor without AVX-512 and AES.
"""

from __future__ import annotations

import sys

from mpyc_core.ring import ring

from . import check_kernels, check_shares, check_verified

if __name__ == "__main__":
    rings = [ring(int(bits)) for bits in sys.argv[1:]]
    check_kernels.check_all(*rings)
    check_shares.check_bits((1, 9))
    check_verified.check_all(9)
    for each in rings:
        if each.bits <= 64:
            check_shares.check_all(each, (0, 1, 70))
