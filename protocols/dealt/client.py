"""A crypto provider in another process, as one party sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from mpyc_core.errors import (
    FrameError,
    MpcError,
    PeerTimeout,
    PreprocessingExhausted,
    SessionClosed,
)
from mpyc_core.transport.curve import Identity
from mpyc_core.transport.limits import Limits
from mpyc_core.transport.mesh import Array, Spec
from mpyc_core.transport.spoke import Spoke

from .appoint import same_dealer
from .correlation import correlation
from .dealer import NONCE_BYTES, dealer_session
from .messages import BATCH, VERSION, integer, octets, texts
from .provider import Provider
from .source import SEED_BYTES, Source
from .want import Want, encode_wants

IMPATIENT = 0.005
"""Seconds after which the dealer is told that a party waits."""
SHARE = 8
"""Tell the dealer what was used whenever it is this part of the window."""
Address = tuple[int, int]


class _Parcel:
    """The corrections of one want while they arrive."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        self.arrays: list[Array] = [np.empty(spec.shape, spec.dtype) for spec in specs]
        self.raw = [array.reshape(-1).view(np.uint8) for array in self.arrays]
        self.index = self.offset = 0
        self._skip_empty()

    def _skip_empty(self) -> None:
        while self.index < len(self.raw) and self.offset == self.raw[self.index].size:
            self.index, self.offset = self.index + 1, 0

    def put(self, index: int, offset: int, piece: Array) -> bool:
        """Take the next piece; whether it was the last.

        Raises
        ------
        ValueError : another piece is due.
        """
        due = (index, offset) == (self.index, self.offset) and piece.dtype == np.uint8
        if not due or not 0 < piece.size <= self.raw[index].size - offset:
            raise ValueError("another piece is due")
        self.raw[index][offset : offset + piece.size] = piece
        self.offset += piece.size
        self._skip_empty()
        return self.index == len(self.raw)


