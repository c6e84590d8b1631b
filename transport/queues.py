"""The mesh inside one process: one thread per party, messages in queues.

It serves programs that cannot be imported by other processes (typed in a notebook) and tests. The
checks, time-outs and aborts are those of the ZeroMQ mesh; there is no wire.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConfigError, MpcError, PeerGone, PeerTimeout, SessionClosed

from .busy import Busy
from .frame import Heading, describe, explain
from .limits import Limits
from .link import pack_abort, parse_abort
from .mesh import Array, Counters, Mesh, Spec, Tag


@dataclass
class _Seat:
    """One party's place: its queue, and what the others may know about it."""

    inbox: queue.SimpleQueue[tuple[int, object]] = field(default_factory=queue.SimpleQueue)
    busy: Busy = field(default_factory=Busy)
    waits_for: int | None = None
    since: float = 0.0
    """When its present wait last saw a sign of progress."""


@dataclass(frozen=True)
class _Data:
    heading: Heading
    arrays: list[Array]


@dataclass(frozen=True)
class _Abort:
    body: bytes


class _Bye:
    """The sender has closed its mesh."""


class QueueMesh(Mesh):
    """One party of a mesh of threads; made by `queue_meshes`."""

    def __init__(
        self, me: int, names: Sequence[str], seats: Sequence[_Seat], limits: Limits, session: bytes
    ) -> None:
        self.me = me
        self.names = tuple(names)
        self.session = session
        self.counters = Counters()
        self.limits = limits
        self._seats = seats
        self._early: dict[int, deque[_Data]] = {i: deque() for i in range(len(names))}
        self._left: set[int] = set()
        self._failure: MpcError | None = None
        self._told = False
        self._closed = False

    def _check_open(self) -> None:
        if self._closed:
            raise SessionClosed(f"the mesh of {self.names[self.me]} is closed")
        if self._failure is not None:
            raise self._failure

    def send(self, to: int, arrays: Sequence[Array], tag: Tag) -> None:
        """See `Mesh.send`; the arrays are copied."""
        self._check_open()
        body, _, _ = describe(tag, arrays)
        heading = Heading(tag, tuple(Spec.of(a) for a in arrays), len(body))
        copies = [np.array(a, order="C", copy=True) for a in arrays]
        for copy in copies:
            copy.flags.writeable = False
        self._seats[to].inbox.put((self.me, _Data(heading, copies)))
        self.counters.add(tag, sum(a.nbytes for a in arrays), len(body))

    def recv(self, source: int, specs: Sequence[Spec], tag: Tag) -> list[Array]:
        """See `Mesh.recv`."""
        self._check_open()
        seat = self._seats[self.me]
        try:
            data = self._next(source, tag)
            explain(data.heading, tag, specs, self.names[source], self.names[self.me])
        except MpcError as error:
            self._failure = self._failure or error
            raise
        seat.waits_for = None
        return data.arrays

    def _next(self, source: int, tag: Tag) -> _Data:
        """Wait for the next frame of one peer, keeping those of others."""
        seat, early = self._seats[self.me], self._early[source]
        seat.waits_for, seat.since = source, time.monotonic()
        while not early:
            if source in self._left:
                raise PeerGone(
                    f"{self.names[source]} has ended its session and is still waited for in {tag}; "
                    "all parties must run the same program",
                    party=self.names[source],
                )
            try:
                sender, item = seat.inbox.get(timeout=self.limits.heartbeat)
            except queue.Empty:
                self._watch(source, tag)
                continue
            if isinstance(item, _Data):
                self._early[sender].append(item)
            elif isinstance(item, _Abort):
                raise parse_abort(item.body, self.names[sender])
            elif isinstance(item, _Bye):
                self._left.add(sender)
        return early.popleft()

    def _watch(self, source: int, tag: Tag) -> None:
        """Raise `PeerTimeout` unless the peer computes, or waits for somebody who does."""
        now, seat, peer = time.monotonic(), self._seats[self.me], self._seats[source]
        patience = self.limits.progress
        if peer.waits_for is None and peer.busy:
            seat.since = now
        elif peer.waits_for not in (None, self.me):
            seat.since = max(seat.since, peer.since)
            patience += 2 * self.limits.heartbeat
        if now - seat.since > patience:
            raise PeerTimeout(
                f"{self.names[source]} sent nothing for {now - seat.since:.1f} s in {tag}; it "
                "waits for something else or computes outside an operation (wrap that in "
                "mesh.busy(), or raise Limits.progress)",
                party=self.names[source],
            )

    def settle(self) -> None:
        """See `Mesh.settle`; nothing to wait for."""

    def busy(self) -> AbstractContextManager[None]:
        """See `Mesh.busy`."""
        return self._seats[self.me].busy

    def abort(self, error: MpcError) -> None:
        """See `Mesh.abort`."""
        if self._told or self._closed:
            return
        self._told = True
        self._failure = self._failure or error
        self._tell(_Abort(pack_abort(error)))

    def close(self) -> None:
        """See `Mesh.close`."""
        if not self._closed:
            self._closed = True
            self._tell(_Bye())

    def _tell(self, item: object) -> None:
        for index, seat in enumerate(self._seats):
            if index != self.me:
                seat.inbox.put((self.me, item))


def queue_meshes(
    names: Sequence[str], limits: Limits | None = None, session: bytes | None = None
) -> list[Mesh]:
    """One connected mesh per party, in party order; each is used by a thread of its own.

    Parameters
    ----------
    session : session id of 32 bytes; a fresh random one when None.

    Raises
    ------
    ConfigError : names are not different.
    """
    if len(set(names)) != len(names) or not names:
        raise ConfigError(f"party names must differ, got {', '.join(names) or 'none'}")
    seats = [_Seat() for _ in names]
    session = fresh_key(32) if session is None else session
    return [QueueMesh(i, names, seats, limits or Limits(), session) for i in range(len(names))]
