"""A party's memory during a training step, against the size of its tensors."""

from __future__ import annotations

from pathlib import Path

import pytest

import mpyc_core as mpc

pytestmark = pytest.mark.processes


def test_a_training_step_stays_under_ten_times_its_tensors() -> None:
    results = mpc.run(f"{Path(__file__).parent / 'programs.py'}:training_memory", 3)
    for result in results.values():
        assert result["peak"] < 10 * result["tensors"]
