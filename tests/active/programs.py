"""Small programs on secrets of all owners, and what plaintext gives on what was committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import mpyc_core as mpc
from mpyc_core.errors import MpcError
from mpyc_core.protocols.backend import decode
from mpyc_core.protocols.cheating import Cheater
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array

INTS = np.array([3, -7, 0, 1, 2**40, -(2**40), 12345, -1])
FLOATS = np.array([1.5, -2.25, 3.0, -0.5, 0.0, 100.0, -31.75, 0.125])
BITS = np.array([True, False, True, True, False, False, True, False])


@dataclass(frozen=True)
class Program:
    """Shares one array for each owner, computes, and opens.

    Parameters
    ----------
    inputs : arrays; number i belongs to party i mod 3.
    body : on secret tensors, or on NumPy arrays, which are also what it gives.
    ulps : how far the result may be off, in units of 2^-16.
    """

    inputs: tuple[Array, ...]
    body: Callable[..., Any]
    ulps: int = 0


def committed(s: Any, ref: Any) -> Array:
    """The value that the honest parties' shares fix, whatever the corrupted party says."""
    key = ref.ref.id if hasattr(ref, "ref") else ref.id
    shares = {
        i: e.values[key].parts
        for i, (e, name) in enumerate(zip(s.evaluators, s.names, strict=True))
        if s._cheat is None or name != s._cheat.party
    }
    value: Share = next(e.values[key] for e in s.evaluators if key in e.values)
    parts = [np.asarray(shares[c][0] if c in shares else shares[(c + 1) % 3][1]) for c in range(3)]
    if value.meta.kind == "bit":
        return decode(parts[0] ^ parts[1] ^ parts[2], value.meta)
    low = [value.meta.ring.residue(part) for part in parts]
    return decode(low[0] + low[1] + low[2], value.meta)


@dataclass
class Ran:
    """A run with a cheater: what plaintext says, and how each honest party ended."""

    wanted: list[Array]
    error: MpcError | None


def play(program: Program, cheat: Cheater, **options: Any) -> Ran:
    """Run against a cheater; `cheat.outcomes` says how the honest parties ended."""
    wanted: list[Array] = []
    try:
        with mpc.simulate(3, security="active", cheat=cheat, **options) as s:
            xs = [s.share(x, owner=f"party{i % 3}") for i, x in enumerate(program.inputs)]
            values = [committed(s, x) for x in xs]  # fixed when the input phase closes
            with np.errstate(all="ignore"):
                results = program.body(*values)
            wanted += [np.asarray(r) for r in _listed(results)]
            for found in _listed(program.body(*xs)):
                found.reveal()
    except MpcError as error:
        return Ran(wanted, error)
    return Ran(wanted, None)


def _listed(results: Any) -> Sequence[Any]:
    return results if isinstance(results, tuple) else (results,)


def judge(program: Program, cheat: Cheater, ran: Ran) -> list[str]:
    """What is wrong: an honest party that output something else, or stopped without a reason."""
    faults = []
    for name, outcome in cheat.outcomes.items():
        for got, want in zip(outcome.opened, ran.wanted, strict=False):
            if got.dtype.names is None and want.dtype == bool:
                bits = np.unpackbits(got.view(np.uint8), bitorder="little")
                right = np.array_equal(bits[: want.size], want.reshape(-1))
            else:
                scale = 2.0**16 if want.dtype.kind == "f" else 1
                off = got.view(np.int64).astype(float) - want.astype(float) * scale
                right = bool(np.all(np.abs(off) <= program.ulps))
            if not right:
                faults.append(f"{name} output a wrong value")
        finished = len(outcome.opened) == len(ran.wanted) and ran.wanted
        if outcome.error is None and not finished and ran.error is None:
            faults.append(f"{name} neither finished nor stopped")
        if outcome.error is not None and len(outcome.error.message) < 20:
            faults.append(f"{name} does not say what failed")
    return faults


def programs() -> dict[str, Program]:
    """Every primitive, by what a user would write."""
    small = INTS % 1000
    return {
        "open": Program((INTS,), lambda x: x + 1),
        "product": Program((INTS, INTS[::-1].copy()), lambda x, y: x * y),
        "fixed product": Program((FLOATS, FLOATS[::-1].copy()), lambda x, y: x * y, ulps=1),
        "matmul": Program((small.reshape(4, 2), small.reshape(2, 4)), lambda x, y: x @ y),
        "sign": Program((INTS, INTS[::-1].copy()), lambda x, y: x < y),
        "equal": Program((INTS, np.sort(INTS)), lambda x, y: x == y),
        "and": Program((BITS, BITS[::-1].copy()), lambda x, y: x & y),
        "select": Program((BITS, FLOATS), _select),
        "absolute": Program((FLOATS,), abs),
        "shift": Program((INTS,), lambda x: x >> 3),
    }


def _select(b: Any, x: Any) -> Any:
    return np.where(b, x, np.zeros(8) if isinstance(x, np.ndarray) else x - x)
