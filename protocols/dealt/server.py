"""The process of a crypto provider: it serves any number of sessions, each apart from the others.

One thread owns the sockets. Every session has a worker thread that computes corrections ahead of
need and hands them over. State lives in memory only, and dies with its session: when a party
crashes, aborts, is cut off or leaves, when parties want different things, and when the dealer ends.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from mpyc_core.errors import (
    ConfigError,
    FrameError,
    MpcError,
    PreprocessingExhausted,
    SessionClosed,
)
from mpyc_core.transport.curve import Identity
from mpyc_core.transport.hub import Client, Hub, Joined, Left, Message
from mpyc_core.transport.limits import Limits
from mpyc_core.transport.mesh import Array

from .appoint import same_dealer
from .dealer import Claim, Rules, SessionDealer
from .messages import SMALL, VERSION, error_of, integer, octets, texts
from .want import decode_wants

MAX_SESSIONS = 64
ENDED = 1 << 16
"""Ended sessions whose ids are remembered and refused."""
SESSION_BYTES, PROGRAM_BYTES = 32, 16
Log = Callable[[str], None]
Made = dict[int, list[Array]] | MpcError
"""Corrections by party, or why there are none."""


class _Seat:
    """A party's place in a session."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.heard = time.monotonic()
        self.needs: int | None = None
        self.since = 0.0
        self.left = False


