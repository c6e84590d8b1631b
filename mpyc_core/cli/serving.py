"""What `mpc node` and `mpc registry` share: an address, who may connect, a web page, an end."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mpyc_core.grid.node import Node
    from mpyc_core.grid.server import NodeServer

LOOPBACK = "127.0.0.1"


def add_common_arguments(parser: argparse.ArgumentParser, what: str, everybody: str) -> None:
    """--name, --data, --address, --admit, --open and --web."""
    parser.add_argument("--name", required=True, help=f"by which people know the {what}")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder of keys and state"
    )
    parser.add_argument(
        "--address", default="tcp://127.0.0.1:0", help="where to listen (default: %(default)s)"
    )
    parser.add_argument(
        "--admit",
        action="append",
        default=[],
        metavar="NAME=KEY",
        help="let somebody in by a public key; may be given several times, and is remembered",
    )
    parser.add_argument("--open", action="store_true", help=everybody)
    parser.add_argument(
        "--web",
        nargs="?",
        const=0,
        type=int,
        metavar="PORT",
        help="show a web page, on loopback; port 0 or none takes a free one",
    )


def serve(
    node: Node,
    options: argparse.Namespace,
    beside: Callable[[Node, NodeServer, ExitStack], None] | None = None,
) -> None:
    """Serve until stopped.

    Parameters
    ----------
    beside : begins what goes on meanwhile; its end goes on the stack.
    """
    from mpyc_core.errors import ConfigError
    from mpyc_core.grid.connect import Guests, ticket
    from mpyc_core.grid.server import NodeServer

    guests = Guests(options.data / "guests")
    for pair in options.admit:
        name, mark, key = pair.partition("=")
        if not mark:
            raise ConfigError(f"expected --admit NAME=KEY, got {pair!r}")
        guests.add(name, key)
    node.names = guests.read
    server = NodeServer(node, options.address, (lambda key: True) if options.open else guests)
    line = ticket(server.address, node.keys.identity.public)
    (options.data / "ticket").write_text(line + "\n")
    print(f"{node.kind} {node.name!r} listens; connect with\n{line}", flush=True)
    print(f"its owner's key is {options.data / 'curve.key'}", file=sys.stderr, flush=True)
    with ExitStack() as stack:
        if options.web is not None:
            _show_page(node, options.web, stack)

        def stop(*_: Any) -> None:
            server.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        if beside is not None:
            beside(node, server, stack)
        server.serve()


def _show_page(node: Node, port: int, stack: ExitStack) -> None:
    """The web page, with a token that is printed for who runs this alone."""
    from mpyc_core.errors import ConfigError

    try:
        from mpyc_core.grid.web.serving import WebPage
    except ImportError:
        raise ConfigError("the web page needs Flask: pip install 'mpyc-core[grid]'") from None
    page = WebPage(node, port=port)
    stack.callback(page.close)
    print(f"its page is {page.address}, the token {page.token}", file=sys.stderr, flush=True)
