"""`mpc node`: a data owner's node: data sets and requests behind an address."""

from __future__ import annotations

import argparse
import threading
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

from .serving import LOOPBACK, add_common_arguments, serve

if TYPE_CHECKING:
    from mpyc_core.grid.node import Node
    from mpyc_core.grid.server import NodeServer

ANYWHERE = ("", "*", "0.0.0.0", "[::]", "::")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--name and --data; who may connect, and where; at which registries."""
    add_common_arguments(parser, "node", "let everybody in: policies alone decide who gets what")
    parser.add_argument(
        "--host",
        help="this machine's address for other nodes in computations among nodes, such as "
        "192.0.2.7 (default: that of --address, or this machine alone)",
    )
    parser.add_argument(
        "--registry",
        action="append",
        default=[],
        metavar="TICKET",
        help="say where the node is, and what data sets it has, at a registry; may be repeated",
    )


def main(options: argparse.Namespace) -> int:
    """Serve until stopped."""
    from mpyc_core.grid.connect import read_ticket
    from mpyc_core.grid.node import Node

    for registry in options.registry:
        read_ticket(registry)
    node = Node(options.name, options.data)
    try:
        node.host = _host(options.host, options.address)
        serve(node, options, partial(_beside, options))
    finally:
        node.close()
    return 0


def _beside(options: argparse.Namespace, node: Node, server: NodeServer, stack: ExitStack) -> None:
    """What goes on while the node serves: registrations, and loading what draws noise."""
    from mpyc_core.grid.connect import connect_node
    from mpyc_core.grid.registered import Registration

    host, _, port = server.address.removeprefix("tcp://").rpartition(":")
    address = server.address
    if address.startswith("tcp://") and host in ANYWHERE:
        address = f"tcp://{node.host}:{port}"
    for registry in options.registry:
        dial = partial(connect_node, registry, identity=node.keys.identity)
        stack.callback(Registration(node, address, dial).close)
    threading.Thread(target=_load_mechanisms, daemon=True).start()


def _host(host: str | None, address: str) -> str:
    """Where the node listens for other nodes.

    Raises
    ------
    ConfigError : --host is no address that others can be told.
    """
    from mpyc_core.errors import ConfigError

    if host is not None:
        if host in ANYWHERE or "/" in host or any(c.isspace() for c in host):
            raise ConfigError(f"other nodes cannot connect to {host!r}; give --host an address")
        return f"[{host}]" if ":" in host and not host.startswith("[") else host
    own = address.removeprefix("tcp://").rpartition(":")[0] if address.startswith("tcp://") else ""
    return LOOPBACK if own in ANYWHERE else own


def _load_mechanisms() -> None:
    """Loading what draws noise takes seconds: the first release should not wait for it."""
    from mpyc_core.errors import ConfigError
    from mpyc_core.privacy.opendp import opendp

    with suppress(ConfigError):  # not installed: releases with noise will say so
        opendp()
