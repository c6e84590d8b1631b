"""`Want`: one correlation that one interactive primitive needs, as data that crosses a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgpack

from mpyc_core.errors import FrameError

Facts = tuple[Any, ...]
"""Integers, text and tuples of them: what the correlation looks like, never what it holds."""

MAX_OP = 1 << 48
MAX_BUFFER = 1 << 12
MAX_TEXT = 64
MAX_ITEMS = 256
MAX_DEPTH = 4
MAX_NUMBER = 1 << 63
MAX_WANTS = 1 << 16
MAX_BYTES = 1 << 24


@dataclass(frozen=True)
class Want:
    """One correlation, addressed as masks are: by the program so far, operation and buffer.

    Parameters
    ----------
    kind : name of a registered correlation.
    op : the primitive's place in program order.
    buffer : which of the primitive's correlations, below 2^12.
    facts : sizes, rings and products, as the kind's own text says.
    """

    kind: str
    op: int
    buffer: int
    facts: Facts

    def at(self, op: int) -> Want:
        """The same want of another operation."""
        return replace(self, op=op)

    def __str__(self) -> str:
        return f"{self.kind}{self.facts} for operation {self.op}, buffer {self.buffer}"


def encode_wants(wants: Sequence[Want]) -> bytes:
    """The canonical encoding: equal exactly for equal wants in the same order."""
    plain = [[w.kind, w.op, w.buffer, _listed(w.facts)] for w in wants]
    return bytes(msgpack.packb(plain))  # type: ignore[no-untyped-call]


def decode_wants(data: bytes) -> list[Want]:
    """The wants of `encode_wants`, checked: they came from another process.

    Raises
    ------
    FrameError : anything but the canonical encoding of wants within the limits.
    """
    if len(data) > MAX_BYTES:
        raise FrameError(f"expected at most {MAX_BYTES} bytes of wants, got {len(data)}")
    try:
        plain = msgpack.unpackb(data)  # type: ignore[attr-defined, no-untyped-call]
    except (ValueError, msgpack.UnpackException) as error:
        raise FrameError(f"expected wants, got something else: {error}") from None
    if not isinstance(plain, list) or len(plain) > MAX_WANTS:
        raise FrameError(f"expected a list of at most {MAX_WANTS} wants")
    wants = [_want(item) for item in plain]
    if encode_wants(wants) != data:
        raise FrameError("expected wants in their canonical encoding")
    return wants


def _want(item: Any) -> Want:
    if not (isinstance(item, list) and len(item) == 4):
        raise FrameError("expected a want as [kind, operation, buffer, facts]")
    kind, op, buffer, facts = item
    if not _is_text(kind):
        raise FrameError(f"expected the name of a correlation of at most {MAX_TEXT} letters")
    for value, limit in ((op, MAX_OP), (buffer, MAX_BUFFER)):
        if type(value) is not int or not 0 <= value < limit:
            raise FrameError(f"expected an operation below {MAX_OP} and a buffer below 2^12")
    if not isinstance(facts, list):
        raise FrameError(f"expected the facts of a {kind} as a list")
    return Want(kind, op, buffer, _tupled(facts, MAX_DEPTH))


def _tupled(items: list[Any], depth: int) -> Facts:
    if depth == 0 or len(items) > MAX_ITEMS:
        raise FrameError(f"expected facts of at most {MAX_ITEMS} items and {MAX_DEPTH} levels")
    made: list[Any] = []
    for item in items:
        if isinstance(item, list):
            made.append(_tupled(item, depth - 1))
        elif (type(item) is int and abs(item) < MAX_NUMBER) or _is_text(item):
            made.append(item)
        else:
            raise FrameError("expected facts to be integers, short text and lists of them")
    return tuple(made)


def _is_text(item: Any) -> bool:
    return isinstance(item, str) and len(item) <= MAX_TEXT


def _listed(item: Any) -> Any:
    return [_listed(part) for part in item] if isinstance(item, tuple) else item
