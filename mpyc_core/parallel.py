"""Rows of one kernel call split over a shared pool of threads.

Kernels are serial and release the interpreter lock; what is parallel is the loop over rows. The
pool is sized once a process: `MPC_THREADS`, or the cores divided among the parties of this machine.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from mpyc_core.errors import ConfigError

RowKernel = Callable[[int, int], object]

_lock = threading.Lock()
_worker = threading.local()
_pool: ThreadPoolExecutor | None = None
_threads: int | None = None


def cores() -> int:
    """Number of cores this process may run on."""
    return len(os.sched_getaffinity(0))


def threads() -> int:
    """Number of threads a kernel call may use: what was set, or `MPC_THREADS`, or all cores.

    The environment is read once, at the first call.

    Raises
    ------
    ConfigError
        `MPC_THREADS` is not a positive integer.
    """
    global _threads
    if _threads is None:
        text = os.environ.get("MPC_THREADS")
        _threads = cores() if text is None else _positive("MPC_THREADS", text)
    return _threads


def set_threads(n: int) -> None:
    """Use `n` threads from now on; takes precedence over `MPC_THREADS`.

    Raises
    ------
    ConfigError
        `n` is not a positive integer.
    """
    global _pool, _threads
    n = _positive("set_threads", n)
    with _lock:
        old, _pool, _threads = _pool, None, n
    if old is not None:
        old.shutdown(wait=True)


def share_cores(parties: int) -> None:
    """Divide the cores among `parties` that run on this machine, unless `MPC_THREADS` says more."""
    if "MPC_THREADS" not in os.environ:
        set_threads(max(1, cores() // parties))


def run_rows(fn: RowKernel, n_rows: int, min_rows: int = 1) -> None:
    """Call `fn(start, stop)` on consecutive ranges that cover `range(n_rows)`.

    Parameters
    ----------
    fn : works on rows `start <= row < stop`; ranges are disjoint and may run at the same time.
    n_rows : number of rows; with 0 nothing is called.
    min_rows : fewest rows worth a thread of their own.

    Notes
    -----
    Calls made from inside a range run serially, so that nesting cannot exhaust the pool. The first
    exception is raised after all ranges have ended.
    """
    parts = n_rows // max(1, min_rows)
    parts = min(threads(), parts) if parts > 1 else parts
    if parts <= 1 or getattr(_worker, "busy", False):
        if n_rows > 0:
            fn(0, n_rows)
        return
    cuts = [n_rows * i // parts for i in range(parts + 1)]
    pool = _shared_pool()
    futures = [pool.submit(_as_worker, fn, a, b) for a, b in pairwise(cuts[1:])]
    try:
        fn(cuts[0], cuts[1])
    finally:
        errors = [f.exception() for f in futures]
    for error in errors:
        if error is not None:
            raise error


def _as_worker(fn: RowKernel, start: int, stop: int) -> None:
    _worker.busy = True
    fn(start, stop)


def _shared_pool() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(1, threads() - 1), thread_name_prefix="mpc-kernel")
        return _pool


def _positive(what: str, value: int | str) -> int:
    try:
        n = int(value)
    except ValueError:
        n = 0
    if n < 1:
        raise ConfigError(f"{what}: expected a number of threads of at least 1, got {value!r}")
    return n
