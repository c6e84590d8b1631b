"""Secure multi-party computation: answer questions with data nobody may see.

    import mpyc_core as mpc

    with mpc.session(parties=3) as s:          # three local party processes
        x = s.share([1.5, -2.0, 3.0])          # secret-shared: no party sees the numbers
        (x * x + 1).relu().reveal()            # computed on shares, opened to you

`session` drives parties from a notebook, `run` starts a program that every party runs, `simulate`
plays all parties in this process for lessons and debugging. Importing this module compiles and
loads nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mpyc_core.grid.cards import Column, Policy
    from mpyc_core.grid.client import Client
    from mpyc_core.grid.connect import connect_node
    from mpyc_core.grid.duet import Duet, JoinedDuet, join_duet, launch_duet
    from mpyc_core.grid.registered import Registry
    from mpyc_core.grid.search import Grid
    from mpyc_core.grid.virtual import VirtualNode
    from mpyc_core.ml.tensor import SecretTensor
    from mpyc_core.protocols.cheating import Cheater
    from mpyc_core.protocols.party import Party
    from mpyc_core.protocols.security import Security
    from mpyc_core.protocols.session import Session
    from mpyc_core.protocols.simulation import Simulation

__version__ = "0.1.0"

__all__ = [
    "Client",
    "Column",
    "Duet",
    "Grid",
    "JoinedDuet",
    "Party",
    "Policy",
    "Registry",
    "SecretTensor",
    "Security",
    "Session",
    "Simulation",
    "VirtualNode",
    "connect_node",
    "errors",
    "join_duet",
    "launch_duet",
    "ml",
    "protocols",
    "run",
    "session",
    "simulate",
]

_LAZY = {
    "Client": "mpyc_core.grid.client",
    "Column": "mpyc_core.grid.cards",
    "Duet": "mpyc_core.grid.duet",
    "Grid": "mpyc_core.grid.search",
    "JoinedDuet": "mpyc_core.grid.duet",
    "Party": "mpyc_core.protocols.party",
    "Policy": "mpyc_core.grid.cards",
    "Registry": "mpyc_core.grid.registered",
    "SecretTensor": "mpyc_core.ml.tensor",
    "Security": "mpyc_core.protocols.security",
    "Session": "mpyc_core.protocols.session",
    "Simulation": "mpyc_core.protocols.simulation",
    "VirtualNode": "mpyc_core.grid.virtual",
    "connect_node": "mpyc_core.grid.connect",
    "join_duet": "mpyc_core.grid.duet",
    "launch_duet": "mpyc_core.grid.duet",
}
_MODULES = ("errors", "ml")


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _MODULES:
        return import_module(f"mpyc_core.{name}")
    raise AttributeError(f"module 'mpyc_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def session(
    parties: int | Sequence[str] = 3,
    *,
    protocol: str | None = None,
    security: Literal["semi-honest", "active"] | None = None,
    ring: int | None = None,
    f: int | None = None,
    connect: str | None = None,
    threads: int | None = None,
    crypto_provider: str | None = None,
) -> Session:
    """Start local party processes, or connect to running ones, and drive them from here.

    Parameters
    ----------
    parties : how many local parties, or their names.
    protocol : name of a protocol; None chooses by `security`, and `replicated` without it: three
        parties, semi-honest, honest majority.
    security : "active" also withstands parties that deviate: `replicated-active` for three, else
        `spdz2k`. What it covers and what not: `print(s.security)`.
    ring : bits of the ring Z/2^k of numbers, 32, 64 or 128; 61 and 127 are the prime fields
        GF(2^61 - 1) and GF(2^127 - 1). None takes 64 where the protocol computes in it, else its
        largest: 127 for `shamir`.
    f : fraction bits of fixed point; None takes 8 for 32 and 61 bits, else 16.
    connect : a cluster file: drive the servers it names instead of local processes.
    threads : kernel threads per local party; None shares the cores among them.
    crypto_provider : for protocols that need one, the name of a dealer who holds no share; a
        process of that name is started beside the parties. With `connect` the file names it.

    Returns
    -------
    A session; a context manager. Only `reveal` waits.

    Security
    --------
    You are a client: you see what you share and what is opened to you. Local parties run on this
    machine, which therefore could see everything; across machines each owner runs its own.
    """
    from mpyc_core.cli.local import open_session
    from mpyc_core.protocols.choice import choose_protocol

    protocol = choose_protocol(protocol, security, parties)
    return open_session(parties, protocol, ring, f, connect, threads, crypto_provider)


def simulate(
    parties: int | Sequence[str] = 3,
    *,
    protocol: str | None = None,
    security: Literal["semi-honest", "active"] | None = None,
    ring: int | None = None,
    f: int | None = None,
    debug: bool = False,
    record: bool = False,
    cheat: Cheater | None = None,
    stat_bits: int | None = None,
) -> Simulation:
    """Play all parties in this process: lessons, tests, debugging. Use test data only.

    Parameters
    ----------
    protocol, security, ring, f : see `session`.
    debug : run the plaintext protocol beside, and stop at the operation where the two part.
    record : keep every message; `view(party)` shows what a party received.
    cheat : a corrupted party, for instance `protocols.cheating.Tamper("party1", message=3)`.
    stat_bits : weaken the checks of a verified protocol, to measure how often they fail.

    Example
    -------
    >>> import mpyc_core as mpc
    >>> with mpc.simulate(3) as s:
    ...     x = s.share([1, 2, 3])
    ...     (x * x).sum().reveal().item()
    14
    """
    from mpyc_core.ml.tensor import SecretTensor
    from mpyc_core.protocols.choice import choose_protocol
    from mpyc_core.protocols.simulation import Simulation

    return Simulation(
        parties,
        protocol=choose_protocol(protocol, security, parties),
        ring=ring,
        f=f,
        wrap=SecretTensor,
        debug=debug,
        record=record,
        cheat=cheat,
        stat_bits=stat_bits,
    )


def run(
    program: Callable[..., Any] | str,
    parties: int | Sequence[str] = 3,
    *,
    protocol: str | None = None,
    security: Literal["semi-honest", "active"] | None = None,
    ring: int | None = None,
    f: int | None = None,
    args: Mapping[str, Any] | None = None,
    threads: int | None = None,
    crypto_provider: str | None = None,
) -> dict[str, Any]:
    """Run one program at every party, each a local process, and collect what each returns.

    Parameters
    ----------
    program : `program(party, **args)`, or its place as "file.py:function" or "module:function". A
        function that cannot be imported (typed in a notebook) runs on threads here, and says so.
    args : plain data and arrays, the same for every party.
    protocol, security, ring, f, crypto_provider : see `session`.

    Returns
    -------
    {party name: what its program returned}.
    """
    from mpyc_core.cli.local import run_program
    from mpyc_core.protocols.choice import choose_protocol

    return run_program(
        program,
        parties,
        protocol=choose_protocol(protocol, security, parties),
        ring=ring,
        f=f,
        args=args,
        threads=threads,
        crypto_provider=crypto_provider,
    )
