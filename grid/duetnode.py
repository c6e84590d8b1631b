"""`DuetNode`: a node that lets in those who prove a join code, and knows them from then on.

While a code waits to be used, strangers may connect, and can do one thing: prove the code. What
else they send is refused. Who has joined is kept with the node's state, so that the same key may
come back; codes are kept in memory only, are used once and expire.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import AuthenticationFailed, ConfigError, PermissionDenied

from . import checks
from .canonical import decode, encode
from .commands import Reply, Visit, action
from .duetcode import SECRET_BYTES, proof, proves
from .node import Node
from .spec import Array

GUESTS = "duet guests"
VALID = 15 * 60.0
MAX_OPEN = 32


@dataclass(frozen=True)
class Guest:
    """Somebody who has joined.

    Parameters
    ----------
    name : what they call themselves; nothing is decided by it.
    receipt : what proved to them that this node knew the secret.
    """

    name: str
    receipt: bytes = field(repr=False)


@dataclass(frozen=True)
class _Invitation:
    secret: bytes = field(repr=False)
    expires: float


class DuetNode(Node):
    """The node behind a duet; see `Node`."""

    kind = "duet"

    def __init__(self, name: str, folder: Path | None = None, **options: Any) -> None:
        self.guests: dict[str, Guest] = {}
        self._invitations: list[_Invitation] = []
        super().__init__(name, folder, **options)
        self.names = lambda: {key: guest.name for key, guest in self.guests.items()}
        found = self.state.fact(GUESTS)
        if found is not None:
            self.guests = {key: Guest(**guest) for key, guest in decode(found).items()}

    # -- who may enter --------------------------------------------------------------------------
    def invite(self, valid: float = VALID) -> bytes:
        """A new secret, good for one guest and for some seconds.

        Raises
        ------
        ConfigError : too many wait to be used.
        """
        with self.lock:
            if len(self._live()) >= MAX_OPEN:
                raise ConfigError(f"{MAX_OPEN} codes wait to be used; let some of them expire")
            secret = fresh_key(SECRET_BYTES)
            self._invitations.append(_Invitation(secret, time.monotonic() + valid))
            self.audit.append("invited", seconds=float(valid))
        return secret

    def _live(self) -> list[_Invitation]:
        now = time.monotonic()
        self._invitations = [x for x in self._invitations if x.expires > now]
        return self._invitations

    def may_enter(self, key: str) -> bool:
        """Whether the holder of a key may connect; what it may then do is another question."""
        return key in self.guests or any(
            x.expires > time.monotonic() for x in tuple(self._invitations)
        )

    def join(self, key: str, name: str, given: bytes) -> bytes:
        """Let a client in who proves a code; returns this side's proof.

        Who has joined before gets the proof of then, so that a lost answer costs no code.

        Raises
        ------
        AuthenticationFailed : no code that waits to be used was proved by the holder of this key.
        """
        host = self.keys.identity.public
        for x in self._live():
            if proves(given, proof("guest", x.secret, host, key)):
                receipt = proof("host", x.secret, host, key)
                self._keep({**self.guests, key: Guest(name, receipt)}, "joined", key, name)
                self._invitations.remove(x)
                self.announce(f"joined {name}")
                return receipt
        if key in self.guests:
            return self.guests[key].receipt
        raise AuthenticationFailed(
            "no code was proved: it was used before, has expired, is another duet's, or somebody "
            "in between changed keys; ask for a new one",
            party=self.name,
        )

    def expel(self, key: str) -> None:
        """Let a guest do nothing any more, from the next command on.

        Raises
        ------
        ConfigError : no guest has this key.
        """
        with self.lock:
            if key not in self.guests:
                raise ConfigError("no guest has this key")
            left = {k: guest for k, guest in self.guests.items() if k != key}
            self._keep(left, "expelled", key, self.guests[key].name)

    def _keep(self, guests: dict[str, Guest], event: str, key: str, name: str) -> None:
        """Write who is in before it counts."""
        packed = {k: {"name": g.name, "receipt": g.receipt} for k, g in guests.items()}
        with self.state.transaction():
            self.state.set_fact(GUESTS, encode(packed))
            self.audit.append(event, who=key, name=name)
        self.guests = guests

    # -- commands -------------------------------------------------------------------------------
    def handle(
        self, visit: Visit, number: int, header: Mapping[str, Any], arrays: Sequence[Array]
    ) -> Reply:
        """Carry out a command of the owner or of a guest; of others, `join` alone."""
        with self.lock:
            known = visit.caller == self.owner or visit.caller in self.guests
            if not known and header.get("do") != "join":
                raise AuthenticationFailed(
                    "this client is no guest of the duet; join it with a code", party=self.name
                )
            return super().handle(visit, number, header, arrays)


@action("join", name=checks.name, proof=lambda value: type(value) is bytes and len(value) == 32)
def join(node: Node, visit: Visit, header: Mapping[str, Any], arrays: Sequence[Array]) -> Reply:
    """Join a duet: prove its code, be shown that the host knows it, too."""
    if not isinstance(node, DuetNode):
        raise PermissionDenied("this node is no duet", party=node.name)
    return {"receipt": node.join(visit.caller, header["name"], header["proof"])}, []
