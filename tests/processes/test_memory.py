"""The memory of parties and dealers during large pieces of work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mpyc_core as mpc

pytestmark = [pytest.mark.processes, pytest.mark.alone]
"""Where parties are starved at random, what was dealt piles up at the slower one."""


def test_a_training_step_stays_under_ten_times_its_tensors() -> None:
    results = mpc.run(f"{Path(__file__).parent / 'programs.py'}:training_memory", 3)
    for result in results.values():
        assert result["peak"] < 10 * result["tensors"]


@pytest.mark.timeout(300)
def test_a_million_comparisons_by_keys_stay_under_a_gigabyte() -> None:
    """Of the parties and of the dealer, who sends 1.9 GB of keys."""
    with mpc.session(["ann", "bob"], protocol="additive-fss", crypto_provider="dora") as s:
        below = s.share(np.arange(10**6) - 400_000) < 0
        s.wait()
        assert set(s.pids) == {"ann", "bob", "dora"}
        for pid in s.pids.values():
            assert most_memory(pid) < 10**9
        assert s.cost()["dealt"] > 18 * 10**8
        assert below.sum().reveal() == 400_000


def most_memory(pid: int) -> int:
    """Most bytes that a process has held at once (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if "VmHWM" in line))
