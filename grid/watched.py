"""What a seat hears and notes: the mailbox of its client, and how each value was made."""

from __future__ import annotations

import itertools
import queue
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mpyc_core.errors import Disconnected
from mpyc_core.meta import Meta
from mpyc_core.privacy.label import Label
from mpyc_core.privacy.label import constant as label_constant
from mpyc_core.privacy.transfer import LabelTable
from mpyc_core.protocols.backend import decode
from mpyc_core.protocols.command import Command
from mpyc_core.protocols.command import from_wire as command_from_wire
from mpyc_core.protocols.party import Party
from mpyc_core.protocols.server import Reply, Server
from mpyc_core.protocols.value import Public

from .graph import Expr, constant
from .heads import pack_head, witness
from .keys import NodeKeys, fresh_id
from .sharedlabels import label_of_input, unknown
from .spec import BOOL, FLOAT, INT, NAMES, Array, Spec

if TYPE_CHECKING:
    from .seat import Seat

KINDS = {"bit": BOOL, "int": INT, "fixed": FLOAT}
PREFIX = "mpc "
"""Before the names of operations on shares, which nodes do not carry out alone."""


class Mailbox:
    """Messages of the client, and the answers to them."""

    def __init__(self) -> None:
        self.inbox: queue.SimpleQueue[tuple[dict[str, Any], list[Array]] | None] = (
            queue.SimpleQueue()
        )
        self.answers: deque[tuple[dict[str, Any], list[Array]]] = deque()

    def receive(self, timeout: float | None = None) -> tuple[dict[str, Any], list[Array]]:
        """The next message of the client."""
        found = self.inbox.get(timeout=timeout)
        if found is None:
            raise Disconnected("the client has left")
        return found

    def reply(self, header: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
        """Answer the oldest unanswered message."""
        self.answers.append((header, [np.ascontiguousarray(x).reshape(x.shape) for x in arrays]))


@dataclass(frozen=True)
class Noised:
    """A value that the parties made noisy.

    Parameters
    ----------
    label : of the value before.
    draw : the number of the draw in this computation. It is what is paid for: a driver may free an
        id and use it again, for another draw.
    """

    label: Label
    draw: int


class Watched(Server):
    """A server that notes what every value was made of."""

    def __init__(self, party: Party, mailbox: Mailbox, seat: Seat) -> None:
        super().__init__(party, mailbox, seat.keep)
        self.seat = seat
        self.graphs: dict[int, Expr] = {}
        self.labels = LabelTable(party.ring.bits)
        self.noised: dict[int, Noised] = {}
        self._draws = itertools.count()
        self.opening: int | None = None

    def _answer(self, header: Mapping[str, Any], arrays: list[Array]) -> Reply:
        for key in header.get("free", ()):
            self.graphs.pop(int(key), None)
            self.labels.free([int(key)])
            self.noised.pop(int(key), None)
        return super()._answer(header, arrays)

    def _run(self, header: Mapping[str, Any], arrays: list[Array]) -> Reply:
        found = super()._run(header, arrays)
        for packed in header["commands"]:
            self._note(command_from_wire(packed, arrays))
        return found

    def _note(self, command: Command) -> None:
        """The graph of each result, with its constants."""
        keys = self.seat.node.keys
        below = [
            _constant(keys, x) if isinstance(x, Public) else self.graphs[x] for x in command.inputs
        ]
        params = {key: _plain(value) for key, value in command.params.items()}
        values = self.party.evaluator.values
        self.labels.run(
            command.op,
            command.params,
            [
                (label_constant(decode(x.value, x.meta)), x.meta)
                if isinstance(x, Public)
                else (x, values[x].meta)
                for x in command.inputs
            ],
            [(key, values[key].meta) for key in command.outputs],
        )
        if command.op == "add_discrete_laplace" and not isinstance(command.inputs[0], Public):
            before = self.labels.get(command.inputs[0])
            self.noised[command.outputs[0]] = Noised(before, next(self._draws))
        for place, key in enumerate(command.outputs):
            meta = self.party.evaluator.values[key].meta
            where = {**params, "result": place} if len(command.outputs) > 1 else params
            self.graphs[key] = Expr(keys, PREFIX + command.op, where, below, spec_of(meta))

    def _put(self, header: Mapping[str, Any], arrays: list[Array]) -> Reply:
        found = super()._put(header, arrays)
        key = int(header["id"])
        meta = self.party.evaluator.values[key].meta
        params = {"value": key, "version": fresh_id()}  # ids of values can be used again
        self.labels.put(key, unknown(self.seat.plan.id, key))
        keys = self.seat.node.keys
        self.graphs[key] = Expr(keys, PREFIX + "shared by the requester", params, (), spec_of(meta))
        return found

    def _input(self, header: Mapping[str, Any], arrays: list[Array]) -> Reply:
        name, owner, key = str(header["name"]), str(header["owner"]), int(header["id"])
        mine = self.seat.offered.pop(name, None) if owner == self.party.name else None
        self.seat.read(mine)
        try:
            if mine is not None:
                self.party.offer(name, mine.value)
            found = super()._input(header, arrays)
        finally:  # once for each offer: what comes in a second time would have no label
            self.party.withdraw(name)
        meta = self.party.evaluator.values[key].meta
        params = {"owner": owner, "object": name}
        below = () if mine is None else (mine.graph,)
        self.labels.put(key, label_of_input(self.seat, owner, name, mine, meta))
        self.graphs[key] = Expr(self.seat.node.keys, PREFIX + "input", params, below, spec_of(meta))
        return found

    def _open(self, header: Mapping[str, Any], arrays: list[Array]) -> Reply:
        self.opening = int(header["id"])
        found = super()._open(header, arrays)
        self._exchange_heads()
        return found

    def _exchange_heads(self) -> None:
        """Show the other nodes where the log stands, with the opening; keep where theirs do."""
        node, keys = self.seat.node, self.seat.plan.keys
        with node.lock:
            own = pack_head(node.audit.signed_head())
        for name, octets in self.party.exchange(own, "heads of logs").items():
            witness(node, name, keys[name], octets.tobytes())


def spec_of(meta: Meta) -> Spec:
    """Type and shape of what a shared value means."""
    return Spec(KINDS[meta.kind], meta.shape)


def _constant(keys: NodeKeys, x: Public) -> Expr:
    """A public operand by what it means, or by its bytes where no plain type holds that."""
    value = decode(x.value, x.meta)
    if value.dtype in NAMES:
        return constant(keys, value)
    return Expr(keys, PREFIX + "constant", {"ring": x.value.tobytes()}, (), spec_of(x.meta))


def _plain(value: Any) -> Any:
    """A parameter as plain data; arrays by their content."""
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), value.tobytes()]
    if isinstance(value, Meta):
        return value.to_wire()
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value
