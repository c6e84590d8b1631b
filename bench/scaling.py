"""How operations scale: nanoseconds an element from 10^4 to 10^7, and the memory of 10^7."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .report import Row
from .timing import at_party, peak_memory, run

POWERS = (4, 5, 6, 7)
REFERENCE = 6
LARGEST = 7
OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "ReLU": lambda x: x.relu(),
    "fixed-point product": lambda x: x * x,
}


def program(
    party: Any, operation: str = "ReLU", power: int = 4, repeat: int = 3
) -> dict[str, dict[str, float]]:
    """One operation on 10^power elements, at one party."""
    x = _numbers(party, 10**power)
    return at_party(party, {operation: lambda: OPERATIONS[operation](x)}, repeat)


def memory(party: Any, power: int = LARGEST) -> dict[str, int]:
    """Peak memory of one party: of sharing 10^power elements, and after one ReLU on them."""
    x = _numbers(party, 10**power)
    before = peak_memory()
    x.relu()
    return {"sharing": before, "ReLU": peak_memory()}


def _numbers(party: Any, count: int) -> Any:
    mine = np.random.default_rng(1).normal(size=count) if party.me == 0 else None
    return party.share(mine)


def rows(
    protocol: str = "replicated",
    repeat: int = 3,
    only: str = "",
    powers: tuple[int, ...] = POWERS,
    largest: int = LARGEST,
) -> list[Row]:
    """Nanoseconds an element beside those at 10^6, then memory; every size in new processes.

    Parameters
    ----------
    powers : sizes of the timed operations, as powers of ten.
    largest : size of the operation whose memory is measured, likewise.
    """
    found = []
    for operation in OPERATIONS:
        if only in operation:
            found += _times(protocol, operation, repeat, powers)
    if only in "ReLU":
        found += _memory(protocol, largest)
    return found


def _times(protocol: str, operation: str, repeat: int, powers: tuple[int, ...]) -> list[Row]:
    each, traffic = {}, {}
    for power in powers:
        args = {"operation": operation, "power": power, "repeat": repeat}
        results = run("bench.scaling:program", protocol, args)
        facts = [r[operation] for r in results.values()]
        each[power] = 1e9 * max(f["seconds"] for f in facts) / 10**power
        traffic[power] = (int(facts[0]["rounds"]), tuple(int(f["bytes"]) for f in facts))
    limit = each.get(REFERENCE)
    return [
        Row(
            f"{operation}, 10^{power}",
            ns,
            "ns",
            limit,
            "" if limit is None else f"at 10^{REFERENCE}",
            *traffic[power],
            runs=repeat,
        )
        for power, ns in each.items()
    ]


def _memory(protocol: str, power: int) -> list[Row]:
    results = run("bench.scaling:memory", protocol, {"power": power})
    most = {what: max(r[what] for r in results.values()) for what in ("sharing", "ReLU")}
    return [
        Row(f"peak memory of a party, {what}, 10^{power}", size / 1e6, "MB")
        for what, size in most.items()
    ]
