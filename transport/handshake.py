"""How parties find each other, compare what they assume, and agree on a session.

Of each pair the party that comes later in the list of names connects. Both say HELLO: name, a fresh
nonce, and facts (parties, protocol, ring, ...) that must be equal at all. The session id is the
SHA-256 of all nonces in party order, so no party can repeat an old session. READY says that a party
has heard everybody and names the session; a party starts when it has every READY.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import zmq

from mpyc_core.errors import (
    AuthenticationFailed,
    ConfigError,
    FrameError,
    MpcError,
    PeerGone,
    PeerTimeout,
    ProgramMismatch,
)

from .dial import FAILURES, REFUSED, RETRY, Dialer
from .frame import NO_SESSION, PREFIX, SESSION_BYTES, VERSION, Kind, pack_prefix, parse_prefix
from .link import Link, pack_abort, parse_abort
from .wire import Wire

NONCE_BYTES = 32
MAX_HELLO = 1 << 16
GRACE = 2.0
LATE = 1.0


@dataclass(frozen=True)
class Hello:
    """What a party says first."""

    name: str
    nonce: bytes
    facts: Mapping[str, str]

    @classmethod
    def make(cls, names: Sequence[str], name: str, nonce: bytes, facts: Mapping[str, str]) -> Hello:
        """A hello whose facts include the frame version and the parties."""
        return cls(
            name, nonce, {"frame version": str(VERSION), "parties": ", ".join(names), **facts}
        )

    def pack(self) -> bytes:
        """The body of a HELLO; `ConfigError` when the facts are too long."""
        body = json.dumps(
            {"name": self.name, "nonce": self.nonce.hex(), "facts": dict(self.facts)}
        ).encode()
        if len(body) > MAX_HELLO:
            raise ConfigError(f"the facts to compare take more than {MAX_HELLO} bytes; hash them")
        return body

    @classmethod
    def parse(cls, body: bytes) -> Hello:
        """Rebuild a hello; anything unexpected is a `FrameError`."""
        try:
            data = json.loads(body[:MAX_HELLO])
            nonce = bytes.fromhex(data["nonce"])
            name, facts = data["name"], data["facts"]
        except (ValueError, RecursionError, TypeError, KeyError):
            nonce, name, facts = b"", None, None
        if (
            not isinstance(name, str)
            or not isinstance(facts, dict)
            or len(nonce) != NONCE_BYTES
            or not all(isinstance(value, str) for value in facts.values())
        ):
            raise FrameError("a peer sent a malformed hello")
        return cls(name, nonce, facts)

    def compare(self, peer: Hello) -> None:
        """Raise `ConfigError` naming the first fact on which the two do not agree."""
        for key in [*self.facts, *(k for k in peer.facts if k not in self.facts)]:
            mine, theirs = self.facts.get(key, "absent"), peer.facts.get(key, "absent")
            if mine != theirs:
                raise ConfigError(
                    f"{key[:64]} is {theirs[:200]!r} at {peer.name} and {mine[:200]!r} at "
                    f"{self.name}; start all parties with the same settings",
                    party=peer.name,
                )


def session_id(hellos: Sequence[Hello]) -> bytes:
    """SHA-256 over all nonces in party order (32 bytes)."""
    digest = hashlib.sha256(b"mpyc-core session 1")
    for hello in hellos:
        digest.update(hello.nonce)
    return digest.digest()


class Handshake:
    """One run of the handshake over a bound wire.

    Parameters
    ----------
    hello : this party's own.
    links : one per peer, by party index; their routes are filled in.
    addresses : where the parties listen, by name; those of earlier parties are needed.

    Raises
    ------
    ConfigError : an address is missing.
    """

    def __init__(
        self,
        wire: Wire,
        names: Sequence[str],
        hello: Hello,
        links: Mapping[int, Link],
        addresses: Mapping[str, str],
    ) -> None:
        self.routes: dict[bytes, Link] = {}
        self._wire = wire
        self._names = tuple(names)
        self._me = me = self._names.index(hello.name)
        self._links = links
        self._hello = hello
        self._hellos: dict[int, Hello] = {me: hello}
        self._ready: set[int] = set()
        self._early: dict[int, bytes] = {}
        self._session = b""
        earlier = self._names[:me]
        missing = [name for name in earlier if name not in addresses]
        if missing:
            raise ConfigError(f"no address of {', '.join(missing)} is given")
        self._dialer = Dialer(wire, hello.name, {name: addresses[name] for name in earlier})
        self._strangers: list[str] = []
        self._unproven = 0
        self._lost: Link | None = None

    def run(self) -> bytes:
        """Meet all peers; returns the session id.

        Raises
        ------
        ConfigError, PeerTimeout, PeerGone, AuthenticationFailed, FrameError : each names the peer.
        """
        self._wire.admit(True)
        try:
            self._meet()
        except MpcError as error:
            self._tell(error)
            raise
        finally:
            self._wire.admit(False)
        return self._session

    def _meet(self) -> None:
        """Exchange messages until everybody is ready."""
        deadline = time.monotonic() + self._wire.limits.connect
        repeat = 0.0
        while len(self._ready) < len(self._links):
            now = time.monotonic()
            if now >= deadline:
                raise self._late()
            if now >= repeat:
                self._greet()
                repeat = now + RETRY
            message, event = self._wire.poll(min(deadline, repeat) - now)
            if message:
                self._read()
            elif self._lost is not None and not self._lost.left:
                raise PeerGone(
                    f"{self._lost.name} closed its connection before the session began; see its "
                    "own output for the reason",
                    party=self._lost.name,
                )
            if event:
                self._note_events()
            if not self._session and len(self._hellos) == len(self._names):
                self._agree()
                deadline = max(deadline, time.monotonic()) + GRACE

    def _greet(self) -> None:
        """Connect and say hello to earlier parties, until one attempt each holds."""
        for name in self._dialer.dial():
            link = self._links[self._names.index(name)]
            link.route = self._dialer.routes[name]
            self.routes[link.route] = link
            self._send(link.route, Kind.HELLO, self._hello.pack())

    def _agree(self) -> None:
        """Everybody is known: fix the session and say so."""
        self._session = session_id([self._hellos[i] for i in range(len(self._names))])
        for link in self._links.values():
            link.sent += 1
            head = pack_prefix(Kind.READY, self._me, link.sent, self._session[:SESSION_BYTES])
            with suppress(PeerGone):
                self._wire.send(link.route, [head + self._session])
        for index, early in list(self._early.items()):
            self._heard_ready(self._links[index], early)

    def _send(self, route: bytes, kind: Kind, body: bytes) -> None:
        with suppress(PeerGone):
            self._wire.send(route, [pack_prefix(kind, self._me, 0, NO_SESSION) + body])

    def _tell(self, error: MpcError) -> None:
        """Let the others fail with the same cause, also those that arrive a little later."""
        told: set[int] = {self._me}
        deadline = time.monotonic() + (0 if isinstance(error, PeerTimeout) else LATE)
        while True:
            for index in set(self._hellos) - told:
                told.add(index)
                self._abort(self._links[index], error)
            if len(told) == len(self._names) or time.monotonic() > deadline:
                return
            with suppress(MpcError):
                self._greet()
            message, event = self._wire.poll(RETRY)
            with suppress(MpcError):
                if message:
                    self._read()
                if event:
                    self._note_events()

    def _abort(self, link: Link, error: MpcError) -> None:
        """Tell one peer the cause."""
        if not link.gone:
            link.sent += 1 if self._session else 0
            session = self._session[:SESSION_BYTES] or NO_SESSION
            head = pack_prefix(Kind.ABORT, self._me, link.sent, session)
            with suppress(PeerGone):
                self._wire.send(link.route, [head + pack_abort(error)])

    def _read(self) -> None:
        """Read one message: of a peer that is known, or the hello of one that is not."""
        socket = self._wire.socket
        route = socket.recv()
        frame = socket.recv(copy=False)
        head = frame.bytes
        link = self.routes.get(route)
        if link is not None and link.index in self._ready:
            self._keep(link, head)
            return
        strays = self._wire.skip()
        who = link.name if link else "a peer"
        try:
            if strays:
                raise FrameError(
                    f"{who} sent a hello of several parts", party=link.name if link else None
                )
            prefix = parse_prefix(head, who)
            body = head[PREFIX.size :]
            if prefix.kind == Kind.HELLO:
                self._greeted(route, link, Hello.parse(body), frame)
            elif link is not None and prefix.kind == Kind.ABORT:
                raise parse_abort(body, link.name)
            elif link is not None and prefix.kind == Kind.READY:
                self._heard_ready(link, head)
        except FrameError:
            if link is not None:
                raise

    def _keep(self, link: Link, head: bytes) -> None:
        """A peer that has heard everybody may already compute: keep its frames for later."""
        kind = link.take(head, self._session)
        body = (
            self._wire.socket.recv(copy=False)
            if self._wire.socket.getsockopt(zmq.RCVMORE)
            else None
        )
        if self._wire.skip():
            raise FrameError(f"{link.name} sent a frame of too many parts", party=link.name)
        if kind == Kind.ABORT:
            raise parse_abort(head[PREFIX.size :], link.name)
        if kind == Kind.BYE:
            link.left = True
        elif kind != Kind.NOTICE:
            link.backlog.append((head, body))

    def _heard_ready(self, link: Link, head: bytes) -> None:
        """A peer has heard everybody; it may have done so before this party has."""
        if not self._session:
            self._early[link.index] = head
            return
        if head[PREFIX.size :] != self._session:
            raise ProgramMismatch(
                f"{link.name} derived another session from the parties' nonces: a party told "
                "different peers different things; start all parties anew",
                party=link.name,
            )
        link.take(head, self._session)
        self._ready.add(link.index)

    def _greeted(self, route: bytes, link: Link | None, hello: Hello, frame: zmq.Frame) -> None:
        """Check a hello; accept its sender as a peer, refuse it, or stop."""
        refusal = self._refusal(link, hello, frame)
        if refusal is not None:
            self._send(route, Kind.ABORT, pack_abort(refusal))
            self._strangers.append(refusal.message)
            if link is not None:
                raise refusal
            return
        link = self._links[self._names.index(hello.name)]
        known = self._hellos.get(link.index)
        if known is not None:
            if known.nonce != hello.nonce:
                raise FrameError(f"{link.name} said hello twice, differently", party=link.name)
            return
        self._hellos[link.index] = hello
        link.route, link.fd = route, int(frame.get(zmq.SRCFD))
        self.routes[route] = link
        if link.index > self._me:
            self._send(route, Kind.HELLO, self._hello.pack())
        self._hello.compare(hello)

    def _refusal(self, link: Link | None, hello: Hello, frame: zmq.Frame) -> MpcError | None:
        """Why the sender of a hello cannot be the peer it should be; None when it can."""
        me = self._hello.name
        if link is not None and hello.name == link.name:
            return None
        if link is not None:
            address = self._dialer.addresses.get(link.name, self._wire.address)
            return ConfigError(
                f"{me} expected {link.name} at {address}, but {hello.name[:64]!r} answered; "
                "check the addresses",
                party=link.name,
            )
        if hello.name not in self._names:
            return ConfigError(
                f"{hello.name[:64]!r} is not a party of {me}, which knows {', '.join(self._names)}"
            )
        if self._wire.keys and frame.get("User-Id") != hello.name:
            return AuthenticationFailed(
                f"a peer with another party's key calls itself {hello.name}"
            )
        index = self._names.index(hello.name)
        if index <= self._me or index in self._hellos:
            return ConfigError(f"{hello.name} has already met {me}; party names must differ")
        return None

    def _note_events(self) -> None:
        """Remember lost connections and failed authentications."""
        for event, value, endpoint in self._wire.events():
            if event == zmq.EVENT_DISCONNECTED:
                for link in self._links.values():
                    if link.fd == value:
                        link.gone, link.fd, self._lost = True, -1, link
            if event in REFUSED and endpoint == self._wire.address:
                self._unproven += 1
            name = self._dialer.name_at(endpoint)
            if name is None or self._names.index(name) in self._hellos:
                continue
            if event in FAILURES:
                del self.routes[self._dialer.drop(name, event)]

    def _late(self) -> MpcError:
        """Who is missing, and where it was looked for."""
        limit, me = self._wire.limits.connect, self._hello.name
        missing = [link.name for i, link in self._links.items() if i not in self._hellos]
        if not missing:
            waiting = [link.name for i, link in self._links.items() if i not in self._ready]
            return PeerTimeout(
                f"{', '.join(waiting)} reached {me} but did not find all parties in {limit:g} s",
                party=waiting[0],
            )
        for name in missing:
            if self._dialer.refused(name):
                return self._dialer.unauthenticated(name)
        where = [
            f"{name} did not answer at {self._dialer.addresses[name]}"
            if name in self._dialer.addresses
            else f"{name} did not connect to {self._wire.address}"
            for name in missing
        ]
        hints = self._strangers[-3:]
        if self._unproven:
            hints.append("connections with a wrong key were refused")
        note = f" ({'; '.join(hints)})" if hints else ""
        return PeerTimeout(
            f"{'; '.join(where)} within {limit:g} s{note}; start it, or check the address",
            party=missing[0],
        )
