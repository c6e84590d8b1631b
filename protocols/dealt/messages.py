"""What parties and their dealer say to each other, as headers of plain data, checked on arrival.

    party to dealer    hello     session, parties, the dealer's name; once, on connecting
                       expect    program, wants: ahead of need
                       need      number of the want that is waited for
                       taken     bytes of corrections used since the last such message
                       working   this party computes
                       abort     the error that ends the session
    dealer to party    start     seed, nonce, window; once all parties are there
                       dealt     number; the corrections, when they are small
                       piece     number, array, offset; a part of a large one
                       state     for whom the dealer waits, and how long

Corrections come in the order in which their wants were announced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mpyc_core.errors import FrameError, MpcError, WireError, from_wire
from mpyc_core.transport.frame import PIECE_BYTES

VERSION = 1
SMALL = PIECE_BYTES
"""Corrections up to so many bytes travel in one message."""
BATCH = 1024
"""Wants in one announcement, at most."""
MAX_MESSAGE = 2000


def integer(header: Mapping[str, Any], key: str, sender: str, limit: int = 1 << 62) -> int:
    """A number of a message.

    Raises
    ------
    FrameError : naming the sender.
    """
    value = header.get(key)
    if type(value) is not int or not 0 <= value < limit:
        raise FrameError(f"{sender} sent a message whose {key!r} is no number", party=sender)
    return value


def octets(header: Mapping[str, Any], key: str, sender: str, length: int | None = None) -> bytes:
    """Bytes of a message; see `integer`."""
    value = header.get(key)
    if type(value) is not bytes or (length is not None and len(value) != length):
        raise FrameError(f"{sender} sent a message whose {key!r} is no such bytes", party=sender)
    return value


def texts(header: Mapping[str, Any], key: str, sender: str) -> tuple[str, ...]:
    """A list of texts of a message; see `integer`."""
    value = header.get(key)
    if not isinstance(value, Sequence) or not all(type(x) is str for x in value):
        raise FrameError(f"{sender} sent a message whose {key!r} is no list", party=sender)
    return tuple(value)


def error_of(header: Mapping[str, Any], sender: str) -> MpcError:
    """The error of an `abort`; see `integer`."""
    wire = header.get("error")
    if not isinstance(wire, dict) or not isinstance(wire.get("message"), str):
        raise FrameError(f"{sender} sent an abort without an error", party=sender)
    party = wire.get("party")
    report: WireError = {
        "type": str(wire.get("type"))[:64],
        "message": f"{wire['message'][:MAX_MESSAGE]} (reported by {sender})",
        "party": str(party)[:64] if party else sender,
    }
    return from_wire(report)