class _Session:
    """One session: its seats, its dealer, its worker."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.seats: dict[int, _Seat] = {}
        self.dealer: SessionDealer | None = None
        self.changed = threading.Condition()
        self.ended = False


class DealerServer:
    """A crypto provider at an address.

    Parameters
    ----------
    name : its name, which no party has.
    names : the parties that it serves, in order.
    address : where parties reach it.
    identity, keys : its keys, and the parties' public keys by name; required unless the address is
        local.
    rules : limits of each session.
    log : told, in a line each, when sessions begin and end.

    Raises
    ------
    ConfigError : the dealer is one of the parties, or the address cannot be used.
    """

    def __init__(
        self,
        name: str,
        names: Sequence[str],
        address: str,
        *,
        identity: Identity | None = None,
        keys: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        rules: Rules | None = None,
        log: Log | None = None,
    ) -> None:
        same_dealer(name, names)
        self.name, self.names = name, tuple(names)
        self._limits = limits or Limits()
        self._rules = rules or Rules()
        self._log = log or (lambda line: None)
        self._hub = Hub(address, name=name, identity=identity, keys=keys, limits=self._limits)
        self.address = self._hub.address
        self._sessions: dict[bytes, _Session] = {}
        self._of: dict[Client, tuple[_Session, int]] = {}
        self._ended: OrderedDict[bytes, None] = OrderedDict()
        self._outbox: queue.SimpleQueue[tuple[_Session, int, Made]] = queue.SimpleQueue()
        self._workers: list[threading.Thread] = []
        self._stop = threading.Event()

    def serve(self) -> None:
        """Deal until `stop`."""
        tell = time.monotonic() + self._limits.heartbeat
        while not self._stop.is_set():
            event = self._hub.receive(max(0.0, tell - time.monotonic()))
            if isinstance(event, Joined):
                self._joined(event)
            elif isinstance(event, Message):
                self._heard(event)
            elif isinstance(event, Left):
                self._left(event)
            self._post()
            if time.monotonic() >= tell:
                tell = time.monotonic() + self._limits.heartbeat
                self._tell()

    def stop(self) -> None:
        """Let `serve` return; may be called from any thread and from a signal's handler."""
        self._stop.set()
        self._hub.wake()

    # -- sessions begin and end -----------------------------------------------------------------
    def _joined(self, event: Joined) -> None:
        """Seat a party that greets; when all are there, the session begins."""
        client, header = event
        try:
            session, index = self._seat(client, header)
        except MpcError as error:
            self._log(f"refused {client.name}: {error.message}")
            self._hub.refuse(client, error)
            return
        session.seats[index] = _Seat(client)
        self._of[client] = session, index
        if len(session.seats) == len(self.names):
            self._begin(session)

    def _seat(self, client: Client, header: Mapping[str, Any]) -> tuple[_Session, int]:
        """The session that a party asks for, and its place there; everything is checked."""
        who = client.name
        if header.get("version") != VERSION or header.get("role") != "party":
            raise FrameError(
                f"{who} does not speak to {self.name} as a party of this release does; install "
                "the same release everywhere and check the addresses",
                party=self.name,
            )
        wanted, parties = header.get("dealer"), texts(header, "parties", who)
        if wanted != self.name:
            raise ConfigError(
                f"{who} expects the crypto provider {str(wanted)[:64]!r} here, this is "
                f"{self.name!r}; use the same name and cluster file everywhere",
                party=self.name,
            )
        if parties != self.names:
            raise ConfigError(
                f"{self.name} deals for {len(self.names)} parties: {', '.join(self.names)}; "
                f"{who} is in a session of {len(parties)}: {', '.join(parties)[:500]}. Start the "
                "dealer with the cluster file of the parties",
                party=self.name,
            )
        if who not in self.names:
            raise ConfigError(f"{who!r} is none of {', '.join(self.names)}", party=self.name)
        return self._session(octets(header, "session", who, SESSION_BYTES), who)

    def _session(self, key: bytes, who: str) -> tuple[_Session, int]:
        """The place of a party in the session of that id, which must be free."""
        index = self.names.index(who)
        if key in self._ended:
            raise SessionClosed(
                f"this session has ended at {self.name} and cannot be taken up again; start all "
                "parties anew",
                party=self.name,
            )
        session = self._sessions.get(key)
        if session is None:
            if len(self._sessions) >= MAX_SESSIONS:
                raise ConfigError(
                    f"{self.name} serves {MAX_SESSIONS} sessions already; try again later",
                    party=self.name,
                )
            session = self._sessions[key] = _Session(key)
        if index in session.seats:
            raise ConfigError(f"{who} is in this session already", party=self.name)
        return session, index

    def _begin(self, session: _Session) -> None:
        """Give every party its seed, and start to deal."""
        dealer = session.dealer = SessionDealer(self.names, session.key, self._rules)
        for index, seat in session.seats.items():
            seat.heard = time.monotonic()
            start = {
                "do": "start",
                "seed": dealer.seeds[index],
                "nonce": dealer.nonce,
                "window": self._rules.window,
            }
            self._hub.send(seat.client, start)
        name = f"{self.name} deals for {session.key[:4].hex()}"
        worker = threading.Thread(target=self._work, args=(session, dealer), name=name, daemon=True)
        self._workers = [w for w in self._workers if w.is_alive()] + [worker]
        worker.start()
        self._log(f"session {session.key[:4].hex()} begins, {len(self._sessions)} at present")

    def _end(self, session: _Session, error: MpcError | None) -> None:
        """Forget a session, telling its parties why."""
        if self._sessions.pop(session.key, None) is None:
            return
        self._ended[session.key] = None
        while len(self._ended) > ENDED:
            self._ended.popitem(last=False)
        for seat in session.seats.values():
            self._of.pop(seat.client, None)
            if not seat.left and error is not None:
                self._hub.refuse(seat.client, error)
        with session.changed:
            session.ended = True
            session.changed.notify_all()
        dealt = 0 if session.dealer is None else session.dealer.dealt
        why = "" if error is None else f": {type(error).__name__}: {error.message}"
        self._log(f"session {session.key[:4].hex()} ended, {dealt / 1e6:.1f} MB dealt{why}")

    def _left(self, event: Left) -> None:
        """A party that is lost ends its session; one that has finished is not waited for."""
        if event.client not in self._of:
            return
        session, index = self._of[event.client]
        seat = session.seats[index]
        seat.left = True
        if event.error is not None or session.dealer is None:
            self._end(session, event.error)
        elif all(seat.left for seat in session.seats.values()):
            self._end(session, None)
        else:
            self._exhausted(session)

    # -- messages -------------------------------------------------------------------------------
    def _heard(self, event: Message) -> None:
        """Act on a party's message; whatever is wrong with it ends its session."""
        if event.client not in self._of:
            return
        session, index = self._of[event.client]
        try:
            self._act(session, index, event.header)
        except MpcError as error:
            error.party = error.party or event.client.name
            self._end(session, error)
        except Exception as error:  # facts that nobody thought of must not stop other sessions
            self._end(session, _reported(error, self.name))

    def _act(self, session: _Session, index: int, header: Mapping[str, Any]) -> None:
        dealer, seat, who = session.dealer, session.seats[index], self.names[index]
        do = header.get("do")
        if do == "abort":
            raise error_of(header, who)
        if dealer is None:
            raise FrameError(f"{who} sent {str(do)[:32]!r} before its session began", party=who)
        seat.heard = time.monotonic()
        with session.changed:
            if do == "expect":
                wants = decode_wants(octets(header, "wants", who))
                dealer.announce(index, octets(header, "program", who, PROGRAM_BYTES), wants)
            elif do == "need":
                seat.needs, seat.since = integer(header, "number", who), seat.heard
                dealer.need(index, seat.needs)
            elif do == "taken":
                dealer.taken(index, integer(header, "bytes", who))
            elif do != "working":
                raise FrameError(f"{who} sent an unknown message to {self.name}", party=who)
            session.changed.notify_all()
        self._exhausted(session)

    def _exhausted(self, session: _Session) -> None:
        """End a session in which somebody waits for what a party that left never announced."""
        if session.dealer is None or session.ended:
            return
        for index, seat in session.seats.items():
            silent = [] if seat.needs is None else session.dealer.silent(seat.needs)
            gone = [self.names[i] for i in silent if session.seats[i].left]
            if gone and not seat.left:
                error = PreprocessingExhausted(
                    f"{self.names[index]} asked for more than was dealt: {', '.join(gone)} has "
                    "left the session and announces nothing more; run the same program at all "
                    "parties",
                    party=gone[0],
                )
                self._end(session, error)
                return

    # -- dealing --------------------------------------------------------------------------------
    def _work(self, session: _Session, dealer: SessionDealer) -> None:
        """Deal, in the session's own thread, until it ends."""
        try:
            while (claim := self._claim(session, dealer)) is not None:
                self._outbox.put((session, claim.number, dealer.deal(claim)))
                self._hub.wake()
        except Exception as error:  # whatever it is, the parties must not wait for more
            self._outbox.put((session, -1, _reported(error, self.name)))
            self._hub.wake()
        finally:
            dealer.erase()

    def _claim(self, session: _Session, dealer: SessionDealer) -> Claim | None:
        """Wait for the next want to deal; None when the session has ended."""
        with session.changed:
            while not session.ended:
                claim = dealer.claim()
                if claim is not None:
                    return claim
                session.changed.wait()
        return None

    def _post(self) -> None:
        """Send what the workers have made."""
        while not self._outbox.empty():
            session, number, made = self._outbox.get()
            if session.ended:
                continue
            if isinstance(made, MpcError):
                self._end(session, made)
                continue
            for index, arrays in made.items():
                seat = session.seats[index]
                if not seat.left:
                    self._send(seat.client, number, arrays)
                if seat.needs is not None and seat.needs <= number:
                    seat.needs = None

    def _send(self, client: Client, number: int, arrays: list[Array]) -> None:
        """The corrections of one want, in pieces when they are large."""
        if sum(array.nbytes for array in arrays) <= SMALL:
            self._hub.send(client, {"do": "dealt", "number": number}, arrays)
            return
        for i, array in enumerate(arrays):
            raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            for offset in range(0, raw.size, SMALL):
                header = {"do": "piece", "number": number, "array": i, "offset": offset}
                self._hub.send(client, header, [raw[offset : offset + SMALL]])

    def _tell(self) -> None:
        """Tell every party that waits what it waits for."""
        now = time.monotonic()
        for session in list(self._sessions.values()):
            if session.dealer is None:
                missing = [n for i, n in enumerate(self.names) if i not in session.seats]
                for seat in session.seats.values():
                    self._hub.send(seat.client, {"do": "state", "missing": missing})
                continue
            for seat in session.seats.values():
                if seat.needs is None or seat.left:
                    continue
                with session.changed:
                    silent = session.dealer.silent(seat.needs)
                late = {
                    self.names[i]: now - max(seat.since, session.seats[i].heard) for i in silent
                }
                idle = max(late.values(), default=0.0)
                header = {"do": "state", "missing": list(late), "idle": round(1000 * idle)}
                self._hub.send(seat.client, header)

    def close(self) -> None:
        """End all sessions; what was dealt and not used is lost. Safe to call twice."""
        error = PreprocessingExhausted(
            f"{self.name} has stopped dealing, and more is asked for than was dealt; start it and "
            "all parties anew",
            party=self.name,
        )
        for session in list(self._sessions.values()):
            self._end(session, error)
        for worker in self._workers:
            worker.join()
        self._hub.close(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _reported(error: Exception, dealer: str) -> MpcError:
    """What a worker's error looks like to the parties."""
    if isinstance(error, MpcError):
        error.party = error.party or dealer
        return error
    return MpcError(f"{dealer} failed to deal: {type(error).__name__}: {error}", party=dealer)
