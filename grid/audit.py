"""The audit log: append-only, every entry chained to all before it, every head signed.

    head[n] = SHA-256("mpyc-core audit" | head[n-1] | n | SHA-256(body[n]))       head[0] = 32 zeros

The head goes out with every release, to the requester and to co-owners. Whoever kept one can later
tell whether a log still extends it: a log in which an entry was changed, removed or put in, or
which was cut off behind a head that was handed out, does not verify. Bodies carry 16 random bytes,
so that their hashes tell nothing about them.

Reference   the chaining of heads as in [SK99], signatures Ed25519
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConfigError, ConsistencyCheckFailed

from .canonical import decode, encode
from .keys import NodeKeys, signed_by
from .state import State

DOMAIN = b"mpyc-core audit"
PURPOSE = "audit head"
START = bytes(32)


class Head(NamedTuple):
    """A place in a log: number and hash of an entry, as text `NUMBER:HEX`."""

    number: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.digest.hex()}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """The head of its text.

        Raises
        ------
        ConfigError : not a head.
        """
        number, _, digest = text.partition(":")
        try:
            found = cls(int(number), bytes.fromhex(digest))
        except ValueError:
            found = cls(-1, b"")
        if found.number < 0 or len(found.digest) != 32:
            raise ConfigError(f"expected a head as NUMBER:HEX, got {text[:80]!r}")
        return found


@dataclass(frozen=True)
class Entry:
    """One entry of the log."""

    number: int
    body: dict[str, Any]
    head: Head


def chain(before: bytes, number: int, body: bytes) -> bytes:
    """The hash of a head from the one before and the entry."""
    digest = hashlib.sha256(body).digest()
    return hashlib.sha256(DOMAIN + before + number.to_bytes(8, "big") + digest).digest()


class AuditLog:
    """The log of one node; written inside the transactions of what it tells."""

    def __init__(self, state: State, keys: NodeKeys) -> None:
        self._state, self._keys = state, keys

    def head(self) -> Head:
        """Where the log stands."""
        found = self._state.row("SELECT seq, head FROM audit ORDER BY seq DESC LIMIT 1")
        return Head(0, START) if found is None else Head(*found)

    def append(self, event: str, **facts: Any) -> Head:
        """Write an entry; never holds data, only ids, names, prices and shapes."""
        with self._state.transaction():
            last = self.head()
            number = last.number + 1
            body = encode({"event": event, "time": time.time(), "salt": fresh_key(16), **facts})
            digest = chain(last.digest, number, body)
            signature = self._keys.sign(PURPOSE, [number, digest])
            self._state.run(
                "INSERT INTO audit VALUES (?, ?, ?, ?)", number, body, digest, signature
            )
        return Head(number, digest)

    def signed_head(self) -> dict[str, Any]:
        """The present head with its signature, as it is handed out."""
        head = self.head()
        if not head.number:
            return {"number": 0, "digest": START, "signature": b"", "key": self._keys.public}
        found = self._state.row("SELECT signature FROM audit WHERE seq = ?", head.number)
        signature = b"" if found is None else found[0]
        return {
            "number": head.number,
            "digest": head.digest,
            "signature": signature,
            "key": self._keys.public,
        }

    def entries(self, start: int = 1) -> list[Entry]:
        """All entries from a number on."""
        found = self._state.rows(
            "SELECT seq, body, head FROM audit WHERE seq >= ? ORDER BY seq", start
        )
        return [Entry(n, decode(body), Head(n, head)) for n, body, head in found]

    def links(self, start: int) -> list[bytes]:
        """Hashes of the bodies from a number on: proof that the log extends an earlier head."""
        found = self._state.rows("SELECT body FROM audit WHERE seq >= ? ORDER BY seq", start)
        return [hashlib.sha256(body).digest() for (body,) in found]


def check_signed(head: dict[str, Any], public: bytes) -> Head:
    """A head that a node handed out, checked against the node's key.

    Raises
    ------
    ConsistencyCheckFailed : it is not signed by the node.
    """
    found = Head(head["number"], head["digest"])
    if found == Head(0, START) and head["key"] == public:
        return found
    if head["key"] != public or not signed_by(public, PURPOSE, list(found), head["signature"]):
        raise ConsistencyCheckFailed("the head of an audit log is not signed by its node")
    return found


def extends(old: Head, new: Head, links: Iterable[bytes]) -> bool:
    """Whether hashes of the bodies between lead from one head to another."""
    digest, number = old.digest, old.number
    for link in links:
        number += 1
        digest = hashlib.sha256(DOMAIN + digest + number.to_bytes(8, "big") + link).digest()
    return Head(number, digest) == new


def verify(state: State, public: bytes, presented: Iterable[Head] = ()) -> int:
    """Check a whole log; returns the number of its entries.

    Parameters
    ----------
    public : the node's Ed25519 key.
    presented : heads that the node handed out earlier; the log must extend all of them.

    Raises
    ------
    ConsistencyCheckFailed : naming the first entry that is wrong, or the head not extended.
    """
    heads = {0: START}
    rows = state.rows("SELECT seq, body, head, signature FROM audit ORDER BY seq")
    for expected, (number, body, head, signature) in enumerate(rows, start=1):
        if number != expected:
            raise ConsistencyCheckFailed(f"entry {expected} of the audit log is missing")
        if chain(heads[number - 1], number, body) != head:
            raise ConsistencyCheckFailed(f"entry {number} of the audit log was changed")
        if not signed_by(public, PURPOSE, [number, head], signature):
            raise ConsistencyCheckFailed(f"entry {number} of the audit log is not signed")
        heads[number] = head
    for given in presented:
        if heads.get(given.number) != given.digest:
            raise ConsistencyCheckFailed(
                f"the log has {len(rows)} entries and does not extend the head {given}: it was "
                "rewritten or cut after that head was handed out"
            )
    _check_releases(state, rows)
    return len(rows)


def _check_releases(state: State, rows: list[tuple[Any, ...]]) -> None:
    """What went out stands in the log."""
    logged = {
        body.get("release")
        for body in (decode(row[1]) for row in rows)
        if body["event"] == "reserved"
    }
    for (key,) in state.rows("SELECT key FROM releases"):
        if key not in logged:
            raise ConsistencyCheckFailed(f"release {key} does not stand in the audit log")
