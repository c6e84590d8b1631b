"""`RemoteLink`: a client's connection to a node over the network.

Commands are sent without waiting, up to a window; replies come in the order of the commands. The
connection is used by any number of threads; whoever waits reads for all.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import zmq

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import (
    AuthenticationFailed,
    Disconnected,
    FrameError,
    MpcError,
    PeerGone,
    PeerTimeout,
    SessionClosed,
    from_wire,
)
from mpyc_core.transport.curve import Identity, check_key
from mpyc_core.transport.dial import FAILURES, RETRY, Dialer
from mpyc_core.transport.frame import SESSION_BYTES
from mpyc_core.transport.limits import Limits
from mpyc_core.transport.parcel import Kind, Parcel, pack_parcel, read_parcel
from mpyc_core.transport.wire import Wire

from .commands import MAX_BESIDE, Reply
from .spec import Array

WINDOW = 256
TURN = 0.05
NODE = "the node"


class _Waiting:
    """A command whose reply has not come."""

    __slots__ = ("_link", "_reply", "number")

    def __init__(self, link: RemoteLink, number: int) -> None:
        self.number = number
        self._link = link
        self._reply: Reply | MpcError | None = None

    @property
    def done(self) -> bool:
        """Whether the reply is here."""
        if self._reply is None:
            self._link.step(0)
        return self._reply is not None

    def answer(self, reply: Reply | MpcError) -> None:
        """The reply has come."""
        self._reply = reply

    def result(self) -> Reply:
        """The reply; waits for it."""
        while self._reply is None:
            self._link.step(TURN)
        if isinstance(self._reply, MpcError):
            # a new error each time: raising one twice would chain their tracebacks
            raise from_wire(self._reply.to_wire())
        return self._reply


class RemoteLink:
    """A connection to a node.

    Parameters
    ----------
    address : of the node.
    key : the node's public key; whoever else answers there is refused.
    identity : the client's keys.
    limits : heartbeats and time-outs.

    Raises
    ------
    PeerTimeout : nobody answered within `limits.connect`.
    AuthenticationFailed : the node has another key, or does not admit this client.
    """

    def __init__(
        self, address: str, key: str, identity: Identity, limits: Limits | None = None
    ) -> None:
        self._limits = limits or Limits(max_message=MAX_BESIDE)
        self._session = fresh_key(SESSION_BYTES)
        self._address = address
        self._wire = Wire(self._limits, identity, {NODE: check_key(key, "the node's key")})
        self._lock = self._wire.lock
        self._route, self._fd = b"", -1
        self._sent = self._received = 0
        self._waiting: deque[_Waiting] = deque()
        self._error: MpcError | None = None
        try:
            self._connect(Dialer(self._wire, "this client", {NODE: address}))
        except BaseException:
            self._wire.close()
            raise

    def _connect(self, dialer: Dialer) -> None:
        deadline = time.monotonic() + self._limits.connect
        while True:
            dialer.dial()
            self._wire.poll(RETRY)
            for event, value, endpoint in self._wire.events():
                if dialer.name_at(endpoint) is None:
                    continue
                if event == zmq.EVENT_CONNECTED:
                    self._fd = value
                elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                    self._route = dialer.routes[NODE]
                elif event in FAILURES:
                    self._refused(dialer, event)
            if self._route:
                break
            if time.monotonic() > deadline:
                raise PeerTimeout(
                    f"no node answered at {self._address} within {self._limits.connect:g} s; start "
                    "it, or check the address"
                )
        hello = pack_parcel(Kind.HELLO, 0, self._session, {}, ())
        self._wire.send_parts(self._route, hello)

    def _refused(self, dialer: Dialer, event: int) -> None:
        try:
            dialer.drop(NODE, event)
        except AuthenticationFailed:
            raise AuthenticationFailed(
                f"the node at {self._address} and this client could not authenticate each other: "
                "the node has another key than was given, or its owner has not admitted this "
                "client's public key"
            ) from None

    # -- sending --------------------------------------------------------------------------------
    def submit(self, header: dict[str, Any], arrays: Sequence[Array] = ()) -> _Waiting:
        """Send a command and go on; waits while too many are unanswered.

        The arrays must not change until the reply has come.

        Raises
        ------
        Disconnected : the connection broke, now or before.
        """
        with self._lock:
            while len(self._waiting) >= WINDOW:
                self.step(TURN)
            self._check()
            parts = pack_parcel(Kind.REQUEST, self._sent + 1, self._session, header, arrays)
            self._sent += 1
            pending = _Waiting(self, self._sent)
            self._waiting.append(pending)
            try:
                self._wire.send_parts(self._route, parts)
            except PeerGone:
                self._fail(self._broken())
        return pending

    def _check(self) -> None:
        if self._error is not None:
            raise from_wire(self._error.to_wire())

    def _broken(self) -> Disconnected:
        return Disconnected(
            f"the connection to the node at {self._address} broke: it was stopped, or the network "
            "was cut"
        )

    # -- receiving ------------------------------------------------------------------------------
    def step(self, seconds: float) -> None:
        """Take in what has come; wait for something if there is nothing."""
        with self._lock:
            if self._error is not None:
                return
            message, event = self._wire.poll(seconds)
            while message and self._error is None:
                self._read()
                message = self._error is None and bool(self._wire.socket.poll(0))
            if event and self._error is None:
                self._note_events()

    def _read(self) -> None:
        socket = self._wire.socket
        socket.recv()
        try:
            parcel = read_parcel(socket, socket.recv(), NODE, self._limits.max_message)
            self._take(parcel)
        except FrameError as error:
            self._wire.skip()
            self._fail(error)

    def _take(self, parcel: Parcel) -> None:
        if parcel.kind == Kind.END:
            self._fail(_error_of(parcel.header) or self._broken())
            return
        expected = self._received + 1
        sound = parcel.kind == Kind.REPLY and parcel.session == self._session
        if not sound or parcel.sequence != expected or not self._waiting:
            raise FrameError(f"the node sent message {parcel.sequence}, expected {expected}")
        self._received = expected
        self._waiting.popleft().answer(_error_of(parcel.header) or (parcel.header, parcel.arrays))

    def _note_events(self) -> None:
        if any(
            event == zmq.EVENT_DISCONNECTED and fd == self._fd
            for event, fd, _ in self._wire.events()
        ):
            self._fail(self._broken())

    def _fail(self, error: MpcError) -> None:
        """The connection is over; everything that waits gets the reason."""
        self._error = error
        while self._waiting:
            self._waiting.popleft().answer(error)

    def close(self) -> None:
        """End the connection; safe to call twice."""
        with self._lock:
            if isinstance(self._error, SessionClosed):
                return
            if self._error is None:
                head = pack_parcel(Kind.END, self._sent + 1, self._session, {}, ())[0]
                tracker = self._wire.send_last(self._route, bytes(head))
                self._wire.flush({self._fd: tracker}, self._limits.linger)
            self._fail(SessionClosed("the connection to the node is closed"))
            self._wire.close()


def _error_of(header: dict[str, Any]) -> MpcError | None:
    wire = header.get("error")
    if isinstance(wire, dict) and {"type", "message"} <= wire.keys():
        party = wire.get("party")
        return from_wire(
            {
                "type": str(wire["type"]),
                "message": str(wire["message"]),
                "party": None if party is None else str(party),
            }
        )
    return None
