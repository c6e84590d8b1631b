"""Timing that says how often it ran: medians of repeated calls, after one to warm up."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def median(work: Callable[[], Any], seconds: float = 0.5, least: int = 3) -> tuple[float, int]:
    """(median seconds of a call, number of calls); runs for about `seconds`."""
    work()
    times: list[float] = []
    while len(times) < least or (sum(times) < seconds and len(times) < 1000):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times), len(times)
