"""`NodeServer`: a node on the network: CURVE-authenticated clients over ZeroMQ, many at a time.

A client is known by the public key with which it completed the CURVE handshake; a command counts as
that client's. Commands of one client are carried out in order, each gets one reply with its number.
One thread serves all of them; heartbeats run in ZeroMQ's own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import zmq

from mpyc_core.errors import ConfigError, FrameError, MpcError, PeerGone
from mpyc_core.transport.limits import Limits
from mpyc_core.transport.parcel import Kind, Parcel, pack_parcel, read_parcel
from mpyc_core.transport.wire import Wire

from .commands import MAX_BESIDE, Visit
from .node import Node
from .spec import Array

TICK = 0.2
MAX_VISITS = 1024
QUEUE = 1024
"""Messages that wait for a slow client; one that reads nothing is let go after that."""


@dataclass
class _Guest:
    """A connection."""

    visit: Visit
    session: bytes
    fd: int
    received: int = 0


class NodeServer:
    """Serves a node at an address.

    Parameters
    ----------
    node : the machine.
    address : tcp://host:port or ipc://path; port 0 picks a free one.
    admit : whether the holder of a public key may enter; the node's owner always may.
    limits : heartbeats and time-outs.

    Raises
    ------
    ConfigError : the address is in use or malformed.
    """

    def __init__(
        self,
        node: Node,
        address: str,
        admit: Callable[[str], bool] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.node = node
        self._admit = admit
        self._limits = limits or Limits(max_message=MAX_BESIDE)
        self._wire = Wire(self._limits, node.keys.identity, {})
        if self._wire.doorkeeper is None:
            raise ConfigError("a node's server needs the node's keys")
        self._wire.doorkeeper.admit = self._enter
        self._wire.socket.sndhwm = QUEUE
        self._wire.socket.sndtimeo = 0
        try:
            self.address = self._wire.bind(address)
        except ConfigError:
            self._wire.close()
            raise
        self._wire.admit(True)
        self._guests: dict[bytes, _Guest] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def _enter(self, key: str) -> str | None:
        """The name under which a key enters: itself."""
        known = key == self.node.owner or (self._admit is not None and self._admit(key))
        return key if known else None

    # -- serving --------------------------------------------------------------------------------
    def serve(self) -> None:
        """Answer until `close` is called."""
        try:
            while not self._stop.is_set():
                with self._wire.lock:
                    message, event = self._wire.poll(TICK)
                    while message:
                        self._read()
                        message = bool(self._wire.socket.poll(0))
                    if event:
                        self._note_events()
        finally:
            for route in list(self._guests):
                self._forget(route)
            self._wire.close()

    def start(self) -> NodeServer:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(target=self.serve, name=f"node {self.node.name}")
        self._thread.daemon = True
        self._thread.start()
        return self

    def stop(self) -> None:
        """Have `serve` return; safe in a signal handler."""
        self._stop.set()

    def close(self) -> None:
        """Stop serving; safe to call twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        else:
            self._wire.close()

    def _read(self) -> None:
        socket = self._wire.socket
        route = bytes(socket.recv())
        frame = socket.recv(copy=False)
        guest = self._guests.get(route)
        try:
            parcel = read_parcel(socket, frame.bytes, "a client", self._limits.max_message)
            if guest is None:
                self._greet(route, frame, parcel)
                return
            if parcel.session != guest.session or parcel.sequence != guest.received + 1:
                raise FrameError(f"a client sent message {parcel.sequence} out of order")
        except FrameError as error:
            self._wire.skip()
            self._dismiss(route, error)
            return
        guest.received += 1
        if parcel.kind == Kind.REQUEST:
            self._answer(route, guest, parcel)
        else:
            self._forget(route)

    def _forget(self, route: bytes) -> _Guest | None:
        """A connection is over."""
        guest = self._guests.pop(route, None)
        if guest is not None:
            self.node.leave(guest.visit)
        return guest

    def _greet(self, route: bytes, frame: zmq.Frame, parcel: Parcel) -> None:
        """A new connection: its key is what the handshake proved, whatever it says."""
        if parcel.kind != Kind.HELLO or len(self._guests) >= MAX_VISITS:
            raise FrameError("the first message of a connection is a greeting")
        caller = str(frame.get("User-Id"))
        self._guests[route] = _Guest(Visit(caller), parcel.session, int(frame.get(zmq.SRCFD)))

    def _answer(self, route: bytes, guest: _Guest, parcel: Parcel) -> None:
        header: dict[str, Any]
        arrays: Sequence[Array]
        try:
            header, arrays = self.node.handle(
                guest.visit, parcel.sequence, parcel.header, parcel.arrays
            )
        except MpcError as error:
            header, arrays = {"error": error.to_wire()}, []
        self._send(route, guest, Kind.REPLY, header, arrays)

    def _send(
        self,
        route: bytes,
        guest: _Guest,
        kind: Kind,
        header: dict[str, Any],
        arrays: Sequence[Array] = (),
    ) -> None:
        try:
            parts = pack_parcel(kind, guest.received, guest.session, header, arrays)
        except FrameError:
            error = MpcError("the answer is too large to be sent", party=self.node.name)
            parts = pack_parcel(kind, guest.received, guest.session, {"error": error.to_wire()}, ())
        try:
            self._wire.send_parts(route, parts)
        except (PeerGone, zmq.Again):
            self._forget(route)

    def _dismiss(self, route: bytes, error: MpcError) -> None:
        """End a connection that does not speak the protocol."""
        guest = self._forget(route)
        if guest is not None:
            with suppress(FrameError):
                self._send(route, guest, Kind.END, {"error": error.to_wire()})

    def _note_events(self) -> None:
        """Forget connections that broke, with what was under way."""
        gone = {fd for event, fd, _ in self._wire.events() if event == zmq.EVENT_DISCONNECTED}
        for route in [r for r, guest in self._guests.items() if guest.fd in gone]:
            self._forget(route)
