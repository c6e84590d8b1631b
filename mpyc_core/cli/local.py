"""Parties on this machine: run a program at each, or open a session that drives them."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mpyc_core.errors import ConfigError, MpcError, PeerTimeout, TransportError
from mpyc_core.errors import from_wire as error_from_wire
from mpyc_core.protocols.plaindata import freeze, thaw
from mpyc_core.protocols.registry import get_protocol
from mpyc_core.protocols.session import Session
from mpyc_core.transport.launch import LocalProcesses

from .program import Program, place_of

START = 120.0
"""Seconds for a party process to start; the first start on a machine may compile kernels."""
OnReport = Callable[[str, dict[str, Any]], None]
GRACE = 1.0
"""Seconds to wait, after a first error, for a report closer to its cause."""


def party_names(parties: int | Sequence[str]) -> tuple[str, ...]:
    """Names of local parties: party0, party1, ... for a number."""
    if isinstance(parties, int):
        if parties < 1:
            raise ConfigError(f"expected at least one party, got {parties}")
        return tuple(f"party{i}" for i in range(parties))
    return tuple(parties)


def _launch(
    names: Sequence[str], config: Mapping[str, Any]
) -> tuple[LocalProcesses, dict[str, Any]]:
    """Start one process per party and tell each what to be and where the others are."""
    processes = LocalProcesses(names)
    try:
        for name in names:
            processes.send(name, {**config, "name": name, "names": list(names), "path": sys.path})
        places = _collect(processes, names, time.monotonic() + START)
        addresses = {name: place["address"] for name, place in places.items()}
        for name in names:
            processes.send(name, {"addresses": addresses})
    except BaseException:
        processes.close()
        raise
    return processes, places


def _collect(
    processes: LocalProcesses,
    names: Sequence[str],
    deadline: float | None = None,
    on_report: OnReport | None = None,
) -> dict[str, Any]:
    """One answer from every party; the first cause, if any reports an error."""
    found: dict[str, Any] = {}
    errors: list[MpcError] = []
    while len(found) < len(names):
        remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            name, message = processes.receive(remaining)
        except PeerTimeout:
            if errors:
                break
            missing = [name for name in names if name not in found]
            raise PeerTimeout(
                f"{', '.join(missing)} did not start within {START:g} s", party=missing[0]
            ) from None
        except TransportError as error:
            errors.append(error)
            if len(errors) > len(names):
                break
        else:
            if "report" in message:
                if on_report is not None:
                    on_report(name, thaw(message["report"]))
                continue
            found[name] = message
            if "error" in message:
                errors.append(error_from_wire(message["error"]))
        if errors:
            soon = time.monotonic() + GRACE
            deadline = soon if deadline is None else min(deadline, soon)
    if errors:
        raise _first_cause(errors)
    return found


def _first_cause(errors: Sequence[MpcError]) -> MpcError:
    """What a party says of itself goes before what others see of its connection."""
    own = [error for error in errors if not isinstance(error, TransportError)]
    return (own or list(errors))[0]


def run_program(
    program: Program | str,
    parties: int | Sequence[str],
    *,
    protocol: str = "replicated",
    ring: int = 64,
    f: int | None = None,
    args: Mapping[str, Any] | None = None,
    threads: int | None = None,
    on_report: OnReport | None = None,
) -> dict[str, Any]:
    """See `mpyc_core.run`; `on_report` gets what parties `tell` on the way."""
    names, args = party_names(parties), dict(args or {})
    get_protocol(protocol, len(names))
    place = program if isinstance(program, str) else place_of(program)
    if place is None:
        warnings.warn(
            "the program cannot be imported by another process (it was typed in a notebook, or is "
            "a local function), so all parties run as threads of this process; put it into a file "
            "to run real parties",
            stacklevel=3,
        )
        return _run_threads(program, names, protocol, ring, f, args)  # type: ignore[arg-type]
    config = {
        "mode": "run",
        "program": place,
        "args": freeze(args, "args"),
        "protocol": protocol,
        "ring": ring,
        "f": f,
        "threads": threads,
    }
    processes, _ = _launch(names, config)
    with processes:
        results = _collect(processes, names, on_report=on_report)
    return {name: thaw(results[name]["result"]) for name in names}


def _run_threads(
    program: Program,
    names: Sequence[str],
    protocol: str,
    ring: int,
    f: int | None,
    args: Mapping[str, Any],
) -> dict[str, Any]:
    """All parties as threads over queues: for programs that only this process has."""
    from mpyc_core.ml.tensor import SecretTensor
    from mpyc_core.protocols.party import Party
    from mpyc_core.transport.queues import queue_meshes

    results: dict[str, Any] = {}
    errors: list[BaseException] = []

    def play(mesh: Any) -> None:
        try:
            party = Party(mesh, protocol=protocol, ring=ring, f=f, wrap=SecretTensor)
            results[party.name] = program(party, **args)
        except MpcError as error:
            errors.append(error)
            mesh.abort(error)
        except BaseException as error:  # the caller's own exception is raised again below
            errors.insert(0, error)
            mesh.abort(MpcError(f"the program of {mesh.names[mesh.me]} raised"))
        finally:
            mesh.close()

    workers = [threading.Thread(target=play, args=(mesh,)) for mesh in queue_meshes(names)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    return {name: results[name] for name in names}


def open_session(
    parties: int | Sequence[str],
    protocol: str,
    ring: int,
    f: int | None,
    connect: str | None,
    threads: int | None,
) -> Session:
    """See `mpyc_core.session`."""
    from mpyc_core.ml.tensor import SecretTensor
    from mpyc_core.transport.control import ControlClient

    if connect is not None:
        from .remote import connect_session

        return connect_session(connect, wrap=SecretTensor)
    names = party_names(parties)
    get_protocol(protocol, len(names))
    config = {"mode": "serve", "protocol": protocol, "ring": ring, "f": f, "threads": threads}
    processes, places = _launch(names, config)
    try:
        channel = ControlClient({name: places[name]["control"] for name in names})
        return Session(
            channel,
            names,
            protocol=protocol,
            ring=ring,
            f=f,
            wrap=SecretTensor,
            on_close=processes.close,
            pids=processes.pids(),
        )
    except BaseException:
        processes.close()
        raise
