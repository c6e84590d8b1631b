"""The party's side of the channel between a driver and the parties it drives."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

import zmq

from mpyc_core.errors import ConfigError, Disconnected, FrameError, PeerGone, PeerTimeout

from .curve import Identity
from .frame import SESSION_BYTES
from .limits import Limits
from .mesh import Array
from .parcel import Kind, pack_parcel, read_parcel
from .wire import Wire

DRIVER = "the driver"
Message = tuple[dict[str, Any], list[Array]]


class ControlServer:
    """A party's side of the channel; used by one thread.

    Parameters
    ----------
    address : where drivers connect.
    identity, drivers : this party's keys and the public keys of those who may drive; required
        unless the address is local.
    name : the party's name, for messages.

    Raises
    ------
    ConfigError : the address is in use, or needs keys.
    """

    def __init__(
        self,
        address: str,
        *,
        identity: Identity | None = None,
        drivers: Sequence[str] | None = None,
        limits: Limits | None = None,
        name: str = "the party",
    ) -> None:
        self._name = name
        self._limits = limits or Limits()
        keys = {f"driver {i}": key for i, key in enumerate(drivers or ())}
        self._wire = Wire(self._limits, identity, keys)
        try:
            self.address = self._wire.bind(address)
        except ConfigError:
            self._wire.close()
            raise
        self._wire.admit(True)
        self._forget()

    def _forget(self) -> None:
        self._route = b""
        self._fd = -1
        self._session = bytes(SESSION_BYTES)
        self._received = 0
        self._sent = 0

    def receive(self, timeout: float | None = None) -> Message:
        """The next request; waits for a driver when there is none.

        Raises
        ------
        Disconnected : the driver ended or was lost; the next call waits for a new one.
        FrameError : the driver sent something else.
        PeerTimeout : nothing came within `timeout` seconds.
        """
        with self._wire.lock:
            return self._receive(timeout)

    def _receive(self, timeout: float | None) -> Message:
        deadline = None if timeout is None else time.monotonic() + timeout
        lost = False
        while True:
            wait = self._limits.connect if deadline is None else deadline - time.monotonic()
            message, event = self._wire.poll(0 if lost else wait)
            if message:
                request = self._read()
                if request is not None:
                    return request
            elif lost:
                self._forget()
                raise Disconnected("the connection to the driver broke")
            if event:
                lost |= self._driver_lost()
            if not message and deadline is not None and time.monotonic() >= deadline:
                raise PeerTimeout(f"{DRIVER} sent nothing within {timeout:g} s")

    def _driver_lost(self) -> bool:
        return any(
            event == zmq.EVENT_DISCONNECTED and fd == self._fd
            for event, fd, _ in self._wire.events()
        )

    def _read(self) -> Message | None:
        """Read one message: a request, or a new driver's hello."""
        socket = self._wire.socket
        route = socket.recv()
        if route != self._route:
            self._greeted(route, socket.recv(copy=False))
            return None
        try:
            parcel = read_parcel(socket, socket.recv(), DRIVER, self._limits.max_message)
            if parcel.session != self._session or parcel.sequence != self._received + 1:
                raise FrameError(
                    f"{DRIVER} sent message {parcel.sequence}, expected {self._received + 1}"
                )
        except FrameError:
            self._wire.skip()
            self.forget()
            raise
        self._received += 1
        if parcel.kind == Kind.REQUEST:
            return parcel.header, parcel.arrays
        self._forget()
        raise Disconnected("the driver has ended its session")

    def _greeted(self, route: bytes, frame: zmq.Frame) -> None:
        """Take a new driver, unless there is one already."""
        try:
            parcel = read_parcel(
                self._wire.socket, frame.bytes, "a driver", self._limits.max_message
            )
        except FrameError:
            self._wire.skip()
            return
        if parcel.kind != Kind.HELLO:
            return
        if self._route:
            busy = Disconnected(f"{self._name} serves another session; try again later")
            self._post(route, Kind.END, 1, parcel.session, {"error": busy.to_wire()})
            return
        self._route, self._session, self._fd = route, parcel.session, int(frame.get(zmq.SRCFD))

    def reply(self, header: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
        """Answer the oldest unanswered request; the arrays must not change afterwards.

        A driver that is gone does not get it; the next `receive` tells.
        """
        if self._route:
            self._sent += 1
            self._post(self._route, Kind.REPLY, self._sent, self._session, header, arrays)

    def _post(
        self,
        route: bytes,
        kind: Kind,
        sequence: int,
        session: bytes,
        header: dict[str, Any],
        arrays: Sequence[Array] = (),
    ) -> None:
        parts = pack_parcel(kind, sequence, session, header, arrays)
        with suppress(PeerGone):
            self._wire.send_parts(route, parts)

    def forget(self) -> None:
        """End the present driver's session, if any; the next `receive` waits for a new driver."""
        if self._route:
            self._post(self._route, Kind.END, self._sent + 1, self._session, {})
            self._forget()

    def close(self) -> None:
        """End the session and release the socket; safe to call twice."""
        if self._route:
            head = pack_parcel(Kind.END, self._sent + 1, self._session, {}, ())[0]
            tracker = self._wire.send_last(self._route, bytes(head))
            self._wire.flush({self._fd: tracker}, self._limits.linger)
            self._forget()
        self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