class DealerClient(Provider):
    """A party's connection to its crypto provider.

    Parameters
    ----------
    name, address : of the dealer.
    party, names : this party's name, and all parties in order.
    identity, key : this party's keys and the dealer's public key; required unless the address is
        local.
    busy : true while this party computes; the dealer then lets the others be patient with it.

    Raises
    ------
    ConfigError : the dealer is one of the parties.
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        party: str,
        names: Sequence[str],
        limits: Limits | None = None,
        identity: Identity | None = None,
        key: str | None = None,
        busy: object = False,
    ) -> None:
        super().__init__()
        same_dealer(name, names)
        self.name = name
        self._address, self._party, self._names = address, party, tuple(names)
        self._limits = limits or Limits()
        self._identity, self._key, self._busy = identity, key, busy
        self._spoke: Spoke | None = None
        self._source: Source | None = None
        self._lock = threading.RLock()
        self._numbers: dict[Address, tuple[int, Want]] = {}
        self._due: dict[int, Sequence[Spec]] = {}
        self._coming: _Parcel | None = None
        self._here: dict[int, list[Array]] = {}
        self._announced = 0
        self._used = self._tell_at = 0
        self._stop = threading.Event()
        self._notifier: threading.Thread | None = None

    # -- the session ----------------------------------------------------------------------------
    def setup(self, session: bytes, me: int, n: int) -> None:
        """Meet the dealer; returns when all parties of the session have.

        Raises
        ------
        PeerTimeout, PeerGone, AuthenticationFailed : each names the dealer, or who is missing.
        ConfigError : the dealer serves other parties.
        """
        self.me, self.n = me, n
        hello = {
            "role": "party",
            "version": VERSION,
            "dealer": self.name,
            "parties": list(self._names),
            "session": session,
        }
        self._spoke = Spoke(
            self._party,
            self.name,
            self._address,
            hello=hello,
            limits=self._limits,
            identity=self._identity,
            key=self._key,
        )
        start = self._await_start(self._spoke)
        seed = octets(start, "seed", self.name, SEED_BYTES)
        nonce = octets(start, "nonce", self.name, NONCE_BYTES)
        self._tell_at = integer(start, "window", self.name) // SHARE
        self._source = Source(seed, dealer_session(session, nonce), me)
        self._notifier = threading.Thread(
            target=self._notify, name=f"mpyc-core notices to {self.name}", daemon=True
        )
        self._notifier.start()

    def _await_start(self, spoke: Spoke) -> Mapping[str, Any]:
        deadline = time.monotonic() + self._limits.connect
        missing: tuple[str, ...] = ()
        while (left := deadline - time.monotonic()) > 0:
            message = spoke.receive(left)
            if message is None:
                break
            header, _ = message
            if header.get("do") == "start":
                return header
            missing = texts(header, "missing", self.name)
        limit = self._limits.connect
        if missing:
            raise PeerTimeout(
                f"{', '.join(missing)} did not come to {self.name} within {limit:g} s; start all "
                "parties with the same crypto provider",
                party=missing[0],
            )
        raise PeerTimeout(f"{self.name} did not begin within {limit:g} s", party=self.name)

    @property
    def source(self) -> Source:
        if self._source is None:
            raise SessionClosed(f"there is no session with {self.name}")
        return self._source

    def _open(self) -> Spoke:
        if self._spoke is None or self._stop.is_set():
            raise SessionClosed(f"there is no session with {self.name}")
        return self._spoke

    def _notify(self) -> None:
        """Tell the dealer, every heartbeat, that this party computes (in a thread of its own)."""
        while not self._stop.wait(self._limits.heartbeat):
            if self._busy and self._spoke is not None:
                with suppress(MpcError):
                    self._spoke.send({"do": "working"})

    def abort(self, error: MpcError) -> None:
        """Tell the dealer, and through it the other parties, why this party stops."""
        if self._spoke is not None and not self._stop.is_set():
            wire = error.to_wire()
            with suppress(MpcError):
                self._spoke.send({"do": "abort", "error": {**wire}})

    def close(self) -> None:
        """See `Provider.close`; safe to call twice."""
        if self._stop.is_set():
            return
        self._stop.set()
        if self._notifier is not None:
            self._notifier.join()
        self._here.clear()
        self._due.clear()
        self._coming = self._source = None
        if self._spoke is not None:
            self._spoke.close()

    # -- announcements --------------------------------------------------------------------------
    def expect(self, program: bytes, wants: Sequence[Want]) -> None:
        """See `Provider.expect`."""
        with self._lock:
            for start in range(0, len(wants), BATCH):
                self._announce(program, wants[start : start + BATCH])

    def _announce(self, program: bytes, wants: Sequence[Want]) -> None:
        spoke = self._open()
        for want in wants:
            address = (want.op, want.buffer)
            if address in self._numbers:
                raise MpcError(f"{want} was announced twice; please report it")
            self._numbers[address] = self._announced, want
            specs = correlation(want.kind).specs(want, self.n).get(self.me)
            if specs:
                self._due[self._announced] = specs
            self._announced += 1
        if isinstance(spoke.failure, PreprocessingExhausted):
            return  # what was dealt may still be used; who takes more will be told
        spoke.send({"do": "expect", "program": program, "wants": encode_wants(wants)})

    # -- corrections ----------------------------------------------------------------------------
    def fetch(self, want: Want) -> list[Array]:
        """See `Provider.fetch`."""
        with self._lock:
            address = (want.op, want.buffer)
            if address not in self._numbers:
                self._announce(self.program, [want])
            number, announced = self._numbers.pop(address)
            if announced != want:
                raise MpcError(f"{announced} was announced, but {want} taken; please report it")
            while self._take_in(0.0):
                pass
            if number not in self._due and number not in self._here:
                self._check(PreprocessingExhausted)
                return []
            if number not in self._here:
                self._wait(number, want)
            arrays = self._here.pop(number)
            self._count(sum(array.nbytes for array in arrays))
            return arrays

    def _count(self, nbytes: int) -> None:
        """Tell the dealer now and then how much was used."""
        self._used += nbytes
        spoke = self._open()
        if self._used > self._tell_at and spoke.failure is None:
            used, self._used = self._used, 0
            spoke.send({"do": "taken", "bytes": used})

    def _check(self, *harmless: type[MpcError]) -> None:
        """Raise what has ended the session, unless it is harmless here."""
        failure = self._open().failure
        if failure is not None and not isinstance(failure, harmless):
            raise failure

    def _wait(self, number: int, want: Want) -> None:
        """Wait for the corrections of a want, watching the dealer and those that it waits for."""
        spoke, limits = self._open(), self._limits
        start = heard = time.monotonic()
        told = False
        while number not in self._here:
            if self._take_in(limits.heartbeat if told else IMPATIENT):
                heard = time.monotonic()
                continue
            self._check()
            if not told:
                told = True
                spoke.send({"do": "need", "number": number})
            elif time.monotonic() - heard > limits.progress:
                raise PeerTimeout(
                    f"{self.name} is connected but sent nothing for "
                    f"{time.monotonic() - start:.1f} s, waiting for {want}; it is overloaded or "
                    "stopped (or raise Limits.progress)",
                    party=self.name,
                )

    def _take_in(self, timeout: float) -> bool:
        """Take in one message of the dealer; whether there was one."""
        spoke = self._open()
        try:
            message = spoke.receive(timeout)
        except PreprocessingExhausted:
            return False
        if message is None:
            return False
        header, arrays = message
        do = header.get("do")
        if do == "dealt":
            self._dealt(header, arrays)
        elif do == "piece":
            self._piece(header, arrays)
        elif do == "state":
            self._state(header)
        else:
            raise FrameError(f"{self.name} sent an unknown message", party=self.name)
        return True

    def _next_due(self, header: Mapping[str, Any]) -> int:
        """The number of a message, which must be that of the next corrections."""
        number = integer(header, "number", self.name)
        if number != next(iter(self._due), None):
            raise FrameError(
                f"{self.name} sent corrections number {number}, which are not the next ones: they "
                "were repeated, or are of another session",
                party=self.name,
            )
        return number

    def _dealt(self, header: Mapping[str, Any], arrays: list[Array]) -> None:
        number = self._next_due(header)
        specs = self._due[number]
        if self._coming is not None or [Spec.of(a) for a in arrays] != list(specs):
            raise FrameError(
                f"{self.name} sent {[str(Spec.of(a)) for a in arrays][:8]} as corrections number "
                f"{number}, expected {[str(s) for s in specs][:8]}",
                party=self.name,
            )
        del self._due[number]
        self._here[number] = arrays

    def _piece(self, header: Mapping[str, Any], arrays: list[Array]) -> None:
        number = self._next_due(header)
        if self._coming is None:
            self._coming = _Parcel(self._due[number])
        index = integer(header, "array", self.name)
        offset = integer(header, "offset", self.name)
        try:
            (piece,) = arrays
            last = self._coming.put(index, offset, piece)
        except ValueError:
            raise FrameError(
                f"{self.name} sent a piece of corrections number {number} that is not the next one",
                party=self.name,
            ) from None
        if last:
            for array in self._coming.arrays:
                array.flags.writeable = False
            self._here[number], self._coming = self._coming.arrays, None
            del self._due[number]

    def _state(self, header: Mapping[str, Any]) -> None:
        """The dealer says what it does; a party that it waits for in vain is late."""
        missing = texts(header, "missing", self.name)
        idle = integer(header, "idle", self.name) / 1000 if missing else 0.0
        if idle > self._limits.progress:
            raise PeerTimeout(
                f"{missing[0]} announced nothing to {self.name} for {idle:.1f} s while "
                f"{self._party} waits for it; it waits for something else or computes outside an "
                "operation (wrap that in mesh.busy(), or raise Limits.progress)",
                party=missing[0],
            )
