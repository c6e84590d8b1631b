"""The channel between a driver and the parties it drives.

The driver is a client: it connects to a control address of every party and sends requests, each of
which gets exactly one reply, in order. It may run ahead by `WINDOW` requests; then `send` waits.
A server takes one driver at a time. When either side ends, the other is told or finds out by
heartbeats.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Self

import zmq

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import (
    Disconnected,
    FrameError,
    MpcError,
    PeerGone,
    PeerTimeout,
    SessionClosed,
    from_wire,
)

from .curve import Identity
from .dial import FAILURES, RETRY, Dialer
from .frame import SESSION_BYTES
from .limits import Limits
from .mesh import Array
from .parcel import Kind, Parcel, pack_parcel, read_parcel
from .serve import DRIVER, ControlServer, Message
from .wire import Wire

WINDOW = 256

__all__ = ["WINDOW", "ControlClient", "ControlServer"]


class _Server:
    """What the driver knows of one party's server."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.route = b""
        self.fd = -1
        self.sent = 0
        self.received = 0
        self.replies: deque[Message] = deque()
        self.error: MpcError | None = None


class ControlClient:
    """The driver's side of the channel; may be used by several threads.

    Parameters
    ----------
    addresses : control address of every party, by name.
    identity, keys : the driver's keys and the public keys of the parties; required unless all
        addresses are local.

    Raises
    ------
    PeerTimeout : a party did not answer within `limits.connect`.
    AuthenticationFailed : a party does not know the driver's key, or has another key.
    ConfigError : an address is malformed or needs keys.
    """

    def __init__(
        self,
        addresses: Mapping[str, str],
        *,
        limits: Limits | None = None,
        identity: Identity | None = None,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._session = fresh_key(SESSION_BYTES)
        self._wire = Wire(self._limits, identity, keys)
        self._lock = self._wire.lock
        self._servers = {name: _Server(name) for name in addresses}
        self._routes: dict[bytes, _Server] = {}
        self._closed = False
        try:
            self._connect(Dialer(self._wire, DRIVER, addresses))
        except BaseException:
            self._wire.close()
            raise

    def _connect(self, dialer: Dialer) -> None:
        """Try until every server is reached, then greet them."""
        missing = set(self._servers)
        deadline = time.monotonic() + self._limits.connect
        while missing:
            dialer.dial()
            self._wire.poll(RETRY)
            for event, value, endpoint in self._wire.events():
                name = dialer.name_at(endpoint)
                if name is None:
                    continue
                if name not in missing:
                    if event == zmq.EVENT_DISCONNECTED:
                        self._lose(self._servers[name])
                elif event == zmq.EVENT_CONNECTED:
                    self._servers[name].fd = value
                elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                    missing.remove(name)
                elif event in FAILURES:
                    dialer.drop(name, event)
            if missing and time.monotonic() > deadline:
                where = ", ".join(f"{name} at {dialer.addresses[name]}" for name in sorted(missing))
                raise PeerTimeout(
                    f"{where} did not answer within {self._limits.connect:g} s; start it, or check "
                    "the address",
                    party=min(missing),
                )
        for name, server in self._servers.items():
            server.route = dialer.routes[name]
            self._routes[server.route] = server
            if server.error is None:
                self._wire.send_parts(
                    server.route, pack_parcel(Kind.HELLO, 0, self._session, {}, ())
                )

    def _check(self) -> None:
        """Raise for the first server that ended or was lost."""
        if self._closed:
            raise SessionClosed("the control channel is closed")
        for server in self._servers.values():
            if server.error is not None:
                raise server.error

    def send(self, name: str, header: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
        """Queue a request to one party; waits while `WINDOW` are unanswered.

        Large arrays are sent from where they lie and must not change afterwards.

        Raises
        ------
        Disconnected : a party's server ended or was lost; the error names it.
        FrameError : the header is not plain data, or an array may not travel.
        """
        with self._lock:
            server = self._servers[name]
            self._check()
            while server.sent - server.received >= WINDOW:
                self._step(self._limits.connect)
                self._check()
            parts = pack_parcel(Kind.REQUEST, server.sent + 1, self._session, header, arrays)
            try:
                self._wire.send_parts(server.route, parts)
            except PeerGone:
                self._lose(server)
                self._check()
            server.sent += 1

    def receive(self, name: str, timeout: float | None = None) -> Message:
        """The reply to the oldest unanswered request to one party.

        Raises
        ------
        Disconnected : a party's server ended or was lost.
        PeerTimeout : no reply within `timeout` seconds.
        """
        with self._lock:
            server = self._servers[name]
            deadline = None if timeout is None else time.monotonic() + timeout
            while not server.replies:
                self._check()
                wait = self._limits.connect if deadline is None else deadline - time.monotonic()
                if wait < 0:
                    raise PeerTimeout(f"{name} did not answer within {timeout:g} s", party=name)
                self._step(wait)
            return server.replies.popleft()

    def pending(self, name: str) -> int:
        """How many replies of one party have arrived and were not received yet."""
        with self._lock:
            while not self._closed and self._step(0):
                pass
            return len(self._servers[name].replies)

    def _step(self, seconds: float) -> bool:
        """Wait for a message or event and take it in; bad news counts when all else is read."""
        message, event = self._wire.poll(seconds)
        if message:
            self._read()
        elif event:
            self._note_events()
        return message or event

    def _read(self) -> None:
        socket = self._wire.socket
        server = self._routes.get(socket.recv())
        if server is None or server.error is not None:
            self._wire.skip()
            return
        try:
            parcel = read_parcel(socket, socket.recv(), server.name, self._limits.max_message)
            self._take(server, parcel)
        except FrameError as error:
            self._wire.skip()
            server.error = error

    def _take(self, server: _Server, parcel: Parcel) -> None:
        if parcel.session != self._session or parcel.sequence != server.received + 1:
            raise FrameError(
                f"{server.name} sent message {parcel.sequence} to the driver, expected "
                f"{server.received + 1}",
                party=server.name,
            )
        server.received += 1
        if parcel.kind == Kind.REPLY and server.received <= server.sent:
            server.replies.append((parcel.header, parcel.arrays))
        elif parcel.kind == Kind.END:
            server.error = _end(parcel.header, server.name)
        else:
            raise FrameError(f"{server.name} sent a reply to no request", party=server.name)

    def _note_events(self) -> None:
        for event, fd, _ in self._wire.events():
            for server in self._servers.values():
                if event == zmq.EVENT_DISCONNECTED and server.fd == fd:
                    self._lose(server)

    def _lose(self, server: _Server) -> None:
        server.fd = -1
        server.error = server.error or Disconnected(
            f"the connection to {server.name} broke: its process ended or the network was cut",
            party=server.name,
        )

    def close(self) -> None:
        """End the session at all servers and release the socket; safe to call twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            waiting = {}
            for server in self._servers.values():
                if server.error is None:
                    head = pack_parcel(Kind.END, server.sent + 1, self._session, {}, ())[0]
                    waiting[server.fd] = self._wire.send_last(server.route, bytes(head))
            self._wire.flush(waiting, self._limits.linger)
            self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end(header: Mapping[str, Any], name: str) -> MpcError:
    """Why a server ended the session."""
    wire = header.get("error")
    if isinstance(wire, dict) and {"type", "message"} <= wire.keys():
        return from_wire({"type": wire["type"], "message": wire["message"], "party": name})
    return Disconnected(f"{name} has ended the session", party=name)
