"""Parties of a real cluster: run a program as one, serve sessions, or connect to servers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mpyc_core.errors import ConfigError, Disconnected, MpcError, RequestDenied
from mpyc_core.fixed import default_f
from mpyc_core.protocols.choice import default_ring
from mpyc_core.protocols.dealt.appoint import require_provider
from mpyc_core.protocols.registry import get_protocol
from mpyc_core.protocols.session import Session
from mpyc_core.ring import ring as ring_of
from mpyc_core.transport.cluster import Cluster, load_cluster
from mpyc_core.transport.curve import Identity, load_identity

from .party import guarded, make_party
from .program import load
from .progress import progress_bar
from .run import arguments


def _identity(cluster: Cluster, name: str, config: Path, key: Path | None) -> Identity | None:
    """This party's secret key; None in a cluster on one machine that names no keys."""
    if not cluster.keys:
        return None
    return load_identity(key or config.parent / f"{name}.key")


def read_cluster(config: Path) -> Cluster:
    """A cluster file whose ring and scale, where it names none, are those of its protocol.

    So peers compare numbers, whether a file leaves them out or spells them.
    """
    cluster = load_cluster(config)
    try:
        protocol = get_protocol(cluster.protocol, len(cluster.names))
        ring = default_ring(protocol) if cluster.ring is None else cluster.ring
        f = default_f(ring_of(ring)) if cluster.f is None else cluster.f
    except ConfigError as error:
        raise ConfigError(f"{config}: {error.message}") from error
    return replace(cluster, ring=ring, f=f)


def check_dealer(cluster: Cluster, config: Path) -> str | None:
    """The name of a cluster's crypto provider; its protocol needs one, or must have none."""
    name = None if cluster.dealer is None else cluster.dealer.name
    try:
        return require_provider(
            get_protocol(cluster.protocol, len(cluster.names)), cluster.names, name
        )
    except ConfigError as error:
        raise ConfigError(f"{config}: {error.message}") from error


def _party(cluster: Cluster, mesh: Any, identity: Identity | None, consent: bool = False) -> Any:
    """This party over a connected mesh, with the cluster's crypto provider."""
    from mpyc_core.protocols.dealt.client import DealerClient

    provider, dealer = None, cluster.dealer
    if dealer is not None:
        provider = DealerClient(
            dealer.name,
            dealer.address,
            party=mesh.names[mesh.me],
            names=cluster.names,
            limits=cluster.limits,
            identity=identity,
            key=dealer.public_key,
            busy=mesh.busy(),
        )
    return make_party(mesh, cluster.protocol, cluster.ring, cluster.f, consent, provider)


def _mesh(cluster: Cluster, name: str, identity: Identity | None) -> Any:
    """A bound, not yet connected mesh."""
    from mpyc_core.transport.zmq import ZmqMesh

    entry = cluster.party(name)
    keys = cluster.keys if identity is not None else None
    mesh = ZmqMesh(name, cluster.names, limits=cluster.limits, identity=identity, keys=keys)
    mesh.bind(entry.listens_at)
    return mesh


def run(name: str, config: Path, key: Path | None, place: str, pairs: list[str]) -> int:
    """Run `program(party, **arguments)` as one party of a cluster."""
    cluster = read_cluster(config)
    check_dealer(cluster, config)
    program = load(place)
    args = arguments(pairs)
    identity = _identity(cluster, name, config, key)
    mesh = _mesh(cluster, name, identity)
    try:
        others = ", ".join(n for n in cluster.names if n != name)
        print(f"{name}: waiting for {others}", file=sys.stderr)
        mesh.connect(cluster.addresses, cluster.facts)
        party = _party(cluster, mesh, identity)
        with progress_bar(f"{name}: running {place}") as bar:
            party.listener = lambda facts: bar(**facts)
            result = guarded(party, lambda: program(party, **args))
    finally:
        mesh.close()
    if result is not None:
        from rich.pretty import pprint

        pprint(result, expand_all=False)
    return 0


