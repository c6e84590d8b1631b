"""What a client needs of a connection to a node, and the connection within one process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from mpyc_core.errors import FrameError, MpcError, SessionClosed, from_wire
from mpyc_core.transport.plain import pack_map

from .commands import MAX_BESIDE, MAX_HEADER, Reply, Visit
from .node import Node
from .spec import Array


class Pending(Protocol):
    """A command that was sent."""

    @property
    def number(self) -> int:
        """By which later commands of the connection can refer to its result."""

    @property
    def done(self) -> bool:
        """Whether the reply is here."""

    def result(self) -> Reply:
        """The reply; waits for it.

        Raises
        ------
        MpcError : what the node says, or that it cannot be reached.
        """


class Link(Protocol):
    """A connection to a node, as one authenticated client."""

    def submit(self, header: dict[str, Any], arrays: Sequence[Array] = ()) -> Pending:
        """Send a command and go on."""

    def close(self) -> None:
        """End the connection; safe to call twice."""


class _Answered:
    """A command that was carried out when it was sent."""

    done = True

    def __init__(self, number: int, reply: Reply | MpcError) -> None:
        self.number = number
        self._reply = reply

    def result(self) -> Reply:
        """The reply."""
        if isinstance(self._reply, MpcError):
            # a new error each time: raising one twice would chain their tracebacks
            raise from_wire(self._reply.to_wire())
        return self._reply


class LocalLink:
    """A connection to a node in this process.

    Commands go through the same checks as over the network. Arrays are copied by the node where it
    keeps them, and what comes back is read-only.

    Parameters
    ----------
    node : the machine.
    caller : the client's public key. Within one process nothing keeps a program from taking
        another's: for lessons and tests only.
    """

    def __init__(self, node: Node, caller: str) -> None:
        self._node: Node | None = node
        self._visit = Visit(caller)
        self._number = 0

    def submit(self, header: dict[str, Any], arrays: Sequence[Array] = ()) -> Pending:
        """Carry a command out."""
        if self._node is None:
            raise SessionClosed("the connection to the node is closed")
        self._number += 1
        reply: Reply | MpcError
        try:
            pack_map(header, MAX_HEADER)
            if sum(x.nbytes for x in arrays) > MAX_BESIDE:
                raise FrameError(f"arrays beside a command take at most {MAX_BESIDE} bytes")
            reply = self._node.handle(self._visit, self._number, header, arrays)
        except MpcError as error:
            reply = error
        return _Answered(self._number, reply)

    def close(self) -> None:
        """End the connection."""
        if self._node is not None:
            self._node.leave(self._visit)
        self._node = None
