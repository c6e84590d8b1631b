"""Protocol operations among local party processes over TCP: seconds, rounds, bytes per party."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import limits
from .report import Row
from .timing import at_party, party_rows, run

MILLION = 10**6


def tasks(party: Any) -> dict[str, Callable[[], Any]]:
    """The rows, as calls on values that are shared already; results stay secret."""
    rng = np.random.default_rng(1)

    def secret(array: Any) -> Any:
        return party.share(array if party.me == 0 else None)

    x, y = secret(rng.normal(size=MILLION)), secret(rng.normal(size=MILLION))
    i, j = secret(rng.integers(-99, 99, MILLION)), secret(rng.integers(-99, 99, MILLION))
    a, b = secret(rng.normal(size=(1000, 1000))), secret(rng.normal(size=(1000, 1000)))
    c, d = secret(rng.normal(size=(128, 784))), secret(rng.normal(size=(784, 128)))
    e = secret(rng.normal(size=10**4))
    one = secret(np.ones(1, np.int64))
    u, v = secret(rng.integers(-99, 99, 10**5)), secret(rng.integers(-99, 99, 10**5))
    h = secret(rng.normal(size=10**4))
    return {
        "integer product, 1": lambda: one * one,
        "integer product, 10^5": lambda: u * v,
        "integer product, 10^6": lambda: i * j,
        "fixed-point product, 10^4": lambda: e * h,
        "fixed-point product, 10^6": lambda: x * y,
        "x < y, 64-bit, 10^4": lambda: e < h,
        "x < y, 64-bit, 10^6": lambda: x < y,
        "x < y, 32-bit, 10^6": lambda: x.lt(y, bits=32),
        "ReLU, 64-bit, 10^6": lambda: x.relu(),
        "ReLU, 32-bit, 10^6": lambda: x.relu(bits=32),
        "matmul 1000x1000x1000": lambda: a @ b,
        "matmul 128x784x128": lambda: c @ d,
        "exp, 10^4": lambda: e.exp(),
        "sigmoid, 10^4": lambda: e.sigmoid(),
        "reciprocal, 10^4": lambda: (e + 8).reciprocal(),
    }


def program(party: Any, repeat: int = 5, only: str = "") -> dict[str, Any]:
    """Run every task at one party."""
    return at_party(party, tasks(party), repeat, only)


def rows(protocol: str = "replicated", repeat: int = 5, only: str = "") -> list[Row]:
    """The machine's limits, then every protocol row beside what the wire needs for its bytes."""
    wire, copy = limits.wire(), limits.copy()
    args = {"repeat": repeat, "only": only}
    results = run("bench.protocols:program", protocol, args)
    return [*limits.rows(wire, copy), *party_rows(results, repeat, wire)]
