"""`VirtualNode`: a node in this process, for lessons, tests and Duets on one machine."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from mpyc_core.transport.curve import Identity

from .client import Client
from .link import LocalLink
from .node import Node
from .owner import Owner


@cache
def me() -> Identity:
    """Who this process is to virtual nodes."""
    return Identity.fresh()


class VirtualNode(Client):
    """A node that lives in this process, and the connection of this process to it.

    It is the same machine as `mpc node` runs, without a network: the same commands, checks, budgets
    and log. Whoever can run code in this process could reach behind it, so it protects lessons and
    tests, not data.

    Parameters
    ----------
    name : by which people know it.
    folder : keys and state on the disk; in memory when None.
    options : of `Node`.

    Example
    -------
    >>> import mpyc_core as mpc
    >>> clinic = mpc.VirtualNode("May Clinic")
    >>> clinic.owner.load("ages", [34, 51, 47], tags=["#ages"]).shape
    (3,)
    """

    def __init__(self, name: str, folder: str | Path | None = None, **options: Any) -> None:
        self.node = Node(name, None if folder is None else Path(folder), **options)
        super().__init__(LocalLink(self.node, me().public))
        self.owner = Owner(LocalLink(self.node, self.node.owner))

    def connect(self, identity: Identity | None = None) -> Client:
        """Another client; with an identity of its own."""
        return Client(LocalLink(self.node, (identity or Identity.fresh()).public))

    def close(self) -> None:
        """Close the connections and the node's state."""
        super().close()
        self.owner.close()
        self.node.close()
