"""The mesh over ZeroMQ: real parties over `tcp://` or `ipc://`."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np
import zmq

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConfigError, FrameError, MpcError, PeerGone, SessionClosed

from .busy import Busy
from .curve import Identity
from .frame import (
    PIECE,
    PIECE_BYTES,
    PREFIX,
    SESSION_BYTES,
    UNBOUNDED,
    Kind,
    describe,
    explain,
    inline_payload,
    pack_prefix,
    parse_heading,
    take_inline,
)
from .handshake import Handshake, Hello
from .inbox import Inbox
from .lane import Landing, Lane, path_of, reach
from .limits import Limits
from .link import Link, State, pack_abort
from .mesh import Array, Counters, Mesh, Received, Round, Spec, Tag
from .wire import Wire

DATA = int(Kind.DATA)
FAILED_LINGER = 0.3
SETTLE = 0.05


class ZmqMesh(Mesh):
    """One party's authenticated channels to its peers over ZeroMQ.

    Parameters
    ----------
    name : this party.
    names : all parties, in the same order everywhere.
    limits : times and sizes.
    identity : this party's CURVE keys; required unless all addresses are local.
    keys : public keys of the peers, by name; required with `identity`.

    Example
    -------
    mesh = ZmqMesh("alice", ["alice", "bob"])
    address = mesh.bind("tcp://127.0.0.1:0")
    mesh.connect({"alice": address, "bob": ...}, {"protocol": "additive"})
    """

    def __init__(
        self,
        name: str,
        names: Sequence[str],
        *,
        limits: Limits | None = None,
        identity: Identity | None = None,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        if name not in names or len(set(names)) != len(names):
            raise ConfigError(
                f"party {name!r} with parties {', '.join(names)}: names must differ and include it"
            )
        self.names = tuple(names)
        self.me = self.names.index(name)
        self.limits = limits or Limits()
        self.session = b""
        self.counters = Counters()
        self._links = {i: Link(i, peer) for i, peer in enumerate(names) if i != self.me}
        if identity is not None:
            missing = [link.name for link in self._links.values() if link.name not in (keys or {})]
            if missing:
                raise ConfigError(f"no public key of {', '.join(missing)} is given")
            keys = {link.name: (keys or {})[link.name] for link in self._links.values()}
        self._wire = Wire(self.limits, identity, keys)
        self._inbox: Inbox | None = None
        self._landing: Landing | None = None
        self._lanes: list[Lane] = []
        self._lock = self._wire.lock
        self._busy = Busy()
        self._told = False
        self._closed = False
        self._trackers: list[zmq.MessageTracker] = []
        self._stop = threading.Event()
        self._notifier: threading.Thread | None = None

    def bind(self, address: str) -> str:
        """Listen at an address; returns the one to tell the peers (port 0 becomes a real port).

        Raises
        ------
        ConfigError : the address is in use, malformed, or reachable from outside without keys.
        """
        bound = self._wire.bind(address)
        path = path_of(bound)
        if path is not None:
            self._landing = Landing(path)
        return bound

    def connect(self, addresses: Mapping[str, str], facts: Mapping[str, str] | None = None) -> None:
        """Meet all peers and agree on a session; `bind` comes first.

        Parameters
        ----------
        addresses : where each party listens, by name.
        facts : what must be equal at all parties (protocol, ring, ...); compared key by key.

        Raises
        ------
        ConfigError : parties differ in a fact, which the message names.
        PeerTimeout : a party is missing after `limits.connect`.
        AuthenticationFailed : a party could not prove who it is.
        """
        me = self.names[self.me]
        hello = Hello.make(self.names, me, fresh_key(32), facts or {})
        handshake = Handshake(self._wire, self.names, hello, self._links, addresses)
        self.session = handshake.run()
        self._open_lanes(addresses)
        self._inbox = Inbox(self._wire, self.me, self.session, self._links, handshake.routes)
        self._notifier = threading.Thread(
            target=self._notify, name=f"mpyc-core notices of {me}", daemon=True
        )
        self._notifier.start()

    def _open_lanes(self, addresses: Mapping[str, str]) -> None:
        """Connect a lane with every peer, where the earlier one of the two listens at `ipc://`."""
        ends = {}
        for index, link in self._links.items():
            path = path_of(addresses[link.name]) if index < self.me else None
            if path is not None:
                ends[index] = reach(path, self.session, self.me, link)
        if self._landing is not None:
            later = {index: link for index, link in self._links.items() if index > self.me}
            ends |= self._landing.accept(self.session, self.me, later, self.limits.connect)
            self._landing.close()
        for index, end in ends.items():
            link = self._links[index]
            link.lane = Lane(end, link.name, self.limits.max_message)
            self._lanes.append(link.lane)

    def _opened(self) -> Inbox:
        """The inbox of a usable mesh; raises the first failure again."""
        if self._inbox is None or self._closed:
            raise SessionClosed(f"the mesh of {self.names[self.me]} is not connected")
        if self._inbox.failure is not None:
            raise self._inbox.failure
        return self._inbox

    def send(self, to: int, arrays: Sequence[Array], tag: Tag) -> None:
        """See `Mesh.send`."""
        with self._lock:
            inbox = self._opened()
            self._send(inbox, self._links[to], arrays, tag)
            self._let_go(inbox, tag)

    def exchange(self, tag: Tag, step: Round) -> Received:
        """See `Mesh.exchange`."""
        with self._lock:
            inbox, links = self._opened(), self._links
            self.counters.add(tag, 0, 0)
            for peer, arrays in step.send.items():
                self._send(inbox, links[peer], arrays, tag)
            received = {
                peer: self._recv(inbox, links[peer], specs, tag)
                for peer, specs in step.recv.items()
            }
            self._let_go(inbox, tag)
            return received

    def _let_go(self, inbox: Inbox, tag: Tag) -> None:
        """Wait until lanes have taken everything; peers do that while they wait for anything."""
        for lane in self._lanes:
            if not lane.idle:
                inbox.until(lambda: all(lane.idle for lane in self._lanes), None, tag)

    def _send(self, inbox: Inbox, link: Link, arrays: Sequence[Array], tag: Tag) -> None:
        """One frame; when the peer is gone, the reason."""
        arrays = [a if a.flags.c_contiguous else a.copy() for a in arrays]
        try:
            self._post(link, arrays, tag)
        except PeerGone:
            link.gone = True
            inbox.drain()
            inbox.judge(link, tag)

    def _post(self, link: Link, arrays: Sequence[Array], tag: Tag) -> None:
        """One DATA message, then a PIECE message for every further 1 MiB; one frame on a lane."""
        session, lane = self.session[:SESSION_BYTES], link.lane
        if lane is not None:
            body, _, _ = describe(tag, arrays, UNBOUNDED)
            head = pack_prefix(DATA, self.me, lane.sent + 1, session) + body
            lane.send(head, arrays)
            self.counters.add(tag, sum([a.nbytes for a in arrays]), len(head))
            return
        body, following, _ = describe(tag, arrays)
        head = pack_prefix(DATA, self.me, link.sent + 1, session) + body
        headers = len(head)
        self._wire.send(link.route, [head + inline_payload(arrays, following)])
        link.sent += 1
        for index in following:
            array = arrays[index]
            raw = array.reshape(-1).view(np.uint8).data
            for offset in range(0, array.nbytes, PIECE_BYTES):
                head = pack_prefix(Kind.PIECE, self.me, link.sent + 1, session)
                head += PIECE.pack(index, offset)
                tracker = self._wire.send(link.route, [head, raw[offset : offset + PIECE_BYTES]])
                link.sent += 1
                headers += len(head)
                if tracker is not None:
                    self._trackers.append(tracker)
        self.counters.add(tag, sum(a.nbytes for a in arrays), headers)

    def recv(self, source: int, specs: Sequence[Spec], tag: Tag) -> list[Array]:
        """See `Mesh.recv`."""
        with self._lock:
            return self._recv(self._opened(), self._links[source], specs, tag)

    def _recv(self, inbox: Inbox, link: Link, specs: Sequence[Spec], tag: Tag) -> list[Array]:
        """The arrays of one frame; an error is the last thing this mesh does."""
        try:
            return self._frame(inbox, link, specs, tag)
        except MpcError as error:
            inbox.failure = inbox.failure or error
            raise

    def _frame(self, inbox: Inbox, link: Link, specs: Sequence[Spec], tag: Tag) -> list[Array]:
        """The arrays of one frame, checked before memory is taken for them."""
        if link.lane is not None:
            return self._lane_frame(inbox, link, link.lane, specs, tag)
        expected, following, inline = describe(tag, specs)
        payload = PREFIX.size + len(expected)
        head, _ = inbox.next(link, tag, b"", None)
        if not (
            head[4] == DATA
            and head.startswith(expected, PREFIX.size)
            and len(head) == payload + inline
        ):
            self._refuse(link, head, specs, tag)
        if not following:
            return take_inline(head, payload, specs)
        small = [spec for index, spec in enumerate(specs) if index not in following]
        arrays = take_inline(head, payload, small)
        for index in following:
            arrays.insert(index, self._pieces(inbox, link, index, specs[index], tag))
        return arrays

    def _refuse(self, link: Link, head: bytes, specs: Sequence[Spec], tag: Tag) -> None:
        """Say why a head is not the expected one; only the operation's name may differ."""
        if head[4] != DATA:
            raise FrameError(f"{link.name} sent a piece of no frame in {tag}", party=link.name)
        heading = parse_heading(head, link.name, self.limits.max_message)
        explain(heading, tag, specs, link.name, self.names[self.me])

    def _lane_frame(
        self, inbox: Inbox, link: Link, lane: Lane, specs: Sequence[Spec], tag: Tag
    ) -> list[Array]:
        """The arrays of one frame that comes on a lane; they share its memory."""
        body, _, inline = describe(tag, specs, UNBOUNDED)
        number, session = lane.taken + 1, self.session[:SESSION_BYTES]
        expected = pack_prefix(DATA, link.index, number, session) + body
        frame = inbox.frame(link, lane, len(expected) + inline, tag)
        if len(frame) != len(expected) + inline or frame[: len(expected)].tobytes() != expected:
            head = frame.tobytes()
            if not head.startswith(expected[: PREFIX.size]):
                raise link.refusal(head, self.session, number)
            heading = parse_heading(head, link.name, self.limits.max_message, UNBOUNDED)
            explain(heading, tag, specs, link.name, self.names[self.me])
        return take_inline(frame, len(expected), specs)

    def _pieces(self, inbox: Inbox, link: Link, index: int, spec: Spec, tag: Tag) -> Array:
        """Put one large array together."""
        array = np.empty(spec.shape, spec.dtype)
        raw = array.reshape(-1).view(np.uint8).data
        for offset in range(0, array.nbytes, PIECE_BYTES):
            part, expected = raw[offset : offset + PIECE_BYTES], PIECE.pack(index, offset)
            head, body = inbox.next(link, tag, expected, part)
            if head[4] != Kind.PIECE or head[PREFIX.size :] != expected:
                raise FrameError(
                    f"{link.name} sent something else in {tag}, expected byte {offset} of array "
                    f"{index}",
                    party=link.name,
                )
            if body is not None:
                if len(body) != len(part):
                    raise FrameError(f"{link.name} sent a piece of a wrong size", party=link.name)
                part[:] = body.buffer
        array.flags.writeable = False
        return array

    def settle(self) -> None:
        """See `Mesh.settle`; lost peers are noticed while waiting."""
        while self._trackers:
            self._trackers = [tracker for tracker in self._trackers if not tracker.done]
            if self._trackers:
                try:
                    self._trackers[0].wait(SETTLE)
                except zmq.NotDone:
                    with self._lock:
                        self._opened().drain()

    def busy(self) -> AbstractContextManager[None]:
        """See `Mesh.busy`."""
        return self._busy

    def _notify(self) -> None:
        """Tell the peers, every heartbeat, that this party computes (in a thread of its own).

        While the party waits for a peer, or sends, it holds the lock and speaks for itself.
        """
        while not self._stop.wait(self.limits.heartbeat):
            if self._busy and self._inbox is not None and self._lock.acquire(blocking=False):
                try:
                    self._inbox.notify(State.WORKING, self.me, 0)
                finally:
                    self._lock.release()

    def abort(self, error: MpcError) -> None:
        """See `Mesh.abort`."""
        with self._lock:
            inbox = self._inbox
            if inbox is None or self._closed or self._told:
                return
            self._told = True
            inbox.failure = inbox.failure or error
            for link in self._links.values():
                inbox.post(link, Kind.ABORT, pack_abort(error))

    def close(self) -> None:
        """See `Mesh.close`; unsent data gets `limits.linger` seconds, less after a failure."""
        self._stop.set()
        if self._notifier is not None:
            self._notifier.join()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                if self._inbox is not None:
                    failed = self._inbox.failure is not None
                    self._inbox.leave(FAILED_LINGER if failed else self.limits.linger)
            finally:
                for lane in self._lanes:
                    lane.close()
                if self._landing is not None:
                    self._landing.close()
                self._wire.close()
