"""What programs of peers have in common; needs the standard library alone."""

from __future__ import annotations

import json
import socket
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

Tasks = Mapping[str, Callable[[], Any]]


def wanted() -> dict[str, Any]:
    """Names of tasks, timed runs and threads, as `measure` of the package has sent them."""
    return json.loads(sys.argv[1])


def medians(tasks: Tasks, names: list[str], repeat: int) -> dict[str, float]:
    """Seconds of every wanted task, after one call to warm up."""
    found = {}
    for name in (name for name in names if name in tasks):
        tasks[name]()
        times = []
        for _ in range(repeat):
            start = time.perf_counter()
            tasks[name]()
            times.append(time.perf_counter() - start)
        found[name] = statistics.median(times)
    return found


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens at."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def report(note: str, seconds: Mapping[str, float]) -> None:
    """Answer: the last line of the output."""
    print(json.dumps({"note": note, "seconds": seconds}), flush=True)


def missing(what: str, command: str) -> NoReturn:
    """End with code 2 because the peer is not installed, and say how to install it."""
    print(f"{what} is not installed in {sys.executable}: {command}", file=sys.stderr)
    raise SystemExit(2)
