"""Waiting for one peer while hearing all of them: time-outs, lost connections, aborts.

Three clocks watch a peer. ZeroMQ's heartbeats run in its own thread: a process that is stopped,
killed or cut off loses its connection within `Limits.gone`, even if another peer is waited for. A
peer that computes says so every heartbeat, from a helper thread, because a kernel may run for
minutes. A peer that waits says for whom and for how long, so that in a chain of waiting parties
the one at its end is named. Who does none of this for `Limits.progress` is reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import zmq

from mpyc_core.errors import FrameError, MpcError, PeerGone, PeerTimeout

from .frame import PREFIX, Kind, pack_prefix
from .lane import Lane
from .limits import Limits
from .link import NOTICE, Link, State, parse_abort
from .mesh import Array
from .wire import Wire

Message = tuple[bytes, zmq.Frame | None]
NAP = 2
"""Milliseconds that a party watches one lane alone, before it looks at everything else, too."""


class Inbox:
    """Everything that arrives at one party after the handshake.

    Parameters
    ----------
    routes : the peer behind every route; messages of others are dropped.
    """

    def __init__(
        self,
        wire: Wire,
        me: int,
        session: bytes,
        links: Mapping[int, Link],
        routes: Mapping[bytes, Link],
    ) -> None:
        self.failure: MpcError | None = None
        self._lost: list[Link] = []
        self._wire = wire
        self._me = me
        self._session = session
        self._links = links
        self._routes = routes
        self._limits: Limits = wire.limits
        self._lanes = [link.lane for link in links.values() if link.lane is not None]
        for lane in self._lanes:
            wire.watch(lane.fd)

    def next(self, link: Link, where: object, expected: bytes, into: memoryview | None) -> Message:
        """The next DATA or PIECE message of a peer.

        A piece whose head ends in `expected` is received straight `into` that memory, and its body
        is then None. Bad news counts only when nothing is left to read, so that the last words of
        a peer come before the end of its connection.

        Raises
        ------
        FrameError, PeerTimeout, PeerGone, or the error of a peer that aborted.
        """
        if link.backlog:
            return link.backlog.popleft()
        start = now = time.monotonic()
        due = start + self._limits.heartbeat
        while True:
            suspicion = self.failure is not None or bool(self._lost) or link.gone
            message, event = self._wire.poll(0 if suspicion else due - now)
            if message:
                found = self._read(link, expected, into)
                if found is not None:
                    return found
            if event:
                self.note_events()
            if suspicion and not message and not event:
                self.judge(link, where)
            now = time.monotonic()
            if now >= due:
                due = now + self._limits.heartbeat
                self._watch(link, where, start, now)

    def frame(self, link: Link, lane: Lane, size: int, where: object) -> Array:
        """The next frame on the lane of a peer, of which `size` bytes are expected.

        Raises
        ------
        As `next`.
        """
        while not lane.read(size):
            if not (all([other.idle for other in self._lanes]) and lane.wait(NAP)):
                self.until(lambda: bool(lane.frames), link, where)
                break
        link.heard, link.elsewhere = time.monotonic(), False
        return lane.take()

    def until(self, ready: Callable[[], bool], link: Link | None, where: object) -> None:
        """Carry what goes over lanes until `ready`, or until there is bad news and nothing to read.

        Parameters
        ----------
        link : the peer that is waited for, if there is one.
        """
        start = now = time.monotonic()
        due = start + self._limits.heartbeat
        while not self._carried(ready):
            suspicion = self.failure is not None or bool(self._lost)
            suspicion |= link is not None and link.gone
            message, event = self._wire.poll(0 if suspicion else due - now)
            if message:
                self._read(None, b"", None)
            if event:
                self.note_events()
            if suspicion and not message and not event and not self._carried(ready):
                self.judge(link, where)
            now = time.monotonic()
            if now >= due:
                due = now + self._limits.heartbeat
                self._watch(link, where, start, now)

    def _carried(self, ready: Callable[[], bool]) -> bool:
        """Send and receive over lanes what can be without waiting; whether that is enough."""
        for lane in self._lanes:
            if lane.ended:
                continue
            lane.flush()
            lane.read()
            if lane.ended:
                self._wire.unwatch(lane.fd)
            else:
                self._wire.watch(lane.fd, writable=not lane.idle)
        return ready()

    def drain(self) -> None:
        """Read what has arrived without waiting, then raise if a peer aborted or was lost."""
        message = event = True
        while message or event:
            message, event = self._wire.poll(0)
            if message:
                self._read(None, b"", None)
            if event:
                self.note_events()
        self.judge(None, "the session")

    def _read(
        self, wanted: Link | None, expected: bytes, into: memoryview | None
    ) -> Message | None:
        """Read one message; return it when it is data of `wanted`, else keep or obey it."""
        socket = self._wire.socket
        link = self._routes.get(socket.recv())
        if link is None:
            self._wire.skip()
            return None
        head = socket.recv()
        kind = link.take(head, self._session)
        body: zmq.Frame | None = None
        if kind == Kind.PIECE:
            if not socket.getsockopt(zmq.RCVMORE):
                raise FrameError(f"{link.name} sent a piece without content", party=link.name)
            if link is wanted and into is not None and head[PREFIX.size :] == expected:
                if socket.recv_into(into) != len(into):
                    raise FrameError(f"{link.name} sent a piece of a wrong size", party=link.name)
            else:
                body = socket.recv(copy=False)
        if socket.getsockopt(zmq.RCVMORE):
            self._wire.skip()
            raise FrameError(f"{link.name} sent a frame of too many parts", party=link.name)
        if kind != Kind.DATA and kind != Kind.PIECE:
            self._obey(link, kind, head)
            return None
        if link.lane is not None:
            raise FrameError(f"{link.name} sent a frame beside its lane", party=link.name)
        link.heard, link.elsewhere = time.monotonic(), False
        if link is wanted:
            return head, body
        link.backlog.append((head, body))
        return None

    def _obey(self, link: Link, kind: int, head: bytes) -> None:
        """Act on a message that carries no data."""
        if kind == Kind.NOTICE:
            link.noticed(head, self._me, time.monotonic())
        elif kind == Kind.BYE:
            link.left = True
        elif kind == Kind.ABORT:
            self.failure = self.failure or parse_abort(head[PREFIX.size :], link.name)
        else:
            raise FrameError(
                f"{link.name} sent {Kind(kind).name} inside a session", party=link.name
            )

    def note_events(self) -> None:
        """Take in lost connections; nothing reconnects inside a session."""
        for event, value, _ in self._wire.events():
            for link in self._links.values():
                if event == zmq.EVENT_DISCONNECTED and link.fd == value:
                    link.gone, link.fd = True, -1
                    self._lost.append(link)

    def judge(self, wanted: Link | None, where: object) -> None:
        """Raise for an abort, a lost peer, or a peer that left and is waited for."""
        for link in self._lost:
            if not link.left and self.failure is None:
                self.failure = PeerGone(
                    f"the connection to {link.name} broke in {where}: its process ended or the "
                    "network was cut; start all parties anew",
                    party=link.name,
                )
        self._lost.clear()
        if self.failure is not None:
            raise self.failure
        if wanted is not None and wanted.gone:
            raise PeerGone(
                f"{wanted.name} has ended its session and is still waited for in {where}; all "
                "parties must run the same program",
                party=wanted.name,
            )

    def _watch(self, link: Link | None, where: object, start: float, now: float) -> None:
        """Tell the others for whom this party waits, and report a peer that is late."""
        if link is None:
            self.notify(State.WORKING, self._me, 0)
            return
        idle = now - max(start, link.heard)
        self.notify(State.WAITING, link.index, idle)
        limits = self._limits
        patience = limits.progress + (2 * limits.heartbeat if link.elsewhere else 0)
        if idle > patience:
            raise PeerTimeout(
                f"{link.name} is connected but sent nothing for {idle:.1f} s in {where}; it waits "
                "for something else or computes outside an operation (wrap that in mesh.busy(), or "
                "raise Limits.progress)",
                party=link.name,
            )

    def notify(self, state: State, about: int, idle: float) -> None:
        """Send a NOTICE to every peer that is there."""
        body = NOTICE.pack(state, about, min(round(1000 * idle), 0xFFFFFFFF))
        for link in self._links.values():
            self.post(link, Kind.NOTICE, body)

    def leave(self, linger: float) -> None:
        """Say BYE and wait, at most `linger` seconds, until all peers' machines have everything."""
        self.note_events()
        waiting = {}
        for link in self._links.values():
            if not link.gone:
                link.sent += 1
                head = pack_prefix(Kind.BYE, self._me, link.sent, self._session[:16])
                waiting[link.fd] = self._wire.send_last(link.route, head)
        self._wire.flush(waiting, linger)

    def post(self, link: Link, kind: Kind, body: bytes) -> None:
        """Send a message without data; a lost peer does not get it."""
        if link.gone or link.left:
            return
        link.sent += 1
        try:
            self._wire.send(
                link.route, [pack_prefix(kind, self._me, link.sent, self._session[:16]) + body]
            )
        except PeerGone:
            link.sent -= 1
