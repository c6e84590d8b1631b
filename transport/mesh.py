"""What a protocol sees of the network: rounds, tags, counters, and the `Mesh` between parties.

A protocol is a generator that yields one `Round` per communication round: what it sends to whom,
and what it expects from whom. It knows no sockets. A driver (lock step, threads or ZeroMQ) carries
the round out and sends the received arrays back into the generator.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from mpyc_core.errors import FrameError, MpcError

Array = NDArray[Any]
Received = dict[int, list[Array]]
T = TypeVar("T")
Steps = Generator["Round", Received, T]
"""A protocol operation: yields rounds, is sent what arrived, returns a `T`."""


class Spec(NamedTuple):
    """What one array of a message must look like; anything else is a `FrameError`."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, array: Array) -> Spec:
        """The spec that `array` itself fulfils."""
        return cls(array.dtype, array.shape)

    def check(self, array: Array, peer: str, where: str) -> None:
        """Raise `FrameError` naming the peer unless `array` has this dtype and shape."""
        if array.dtype != self.dtype or array.shape != self.shape:
            raise FrameError(
                f"{peer} sent {array.dtype} {array.shape} in {where}, expected {self.dtype} "
                f"{self.shape}; all parties must run the same program on the same shapes",
                party=peer,
            )


describe: ContextVar[Callable[[], str] | None] = ContextVar("describe", default=None)
"""While messages are recorded for a lesson: what says why a round that is being made is safe."""


@dataclass
class Round:
    """One communication round of one party: arrays to send and specs of those to receive."""

    send: dict[int, list[Array]] = field(default_factory=dict)
    recv: dict[int, list[Spec]] = field(default_factory=dict)
    notes: dict[int, list[str]] = field(default_factory=dict)
    """For each array sent, why it is safe to send; empty unless messages are recorded."""
    note: str = ""

    def why(self, peer: int) -> list[str]:
        """The note of each array sent to a peer."""
        return self.notes.get(peer) or [self.note] * len(self.send.get(peer, ()))

    def __post_init__(self) -> None:
        if (told := describe.get()) is not None:
            self.note = told()
        for peer, arrays in self.send.items():
            self.send[peer] = [np.asarray(a, order="C") for a in arrays]


class Tag(NamedTuple):
    """Where in the program a frame belongs. A frame with another tag is refused.

    Parameters
    ----------
    op : sequence number of the operation in the session.
    round : round within the operation.
    chunk : part of a round that is sent in several frames.
    digest : running hash of the program so far (16 bytes); differs when programs differ.
    name : the operation's name, for counters and messages; its first 24 bytes are sent along.
    """

    op: int
    round: int
    chunk: int = 0
    digest: bytes = bytes(16)
    name: str = ""

    def __str__(self) -> str:
        chunk = f", chunk {self.chunk}" if self.chunk else ""
        return f"operation {self.op} ({self.name or 'unnamed'}), round {self.round}{chunk}"


@dataclass
class Tally:
    """Traffic of one operation name at one party: calls, rounds, payload and header bytes sent."""

    calls: int = 0
    rounds: int = 0
    payload: int = 0
    headers: int = 0


class Counters:
    """Counts what a party really sends, by operation name.

    A round counts once however many chunks it has. Payload bytes are the arrays' own bytes;
    everything else that goes out (tags, shapes) counts as header bytes.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, Tally] = defaultdict(Tally)
        self._op = -1
        self._rounds: set[int] = set()

    def add(self, tag: Tag, payload: int, headers: int) -> None:
        """Book what goes out for one tag; bytes may be booked in several calls."""
        tally = self.by_name[tag.name]
        if tag.op != self._op:
            tally.calls += 1
            self._op = tag.op
            self._rounds.clear()
        if tag.round not in self._rounds:
            tally.rounds += 1
            self._rounds.add(tag.round)
        tally.payload += payload
        tally.headers += headers

    @property
    def rounds(self) -> int:
        """Rounds over all operations."""
        return sum(t.rounds for t in self.by_name.values())

    @property
    def payload(self) -> int:
        """Payload bytes sent over all operations."""
        return sum(t.payload for t in self.by_name.values())

    def snapshot(self) -> dict[str, dict[str, int]]:
        """A plain copy: {name: {calls, rounds, payload, headers}}."""
        return {name: dict(vars(tally)) for name, tally in self.by_name.items()}


def payload_bytes(send: Mapping[int, Sequence[Array]]) -> int:
    """Bytes of the arrays of one round."""
    return sum(a.nbytes for arrays in send.values() for a in arrays)


class Mesh(ABC):
    """Authenticated channels between `n` named parties, seen from party `me`.

    `exchange` is one round: everything is sent before anything is awaited, so parties never wait
    for each other in a circle. Arrays given to `send` or `exchange` belong to the mesh until
    `settle` has returned, which `drive` calls at the end of every operation: large ones are read
    by the network thread where they lie. Received arrays are read-only. A mesh is used by one
    thread at a time. After an error it is of no further use: `abort`, then `close` it.
    """

    me: int
    names: tuple[str, ...]
    session: bytes
    counters: Counters

    @property
    def n(self) -> int:
        """Number of parties."""
        return len(self.names)

    @abstractmethod
    def send(self, to: int, arrays: Sequence[Array], tag: Tag) -> None:
        """Queue one frame for party `to`.

        Does not wait until the receiver asks for it, at most until it waits for anything: so
        parties never wait for each other in a circle.
        """

    @abstractmethod
    def recv(self, source: int, specs: Sequence[Spec], tag: Tag) -> list[Array]:
        """Wait for the frame of `tag` from `source`.

        Raises
        ------
        FrameError, ProgramMismatch, PeerTimeout, PeerGone : each names the peer; or the peer's own
            error, when it aborted.
        """

    def exchange(self, tag: Tag, step: Round) -> Received:
        """Carry out one round."""
        self.counters.add(tag, 0, 0)
        for peer, arrays in step.send.items():
            self.send(peer, arrays, tag)
        return {peer: self.recv(peer, specs, tag) for peer, specs in step.recv.items()}

    @abstractmethod
    def settle(self) -> None:
        """Wait until every array given to `send` has left, so that its memory may be reused."""

    @abstractmethod
    def busy(self) -> AbstractContextManager[None]:
        """Say that this party computes: peers wait for it longer than `Limits.progress`.

        `drive` does so around every operation. Wrap long local work between operations, such as
        loading a file, when peers may already be waiting. It covers no waiting: while this party
        itself waits for a peer, it does not count as computing.
        """

    @abstractmethod
    def abort(self, error: MpcError) -> None:
        """Tell every peer that this party stops, and why; safe to call twice."""

    @abstractmethod
    def close(self) -> None:
        """Release sockets and threads; safe to call twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Close; when an error ends the block, tell the peers first."""
        if isinstance(error, MpcError):
            self.abort(error)
        self.close()


def drive(steps: Steps[T], mesh: Mesh, op: int, digest: bytes, name: str) -> T:
    """Run one operation of one party to its end over a mesh."""
    index = 0
    try:
        with mesh.busy():
            step = next(steps)
            while True:
                received = mesh.exchange(Tag(op, index, 0, digest, name), step)
                index += 1
                step = steps.send(received)
    except StopIteration as stop:
        result: T = stop.value
    finally:
        steps.close()
    mesh.settle()
    return result