def serve(name: str, config: Path, key: Path | None, place: str | None) -> int:
    """Take sessions, one after the other, until stopped."""
    from mpyc_core.transport.control import ControlServer

    cluster = read_cluster(config)
    check_dealer(cluster, config)
    identity = _identity(cluster, name, config, key)
    entry = cluster.party(name)
    if entry.control_at is None:
        raise ConfigError(
            f"party {name!r} has no control address in {config}; add control = "
            '"tcp://host:port" to its table to take sessions'
        )
    offer = load(place, "offer") if place else None
    drivers = tuple(cluster.drivers.values()) if identity is not None else None
    control = ControlServer(entry.control_at, identity=identity, drivers=drivers)
    print(f"{name}: taking sessions at {control.address}", file=sys.stderr)
    try:
        while True:
            _serve_one(cluster, name, identity, control, offer)
    finally:
        control.close()


def _serve_one(
    cluster: Cluster,
    name: str,
    identity: Identity | None,
    control: Any,
    offer: Callable[[Any], Any] | None,
) -> None:
    """One session; its end, whatever the reason, leaves this server ready for the next."""
    from mpyc_core.protocols.server import Server

    try:
        header, _ = control.receive()
    except Disconnected:
        return
    if header.get("do") != "hello":
        error = RequestDenied(f"{name} is in no session yet; open one first", party=name)
        control.reply({"error": error.to_wire(), "fatal": True})
        return
    mesh = None
    party = None
    try:
        mesh = _mesh(cluster, name, identity)
        mesh.connect(cluster.addresses, cluster.facts)
        party = _party(cluster, mesh, identity, consent=True)
        if offer is not None:
            offer(party)
        control.reply({"protocol": cluster.protocol, "ring": cluster.ring, "f": party.f})
        server = Server(party, control, on_result=_show)
        server.serve()
        print(f"{name}: the session has ended", file=sys.stderr)
    except MpcError as error:
        if party is None:
            control.reply({"error": error.to_wire(), "fatal": True})
        print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
        control.forget()
    finally:
        if party is not None:
            party.close()
        elif mesh is not None:
            mesh.close()


def _show(meta: Any, result: Any) -> None:
    """Values opened to this party go to its own screen."""
    print(f"opened to this party: {meta}\n{result}")


def connect_session(
    config: str, wrap: Callable[[Any], Any], crypto_provider: str | None = None
) -> Session:
    """A session with the servers of a cluster file; the key is the first driver's, beside it."""
    from mpyc_core.transport.control import ControlClient

    path = Path(config)
    cluster = read_cluster(path)
    dealer = check_dealer(cluster, path)
    if crypto_provider not in (None, dealer):
        raise ConfigError(
            f"the crypto provider of {path} is {dealer or 'nobody'}, not {crypto_provider!r}; "
            "leave crypto_provider out, or have all parties change their cluster files"
        )
    missing = [name for name in cluster.names if name not in cluster.controls]
    if missing:
        raise ConfigError(f"{path} gives no control address of {', '.join(missing)}")
    identity = None
    if cluster.keys:
        name = next((n for n in cluster.drivers if (path.parent / f"{n}.key").is_file()), None)
        if name is None:
            raise ConfigError(
                f"no key of a driver beside {path}; make one with `python -m mpyc_core keys --name "
                "NAME`, and have the parties add its public key under [drivers.NAME]"
            )
        identity = load_identity(path.parent / f"{name}.key")
    keys = cluster.keys if identity is not None else None
    channel = ControlClient(cluster.controls, limits=cluster.limits, identity=identity, keys=keys)
    session = Session(
        channel,
        cluster.names,
        protocol=cluster.protocol,
        ring=cluster.ring,
        f=cluster.f,
        wrap=wrap,
        crypto_provider=dealer,
    )
    try:
        session.greet()
    except BaseException:
        session.close()
        raise
    return session
