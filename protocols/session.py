"""`Session`: a driver's side of parties that run elsewhere.

The driver is a client, not a party. It enqueues operations and goes on; the parties run them in
order, peer to peer; only `reveal` waits. It sees shares of what it brought itself and values that
are opened to it, never a triple or a mask.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from mpyc_core.errors import (
    ConfigError,
    FrameError,
    MpcError,
    PermissionDenied,
    SessionClosed,
    ShareError,
)
from mpyc_core.errors import from_wire as error_from_wire
from mpyc_core.meta import Meta
from mpyc_core.transport.mesh import Array

from .backend import Backend, Ref, Wrap, check_shape, encode
from .command import Command, to_wire
from .dealt.appoint import require_provider

RECOVERABLE = (PermissionDenied, ShareError, ConfigError)
"""Errors after which a session goes on: every party refused before anything was sent."""


class Channel(Protocol):
    """What a session needs of a control channel: ordered messages and one reply to each."""

    def send(self, name: str, header: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
        """Queue a message to one party; blocks while too many are unanswered."""

    def receive(
        self, name: str, timeout: float | None = None
    ) -> tuple[dict[str, Any], list[Array]]:
        """The reply to the oldest unanswered message of one party."""

    def pending(self, name: str) -> int:
        """How many replies of one party have arrived and were not received yet."""

    def close(self) -> None:
        """Close the connections."""


class Session(Backend):
    """Drives the servers of all parties.

    Parameters
    ----------
    channel : connected to one server per party.
    on_close : called last, to end local processes.
    pids : process ids of local parties and their dealer, by name.
    crypto_provider : name of the dealer, for protocols that need one.
    """

    audience = "the driver"

    def __init__(
        self,
        channel: Channel,
        names: Sequence[str],
        *,
        protocol: str,
        ring: int | None = None,
        f: int | None = None,
        wrap: Wrap,
        on_close: Callable[[], None] | None = None,
        pids: Mapping[str, int] | None = None,
        crypto_provider: str | None = None,
    ) -> None:
        super().__init__(names, protocol, ring, f, wrap)
        self.crypto_provider = require_provider(self.protocol, self.names, crypto_provider)
        self._channel = channel
        self._on_close = on_close
        self.pids = dict(pids or {})
        self._lock = threading.RLock()
        self._waiting: dict[str, deque[str]] = {name: deque() for name in self.names}
        self._failed: MpcError | None = None
        self._refused: MpcError | None = None
        self._closed = False

    # -- messages -------------------------------------------------------------------------------
    def _tell(
        self,
        header: Mapping[str, Any],
        arrays: Mapping[str, Sequence[Array]] | None = None,
        where: str = "",
    ) -> None:
        """Send one message to every party; `arrays` differ by party where they are shares."""
        with self._lock:
            self._check_open()
            freed = [self.dropped.popleft() for _ in range(len(self.dropped))]
            message = {**header, "free": freed}
            for name in self.names:
                self._channel.send(name, message, (arrays or {}).get(name, ()))
                self._waiting[name].append(where)

    def _drain(self) -> None:
        """Look at replies that have arrived; an error surfaces at the next call."""
        with self._lock:
            for name in self.names:
                while self._channel.pending(name):
                    self._take(name)

    def _take(self, name: str) -> tuple[dict[str, Any], list[Array]]:
        """The next reply of one party; its error, if it has one, names the user's line."""
        try:
            header, arrays = self._channel.receive(name)
        except MpcError as lost:
            raise self._fail(lost) from None
        where = self._waiting[name].popleft()
        if "error" in header:
            error = error_from_wire(header["error"])
            if where:
                error.message += f" (the operation at {where})"
                error.args = (error.message,)
            if header.get("fatal", True):
                raise self._fail(error)
            self._refused = error
        return header, arrays

    def _fail(self, error: MpcError) -> MpcError:
        """Remember the first cause; later calls say that the session has ended because of it."""
        if self._failed is None:
            self._failed = error
        return self._failed

    def _check_open(self) -> None:
        if self._failed is not None:
            raise SessionClosed(
                f"the session has ended: {self._failed.message}", party=self._failed.party
            ) from self._failed
        if self._closed:
            raise SessionClosed("the session was closed; open a new one")

    def _ask(
        self, header: Mapping[str, Any], where: str = ""
    ) -> dict[str, tuple[dict[str, Any], list[Array]]]:
        """Send a message to every party and wait until each has answered it."""
        with self._lock:
            self._refused = None
            self._tell(header, where=where)
            answers = {}
            for name in self.names:
                while self._waiting[name]:
                    answers[name] = self._take(name)
            if self._refused is not None:
                raise self._refused
            return answers

    # -- backend --------------------------------------------------------------------------------
    def submit(self, commands: Sequence[Command]) -> None:
        buffers: list[Array] = []
        headers = [to_wire(command, buffers) for command in commands]
        arrays = dict.fromkeys(self.names, buffers)
        self._tell({"do": "run", "commands": headers}, arrays, commands[0].where)
        self._drain()

    def share(self, x: ArrayLike | None, *, owner: str | None = None, f: int | None = None) -> Any:
        """Deal shares of the driver's own array: each party gets components that look random."""
        if owner is not None:
            raise ConfigError("a session shares the driver's own data; use input() for an owner's")
        if x is None:
            raise ConfigError("expected an array to share, got None")
        value = encode(x, self.ring, self.f if f is None else f)
        meta = value.meta.with_(public=False)
        dealt = self.protocol.deal(value.value, meta, len(self.names))
        ref = self.new_ref(meta)
        parts = dict(zip(self.names, dealt, strict=True))
        self._tell({"do": "put", "id": ref.id, "meta": meta.to_wire()}, parts)
        self._drain()
        return self.wrap(ref)

    def input(self, name: str, *, owner: str, shape: Sequence[int | None] | None = None) -> Any:
        self.index(owner)
        ref_id = self._ids + 1
        answers = self._ask({"do": "input", "name": name, "owner": owner, "id": ref_id})
        metas = {party: Meta.from_wire(header["meta"]) for party, (header, _) in answers.items()}
        meta = metas[owner]
        if any(other != meta for other in metas.values()):
            raise FrameError(f"parties disagree on what {owner} offered: {metas}")
        check_shape(meta, shape, f"{owner}'s {name!r}")
        return self.wrap(self.new_ref(meta))

    def open(self, ref: Ref, to: int | None) -> Array | None:
        header = {"do": "open", "id": ref.id, "to": to}
        answers = self._ask(header)
        if to is not None:
            return None
        parts = [arrays[0] for _, arrays in (answers[name] for name in self.names)]
        with np.errstate(over="ignore"):
            return self.protocol_of(ref.meta).from_parties(parts, ref.meta)

    def adopt(self, protocol: str) -> None:
        self._ask({"do": "adopt", "protocol": protocol})

    def cost(self) -> dict[str, Any]:
        """Rounds and bytes among the parties, by party and by operation; bytes from the dealer."""
        answers = {name: header for name, (header, _) in self._ask({"do": "cost"}).items()}
        return {
            "rounds": answers[self.names[0]]["rounds"],
            "bytes": {name: header["bytes"] for name, header in answers.items()},
            "dealt": sum(int(header["dealt"]) for header in answers.values()),
            "operations": {name: header["operations"] for name, header in answers.items()},
        }

    def greet(self) -> None:
        """Ask servers of a cluster to meet for a new session."""
        facts = {"protocol": self.protocol.name, "ring": self.ring.bits, "f": self.f}
        for name, (header, _) in self._ask({"do": "hello", **facts}).items():
            if header != facts:
                raise ConfigError(f"{name} runs {header}, this session {facts}", party=name)

    def wait(self) -> None:
        """Wait until every party has done everything that was asked so far."""
        self._ask({"do": "wait"})

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._channel.close()
            finally:
                if self._on_close is not None:
                    self._on_close()
