"""`RegistryNode`: a place where nodes say where they are and what data they have, never the data.

A node registers itself, over a connection that proves its key, and says so again every half minute.
Names are taken: the first node that registers under a name keeps it, until the registry's operator
strikes it out. What changes goes to a log that is chained and signed like that of a node.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mpyc_core.errors import PermissionDenied

from . import checks
from .canonical import decode, encode
from .commands import MAX_HEADER, Reply, Visit, action
from .entries import Entry
from .node import Node
from .spec import Array

ALLOWED = frozenset({"hello", "register", "withdraw", "find", "strike", "head", "links", "audit"})
MAX_ENTRIES = 10_000
HOURLY = 3600.0
ENTRY, STRUCK = "entry ", "struck out"


class RegistryNode(Node):
    """The machine of a registry; see `Node` for name, folder and owner, who is its operator."""

    kind = "registry"

    def __init__(self, name: str, folder: Path | None = None, **options: Any) -> None:
        self.heard: dict[str, float] = {}
        super().__init__(name, folder, **options)

    def handle(
        self, visit: Visit, number: int, header: Mapping[str, Any], arrays: Sequence[Array]
    ) -> Reply:
        """Carry out one of the few commands of registries."""
        if header.get("do") not in ALLOWED:
            raise PermissionDenied(
                "this is a registry, which holds no data: connect to a node of its list",
                party=self.name,
            )
        return super().handle(visit, number, header, arrays)

    # -- entries --------------------------------------------------------------------------------
    def entries(self) -> list[Entry]:
        """All of them, by name."""
        with self.lock:
            rows = self.state.rows("SELECT key, value FROM facts WHERE key LIKE 'entry %'")
            found = [self._read(value) for _, value in rows]
        return sorted(found, key=lambda entry: entry.name.casefold())

    def entry(self, curve: str) -> Entry | None:
        """That of the holder of a key."""
        found = self.state.fact(ENTRY + curve)
        return None if found is None else self._read(found)

    def _read(self, packed: bytes) -> Entry:
        body, signature, when = decode(packed)
        return Entry.read(body, signature, max(when, self.heard.get(body["curve"], 0.0)))

    def register(self, caller: str, entry: Entry) -> None:
        """Keep what a node says of itself.

        Raises
        ------
        PermissionDenied : about another node, older than what is known, under a name that is taken,
            or struck out.
        """
        known, now = self.entry(caller), time.time()
        if entry.curve != caller or caller in self.struck():
            raise PermissionDenied("this registry takes no such entry from you", party=self.name)
        if known is not None and (entry.key != known.key or entry.time < known.time):
            raise PermissionDenied("a later entry, or another key, is known", party=self.name)
        for other in self.entries():
            if other.curve != caller and alike(other.name) == alike(entry.name):
                raise PermissionDenied(
                    f"another node is registered as {other.name!r} here", party=self.name
                )
        if known is None and len(self.entries()) >= MAX_ENTRIES:
            raise PermissionDenied("this registry is full", party=self.name)
        self.heard[caller] = now
        same = known is not None and {**known.body(), "time": 0} == {**entry.body(), "time": 0}
        if same and known is not None and entry.time - known.time < HOURLY:
            return
        with self.state.transaction():
            self.state.set_fact(ENTRY + caller, encode([entry.body(), entry.signature, now]))
            if not same:
                cards = sorted(card.name for card in entry.cards)
                self.audit.append("registered", name=entry.name, key=caller, cards=cards)
        self.announce(f"registered {entry.name}")

    def withdraw(self, caller: str) -> None:
        """Drop a node's own entry."""
        self._drop(caller, "withdrawn")

    def _drop(self, curve: str, event: str) -> None:
        found = self.entry(curve)
        with self.state.transaction():
            self.state.run("DELETE FROM facts WHERE key = ?", ENTRY + curve)
            if found is not None:
                self.audit.append(event, name=found.name, key=curve)
        self.heard.pop(curve, None)

    def struck(self) -> frozenset[str]:
        """Keys of nodes that the operator wants no entries of."""
        found = self.state.fact(STRUCK)
        return frozenset() if found is None else frozenset(decode(found))

    def strike(self, curve: str) -> None:
        """Drop the entry of a node, and take none of it any more."""
        with self.state.transaction():
            self.state.set_fact(STRUCK, encode(sorted({*self.struck(), curve})))
            self._drop(curve, "struck out")


def alike(name: str) -> str:
    """A name as people read it: letters that look or sound the same count as one."""
    return unicodedata.normalize("NFKC", name).casefold().replace(" ", "")


def _registry(node: Node) -> RegistryNode:
    if not isinstance(node, RegistryNode):
        raise PermissionDenied("this is no registry", party=node.name)
    return node


# -- commands -----------------------------------------------------------------------------------
@action(
    "register",
    entry=lambda value: type(value) is dict,
    signature=lambda value: type(value) is bytes and len(value) == 64,
)
def register(node: Node, visit: Visit, header: Mapping[str, Any], arrays: Sequence[Array]) -> Reply:
    """Say where one is, and what data sets one has."""
    entry = Entry.read(header["entry"], header["signature"])
    _registry(node).register(visit.caller, entry)
    return {}, []


@action("withdraw")
def withdraw(node: Node, visit: Visit, header: Mapping[str, Any], arrays: Sequence[Array]) -> Reply:
    """Take one's entry back."""
    _registry(node).withdraw(visit.caller)
    return {}, []


@action("find", tags=checks.tags, after=checks.text)
def find(node: Node, visit: Visit, header: Mapping[str, Any], arrays: Sequence[Array]) -> Reply:
    """Entries with a data set that has all the tags, in the order of their keys, some at a time."""
    found: list[list[Any]] = []
    size = 0
    fits = [e for e in _registry(node).entries() if e.fits(header["tags"])]
    for entry in sorted(fits, key=lambda e: e.curve):
        if entry.curve <= header["after"]:
            continue
        size += len(encode(entry.body()))
        if found and size > MAX_HEADER // 2:
            return {"entries": found, "more": True}, []
        found.append([entry.body(), entry.signature, entry.heard])
    return {"entries": found, "more": False}, []


@action("strike", owner=True, key=checks.text)
def strike(node: Node, visit: Visit, header: Mapping[str, Any], arrays: Sequence[Array]) -> Reply:
    """Drop a node's entry for good."""
    _registry(node).strike(header["key"])
    return {}, []
