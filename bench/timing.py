"""Measuring: medians of repeated calls after one to warm up, in one process and at parties."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .report import Row

DOMINANT = 10**6
"""Bytes from which on an operation's time is compared with what the wire needs for them."""


def median(work: Callable[[], Any], seconds: float = 0.5, least: int = 3) -> tuple[float, int]:
    """(median seconds of a call, number of calls); runs for about `seconds`."""
    work()
    times: list[float] = []
    while len(times) < least or (sum(times) < seconds and len(times) < 1000):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times), len(times)


def medians(
    *works: Callable[[], Any], seconds: float = 0.5, blocks: int = 5
) -> tuple[list[float], int]:
    """(median seconds of each, number of calls of the first), in blocks that take turns.

    So noise meets all alike. Before a block there is a rest: threads of BLAS go on spinning for a
    while, on cores that the next one needs.
    """
    times: list[list[float]] = [[] for _ in works]
    for work in works:
        work()
    for _ in range(blocks):
        for work, found in zip(works, times, strict=True):
            time.sleep(REST)
            work()
            start = time.perf_counter()
            while time.perf_counter() - start < seconds / blocks:
                before = time.perf_counter()
                work()
                found.append(time.perf_counter() - before)
    return [statistics.median(found) for found in times], len(times[0])


REST = 0.05
"""Seconds between blocks."""
DEALER = "dealer"
"""Name of the crypto provider of protocols that need one."""


def run(program: str, protocol: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Run a program at the fewest parties of a protocol, and what each returns.

    Parties are local processes, with a dealer where the protocol needs one.
    """
    import mpyc_core as mpc
    from mpyc_core.protocols.registry import get_protocol

    chosen = get_protocol(protocol)
    parties = next(n for n in (2, 3, 4, 5) if chosen.supports(n))
    provider = DEALER if chosen.needs_dealer else None
    return mpc.run(program, parties, protocol=protocol, args=args, crypto_provider=provider)


def at_party(
    party: Any, tasks: Mapping[str, Callable[[], Any]], repeat: int = 5, only: str = ""
) -> dict[str, dict[str, float]]:
    """Seconds (a median), rounds and bytes of every task, at one party of several.

    Under a protocol that verifies before it opens, a task ends with the opening of one number, and
    so with the check of all that it did.

    `online` is what remains of the seconds without those spent waiting for a dealer, and `dealt`
    the bytes that came from it.

    Parameters
    ----------
    tasks : calls that all parties make in the same order.
    repeat : timed runs of a task; all parties start each of them together.
    only : tasks whose name contains this text.
    """
    found = {}
    for name, plain in tasks.items():
        if only not in name:
            continue
        task = partial(_verified, party, plain) if party.protocol.verifies else plain
        task()
        times, online = [], []
        for _ in range(repeat):
            _meet(party)
            before, waited, start = party.cost(), _waited(party), time.perf_counter()
            task()
            times.append(time.perf_counter() - start)
            online.append(times[-1] - (_waited(party) - waited))
            after = party.cost()
        found[name] = {
            "seconds": statistics.median(times),
            "rounds": after["rounds"] - before["rounds"],
            "bytes": after["bytes"] - before["bytes"],
            "online": statistics.median(online),
            "dealt": after["dealt"] - before["dealt"],
        }
    return found


def _waited(party: Any) -> float:
    """Seconds that a party waited for its dealer so far."""
    return 0.0 if party.provider is None else float(party.provider.waited)


def _verified(party: Any, task: Callable[[], Any]) -> None:
    """A task and the check of what it did."""
    task()
    _meet(party)


def _meet(party: Any) -> None:
    """Wait until every party is here: what comes back has passed through all of them."""
    party.share(np.zeros(1) if party.me == 0 else None).reveal()


def party_rows(
    results: Mapping[str, Mapping[str, Mapping[str, float]]], repeat: int, wire: float | None = None
) -> list[Row]:
    """Rows of what `at_party` found at all parties; the slowest party's time counts.

    Where a dealer sent something, a second row leaves out the time that was spent waiting for it,
    as if it had dealt ahead.

    Parameters
    ----------
    results : what each party found.
    repeat : timed runs behind a figure.
    wire : bytes a second of the network; the limit of a task is then the time that it needs for
        what the busiest party sends, where that is at least `DOMINANT` bytes.
    """
    found = []
    for name, facts in next(iter(results.values())).items():
        sent = tuple(int(r[name]["bytes"]) for r in results.values())
        bound = wire is not None and max(sent) >= DOMINANT
        found.append(
            Row(
                name,
                1e3 * max(r[name]["seconds"] for r in results.values()),
                "ms",
                limit=1e3 * max(sent) / wire if wire is not None and bound else None,
                limit_is="wire" if bound else "",
                rounds=int(facts["rounds"]),
                sent=sent,
                runs=repeat,
                dealt=sum(int(r[name].get("dealt", 0)) for r in results.values()),
            )
        )
        if found[-1].dealt:
            online = 1e3 * min(r[name]["online"] for r in results.values())
            found.append(replace(found[-1], name=f"{name}, dealt ahead", figure=online, dealt=0))
    return found


def peak_memory() -> int:
    """Most bytes of memory that this process has held at once (Linux)."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])
