"""What a party knows about its connection to one peer."""

from __future__ import annotations

import json
import struct
from collections import deque
from enum import IntEnum

import zmq

from mpyc_core.errors import FrameError, MpcError, from_wire

from .frame import PREFIX, SESSION_BYTES, Kind, parse_prefix

NOTICE = struct.Struct("<BxHI")
MAX_ABORT = 1 << 14


class State(IntEnum):
    """What a party says it does when its peers may be waiting for it."""

    WORKING = 1
    WAITING = 2


class Link:
    """The connection to one peer: its route, sequence numbers, and what arrived early."""

    def __init__(self, index: int, name: str) -> None:
        self.index = index
        self.name = name
        self.route = b""
        self.fd = -1
        self.sent = 0
        self.received = 0
        self.backlog: deque[tuple[bytes, zmq.Frame | None]] = deque()
        self.gone = False
        self.left = False
        self.heard = 0.0
        """When the peer last gave a sign of progress."""
        self.elsewhere = False
        """Whether that sign was that it waits for a third party."""

    def take(self, head: bytes, session: bytes) -> Kind:
        """Check where an arrived head comes from and count it.

        Raises
        ------
        FrameError : naming the peer.
        """
        prefix = parse_prefix(head, self.name)
        if prefix.session != session[:SESSION_BYTES]:
            raise FrameError(
                f"{self.name} sent a frame of another session; start all parties anew",
                party=self.name,
            )
        if prefix.sender != self.index:
            raise FrameError(
                f"{self.name} sent a frame as party number {prefix.sender}, expected {self.index}",
                party=self.name,
            )
        self.received += 1
        if prefix.sequence != self.received:
            raise FrameError(
                f"{self.name} sent frame number {prefix.sequence}, expected {self.received}: "
                "a frame was lost, repeated or reordered",
                party=self.name,
            )
        return Kind(prefix.kind)

    def noticed(self, head: bytes, me: int, now: float) -> None:
        """Take in a NOTICE: a peer that works, or waits for somebody else, is not late itself."""
        if len(head) != PREFIX.size + NOTICE.size:
            raise FrameError(f"{self.name} sent a malformed notice", party=self.name)
        state, about, idle = NOTICE.unpack_from(head, PREFIX.size)
        if state == State.WORKING:
            self.heard, self.elsewhere = now, False
        elif state == State.WAITING and about != me:
            self.heard, self.elsewhere = max(self.heard, now - idle / 1000), True


def pack_abort(error: MpcError) -> bytes:
    """The body of an ABORT: the error as JSON, cut to a bounded size."""
    wire = error.to_wire()
    party = wire["party"]
    return json.dumps(
        {
            "type": wire["type"][:64],
            "message": wire["message"][:2000],
            "party": None if party is None else party[:64],
        }
    ).encode()


def parse_abort(body: bytes, sender: str) -> MpcError:
    """Rebuild the error of an ABORT; it carries a party's name, the sender's if it had none.

    Raises
    ------
    FrameError : the body is not an error.
    """
    try:
        data = json.loads(body) if len(body) <= MAX_ABORT else None
    except (ValueError, RecursionError):
        data = None
    if (
        not isinstance(data, dict)
        or data.keys() != {"type", "message", "party"}
        or not isinstance(data["type"], str)
        or not isinstance(data["message"], str)
        or not (data["party"] is None or isinstance(data["party"], str))
    ):
        raise FrameError(f"{sender} sent a malformed abort", party=sender)
    message = data["message"]
    if "(reported by " not in message:
        message = f"{message} (reported by {sender})"
    return from_wire({"type": data["type"], "message": message, "party": data["party"] or sender})
