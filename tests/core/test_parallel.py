"""The thread pool: every row once, errors raised, sizes checked."""

from __future__ import annotations

import threading

import pytest

from mpyc_core import parallel
from mpyc_core.errors import ConfigError


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_threads", None)
    monkeypatch.setattr(parallel, "_pool", None)
    monkeypatch.delenv("MPC_THREADS", raising=False)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("min_rows", [1, 3, 1000])
def test_every_row_is_visited_once(threads: int, rows: int, min_rows: int) -> None:
    parallel.set_threads(threads)
    ranges: list[tuple[int, int]] = []
    parallel.run_rows(lambda a, b: ranges.append((a, b)), rows, min_rows)
    assert sorted(row for a, b in ranges for row in range(a, b)) == list(range(rows))
    assert len(ranges) <= threads
    if len(ranges) > 1:
        assert min(b - a for a, b in ranges) >= min_rows


def test_ranges_run_at_the_same_time() -> None:
    parallel.set_threads(3)
    barrier = threading.Barrier(3, timeout=10)
    parallel.run_rows(lambda a, b: barrier.wait(), 3)
    assert not barrier.broken


def test_calls_from_inside_a_range_run_serially() -> None:
    parallel.set_threads(2)
    inner: list[tuple[int, int]] = []

    def outer(a: int, b: int) -> None:
        if a > 0:  # a worker's range
            parallel.run_rows(lambda c, d: inner.append((c, d)), 10)

    parallel.run_rows(outer, 2)
    assert inner == [(0, 10)]


@pytest.mark.parametrize("bad", [0, 1])
def test_an_error_is_raised_after_all_ranges_ended(bad: int) -> None:
    parallel.set_threads(2)
    ended: list[int] = []

    def fn(a: int, b: int) -> None:
        ended.append(a)
        if a == bad:
            raise ArithmeticError("row")

    with pytest.raises(ArithmeticError):
        parallel.run_rows(fn, 2)
    assert sorted(ended) == [0, 1]


def test_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "cores", lambda: 8)
    assert parallel.threads() == 8
    parallel.share_cores(3)
    assert parallel.threads() == 2
    parallel.share_cores(100)
    assert parallel.threads() == 1
    monkeypatch.setattr(parallel, "_threads", None)
    monkeypatch.setenv("MPC_THREADS", "5")
    parallel.share_cores(3)
    assert parallel.threads() == 5
    parallel.set_threads(4)
    assert parallel.threads() == 4


def test_wrong_numbers_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for n in (0, -1):
        with pytest.raises(ConfigError, match=f"at least 1, got {n}"):
            parallel.set_threads(n)
    monkeypatch.setenv("MPC_THREADS", "many")
    with pytest.raises(ConfigError, match=r"MPC_THREADS: .* got 'many'"):
        parallel.threads()
