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
WIDE = np.concatenate([FLOATS, FLOATS[::-1] / 2]).reshape(2, 8)
"""A factor of more columns than the check of a product looks at."""
FILTERS = np.concatenate([FLOATS, FLOATS / 4, FLOATS[::-1] / 2]).reshape(6, 1, 2, 2)


@dataclass(frozen=True)
class Program:
    """Shares one array for each owner, computes, and opens.

    Parameters
    ----------
    inputs : arrays; number i belongs to party i mod 3.
    body : on secret tensors, or on NumPy arrays, which are also what it gives.
    ulps : how far the result may be off, in units of 2^-16.
    limit : inputs up to which the result is defined. A party may choose its input beyond it, as it
        may lie about any other promise; then honest parties agree on what they output, no more.
    """

    inputs: tuple[Array, ...]
    body: Callable[..., Any]
    ulps: int = 0
    limit: float = np.inf

    def defined(self, values: Sequence[Array]) -> bool:
        """Whether all inputs are within the limit."""
        return all(np.all(np.abs(v.astype(float)) <= self.limit) for v in values)


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
    defined: bool = True


def play(program: Program, cheat: Cheater, **options: Any) -> Ran:
    """Run against a cheater; `cheat.outcomes` says how the honest parties ended."""
    wanted: list[Array] = []
    defined = True
    try:
        with mpc.simulate(3, security="active", cheat=cheat, **options) as s:
            xs = [s.share(x, owner=f"party{i % 3}") for i, x in enumerate(program.inputs)]
            values = [committed(s, x) for x in xs]  # fixed when the input phase closes
            defined = program.defined(values)
            with np.errstate(all="ignore"):
                results = program.body(*values)
            wanted += [np.asarray(r) for r in _listed(results)]
            for found in _listed(program.body(*xs)):
                found.reveal()
    except MpcError as error:
        return Ran(wanted, error, defined)
    return Ran(wanted, None, defined)


def _listed(results: Any) -> Sequence[Any]:
    return results if isinstance(results, tuple) else (results,)


def judge(program: Program, cheat: Cheater, ran: Ran) -> list[str]:
    """What is wrong: an honest party that output something else, or stopped without a reason."""
    faults = []
    longest = max((o.opened for o in cheat.outcomes.values()), key=len)
    for name, outcome in cheat.outcomes.items():
        if any(a.tobytes() != b.tobytes() for a, b in zip(outcome.opened, longest, strict=False)):
            faults.append(f"{name} output another value than a peer")
        for got, want in zip(outcome.opened, ran.wanted if ran.defined else [], strict=False):
            if got.dtype.names is None and want.dtype == bool:
                bits = np.unpackbits(got.view(np.uint8), bitorder="little")
                right = np.array_equal(bits[: want.size], want.reshape(-1))
            elif want.dtype.kind == "f":
                off = got.view(np.int64).astype(float) - want * 2.0**16
                right = bool(np.all(np.abs(off) <= program.ulps))
            else:
                right = np.array_equal(got.view(np.int64), want)
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
        "fixed product": Program((FLOATS, FLOATS[::-1].copy()), lambda x, y: x * y, 1, 2**22),
        "matmul": Program((small.reshape(4, 2), small.reshape(2, 4)), lambda x, y: x @ y),
        "sign": Program((INTS, INTS[::-1].copy()), lambda x, y: x < y, limit=2**62),
        "equal": Program((INTS, np.sort(INTS)), lambda x, y: x == y),
        "and": Program((BITS, BITS[::-1].copy()), lambda x, y: x & y),
        "select": Program((BITS, FLOATS), _select),
        "absolute": Program((FLOATS,), abs),
        "shift": Program((INTS,), lambda x: x >> 3, limit=2**61),
        "square": Program((small,), lambda x: x * x),
        "relu": Program((FLOATS,), lambda x: np.maximum(x, 0) if _plain(x) else x.relu()),
        "number": Program((INTS, INTS[::-1].copy()), _number, limit=2**62),
        "fixed matmul": Program((FLOATS[:4].reshape(2, 2), WIDE), lambda x, y: x @ y, 1, 2**20),
        "convolution": Program((FLOATS.reshape(1, 1, 2, 4), FILTERS), _convolution, 1, 2**20),
    }


def _plain(x: Any) -> bool:
    return isinstance(x, np.ndarray)


def _number(x: Any, y: Any) -> Any:
    return (x < y).astype(np.int64) if _plain(x) else (x < y).to_number()


def _convolution(x: Any, w: Any) -> Any:
    if not _plain(x):
        return x.conv2d(w)
    patches = np.stack([x[:, 0, :, i : i + 2] for i in range(3)], axis=1)
    return np.einsum("npij,oij->nop", patches, w[:, 0])[:, :, None]


def _select(b: Any, x: Any) -> Any:
    return np.where(b, x, np.zeros(8) if isinstance(x, np.ndarray) else x - x)
