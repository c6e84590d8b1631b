"""Parties on this machine: run a program at each, or open a session that drives them."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from mpyc_core.errors import ConfigError, MpcError, PeerTimeout, TransportError
from mpyc_core.errors import from_wire as error_from_wire
from mpyc_core.protocols.choice import default_ring
from mpyc_core.protocols.dealt.appoint import require_provider
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


class Launched:
    """Local processes of all parties, and of their crypto provider if they have one.

    They find each other by sockets in a folder that only this user can enter, or over TCP.

    Parameters
    ----------
    config : what each party is to be.
    tcp : meet over TCP on loopback, as parties of a cluster do.
    provider : name of the dealer to start, if any.
    parties : whether to start the parties, or the dealer alone.
    """

    def __init__(
        self,
        names: Sequence[str],
        config: Mapping[str, Any],
        provider: str | None = None,
        *,
        parties: bool = True,
        tcp: bool = False,
    ) -> None:
        players = list(names) if parties else []
        everybody = [*players, *([] if provider is None else [provider])]
        self._folder = tempfile.mkdtemp(prefix="mpc-")
        self._closed = False
        try:
            self.processes = LocalProcesses(everybody)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        try:
            here = {"folder": self._folder, "tcp": tcp}
            shared = {"names": list(names), "path": sys.path, **here}
            for name in players:
                self.processes.send(name, {**config, **shared, "name": name, "dealer": provider})
            if provider is not None:
                self.processes.send(provider, {**shared, "mode": "deal", "name": provider})
            self.places = _collect(self.processes, everybody, time.monotonic() + START)
            addresses = {name: place["address"] for name, place in self.places.items()}
            for name in players:
                self.processes.send(name, {"addresses": addresses})
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End all processes and remove the folder; safe to call twice."""
        if not self._closed:
            self._closed = True
            self.processes.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _collect(
    processes: LocalProcesses,
    names: Sequence[str],
    deadline: float | None = None,
    on_report: OnReport | None = None,
) -> dict[str, Any]:
    """One answer from every party; the first cause, if any reports an error."""
    found: dict[str, Any] = {}
    errors: list[MpcError] = []
    while not set(names) <= set(found):
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
            if len(errors) > len(names) + 1:
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
    ring: int | None = None,
    f: int | None = None,
    args: Mapping[str, Any] | None = None,
    threads: int | None = None,
    crypto_provider: str | None = None,
    on_report: OnReport | None = None,
    tcp: bool = False,
) -> dict[str, Any]:
    """See `mpyc_core.run` and `Launched`; `on_report` gets what parties `tell` on the way."""
    names, args = party_names(parties), dict(args or {})
    chosen = get_protocol(protocol, len(names))
    require_provider(chosen, names, crypto_provider)
    ring = default_ring(chosen) if ring is None else ring
    place = program if isinstance(program, str) else place_of(program)
    if place is None:
        warnings.warn(
            "the program cannot be imported by another process (it was typed in a notebook, or is "
            "a local function), so all parties run as threads of this process; put it into a file "
            "to run real parties",
            stacklevel=3,
        )
        from .threads import run_threads

        settings = {"protocol": protocol, "ring": ring, "f": f}
        return run_threads(program, names, settings, args, crypto_provider)  # type: ignore[arg-type]
    config = {
        "mode": "run",
        "program": place,
        "args": freeze(args, "args"),
        "protocol": protocol,
        "ring": ring,
        "f": f,
        "threads": threads,
    }
    with Launched(names, config, crypto_provider, tcp=tcp) as launched:
        results = _collect(launched.processes, names, on_report=on_report)
    return {name: thaw(results[name]["result"]) for name in names}


def open_session(
    parties: int | Sequence[str],
    protocol: str,
    ring: int | None,
    f: int | None,
    connect: str | None,
    threads: int | None,
    crypto_provider: str | None = None,
) -> Session:
    """See `mpyc_core.session`."""
    from mpyc_core.ml.tensor import SecretTensor
    from mpyc_core.transport.control import ControlClient

    if connect is not None:
        from .remote import connect_session

        return connect_session(connect, wrap=SecretTensor, crypto_provider=crypto_provider)
    names = party_names(parties)
    chosen = get_protocol(protocol, len(names))
    require_provider(chosen, names, crypto_provider)
    ring = default_ring(chosen) if ring is None else ring
    config = {"mode": "serve", "protocol": protocol, "ring": ring, "f": f, "threads": threads}
    launched = Launched(names, config, crypto_provider)
    try:
        channel = ControlClient({name: launched.places[name]["control"] for name in names})
        return Session(
            channel,
            names,
            protocol=protocol,
            ring=ring,
            f=f,
            wrap=SecretTensor,
            on_close=launched.close,
            pids=launched.processes.pids(),
            crypto_provider=crypto_provider,
        )
    except BaseException:
        launched.close()
        raise
