"""Lanes: stream sockets that carry the frames of parties that meet over `ipc://`.

A message through ZeroMQ is handed from thread to thread twice at either end, which takes most of
the time of a round on one machine. So parties of one machine send their frames through a socket of
their own, read and written by the thread that computes. ZeroMQ still carries heartbeats, notices,
aborts and byes: a lane that ends says nothing, the connection beside it tells why.

    length   8 bytes: of what follows
    head     as that of a DATA message (see `frame`), with all arrays in it

A lane never blocks. What the kernel does not take at once stays where it lies and leaves later, so
it must not change until `idle`.
"""

from __future__ import annotations

import hashlib
import hmac
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mpyc_core.errors import FrameError, PeerGone, PeerTimeout

from .frame import padded
from .link import Link
from .mesh import Array

LENGTH = struct.Struct("<Q")
SUFFIX = "+"
"""What is added to the path of a party's address."""
MAX_PARTS = 1000
"""Buffers that one system call takes."""
SEND_BUFFER = 1 << 22
"""Bytes that the kernel is asked to take before the other end reads; it takes what it allows."""
PATIENCE = 5.0
"""Seconds for the other end of a new lane to say who it is."""
Ends = dict[int, socket.socket]
_PADDING = bytes(8)


def path_of(address: str) -> str | None:
    """Where the party at an address listens for lanes; None unless the address is `ipc://`."""
    if not address.startswith("ipc://"):
        return None
    path = address.removeprefix("ipc://") + SUFFIX
    return "\0" + path[1:] if path.startswith("@") else path


class Lane:
    """One connected socket; used by one thread.

    Parameters
    ----------
    peer : name of the party at the other end, for messages.
    limit : most bytes of a frame; a larger one is refused unread.
    """

    def __init__(self, end: socket.socket, peer: str, limit: int) -> None:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._end = end
        self._peer = peer
        self._limit = limit
        self._unsent: deque[memoryview] = deque()
        self._room: Array = np.empty(LENGTH.size, np.uint8)
        self._filled = 0
        self.fd = end.fileno()
        self._readable = select.poll()
        self._readable.register(self.fd, select.POLLIN)
        self.sent = 0
        self.taken = 0
        """How many frames were sent, and taken."""
        self.frames: deque[Array] = deque()
        """Whole frames that have arrived and nobody has asked for, read-only bytes."""
        self.ended = False
        """Whether the other end is closed."""

    @property
    def idle(self) -> bool:
        """Whether everything given to `send` has left."""
        return not self._unsent

    def send(self, head: bytes, arrays: Sequence[Array]) -> None:
        """Queue one frame: a head, then each array on a multiple of 8 bytes."""
        size, parts = len(head), [b"", head]
        for array in arrays:
            parts.append(array)  # type: ignore[arg-type]
            size += padded(array.nbytes)
            if array.nbytes & 7:
                parts.append(_PADDING[array.nbytes & 7 :])
        parts[0] = LENGTH.pack(size)
        self.sent += 1
        gone = 0
        if not self._unsent and len(parts) <= MAX_PARTS:
            gone = self._write(parts)
            if gone == size + LENGTH.size:
                return
        self._unsent.extend(_after(parts, gone))
        self.flush()

    def flush(self) -> None:
        """Let go what the kernel takes without waiting."""
        while self._unsent and not self.ended:
            batch = [self._unsent[i] for i in range(min(len(self._unsent), MAX_PARTS))]
            gone = self._write(batch)
            if not gone:
                return
            while gone and gone >= len(self._unsent[0]):
                gone -= len(self._unsent.popleft())
            if gone:
                self._unsent[0] = self._unsent[0][gone:]
        if self.ended:
            self._unsent.clear()

    def _write(self, parts: Sequence[bytes | memoryview]) -> int:
        try:
            return self._end.sendmsg(parts)
        except BlockingIOError:
            return 0
        except OSError:  # ZeroMQ's connection tells why
            self.ended = True
            return 0

    def read(self, size: int = 0) -> bool:
        """Take in what has come; returns whether there is a whole frame.

        Parameters
        ----------
        size : bytes of the frame that is expected next, which is then read by one call.
        """
        if not self.frames and not self._filled and size:
            self._room = np.empty(LENGTH.size + size, np.uint8)
        while not self.ended:
            try:
                came = self._end.recv_into(self._room[self._filled :].data)
            except BlockingIOError:
                break
            except OSError:
                came = 0
            if not came:
                self.ended = True
                break
            self._filled += came
            if self._complete() and size:
                break
        return bool(self.frames)

    def wait(self, milliseconds: int) -> bool:
        """Sleep until something has come; whether it has, and the other end is there."""
        return not self.ended and bool(self._readable.poll(milliseconds))

    def _complete(self) -> bool:
        """Move a frame that is whole out of the room; make room for one that is not."""
        while self._filled >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._room.data)
            if size > self._limit:
                raise FrameError(
                    f"{self._peer} announces a frame of {size} bytes, expected at most "
                    f"{self._limit} (Limits.max_message)",
                    party=self._peer,
                )
            end = LENGTH.size + size
            if self._filled < end:
                if len(self._room) < end:
                    self._move(0, end)
                return False
            frame = self._room[LENGTH.size : end]
            frame.flags.writeable = False
            self.frames.append(frame)
            self._move(end, LENGTH.size)
        return bool(self.frames)

    def _move(self, start: int, size: int) -> None:
        """Fresh memory of at least `size` bytes, with what was read from `start` on in it."""
        rest = self._room[start : self._filled]
        self._room = np.empty(max(size, len(rest)), np.uint8)
        self._room[: len(rest)] = rest
        self._filled = len(rest)

    def take(self) -> Array:
        """The oldest frame."""
        self.taken += 1
        return self.frames.popleft()

    def close(self) -> None:
        """End it; what has not left is lost."""
        self.ended = True
        self._end.close()


