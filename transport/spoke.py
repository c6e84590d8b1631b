"""One server and many clients that talk in both directions: the side of a client."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Self

import zmq

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import (
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
from .wire import Wire

Received = tuple[dict[str, Any], list[Array]]


class Spoke:
    """A client's connection to one `Hub`; may be used by several threads.

    Parameters
    ----------
    name : of this client.
    server, address : the name of the server and where it listens.
    hello : what this client says of itself; its name is added.
    identity, key : this client's keys and the server's public key; required unless the address is
        local.

    Raises
    ------
    PeerTimeout : the server did not answer within `limits.connect`.
    AuthenticationFailed : the server does not know this client's key, or has another key.
    ConfigError : the address is malformed or needs keys.
    """

    def __init__(
        self,
        name: str,
        server: str,
        address: str,
        *,
        hello: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        identity: Identity | None = None,
        key: str | None = None,
    ) -> None:
        self.name, self.server = name, server
        self.limits = limits or Limits()
        self.failure: MpcError | None = None
        self._session = fresh_key(SESSION_BYTES)
        self._wire = Wire(self.limits, identity, None if key is None else {server: key})
        self._lock = self._wire.lock
        self._route, self._fd = b"", -1
        self._sent = self._received = 0
        self._messages: deque[Received] = deque()
        self._closed = False
        try:
            self._connect(Dialer(self._wire, name, {server: address}))
            greeting = {**(hello or {}), "name": name}
            self._wire.send_parts(
                self._route, pack_parcel(Kind.HELLO, 0, self._session, greeting, ())
            )
        except BaseException:
            self._wire.close()
            raise

    def _connect(self, dialer: Dialer) -> None:
        """Try until the server is reached."""
        deadline = time.monotonic() + self.limits.connect
        while not self._route:
            dialer.dial()
            self._wire.poll(RETRY)
            for event, value, endpoint in self._wire.events():
                if dialer.name_at(endpoint) is None:
                    continue
                if event == zmq.EVENT_CONNECTED:
                    self._fd = value
                elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                    self._route = dialer.routes[self.server]
                elif event in FAILURES:
                    dialer.drop(self.server, event)
            if not self._route and time.monotonic() > deadline:
                if dialer.refused(self.server):
                    raise dialer.unauthenticated(self.server)
                raise PeerTimeout(
                    f"{self.server} did not answer at {dialer.addresses[self.server]} within "
                    f"{self.limits.connect:g} s; start it, or check the address",
                    party=self.server,
                )

    def check(self) -> None:
        """Raise why this connection is of no further use, if it is not.

        Raises
        ------
        SessionClosed, PeerGone, FrameError, or the error with which the server ended it.
        """
        if self.failure is not None:
            raise self.failure
        if self._closed:
            raise SessionClosed(f"the connection to {self.server} is closed")

    def send(self, header: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
        """Queue a message; does not block.

        Raises
        ------
        PeerGone, or the error with which the server ended the connection.
        """
        with self._lock:
            self.check()
            parts = pack_parcel(Kind.REQUEST, self._sent + 1, self._session, header, arrays)
            try:
                self._wire.send_parts(self._route, parts)
            except PeerGone:
                while self._step(0):
                    pass
                self._lose()
                self.check()
            self._sent += 1

    def receive(self, timeout: float) -> Received | None:
        """The next message, or None when none comes within `timeout` seconds.

        What arrived before the connection ended is given first.

        Raises
        ------
        PeerGone, FrameError, or the error with which the server ended the connection.
        """
        with self._lock:
            deadline = time.monotonic() + timeout
            while not self._messages:
                ended = self.failure is not None or self._closed
                if ended:
                    self.check()
                wait = max(0.0, deadline - time.monotonic())
                if not self._step(wait) and time.monotonic() >= deadline:
                    return None
            return self._messages.popleft()

    def _step(self, seconds: float) -> bool:
        """Wait for a message or event and take it in; bad news counts when all else is read."""
        message, event = self._wire.poll(seconds)
        if message:
            self._read()
        elif event:
            for kind, fd, _ in self._wire.events():
                if kind == zmq.EVENT_DISCONNECTED and fd == self._fd:
                    self._lose()
        return message or event

    def _lose(self) -> None:
        self._fd = -1
        self.failure = self.failure or PeerGone(
            f"the connection to {self.server} broke: its process ended or the network was cut; "
            "start all parties anew",
            party=self.server,
        )

    def _read(self) -> None:
        socket = self._wire.socket
        route, head = socket.recv(), socket.recv()
        if route != self._route or self.failure is not None:
            self._wire.skip()
            return
        try:
            self._take(read_parcel(socket, head, self.server, self.limits.max_message))
        except FrameError as error:
            self._wire.skip()
            self.failure = error

    def _take(self, parcel: Parcel) -> None:
        if parcel.session != self._session or parcel.sequence != self._received + 1:
            raise FrameError(
                f"{self.server} sent message {parcel.sequence}, expected {self._received + 1}: it "
                "was lost, repeated, or is of another session",
                party=self.server,
            )
        self._received += 1
        if parcel.kind == Kind.REPLY:
            self._messages.append((parcel.header, parcel.arrays))
        elif parcel.kind == Kind.END:
            self.failure = _ended(parcel.header, self.server)
        else:
            raise FrameError(
                f"{self.server} does not speak as a server does; check its address",
                party=self.server,
            )

    def close(self) -> None:
        """Say that this client ends, and release the socket; safe to call twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self.failure is None:
                head = pack_parcel(Kind.END, self._sent + 1, self._session, {}, ())[0]
                waiting = {self._fd: self._wire.send_last(self._route, bytes(head))}
                self._wire.flush(waiting, self.limits.linger)
            self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ended(header: Mapping[str, Any], server: str) -> MpcError:
    """Why the server ended the connection."""
    wire = header.get("error")
    if not isinstance(wire, dict) or not {"type", "message"} <= wire.keys():
        return PeerGone(f"{server} has ended; start all parties anew", party=server)
    party = wire.get("party")
    return from_wire(
        {
            "type": str(wire["type"])[:64],
            "message": str(wire["message"])[:2000],
            "party": str(party)[:64] if party else server,
        }
    )
