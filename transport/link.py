"""What a party knows about its connection to one peer."""

from __future__ import annotations

import json
import struct
from collections import deque
from enum import IntEnum
from typing import TYPE_CHECKING

import zmq

from mpyc_core.errors import FrameError, MpcError, from_wire

from .frame import KINDS, PREFIX, SESSION_BYTES, pack_prefix, parse_prefix

if TYPE_CHECKING:
    from .lane import Lane

NOTICE = struct.Struct("<BxHI")
MAX_ABORT = 1 << 14
MAX_MESSAGE = 2000


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
        self.lane: Lane | None = None
        """What carries the frames, where both parties are on one machine."""
        self.gone = False
        self.left = False
        self.heard = 0.0
        """When the peer last gave a sign of progress."""
        self.elsewhere = False
        """Whether that sign was that it waits for a third party."""

    def take(self, head: bytes, session: bytes) -> int:
        """Check where an arrived head comes from, count it, and return its kind.

        Raises
        ------
        FrameError : naming the peer.
        """
        kind = head[4] if len(head) >= PREFIX.size else 0
        expected = pack_prefix(kind, self.index, self.received + 1, session[:SESSION_BYTES])
        if kind in KINDS and head.startswith(expected):
            self.received += 1
            return kind
        raise self.refusal(head, session, self.received + 1)

    def refusal(self, head: bytes, session: bytes, number: int) -> FrameError:
        """What is wrong with a head, of which `number` was to be the sequence number."""
        prefix = parse_prefix(head, self.name)
        if prefix.session != session[:SESSION_BYTES]:
            what = "a frame of another session; start all parties anew"
        elif prefix.sender != self.index:
            what = f"a frame as party number {prefix.sender}, expected {self.index}"
        else:
            what = (
                f"frame number {prefix.sequence}, expected {number}: a frame was lost, "
                "repeated or reordered"
            )
        return FrameError(f"{self.name} sent {what}", party=self.name)

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
    message, party = wire["message"], wire["party"]
    if len(message) > MAX_MESSAGE:
        message = message[: MAX_MESSAGE - 200] + " ..."
    return json.dumps(
        {
            "type": wire["type"][:64],
            "message": message,
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