def _after(parts: Sequence[bytes | Array], gone: int) -> list[memoryview]:
    """What remains of buffers of which the first `gone` bytes have left."""
    left = []
    for part in parts:
        raw = memoryview(part) if isinstance(part, bytes) else part.reshape(-1).view(np.uint8).data
        if gone < len(raw):
            left.append(raw[gone:])
        gone = max(0, gone - len(raw))
    return left


class Landing:
    """Where the lanes of later parties come in; for one party, until its session begins.

    Parameters
    ----------
    path : of the socket; an abstract one begins with a zero byte.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._unlink()
        self._socket.bind(path)
        self._socket.listen()

    def accept(self, session: bytes, me: int, later: Mapping[int, Link], seconds: float) -> Ends:
        """The ends of the lanes to later parties, by index; who cannot name the session is refused.

        Raises
        ------
        PeerTimeout : a party did not connect in time.
        """
        found: Ends = {}
        deadline = time.monotonic() + seconds
        while len(found) < len(later):
            missing = next(link.name for index, link in later.items() if index not in found)
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                end, _ = self._socket.accept()
            except TimeoutError:
                raise PeerTimeout(
                    f"{missing} did not open its lane within {seconds:g} s", party=missing
                ) from None
            token = _received(end)
            index = next((i for i in later if _same(token, session, i)), None)
            if index is None or index in found:
                end.close()
                continue
            end.sendall(_token(session, me))
            found[index] = end
        return found

    def close(self) -> None:
        """Stop listening and remove the socket's file."""
        self._socket.close()
        self._unlink()

    def _unlink(self) -> None:
        if not self._path.startswith("\0"):
            Path(self._path).unlink(missing_ok=True)


def reach(path: str, session: bytes, me: int, link: Link) -> socket.socket:
    """Connect a lane to an earlier party.

    Raises
    ------
    PeerGone, FrameError : nobody is there, or somebody who is not in this session.
    """
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    end.settimeout(PATIENCE)
    try:
        end.connect(path)
        end.sendall(_token(session, me))
    except OSError as error:
        end.close()
        raise PeerGone(f"no lane to {link.name} at {path!r}: {error}", party=link.name) from error
    if not _same(_received(end), session, link.index):
        end.close()
        raise FrameError(f"whoever answers at {path!r} is not {link.name}", party=link.name)
    return end


def _token(session: bytes, index: int) -> bytes:
    """What a party proves itself with: the session is known to its parties only."""
    return hashlib.blake2b(b"lane" + index.to_bytes(4, "big"), key=session).digest()


def _same(token: bytes, session: bytes, index: int) -> bool:
    return hmac.compare_digest(token, _token(session, index))


def _received(end: socket.socket) -> bytes:
    """The token that came, or what there is of it."""
    end.settimeout(PATIENCE)
    try:
        return end.recv(hashlib.blake2b().digest_size, socket.MSG_WAITALL)
    except OSError:
        return b""
