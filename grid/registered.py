"""Connections to a registry: `Registry` to look something up, `Registration` of a node."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from mpyc_core.errors import MpcError

from .client import Client
from .entries import Entry
from .node import Node

EVERY = 30.0
"""Seconds between two signs of life of a node."""
SILENT = 4 * EVERY
"""Seconds without one after which a node counts as silent."""


class Registry(Client):
    """A connection to a registry; `mpc.Grid` searches the nodes of its list."""

    def entries(self, *tags: str) -> list[Entry]:
        """Nodes with a data set that has all of the tags, by name.

        Raises
        ------
        ConsistencyCheckFailed : an entry is not signed by its node.
        """
        found: list[Entry] = []
        after = ""
        while True:
            reply, _ = self.again({"do": "find", "tags": list(tags), "after": after})
            for body, signature, heard in reply["entries"]:
                found.append(Entry.read(body, signature, float(heard)))
            if not reply["more"] or not reply["entries"]:
                return sorted(found, key=lambda entry: entry.name.casefold())
            after = max(entry.curve for entry in found)

    def withdraw(self) -> None:
        """Take back the entry of the node whose key this connection has."""
        self.call({"do": "withdraw"})

    def strike(self, entry: Entry) -> None:
        """Drop a node's entry for good; for the registry's operator."""
        self.call({"do": "strike", "key": entry.curve})


class Registration:
    """Keeps the entry of a node at a registry up to date, in a thread of its own.

    Parameters
    ----------
    node : the machine.
    address : where others reach it.
    dial : connects to the registry, as the node.
    every : seconds between two signs of life; what changes is told at once.
    """

    def __init__(
        self, node: Node, address: str, dial: Callable[[], Client], every: float = EVERY
    ) -> None:
        self._node, self._address, self._dial, self._every = node, address, dial, every
        self._wake, self._over = threading.Event(), threading.Event()
        self._registry: Client | None = None
        self._said = ""
        node.watchers.append(self._changed)
        self._thread = threading.Thread(target=self._run, name="registration", daemon=True)
        self._thread.start()

    def _changed(self, event: str) -> None:
        if event == "cards":
            self._wake.set()

    def _run(self) -> None:
        while not self._over.is_set():
            self._wake.clear()
            try:
                self._tell()
                self._said = ""
            except MpcError as error:
                self._drop()
                if str(error) != self._said:  # once, until something changes
                    print(f"not registered: {error.message}", file=sys.stderr, flush=True)
                self._said = str(error)
            self._wake.wait(self._every)

    def _tell(self) -> None:
        """Send the entry as it is now."""
        if self._registry is None:
            self._registry = self._dial()
        with self._node.lock:
            cards = self._node.cards()
        entry = Entry.signed(self._node.keys, self._node.name, self._address, time.time(), cards)
        header: dict[str, Any] = {"do": "register", "entry": entry.body()}
        self._registry.call({**header, "signature": entry.signature})

    def _drop(self) -> None:
        if self._registry is not None:
            self._registry.close()
        self._registry = None

    def close(self) -> None:
        """Give no more signs of life; the entry stays, so that others know what there was."""
        self._over.set()
        self._wake.set()
        self._thread.join(20)
        self._drop()
