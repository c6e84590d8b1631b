"""The format of messages between a driver and the servers of parties.

    part 1    magic and version, kind, sequence number, session    32 bytes
              msgpack map {"h": header, "a": [[dtype, shape], ...]}
    part 2..  the arrays, each in parts of at most 1 MiB; empty arrays have none

The header is plain data. Arrays may be of a few numeric dtypes; their memory is sent and received
as it is.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import zmq

from mpyc_core.errors import FrameError

from .frame import MAX_ARRAYS, MAX_NDIM, PIECE_BYTES, Z128
from .mesh import Array, Spec
from .plain import pack_map, unpack_map

MAGIC = b"mpd\x01"
PREFIX = struct.Struct("<4sB3xQ16s")
MAX_HEADER = PIECE_BYTES
DTYPES = {
    dtype.str if dtype.fields is None else "z128": dtype
    for dtype in [
        *map(np.dtype, ("|b1", "|u1", "<u2", "<u4", "<u8", "<i4", "<i8", "<f4", "<f8")),
        Z128,
    ]
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Kind(IntEnum):
    """What a message is for."""

    HELLO = 1
    REQUEST = 2
    REPLY = 3
    END = 4


KINDS = frozenset(int(kind) for kind in Kind)


class Parcel(NamedTuple):
    """A received message."""

    kind: int
    sequence: int
    session: bytes
    header: dict[str, Any]
    arrays: list[Array]


def pack_parcel(
    kind: Kind, sequence: int, session: bytes, header: dict[str, Any], arrays: Sequence[Array]
) -> list[bytes | memoryview]:
    """The parts of a message; large arrays are not copied and must not change until it has left.

    Raises
    ------
    FrameError : the header is not plain data, or an array may not travel.
    """
    if len(arrays) > MAX_ARRAYS:
        raise FrameError(f"a message has {len(arrays)} arrays, at most {MAX_ARRAYS} may go")
    described = []
    parts: list[bytes | memoryview] = [b""]
    for array in arrays:
        name = NAMES.get(array.dtype)
        if name is None or array.ndim > MAX_NDIM:
            raise FrameError(
                f"an array {array.dtype} {array.shape} cannot travel between driver and party; "
                f"only {', '.join(NAMES.values())} with at most {MAX_NDIM} axes can"
            )
        described.append([name, list(array.shape)])
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        parts += [raw[i : i + PIECE_BYTES] for i in range(0, array.nbytes, PIECE_BYTES)]
    body = pack_map({"h": header, "a": described}, MAX_HEADER)
    parts[0] = PREFIX.pack(MAGIC, kind, sequence, session) + body
    return parts


def read_parcel(socket: zmq.Socket[bytes], head: bytes, sender: str, max_message: int) -> Parcel:
    """Check the head of a message and read the parts that follow it.

    Raises
    ------
    FrameError : anything unexpected; the rest of the message is still unread then.
    """
    kind, sequence, session = _prefix(head, sender)
    content = unpack_map(head[PREFIX.size :], sender)
    header, described = content.get("h"), content.get("a")
    if not isinstance(header, dict) or not isinstance(described, list):
        raise FrameError(f"{sender} sent a message without header or arrays", party=sender)
    specs = _specs(described, sender, max_message)
    arrays = [_array(socket, spec, sender) for spec in specs]
    if socket.getsockopt(zmq.RCVMORE):
        raise FrameError(f"{sender} sent more data than it announced", party=sender)
    return Parcel(kind, sequence, session, header, arrays)


def _prefix(head: bytes, sender: str) -> tuple[int, int, bytes]:
    if len(head) < PREFIX.size:
        raise FrameError(f"{sender} sent a head of {len(head)} bytes", party=sender)
    magic, kind, sequence, session = PREFIX.unpack_from(head)
    if magic != MAGIC or kind not in KINDS:
        raise FrameError(
            f"{sender} does not speak this control protocol, version {MAGIC[3]}; install the same "
            "release everywhere and check the addresses",
            party=sender,
        )
    return kind, sequence, session


def _specs(described: list[Any], sender: str, max_message: int) -> list[Spec]:
    """Check the announced arrays before memory is taken for them."""
    specs, total = [], 0
    for entry in described:
        try:
            name, shape = entry
            dtype = DTYPES[name]
            sound = len(shape) <= MAX_NDIM and all(type(n) is int and n >= 0 for n in shape)
        except (TypeError, ValueError, KeyError):
            sound = False
        if not sound or len(described) > MAX_ARRAYS:
            raise FrameError(f"{sender} announced arrays that cannot travel", party=sender)
        spec = Spec(dtype, tuple(shape))
        total += math.prod(max(n, 1) for n in spec.shape) * dtype.itemsize
        if total > max_message:
            raise FrameError(
                f"{sender} announced more than {max_message} bytes (Limits.max_message)",
                party=sender,
            )
        specs.append(spec)
    return specs


def _array(socket: zmq.Socket[bytes], spec: Spec, sender: str) -> Array:
    """Receive one array into fresh memory."""
    array = np.empty(spec.shape, spec.dtype)
    raw = array.reshape(-1).view(np.uint8).data
    for start in range(0, array.nbytes, PIECE_BYTES):
        part = raw[start : start + PIECE_BYTES]
        if not socket.getsockopt(zmq.RCVMORE) or socket.recv_into(part) != len(part):
            raise FrameError(f"{sender} sent less data than it announced", party=sender)
    array.flags.writeable = False
    return array
