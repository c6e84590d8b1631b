"""One ROUTER socket and its monitor: addresses, keys, heartbeats, disconnections.

Each pair of parties shares one connection, so what arrives before a disconnection was sent before
it. The socket binds the party's address and connects to peers; heartbeats run in ZeroMQ's own
thread.
"""

from __future__ import annotations

import atexit
import fcntl
import math
import socket as posix
import struct
import termios
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import zmq
from zmq.utils.monitor import recv_monitor_message

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConfigError, PeerGone

from .curve import Doorkeeper, Identity, make_client, make_server, require_keys
from .frame import PIECE_BYTES
from .limits import Limits

EVENTS = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_CLOSED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
Part = bytes | memoryview
LINGER = 0.1
NEVER = 24 * 3600 * 1000
"""Milliseconds until ZeroMQ reconnects by itself: not in a session's lifetime. Its own switch for
never reconnecting throws away what has arrived and was not yet read."""
FLUSH = 0.001
_READABLE = int(zmq.POLLIN)


def unacknowledged(fd: int) -> int:
    """Bytes that a connection's peer has not yet acknowledged; 0 when it is closed."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, bytes(4)))[0])
    except OSError:
        return 0


def resolve(address: str) -> str:
    """An address that ZeroMQ can bind: host names of TCP addresses become numbers.

    Raises
    ------
    ConfigError : not `tcp://host:port` or `ipc://path`, or the host is unknown.
    """
    if address.startswith("ipc://") and len(address) > len("ipc://"):
        return address
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "tcp" or not parts.hostname or port is None:
        raise ConfigError(f"address {address!r} is not tcp://host:port or ipc://path")
    if parts.hostname == "*":
        return address
    try:
        found = posix.getaddrinfo(parts.hostname, port, type=posix.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"the host of address {address!r} is unknown: {error}") from error
    host = str(found[0][4][0])
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def _refuse_live_ipc(address: str) -> None:
    """ZeroMQ silently takes an ipc path over from a live process; refuse that."""
    path = address.removeprefix("ipc://")
    with posix.socket(posix.AF_UNIX, posix.SOCK_STREAM) as probe:
        try:
            probe.connect("\0" + path[1:] if path.startswith("@") else path)
        except OSError:
            return
    raise ConfigError(f"address {address} is in use by another process; choose another one")


class _AtExit:
    """Closes what is still open when the interpreter ends.

    Memory that ZeroMQ's thread still reads must outlive the interpreter's own clean-up. The handler
    is registered after the first such send, because then it runs before pyzmq's.
    """

    def __init__(self) -> None:
        self.wires: weakref.WeakSet[Wire] = weakref.WeakSet()
        self._registered = False

    def register(self) -> None:
        """Do this once per process."""
        if not self._registered:
            self._registered = True
            atexit.register(self._close)

    def _close(self) -> None:
        for wire in list(self.wires):
            if wire.lock.acquire(timeout=LINGER):
                wire.close()
                wire.lock.release()


_at_exit = _AtExit()


def _abandon(context: zmq.Context[zmq.Socket[bytes]], owned: tuple[Any, ...]) -> None:
    """End a context that nobody closed: left to the collector, it would wait for its sockets."""
    for thing in owned:
        if isinstance(thing, zmq.Socket):
            thing.close(linger=0)
        elif thing is not None:
            thing.close()
    context.term()


class Wire:
    """The socket of one party; whoever uses it holds its lock.

    Parameters
    ----------
    limits : heartbeat, gone and linger are used here.
    identity : this party's keys; without them only local addresses are possible.
    keys : public keys of the peers by name; nobody else may connect.
    """

    def __init__(
        self,
        limits: Limits,
        identity: Identity | None = None,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.limits = limits
        self.keys = dict(keys or {})
        self.address = ""
        self.doorkeeper: Doorkeeper | None = None
        self._identity = identity
        self._endpoints: dict[bytes, str] = {}
        self._context = zmq.Context()
        self.socket: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        self._configure()
        self._monitor: zmq.Socket[bytes] = self.socket.get_monitor_socket(EVENTS)
        if identity is not None:
            self.doorkeeper = Doorkeeper(self._context, self.keys)
        self._poller = zmq.Poller()
        self._poller.register(self.socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        owned = (self.socket, self._monitor, self.doorkeeper)
        weakref.finalize(self, _abandon, self._context, owned).atexit = False
        _at_exit.wires.add(self)

    def _configure(self) -> None:
        """No high-water marks: a round is sent before anything is awaited, so sends never block."""
        limits, socket = self.limits, self.socket
        socket.sndhwm = socket.rcvhwm = 0
        socket.linger = 0
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.MAXMSGSIZE, 2 * PIECE_BYTES)
        socket.setsockopt(zmq.HANDSHAKE_IVL, round(1000 * limits.gone))
        socket.setsockopt(zmq.HEARTBEAT_IVL, round(1000 * limits.heartbeat))
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, round(1000 * (limits.gone - limits.heartbeat)))
        socket.setsockopt(zmq.CONNECT_TIMEOUT, round(1000 * limits.gone))
        socket.setsockopt(zmq.RECONNECT_IVL, NEVER)

    def bind(self, address: str) -> str:
        """Listen at an address; port 0 or `*` picks a free one. Returns the address to tell peers.

        Raises
        ------
        ConfigError : the address is in use, not of this machine, or needs keys.
        """
        require_keys(address, self._identity)
        target = resolve(address)
        if target.startswith("ipc://"):
            _refuse_live_ipc(target)
        self.socket.ipv6 = "[" in target
        if self._identity is not None:
            make_server(self.socket, self._identity)
        try:
            self.socket.bind(target)
        except zmq.ZMQError as error:
            reason = "is in use" if error.errno == zmq.EADDRINUSE else f"cannot be bound: {error}"
            raise ConfigError(
                f"address {address} {reason}; choose another one, or set `bind` in the cluster "
                "file when this machine is reached under an address that is not its own"
            ) from error
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")
        return self.address

    def connect(self, name: str, address: str) -> bytes:
        """Try once to connect to a peer; returns the route under which it is addressed.

        The route is new each time. A failed attempt shows as an event; `disconnect` before the
        next one.

        Raises
        ------
        ConfigError : the address is malformed, or keys are needed and missing.
        """
        require_keys(address, self._identity)
        target = resolve(address)
        if self._identity is not None:
            if name not in self.keys:
                raise ConfigError(f"no public key of {name} is known; add it to the cluster file")
            make_client(self.socket, self._identity, self.keys[name])
        self.socket.ipv6 = "[" in target
        route = b"\1" + fresh_key(16)
        self.socket.setsockopt(zmq.CONNECT_ROUTING_ID, route)
        try:
            self.socket.connect(target)
        except zmq.ZMQError as error:
            raise ConfigError(f"address {address} of {name} is not usable: {error}") from error
        self._endpoints[route] = target
        return route

    def endpoint(self, route: bytes) -> str:
        """The resolved address that a connecting route leads to; empty for accepted ones."""
        return self._endpoints.get(route, "")

    def disconnect(self, route: bytes) -> None:
        """Give up an attempt to connect; what is queued for it or came from it is lost."""
        endpoint = self._endpoints.pop(route, None)
        if endpoint is not None:
            with suppress(zmq.ZMQError):  # ZeroMQ may have dropped the endpoint itself
                self.socket.disconnect(endpoint)

    def send(self, route: bytes, parts: Sequence[Part]) -> zmq.MessageTracker | None:
        """Queue one message; a large last part is sent from where it lies, and tracked.

        Raises
        ------
        PeerGone : there is no connection any more.
        """
        socket = self.socket
        try:
            socket.send(route, zmq.SNDMORE)
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                raise PeerGone("the connection is closed") from error
            raise
        if len(parts) == 1:
            socket.send(parts[0])
            return None
        socket.send(parts[0], zmq.SNDMORE)
        tracker = socket.send(parts[1], copy=False, track=True)
        _at_exit.register()
        return tracker

    def send_parts(self, route: bytes, parts: Sequence[Part]) -> None:
        """Queue one message of any number of parts; the memory of large ones must not change.

        Raises
        ------
        PeerGone : there is no connection any more.
        """
        try:
            self.socket.send(route, zmq.SNDMORE)
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                raise PeerGone("the connection is closed") from error
            raise
        for part in parts[:-1]:
            self.socket.send(part, zmq.SNDMORE, copy=False)
        self.socket.send(parts[-1], copy=False)
        _at_exit.register()

    def send_last(self, route: bytes, head: bytes) -> zmq.MessageTracker | None:
        """Queue a message whose tracker is done when it, and all before it, went to the kernel."""
        try:
            self.socket.send(route, zmq.SNDMORE)
            return self.socket.send(
                zmq.Frame(head, track=True, copy=False, copy_threshold=0), copy=False
            )
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return None
            raise

    def poll(self, seconds: float) -> tuple[bool, bool]:
        """Wait; returns whether a message and whether a connection event can be read.

        While there are messages, events wait: what came before a disconnection is read first.
        """
        if int(self.socket.getsockopt(zmq.EVENTS)) & _READABLE:
            return True, False
        message = event = False
        for socket, _ in self._poller.poll(max(0, math.ceil(1000 * seconds))):
            if socket is self.socket:
                message = True
            elif socket is self._monitor:
                event = True
            elif self.doorkeeper is not None and socket is self.doorkeeper.socket:
                self.doorkeeper.answer()
        return message, event

    def watch(self, fd: int, writable: bool = False) -> None:
        """Let `poll` return when this descriptor becomes readable, or writable, too."""
        self._poller.register(fd, zmq.POLLIN | (zmq.POLLOUT if writable else 0))

    def unwatch(self, fd: int) -> None:
        """Forget a descriptor."""
        self._poller.unregister(fd)

    def admit(self, open_: bool) -> None:
        """Answer authentication requests while polling, or stop to."""
        if self.doorkeeper is not None:
            if open_:
                self._poller.register(self.doorkeeper.socket, zmq.POLLIN)
            else:
                self._poller.unregister(self.doorkeeper.socket)

    def skip(self) -> int:
        """Discard the rest of the message being read; returns the number of parts dropped."""
        dropped = 0
        while self.socket.getsockopt(zmq.RCVMORE):
            self.socket.recv()
            dropped += 1
        return dropped

    def events(self) -> list[tuple[int, int, str]]:
        """Connection events that have happened: (event, value, endpoint)."""
        found = []
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)
            found.append((int(event["event"]), int(event["value"]), event["endpoint"].decode()))
        return found

    def flush(self, waiting: dict[int, zmq.MessageTracker | None], seconds: float) -> None:
        """Wait until the peers' machines have everything up to a last message.

        A connection that is closed earlier would be reset by the next heartbeat, and the last data
        lost. Connections that break meanwhile are not waited for.

        Parameters
        ----------
        waiting : by the connection's descriptor, what `send_last` returned.
        """
        deadline = time.monotonic() + seconds
        while True:
            for event, fd, _ in self.events():
                if event == zmq.EVENT_DISCONNECTED:
                    waiting.pop(fd, None)
            waiting = {
                fd: tracker
                for fd, tracker in waiting.items()
                if tracker is not None and not (tracker.done and not unacknowledged(fd))
            }
            if not waiting or time.monotonic() > deadline:
                return
            time.sleep(FLUSH)

    def close(self) -> None:
        """Close the sockets; what has not been handed to the kernel is lost."""
        if self._context.closed:
            return
        self.socket.disable_monitor()
        self._monitor.close(linger=0)
        if self.doorkeeper is not None:
            self.doorkeeper.close()
        self.socket.close(linger=round(1000 * LINGER))
        self._context.term()
        if self.address.startswith("ipc:///"):
            Path(self.address.removeprefix("ipc://")).unlink(missing_ok=True)
