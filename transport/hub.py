"""One server and many clients that talk in both directions: the server's side.

A client connects, greets with its name, and from then on both sides send numbered messages (headers
of plain data and arrays, see `parcel`) whenever they like; nothing is a reply to anything. When
either side ends or is lost, the other is told or finds out by heartbeats. Names are authenticated
by CURVE keys wherever the address is not local.

All sockets belong to the thread that calls `receive`; other threads hand it work by `wake`.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import zmq

from mpyc_core.errors import (
    AuthenticationFailed,
    ConfigError,
    FrameError,
    MpcError,
    PeerGone,
)

from .curve import Identity
from .limits import Limits
from .mesh import Array
from .parcel import Kind, pack_parcel, read_parcel
from .wire import Wire

MAX_REQUEST = 1 << 20
"""Bytes of arrays that one message of a client may carry."""


@dataclass(eq=False)
class Client:
    """A connected client."""

    name: str
    route: bytes
    session: bytes
    fd: int
    received: int = 0
    sent: int = 0


class Joined(NamedTuple):
    """A client has greeted; `header` is what it said of itself."""

    client: Client
    header: dict[str, Any]


class Message(NamedTuple):
    """A client's message."""

    client: Client
    header: dict[str, Any]
    arrays: list[Array]


class Left(NamedTuple):
    """A client ended its connection, or lost it for the reason `error`."""

    client: Client
    error: MpcError | None


Event = Joined | Message | Left


class Hub:
    """Listens at one address.

    Parameters
    ----------
    address : where clients connect.
    name : the server's own name, for messages.
    identity, keys : its keys, and the public keys of the clients by name; required unless the
        address is local.

    Raises
    ------
    ConfigError : the address is in use, or needs keys.
    """

    def __init__(
        self,
        address: str,
        *,
        name: str,
        identity: Identity | None = None,
        keys: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.name = name
        self._limits = limits or Limits()
        self._wire = Wire(self._limits, identity, keys)
        self._clients: dict[bytes, Client] = {}
        self._events: deque[Event] = deque()
        self._alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closed = False
        try:
            self.address = self._wire.bind(address)
        except ConfigError:
            self.close()
            raise
        self._wire.watch(self._alarm)
        self._wire.admit(True)

    def wake(self) -> None:
        """Make `receive` return soon; may be called from any thread."""
        with suppress(OSError, BlockingIOError):
            os.eventfd_write(self._alarm, 1)

    def receive(self, timeout: float) -> Event | None:
        """The next event; None when there is none within `timeout` seconds, or after `wake`."""
        deadline = time.monotonic() + timeout
        while not self._events:
            message, event = self._wire.poll(max(0.0, deadline - time.monotonic()))
            if event:
                self._note_events()
            if message:
                self._read()
            if self._alarmed() or (not message and not event and time.monotonic() >= deadline):
                break
        return self._events.popleft() if self._events else None

    def _alarmed(self) -> bool:
        try:
            return os.eventfd_read(self._alarm) > 0
        except BlockingIOError:
            return False

    def _note_events(self) -> None:
        for event, fd, _ in self._wire.events():
            if event == zmq.EVENT_DISCONNECTED:
                for client in [c for c in self._clients.values() if c.fd == fd]:
                    self._lose(client, None)

    def _lose(self, client: Client, error: MpcError | None) -> None:
        """Forget a client whose connection is gone or of no use."""
        if self._clients.pop(client.route, None) is not None:
            error = error or PeerGone(
                f"the connection of {client.name} to {self.name} broke: its process ended or the "
                "network was cut",
                party=client.name,
            )
            self._events.append(Left(client, error))

    def _read(self) -> None:
        """Read one message of a client, or a greeting."""
        socket = self._wire.socket
        route = socket.recv()
        head = socket.recv(copy=False)
        client = self._clients.get(route)
        sender = client.name if client else "a client"
        try:
            parcel = read_parcel(socket, head.bytes, sender, MAX_REQUEST)
            if client is None:
                if parcel.kind == Kind.HELLO:
                    self._greeted(route, parcel.session, parcel.header, head)
                return
            if parcel.session != client.session or parcel.sequence != client.received + 1:
                raise FrameError(
                    f"{client.name} sent message {parcel.sequence} to {self.name}, expected "
                    f"{client.received + 1}: it was lost, repeated, or is of another session",
                    party=client.name,
                )
        except FrameError as error:
            self._wire.skip()
            if client is not None:
                self.refuse(client, error)
                self._events.append(Left(client, error))
            return
        client.received += 1
        if parcel.kind == Kind.REQUEST:
            self._events.append(Message(client, parcel.header, parcel.arrays))
        elif parcel.kind == Kind.END:
            self._clients.pop(route)
            self._events.append(Left(client, None))

    def _greeted(
        self, route: bytes, session: bytes, header: dict[str, Any], frame: zmq.Frame
    ) -> None:
        """Take a new client if it is who it says."""
        self._note_events()  # descriptors are reused: first forget who had this one
        name = header.get("name")
        client = Client(str(name)[:64], route, session, int(frame.get(zmq.SRCFD)))
        proven = not self._wire.keys or frame.get("User-Id") == name
        if not isinstance(name, str) or not proven:
            self._clients[route] = client
            self.refuse(
                client,
                AuthenticationFailed(
                    f"a client calls itself {client.name!r}, but its key is that of another one",
                    party=client.name,
                ),
            )
            return
        self._clients[route] = client
        self._events.append(Joined(client, header))

    def send(self, client: Client, header: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
        """Queue a message; the arrays must not change afterwards. One who left does not get it."""
        self._post(client, Kind.REPLY, header, arrays)

    def refuse(self, client: Client, error: MpcError) -> None:
        """End a client's connection, telling it why."""
        self._post(client, Kind.END, {"error": error.to_wire()})
        self._clients.pop(client.route, None)

    def _post(
        self, client: Client, kind: Kind, header: dict[str, Any], arrays: Sequence[Array] = ()
    ) -> None:
        if client.route not in self._clients:
            return
        parts = pack_parcel(kind, client.sent + 1, client.session, header, arrays)
        try:
            self._wire.send_parts(client.route, parts)
            client.sent += 1
        except PeerGone:
            self._lose(client, None)

    def close(self, error: MpcError | None = None) -> None:
        """End every connection, telling the reason, and release the socket; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        waiting = {}
        for client in self._clients.values():
            header = {} if error is None else {"error": error.to_wire()}
            head = pack_parcel(Kind.END, client.sent + 1, client.session, header, ())[0]
            waiting[client.fd] = self._wire.send_last(client.route, bytes(head))
        self._wire.flush(waiting, self._limits.linger)
        self._clients.clear()
        self._wire.close()
        os.close(self._alarm)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
