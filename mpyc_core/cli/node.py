"""`mpc node`: a data owner's node: data sets and requests behind an address."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mpyc_core.grid.node import Node
    from mpyc_core.grid.web.serving import WebPage

LOOPBACK = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--name and --data; who may connect, and where."""
    parser.add_argument("--name", required=True, help="by which people know the node")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder of keys and state"
    )
    parser.add_argument(
        "--address", default="tcp://127.0.0.1:0", help="where to listen (default: %(default)s)"
    )
    parser.add_argument(
        "--host",
        help="this machine's address for other nodes in computations among nodes, such as "
        "192.0.2.7 (default: that of --address, or this machine alone)",
    )
    parser.add_argument(
        "--admit",
        action="append",
        default=[],
        metavar="NAME=KEY",
        help="let a client in by its public key; may be given several times, and is remembered",
    )
    parser.add_argument(
        "--open", action="store_true", help="let everybody in: policies alone decide who gets what"
    )
    parser.add_argument(
        "--web",
        nargs="?",
        const=0,
        type=int,
        metavar="PORT",
        help="show the owner's web page, on loopback; port 0 or none takes a free one",
    )


def main(options: argparse.Namespace) -> int:
    """Serve until stopped."""
    from mpyc_core.errors import ConfigError
    from mpyc_core.grid.connect import Guests, ticket
    from mpyc_core.grid.node import Node
    from mpyc_core.grid.server import NodeServer

    node = Node(options.name, options.data)
    try:
        node.host = _host(options.host, options.address)
        guests = Guests(options.data / "guests")
        for pair in options.admit:
            name, mark, key = pair.partition("=")
            if not mark:
                raise ConfigError(f"expected --admit NAME=KEY, got {pair!r}")
            guests.add(name, key)
        server = NodeServer(node, options.address, (lambda key: True) if options.open else guests)
        line = ticket(server.address, node.keys.identity.public)
        (options.data / "ticket").write_text(line + "\n")
        print(f"node {node.name!r} listens; connect with\n{line}", flush=True)
        print(f"its owner's key is {options.data / 'curve.key'}", file=sys.stderr, flush=True)

        page = None if options.web is None else _show_page(node, options.web)

        def stop(*_: Any) -> None:
            server.stop()

        threading.Thread(target=_load_mechanisms, daemon=True).start()
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        server.serve()
        if page is not None:
            page.close()
    finally:
        node.close()
    return 0


def _host(host: str | None, address: str) -> str:
    """Where the node listens for other nodes.

    Raises
    ------
    ConfigError : --host is no address that others can be told.
    """
    from mpyc_core.errors import ConfigError

    anywhere = ("", "*", "0.0.0.0", "[::]", "::")
    if host is not None:
        if host in anywhere or "/" in host or any(c.isspace() for c in host):
            raise ConfigError(f"other nodes cannot connect to {host!r}; give --host an address")
        return f"[{host}]" if ":" in host and not host.startswith("[") else host
    own = address.removeprefix("tcp://").rpartition(":")[0] if address.startswith("tcp://") else ""
    return LOOPBACK if own in anywhere else own


def _show_page(node: Node, port: int) -> WebPage:
    """The owner's web page, with a token that is printed for the owner alone."""
    from mpyc_core.errors import ConfigError

    try:
        from mpyc_core.grid.web.serving import WebPage
    except ImportError:
        raise ConfigError("the web page needs Flask: pip install 'mpyc-core[grid]'") from None
    page = WebPage(node, port=port)
    print(f"its page is {page.address}, the token {page.token}", file=sys.stderr, flush=True)
    return page


def _load_mechanisms() -> None:
    """Loading what draws noise takes seconds: the first release should not wait for it."""
    from mpyc_core.errors import ConfigError
    from mpyc_core.privacy.opendp import opendp

    with suppress(ConfigError):  # not installed: releases with noise will say so
        opendp()
