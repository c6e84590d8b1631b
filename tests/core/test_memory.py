"""Freed memory is reused."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import resource
import numpy as np
from mpyc_core.memory import keep_freed_memory
print(int(keep_freed_memory()))
def faults():
    for _ in range(10):
        [np.full(1 << 20, i, np.uint64) for i in range(3)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = faults()
print(faults() - before)
"""


def test_freed_arrays_are_reused() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    told, faults = map(int, done.stdout.split())
    if not told:
        pytest.skip("the C library is not glibc")
    assert faults < 3 * 2048  # of 30 arrays of 2048 pages
