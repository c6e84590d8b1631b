"""Length-prefixed msgpack messages over pipes between a launcher and its children."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any

from mpyc_core.errors import FrameError

from .plain import pack_map, unpack_map

LENGTH = struct.Struct("<I")
MAX_MESSAGE = 1 << 28


def pack(message: dict[str, Any]) -> bytes:
    """One message of plain data (no objects) with its length in front.

    Raises
    ------
    FrameError : the message is too large or holds something that is not plain data.
    """
    body = pack_map(message, MAX_MESSAGE)
    return LENGTH.pack(len(body)) + body


class Unpacker:
    """Cuts a stream of bytes into messages.

    Parameters
    ----------
    sender : named in errors.
    """

    def __init__(self, sender: str) -> None:
        self._sender = sender
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Take in bytes and give the messages that are complete.

        Raises
        ------
        FrameError : a message is too large or not a msgpack map.
        """
        self._buffer += data
        while len(self._buffer) >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._buffer)
            if size > MAX_MESSAGE:
                raise FrameError(f"{self._sender} announced a control message of {size} bytes")
            end = LENGTH.size + size
            if len(self._buffer) < end:
                return
            body = bytes(memoryview(self._buffer)[LENGTH.size : end])
            del self._buffer[:end]
            yield unpack_map(body, self._sender)


def write_all(fd: int, data: bytes) -> None:
    """Write everything to a blocking descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
