"""Watching and changing the masks of a protocol: which block is drawn where, and by whom.

`watch` puts a tape between the protocol and its streams. A block is named by its key, operation
and buffer; whoever holds the key knows it. The tape can replace one block by another (at all its
holders, as if their key had given other words there), and it can weaken every block, to play the
mistakes that the tests of this folder must find.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mpyc_core.prg import KEY_BYTES, Stream
from mpyc_core.protocols import masks
from mpyc_core.transport.mesh import Array

from .wide import minus, xor

Address = tuple[bytes, int, int]
"""Key, operation, buffer."""


@dataclass
class Tape:
    """What was drawn, and what to change.

    Attributes
    ----------
    holders : who holds a key.
    drawn : every block that was drawn, as it was handed out.
    replaced : the address of the one block to replace, and the key that replaces it.
    weaken : what is done to every block; nothing in the real protocol.
    operation : which operation's block is handed out; its own in the real protocol.
    """

    holders: dict[bytes, set[int]] = field(default_factory=dict)
    drawn: dict[Address, Array] = field(default_factory=dict)
    replaced: tuple[Address, bytes] | None = None
    weaken: Callable[[Array], Array] = lambda block: block
    operation: Callable[[int], int] = lambda op: op
    now: tuple[int, int] = (-1, -1)

    def known_to(self, party: int) -> list[Array]:
        """Every drawn block whose key the party holds."""
        return [block for (key, *_), block in self.drawn.items() if party in self.holders[key]]

    def difference(self, address: Address, other: bytes, like: Array) -> tuple[Array, Array]:
        """How a message of this form differs when it is padded by the replaced block."""
        key, op, buffer = address
        before = Stream(key).words(op, buffer, like.shape, like.dtype)
        after = Stream(other).words(op, buffer, like.shape, like.dtype)
        return minus(after, before), xor(after, before)


class Watched(Stream):
    """A stream that tells the tape."""

    __slots__ = ("_key", "_tape")

    def __init__(self, key: bytes, tape: Tape) -> None:
        super().__init__(key)
        self._key, self._tape = key, tape
        tape.holders.setdefault(key, set()).update(tape.now)

    def fill(self, op_id: int, buffer_id: int, out: Array, *more: Any) -> None:
        tape = self._tape
        op_id = tape.operation(op_id)
        address = (self._key, op_id, buffer_id)
        if tape.replaced is not None and tape.replaced[0] == address:
            Stream(tape.replaced[1]).fill(op_id, buffer_id, out, *more)
        else:
            super().fill(op_id, buffer_id, out, *more)
        out[...] = tape.weaken(out)
        tape.drawn[address] = out.copy()


@pytest.fixture
def tape(monkeypatch: pytest.MonkeyPatch) -> Tape:
    """A tape on the pairwise keys of every protocol made in this test."""
    made = Tape()
    init, stream = masks.PairKeys.__init__, masks.PairKeys.stream

    def remember(self: Any, seed: bytes, session: bytes, holders: tuple[int, int]) -> None:
        self.watched_holders = holders
        init(self, seed, session, holders)

    def watched(self: Any, purpose: Any) -> Stream:
        made.now = self.watched_holders
        return stream(self, purpose)

    monkeypatch.setattr(masks.PairKeys, "__init__", remember)
    monkeypatch.setattr(masks.PairKeys, "stream", watched)
    for factory in ("Stream", "stream"):
        monkeypatch.setattr(masks, factory, lambda key: Watched(key, made), raising=False)
    return made


def other_key() -> bytes:
    """A key that nobody holds."""
    return secrets.token_bytes(KEY_BYTES)
