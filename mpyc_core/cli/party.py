"""`mpc party`: one party, as a child of a launcher or as a member of a cluster."""

from __future__ import annotations

import argparse
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpyc_core.errors import ConfigError, MpcError, SessionClosed
from mpyc_core.memory import keep_freed_memory

from .dealer import deal
from .program import load

START = 120.0
IPC_BYTES = 100
"""Sockets in the file system have short names; longer ones become ports of the loopback device."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Cluster members have a name, a cluster file and a program; children have pipes."""
    parser.add_argument("program", nargs="?", help="file.py, file.py:function or module:function")
    parser.add_argument("--name", help="this party's name in the cluster file")
    parser.add_argument("--config", type=Path, help="the cluster file")
    parser.add_argument("--key", type=Path, help="secret key file (default: NAME.key beside it)")
    parser.add_argument(
        "--serve",
        action="store_true",
        help="take sessions; the program's offer(party) says what data there is and who may see it",
    )
    parser.add_argument(
        "--arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="argument of the program; may be given several times",
    )
    parser.add_argument("--child", metavar="READ,WRITE", help=argparse.SUPPRESS)


def main(options: argparse.Namespace) -> int:
    """Be a party until the program or the session has ended."""
    keep_freed_memory()
    if options.child:
        return child(options.child)
    if not (options.name and options.config):
        raise ConfigError("a party of a cluster needs --name and --config")
    if not (options.program or options.serve):
        raise ConfigError("give a program to run, or --serve to take sessions")
    from . import remote

    if options.serve:
        return remote.serve(options.name, options.config, options.key, options.program)
    return remote.run(options.name, options.config, options.key, options.program, options.arg)


def child(pipes: str) -> int:
    """A local party: told by its launcher what to be."""
    from mpyc_core.transport.parent import ParentPipe

    folders: list[str] = []

    def tidy() -> None:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)

    pipe = ParentPipe(pipes, tidy)
    config = pipe.receive(START)
    folders.append(config["folder"])
    try:
        return deal(pipe, config) if config["mode"] == "deal" else _play(pipe, config)
    except SessionClosed:
        return 0
    except MpcError as error:
        if error.party is None:
            error.party = config["name"]
        pipe.send({"error": error.to_wire()})
        pipe.receive(START)  # the launcher closes the pipe, which ends this process
        return 1


def _play(pipe: Any, config: dict[str, Any]) -> int:
    from mpyc_core import parallel
    from mpyc_core.protocols.plaindata import freeze, thaw
    from mpyc_core.transport.zmq import ZmqMesh

    sys.path[:] = list(dict.fromkeys([*sys.path, *config["path"]]))
    names = config["names"]
    if config["threads"] is None:
        parallel.share_cores(len(names))
    else:
        parallel.set_threads(config["threads"])
    mesh = ZmqMesh(config["name"], names)
    address = mesh.bind(place(config, "mesh"))
    facts = {key: str(config[key]) for key in ("protocol", "ring", "f", "dealer")}
    if config["mode"] == "serve":
        return _serve(pipe, config, mesh, address, facts)
    pipe.send({"address": address})
    addresses = pipe.receive(START)["addresses"]
    program = load(config["program"])
    mesh.connect(addresses, facts)
    party = _party(mesh, config, addresses)
    party.listener = lambda facts: pipe.send({"report": freeze(facts, "a report")})
    result = guarded(party, lambda: program(party, **thaw(config["args"])))
    pipe.send({"result": freeze(result, f"the result of {config['name']}")})
    party.close()
    return 0


def _serve(pipe: Any, config: dict[str, Any], mesh: Any, address: str, facts: Any) -> int:
    from mpyc_core.protocols.server import Server
    from mpyc_core.transport.control import ControlServer

    control = ControlServer(place(config, "control"))
    pipe.send({"address": address, "control": control.address})
    addresses = pipe.receive(START)["addresses"]
    mesh.connect(addresses, facts)
    party = _party(mesh, config, addresses)
    try:
        Server(party, control).serve()
    finally:
        party.close()
        control.close()
    return 0


def place(config: dict[str, Any], what: str) -> str:
    """An address of a local process: a socket in the launcher's private folder, or a port."""
    if config["tcp"]:
        return "tcp://127.0.0.1:0"
    path = f"{config['folder']}/{what}{[*config['names'], config['name']].index(config['name'])}"
    return f"ipc://{path}" if len(path) < IPC_BYTES else "tcp://127.0.0.1:0"


def _party(mesh: Any, config: dict[str, Any], addresses: dict[str, str]) -> Any:
    """The party of a local process, with its crypto provider."""
    from mpyc_core.protocols.dealt.client import DealerClient

    provider, dealer = None, config["dealer"]
    if dealer is not None:
        provider = DealerClient(
            dealer,
            addresses[dealer],
            party=config["name"],
            names=config["names"],
            busy=mesh.busy(),
        )
    settings = {key: config[key] for key in ("protocol", "ring", "f")}
    return make_party(mesh, provider=provider, **settings)


def make_party(
    mesh: Any,
    protocol: str,
    ring: int | None,
    f: int | None,
    consent: bool = False,
    provider: Any = None,
) -> Any:
    """A party over a connected mesh, with the tensors of the `ml` layer."""
    from mpyc_core.ml.tensor import SecretTensor
    from mpyc_core.protocols.party import Party

    return Party(
        mesh,
        protocol=protocol,
        ring=ring,
        f=f,
        wrap=SecretTensor,
        consent=consent,
        provider=provider,
    )


def guarded(party: Any, work: Callable[[], Any]) -> Any:
    """Run a program; whatever it raises ends the session at every party.

    An exception of the program itself may hold private data, so the peers learn its type and line
    only; the full traceback goes to this party's own stderr.
    """
    try:
        return work()
    except MpcError as error:
        if error.party is None:
            error.party = party.name
        party.abort(error)
        party.close()
        raise
    except Exception as error:
        traceback.print_exc()
        last = traceback.extract_tb(error.__traceback__)[-1]
        report = MpcError(
            f"the program raised {type(error).__name__} at {last.filename}:{last.lineno}; the "
            "party's own log has the details",
            party=party.name,
        )
        party.abort(report)
        party.close()
        raise report from error
