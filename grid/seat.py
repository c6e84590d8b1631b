"""`Seat`: a node as one party of a computation among nodes, driven by a client.

The client's commands come as messages of the node's connection and wait in a mailbox; a thread of
the seat carries them out with the other parties, peer to peer. What each value was made of is noted
here, by this party itself, from the commands that it carries out; nothing of it comes from the
client. Opening a value that holds data of this node's owner, or of another client, needs an
accepted request for exactly the computation that made it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from mpyc_core.errors import MpcError, PermissionDenied
from mpyc_core.meta import Meta
from mpyc_core.ml.tensor import SecretTensor
from mpyc_core.protocols.dealt.client import DealerClient
from mpyc_core.protocols.dealt.server import DealerServer
from mpyc_core.protocols.party import Party
from mpyc_core.protocols.registry import get_protocol
from mpyc_core.transport.zmq import ZmqMesh

from . import approvals
from .graph import Expr
from .inadvance import InAdvance
from .keys import fresh_id
from .release import Wanted
from .sharedlabels import afford, charge_noise, units_of
from .spec import Array, normalised
from .store import Stored
from .watched import PREFIX, Mailbox, Watched

if TYPE_CHECKING:
    from .node import Node

PATIENCE = 20.0
"""Seconds that a node which is closed waits for a party to take leave."""


@dataclass(frozen=True)
class Plan:
    """Who takes part in a computation, as its client says.

    Parameters
    ----------
    id : of the session.
    me, names : this party and all parties, in order.
    keys : public keys of all parties, and of the provider, by name.
    protocol, ring, f : of the session.
    provider : name of the dealer, if there is one.
    """

    id: str
    me: str
    names: tuple[str, ...]
    keys: Mapping[str, str]
    protocol: str
    ring: int
    f: int | None
    provider: str | None


class Seat:
    """This node's part in one computation.

    Parameters
    ----------
    node : the machine.
    caller : the public key of the client that drives it.
    plan : who takes part.

    Raises
    ------
    PermissionDenied : the protocol keeps no secrets.
    ConfigError : no such protocol, or not for so many parties.
    """

    def __init__(self, node: Node, caller: str, plan: Plan) -> None:
        count = len(plan.names)
        if get_protocol(plan.protocol, count).security(count).adversary == "none":
            raise PermissionDenied(
                f"protocol {plan.protocol!r} keeps no secrets; choose another", party=node.name
            )
        self.node, self.caller, self.plan = node, caller, plan
        self.mailbox = Mailbox()
        self.advance = InAdvance(node, caller, plan.id)
        self.offered: dict[str, Stored] = {}
        self.owners: frozenset[str] = frozenset()
        self.cards: frozenset[str] = frozenset()
        self.error: MpcError | None = None
        peers = {name: plan.keys[name] for name in plan.names}
        identity = node.keys.identity
        self._mesh = ZmqMesh(plan.me, plan.names, identity=identity, keys=peers)
        self.address = self._mesh.bind(f"tcp://{node.host}:0")
        self._server: Watched | None = None
        self._thread: threading.Thread | None = None

    # -- taking part ----------------------------------------------------------------------------
    def meet(self, addresses: Mapping[str, str]) -> None:
        """Meet the other parties and take the client's messages, in a thread."""
        self._thread = threading.Thread(target=self._serve, args=(dict(addresses),), daemon=True)
        self._thread.start()

    def _serve(self, addresses: dict[str, str]) -> None:
        plan = self.plan
        facts = {"protocol": plan.protocol, "ring": str(plan.ring), "f": str(plan.f)}
        facts["dealer"] = str(plan.provider)
        party: Party | None = None
        try:
            provider = None
            if plan.provider is not None:
                provider = DealerClient(
                    plan.provider,
                    addresses.pop(plan.provider),
                    party=plan.me,
                    names=plan.names,
                    identity=self.node.keys.identity,
                    key=plan.keys[plan.provider],
                )
            self._mesh.connect(addresses, facts)
            party = Party(
                self._mesh,
                protocol=plan.protocol,
                ring=plan.ring,
                f=plan.f,
                wrap=SecretTensor,
                consent=True,
                on_open=self._may_open,
                provider=provider,
            )
            self._server = Watched(party, self.mailbox, self)
            self._server.serve()
        except MpcError as error:
            self.error = error
            self.mailbox.reply({"error": error.to_wire(), "fatal": True})
        finally:
            if party is not None:
                party.close()
            else:
                self._mesh.close()

    def leave(self) -> None:
        """The client has left."""
        self.mailbox.inbox.put(None)
        if self._thread is None:
            self._mesh.close()

    def join(self, seconds: float = PATIENCE) -> bool:
        """Wait until the parties have taken leave of each other; whether they have."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    # -- data and consent -----------------------------------------------------------------------
    def offer(self, stored: Stored, epsilon: float | None = None) -> None:
        """Let an object of this node be shared among the parties.

        Parameters
        ----------
        epsilon : what people with accounts pay now, for all releases of the computation.

        Raises
        ------
        PermissionDenied : it is not the client's own, and the owner does not trust the others.
        """
        if not (stored.owners <= {self.caller} and not stored.cards):
            trusted = self.node.trusted()
            others = [*self.plan.names, *([self.plan.provider] if self.plan.provider else [])]
            strange = [
                name
                for name in others
                if name != self.plan.me and self.plan.keys[name] not in trusted
            ]
            if strange:
                raise PermissionDenied(
                    f"the owner of this data does not trust {', '.join(strange)} to hold shares of "
                    "it; the owner adds a node with owner.trust(name, key)",
                    party=self.node.name,
                )
        self.offered[stored.id] = self.advance.share(stored, epsilon)

    def read(self, stored: Stored | None) -> None:
        """Note whose data came into the computation from here."""
        if stored is not None:
            self.owners |= stored.owners
            self.cards |= stored.cards

    def keep(self, meta: Meta, value: Array) -> None:
        """What was opened to this node is its owner's from now on."""
        del meta
        key, own = fresh_id(), normalised(value)
        node = self.node
        with node.lock:
            stored = Stored(
                id=key,
                version=key,
                value=own,
                holder=node.owner,
                owners=frozenset({node.owner}),
                cards=frozenset(),
                graph=node.sent(node.owner, key, key, own),
                tags=("#revealed",),
                description=f"opened to this node by the computation {self.plan.id[:8]}",
                durable=True,
            )
            node.persist(stored)
            node.objects.add(stored, limited=False)

    def sensitivity(self, value: int) -> int:
        """By how much one record of this node's data can change a value, in units, all together."""
        if self._server is None:
            return 0
        return units_of(self, self._server.labels.get(value), self.f_of(value))

    def afford(self, value: int, sensitivity: int, epsilon: Fraction, times: int) -> None:
        """Say why this node would not pay for a noisy value `times` times; charges nothing."""
        if self._server is not None:
            meta = self._server.party.evaluator.values[value].meta
            label, count = self._server.labels.get(value), max(1, math.prod(meta.shape))
            afford(self, label, meta.f, sensitivity, epsilon, count, times)

    def f_of(self, value: int) -> int:
        """Fraction bits of a shared value."""
        if self._server is None:
            raise PermissionDenied("no such value in this computation", party=self.node.name)
        return self._server.party.evaluator.values[value].meta.f

    def graph(self, value: int) -> Expr:
        """How a value was made.

        Raises
        ------
        PermissionDenied : there is none of this id.
        """
        found = None if self._server is None else self._server.graphs.get(value)
        if found is None:
            raise PermissionDenied("no such value in this computation", party=self.node.name)
        return found

    def _may_open(self, meta: Meta, target: str) -> bool:
        """This node's consent: asked of every owner of what is opened, before anything is sent."""
        del meta
        if self._server is None or self._server.opening is None:
            return False
        try:
            return self._consents(self._server, self._server.opening, target)
        except MpcError:  # for instance a data set that was removed meanwhile
            return False

    def _consents(self, server: Watched, value: int, target: str) -> bool:
        others = self.owners - {self.caller}
        graph = self.graph(value)
        with self.node.lock:
            if not others:
                self.node.audit.append("opened", who=self.caller, session=self.plan.id, own=True)
                return True
            wanted = Wanted(
                self.caller, "", graph, self.owners, self.cards, None, opening_terms(target)
            )
            if charge_noise(self, server.noised.get(value), value, wanted):
                return True
            with self.node.state.transaction():
                used = approvals.use(self.node, wanted, others)
                self.node.audit.append(
                    "opened",
                    who=self.caller,
                    session=self.plan.id,
                    to=target,
                    graph=graph.digest,
                    approvals=used,
                    cards=sorted(self.cards),
                )
        return True


class Dealing:
    """This node as the crypto provider of a computation: it deals randomness and sees no data.

    Parameters
    ----------
    node : the machine.
    caller : the public key of the client that drives the computation.
    me, names, keys : its name there, the parties in order, and their public keys.
    """

    def __init__(
        self, node: Node, caller: str, me: str, names: Sequence[str], keys: Mapping[str, str]
    ) -> None:
        self.caller = caller
        where, identity = f"tcp://{node.host}:0", node.keys.identity
        self._server = DealerServer(me, names, where, identity=identity, keys=keys)
        self.address = self._server.address
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self._server.serve()
        finally:
            self._server.close()

    def leave(self) -> None:
        """The client has left."""
        self._server.stop()

    def join(self, seconds: float = PATIENCE) -> bool:
        """Wait until it has stopped; whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()


def opening_terms(target: str) -> dict[str, Any]:
    """The parameters of an opening: to whom, and without noise but what the parties made."""
    return {"epsilon": None, "delta": None, "error": None, "to": target}


__all__ = ["PREFIX", "Dealing", "Plan", "Seat", "opening_terms"]
