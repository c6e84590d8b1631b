"""Serving the page beside a node, in a thread of its own."""

from __future__ import annotations

import threading

from werkzeug.serving import WSGIRequestHandler, make_server

from mpyc_core.errors import ConfigError
from mpyc_core.grid.node import Node
from mpyc_core.grid.registry import RegistryNode

from .app import create_app
from .door import LOOPBACK
from .guard import fresh_token
from .hub import create_hub


class _Quiet(WSGIRequestHandler):
    """Requests are not written to the terminal: addresses of requests stand in them."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing."""


class WebPage:
    """The page of a node at an address.

    Parameters
    ----------
    node : the machine.
    host : a loopback address, for connections are not encrypted; reach it from elsewhere through a
        tunnel, for instance `ssh -L 8080:127.0.0.1:8080 machine`.
    port : 0 takes a free one.

    Raises
    ------
    ConfigError : not a loopback address, or the port is in use.
    """

    def __init__(self, node: Node, host: str = "127.0.0.1", port: int = 0) -> None:
        if host not in LOOPBACK:
            raise ConfigError(
                f"the page is served on loopback alone, not on {host}: it is not encrypted; use a "
                "tunnel, for instance ssh -L 8080:127.0.0.1:8080"
            )
        self.token = token = fresh_token()
        app = create_hub(node, token) if isinstance(node, RegistryNode) else create_app(node, token)
        try:
            self._server = make_server(host, port, app, threaded=True, request_handler=_Quiet)
        except (OSError, SystemExit):
            raise ConfigError(f"port {port} of {host} is in use; choose another one") from None
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, name="web page")
        self._thread.daemon = True
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
