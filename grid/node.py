"""`Node`: the machine of a data owner: its keys, durable state, objects, and what it can be told.

Everything that enters is a typed command of an authenticated client; everything that leaves goes
through `release`. The node knows no network: an in-process link and a server over ZeroMQ both call
`handle`.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mpyc_core.errors import ConfigError, MpcError
from mpyc_core.privacy.budget import Ledger
from mpyc_core.privacy.price import Price

from . import checks, commands
from .accounts import Accounts
from .audit import AuditLog
from .canonical import decode, encode
from .cards import PURPOSE, Card
from .commands import Reply, Visit
from .graph import DATA, SENT, Expr
from .keys import NodeKeys, load_keys
from .spec import Array, Spec, from_wire, to_wire
from .state import State
from .store import LEASE, QUOTA, Objects, Stored
from .uploads import Uploads


class Taken(Protocol):
    """This node's part in a computation among nodes."""

    caller: str

    def leave(self) -> None:
        """Its client has left."""

    def join(self, seconds: float = ...) -> bool:
        """Wait until it is over; whether it is."""


EXACT = "exact results"
"""The account of releases without noise; its price is none, its records are kept alike."""


class Node:
    """One data owner's node.

    Parameters
    ----------
    name : by which people know it.
    folder : keys and durable state; None keeps both in memory.
    owner : public key of who may load data and answer requests; the node's own key when None.
    lease, quota : seconds and bytes that a client's objects may take.

    Raises
    ------
    ConfigError : the name is not one line, or the folder belongs to another node or process.
    """

    kind = "node"

    def __init__(
        self,
        name: str,
        folder: Path | None = None,
        *,
        owner: str | None = None,
        lease: float = LEASE,
        quota: int = QUOTA,
    ) -> None:
        if not checks.name(name):
            raise ConfigError(f"expected a name of one line, at most 128 characters, got {name!r}")
        self.name = name
        self.lock = threading.RLock()
        self.state = State(folder)
        try:
            self.keys = NodeKeys.fresh() if folder is None else load_keys(folder)
            self._remember_name()
        except BaseException:
            self.state.close()
            raise
        self.owner = owner or self.keys.identity.public
        self.objects = Objects(lease, quota)
        self.uploads = Uploads(quota)
        self.accounts = Accounts(self.state)
        self.audit = AuditLog(self.state, self.keys)
        self.ledger = Ledger(self.accounts)
        self.ledger.open_account(EXACT, Price())
        self.watchers: list[Callable[[str], None]] = []
        self.names: Callable[[], Mapping[str, str]] = dict
        """{public key: name} of those who were let in, where names are kept."""
        self.host = "127.0.0.1"
        self.seats: dict[str, Taken] = {}
        self._leaving: list[Taken] = []
        self._recover()

    def _remember_name(self) -> None:
        name, kind = (self.state.fact(fact) for fact in ("name", "kind"))
        if name is not None and name.decode() != self.name:
            raise ConfigError(f"the folder belongs to {name.decode()!r}, not to {self.name!r}")
        if kind is not None and kind.decode() != self.kind:
            raise ConfigError(f"the folder is that of a {kind.decode()}, not of a {self.kind}")
        with self.state.transaction():
            self.state.set_fact("name", self.name.encode())
            self.state.set_fact("kind", self.kind.encode())

    # -- commands -------------------------------------------------------------------------------
    def handle(
        self, visit: Visit, number: int, header: Mapping[str, Any], arrays: Sequence[Array]
    ) -> Reply:
        """Carry out one command; what it changed is on the disk when this returns.

        Raises
        ------
        MpcError : refused or failed; the message holds no data.
        """
        with self.lock:
            visit.number = number
            try:
                found = commands.check(header, arrays)
                self.objects.heard(visit.caller)
                self._free(visit.caller, header.get("free", ()))
                commands.allow(self, visit, found)
                return found.handler(self, visit, header, arrays)
            except MpcError as error:
                self.note(visit, error)
                raise
            except Exception:
                traceback.print_exc()
                failure = MpcError("the node failed; its own log has the details", party=self.name)
                self.note(visit, failure)
                raise failure from None

    def note(self, visit: Visit, result: str | MpcError) -> None:
        """Remember what a command made, so that later ones can refer to it by number."""
        visit.results[visit.number] = result
        while len(visit.results) > commands.REMEMBERED:
            del visit.results[next(iter(visit.results))]

    def _free(self, caller: str, keys: Sequence[str]) -> None:
        """A client's own handles are gone; what is durable stays."""
        for key in keys:
            found = self.objects.find(key)
            if found is not None and found.holder == caller and not found.durable:
                self.objects.drop(key)

    def resolve(self, visit: Visit, reference: str | int) -> str:
        """The id that a reference means.

        Raises
        ------
        MpcError : the earlier command that it means failed; for the same reason.
        """
        if isinstance(reference, str):
            return reference
        found = visit.results.get(reference, "")
        if isinstance(found, MpcError):
            raise found
        return found

    # -- durable objects ------------------------------------------------------------------------
    def persist(self, stored: Stored, instead_of: str = "") -> None:
        """Write an object that survives a restart, in the place of an older version of it."""
        body = {
            "holder": stored.holder,
            "owners": sorted(stored.owners),
            "cards": sorted(stored.cards),
            "tags": stored.tags,
            "description": stored.description,
            "searchable": stored.searchable,
            "spec": to_wire(stored.spec),
            "leaf": stored.graph.op,
        }
        with self.state.transaction():
            row = (stored.id, stored.version, encode(body))
            self.state.run("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", *row)
            value = np.ascontiguousarray(stored.value)
            self.state.put_blob(f"object {stored.version}", value.reshape(-1).view(np.uint8).data)
            if instead_of:
                self.state.drop_blob(f"object {instead_of}")

    def forget(self, stored: Stored) -> None:
        """Drop an object, also from the disk."""
        with self.state.transaction():
            self.state.run("DELETE FROM objects WHERE id = ?", stored.id)
            self.state.drop_blob(f"object {stored.version}")
        self.objects.drop(stored.id)

    def _recover(self) -> None:
        """Take up the durable objects of an earlier process; arrays that nothing names go."""
        with self.state.transaction():
            self.state.run(
                "DELETE FROM blobs WHERE id LIKE 'object %' AND substr(id, 8) NOT IN "
                "(SELECT version FROM objects)"
            )
        for key, version, packed in self.state.rows("SELECT id, version, body FROM objects"):
            body = decode(packed)
            spec = from_wire(body["spec"])
            value = self.array(f"object {version}", spec)
            params = {"id": key, "version": version}
            if body["leaf"] == SENT:
                graph = self.sent(body["holder"], key, version, value)
            else:
                graph = Expr(self.keys, DATA, params, (), spec)
            self.objects.add(
                Stored(
                    id=key,
                    version=version,
                    value=value,
                    holder=body["holder"],
                    owners=frozenset(body["owners"]),
                    cards=frozenset(body["cards"]),
                    graph=graph,
                    tags=tuple(body["tags"]),
                    description=body["description"],
                    searchable=body["searchable"],
                    durable=True,
                )
            )

    def array(self, blob: str, spec: Spec) -> Array:
        """An array that was kept as a blob.

        Raises
        ------
        ConfigError : it is missing or of another size; the state was changed outside.
        """
        data = self.state.blob(blob)
        if data is None or len(data) != np.dtype(spec.dtype).itemsize * int(np.prod(spec.shape)):
            raise ConfigError(f"the state of {self.name} is damaged: {blob} is missing or cut")
        return np.frombuffer(data, spec.dtype).reshape(spec.shape)

    # -- data sets ------------------------------------------------------------------------------
    def card(self, key: str) -> Card:
        """The card of a data set."""
        found = self.state.row("SELECT body, signature FROM cards WHERE id = ?", key)
        if found is None:
            raise ConfigError(f"{self.name} has no data set {key}")
        return Card.from_wire(decode(found[0]), found[1], self.keys.public)

    def cards(self) -> list[tuple[Card, bytes]]:
        """All cards with their signatures."""
        rows = self.state.rows("SELECT body, signature FROM cards ORDER BY id")
        return [(Card.from_wire(decode(b), s, self.keys.public), s) for b, s in rows]

    def put_card(self, card: Card, terms: Mapping[str, Any]) -> None:
        """Sign a card and keep it; `terms` is what only the node knows of it."""
        body = card.to_wire()
        self.state.run(
            "INSERT OR REPLACE INTO cards VALUES (?, ?, ?, ?, ?)",
            card.id,
            card.version,
            encode(body),
            self.keys.sign(PURPOSE, body),
            encode(terms),
        )

    def sent(self, holder: str, key: str, version: str, value: Array) -> Expr:
        """The graph of what somebody sent, which counts as the sender's memory."""
        params = {"id": key, "version": version, "sender": holder}
        leaf = Expr(self.keys, SENT, params, (), Spec.of(value), value)
        return self.objects.hold(holder, leaf)

    # -- computations among nodes ---------------------------------------------------------------
    def trusted(self) -> dict[str, str]:
        """{public key: name} of the nodes that may hold shares of the owner's data."""
        found = self.state.fact("trusted")
        return {} if found is None else dict(decode(found))

    def trust(self, name: str, key: str) -> None:
        """Let a node hold shares of the owner's data."""
        with self.state.transaction():
            self.state.set_fact("trusted", encode({**self.trusted(), key: name}))
            self.audit.append("trusted", name=name, key=key)

    def unseat(self, session: str, caller: str) -> None:
        """End this node's part in a computation of the caller."""
        found = self.seats.get(session)
        if found is not None and found.caller == caller:
            self._leaving = [x for x in self._leaving if not x.join(0)]
            self._leaving.append(self.seats.pop(session))
            found.leave()

    def leave(self, visit: Visit) -> None:
        """A connection is over, and with it what it drove."""
        with self.lock:
            visit.downloads.clear()
            for session in list(visit.seats):
                self.unseat(session, visit.caller)

    def announce(self, event: str) -> None:
        """Tell those who watch, for instance a page that shows pending requests."""
        for watcher in tuple(self.watchers):
            watcher(event)

    def close(self) -> None:
        """Close the state; safe to call twice."""
        with self.lock:
            leaving, self._leaving = [*self._leaving, *self.seats.values()], []
            for found in self.seats.values():
                found.leave()
            self.seats.clear()
        for found in leaving:
            found.join()
        with self.lock:
            self.state.close()
