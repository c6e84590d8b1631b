"""The binary format of what parties send each other.

A message is one ZeroMQ message. Its first part is a head: a fixed prefix, then a body that depends
on the kind. Only arrays travel; there is no pickle and no self-describing encoding.

    prefix   magic and version, kind, sender, sequence number, session          32 bytes
    DATA     operation, round, chunk, array count, digest, operation name       64 bytes
             per array: dtype code, ndim, shape; then the small arrays themselves
    PIECE    array index, byte offset; the second part is up to 1 MiB of that array
    NOTICE   working or waiting, for whom, idle time
    HELLO, READY, ABORT, BYE   a body of their own

Small arrays ride in the head, each on a multiple of 8 bytes; the others follow in PIECE messages
of at most 1 MiB, so that a receiver sees progress on a slow line and no single message needs a
huge allocation. Both sides compute this layout from the shapes alone. On a lane (see `lane`) all
arrays ride in the head.

A receiver knows which head it expects, byte for byte. It compares, and parses only to explain a
difference.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from mpyc_core.errors import FrameError, ProgramMismatch

from .mesh import Array, Spec, Tag

MAGIC = b"mpc\x01"
VERSION = MAGIC[3]
PREFIX = struct.Struct("<4sBxHQ16s")
DATA = struct.Struct("<QIIH6x16s24s")
ARRAY = struct.Struct("<BB6x")
ARRAYS = [struct.Struct(f"<BB6x{ndim}Q") for ndim in range(9)]
PIECE = struct.Struct("<I4xQ")

INLINE_BYTES = 1 << 16
UNBOUNDED = 1 << 62
"""Room in the head for arrays: of a ZeroMQ message, and of a frame on a lane."""
PIECE_BYTES = 1 << 20
MAX_ARRAYS = 4096
MAX_NDIM = 8
NAME_BYTES = 24
SESSION_BYTES = 16
NO_SESSION = bytes(SESSION_BYTES)

Z128 = np.dtype([("lo", "<u8"), ("hi", "<u8")])
"""Elements of Z/2^128: the only structured dtype that travels."""
DTYPES: tuple[np.dtype[Any], ...] = (
    np.dtype("u1"),
    np.dtype("<u2"),
    np.dtype("<u4"),
    np.dtype("<u8"),
    Z128,
)
CODES = {dtype: code for code, dtype in enumerate(DTYPES)}


class Kind(IntEnum):
    """What a message is for."""

    HELLO = 1
    READY = 2
    DATA = 3
    PIECE = 4
    NOTICE = 5
    ABORT = 6
    BYE = 7


KINDS = frozenset(int(kind) for kind in Kind)


class Prefix(NamedTuple):
    """The part that every head starts with."""

    kind: int
    sender: int
    sequence: int
    session: bytes


class Heading(NamedTuple):
    """A parsed DATA head: where the frame belongs and what it carries."""

    tag: Tag
    specs: tuple[Spec, ...]
    payload: int
    """Offset of the first inline byte."""


def pack_prefix(kind: int, sender: int, sequence: int, session: bytes) -> bytes:
    """The 32 bytes every head starts with."""
    return PREFIX.pack(MAGIC, kind, sender, sequence, session)


def parse_prefix(head: bytes, peer: str) -> Prefix:
    """Check magic, version and kind of a head.

    Raises
    ------
    FrameError : naming the peer.
    """
    if len(head) < PREFIX.size:
        raise FrameError(
            f"{peer} sent a head of {len(head)} bytes, expected at least {PREFIX.size}", party=peer
        )
    magic, kind, sender, sequence, session = PREFIX.unpack_from(head)
    if magic != MAGIC:
        if magic[:3] == MAGIC[:3]:
            raise FrameError(
                f"{peer} speaks frame version {magic[3]}, expected {VERSION}; install the same "
                "release at all parties",
                party=peer,
            )
        raise FrameError(f"{peer} sent a message that is not a frame of this protocol", party=peer)
    if kind not in KINDS:
        raise FrameError(f"{peer} sent a frame of unknown kind {kind}", party=peer)
    return Prefix(kind, sender, sequence, session)


def padded(nbytes: int) -> int:
    """`nbytes` rounded up to a multiple of 8."""
    return (nbytes + 7) & ~7


def describe(
    tag: Tag, arrays: Sequence[Array | Spec], room: int = INLINE_BYTES
) -> tuple[bytes, tuple[int, ...], int]:
    """How a frame of these arrays, or of arrays with these specs, looks.

    Parameters
    ----------
    room : bytes that arrays may take in the head.

    Returns
    -------
    tuple : the body of its DATA head up to the inline arrays; the indices of the arrays that follow
        as pieces; and how many bytes, padding included, the others take in the head.

    Raises
    ------
    FrameError : these arrays may not travel: dtype, number of arrays or of axes.
    """
    try:
        described, following, inline = _layout(tuple([(a.dtype, a.shape) for a in arrays]), room)
    except FrameError as error:
        raise FrameError(f"{tag} {error}") from None
    name = tag.name.encode()[:NAME_BYTES]
    head = DATA.pack(tag.op, tag.round, tag.chunk, len(arrays), tag.digest, name)
    return head + described, following, inline


@lru_cache(maxsize=1024)
def _layout(
    specs: tuple[tuple[np.dtype[Any], tuple[int, ...]], ...], available: int
) -> tuple[bytes, tuple[int, ...], int]:
    """What `describe` says of dtypes and shapes alone; a program repeats few."""
    if len(specs) > MAX_ARRAYS:
        raise FrameError(
            f"has {len(specs)} arrays in one frame, at most {MAX_ARRAYS} fit; split it"
        )
    parts, following, room = [], [], available
    for index, (dtype, shape) in enumerate(specs):
        code = CODES.get(dtype)
        if code is None or len(shape) > MAX_NDIM:
            raise FrameError(
                f"has an array {dtype} {shape}; only u1, u2, u4, u8 and Z/2^128 with at most "
                f"{MAX_NDIM} axes may travel between parties"
            )
        parts.append(ARRAYS[len(shape)].pack(code, len(shape), *shape))
        size = padded(math.prod(shape) * dtype.itemsize)
        if size <= room:
            room -= size
        else:
            following.append(index)
    return b"".join(parts), tuple(following), available - room


def inline_payload(arrays: Sequence[Array], following: Sequence[int]) -> bytes:
    """The bytes of the arrays that ride in the head, each padded to a multiple of 8."""
    parts = []
    for index, array in enumerate(arrays):
        if index not in following:
            parts.append(array.tobytes())
            if array.nbytes & 7:
                parts.append(bytes(-array.nbytes & 7))
    return b"".join(parts)


def take_inline(head: bytes | Array, offset: int, specs: Sequence[Spec]) -> list[Array]:
    """Read-only arrays that share the memory of a head whose length was checked."""
    arrays = []
    for spec in specs:
        array: Array = np.ndarray(spec.shape, spec.dtype, head, offset)
        arrays.append(array)
        offset += padded(array.nbytes)
    return arrays


def _parse_specs(head: bytes, count: int, peer: str) -> tuple[list[Spec], int]:
    specs, offset = [], PREFIX.size + DATA.size
    for _ in range(count):
        if offset + ARRAY.size > len(head):
            raise FrameError(f"{peer} sent a head that ends inside its array list", party=peer)
        code, ndim = ARRAY.unpack_from(head, offset)
        offset += ARRAY.size
        if code >= len(DTYPES) or ndim > MAX_NDIM or offset + 8 * ndim > len(head):
            raise FrameError(
                f"{peer} describes an array of dtype code {code} with {ndim} axes, expected a code "
                f"below {len(DTYPES)} and at most {MAX_NDIM} axes",
                party=peer,
            )
        specs.append(Spec(DTYPES[code], struct.unpack_from(f"<{ndim}Q", head, offset)))
        offset += 8 * ndim
    return specs, offset


def parse_heading(head: bytes, peer: str, max_message: int, room: int = INLINE_BYTES) -> Heading:
    """Check and parse a DATA head; allocates nothing that depends on the announced shapes.

    Raises
    ------
    FrameError : naming the peer, what was expected and what came.
    """
    start = PREFIX.size + DATA.size
    if len(head) < start:
        raise FrameError(
            f"{peer} sent a data head of {len(head)} bytes, expected at least {start}", party=peer
        )
    op, round_, chunk, count, digest, raw = DATA.unpack_from(head, PREFIX.size)
    if count > MAX_ARRAYS:
        raise FrameError(
            f"{peer} announces {count} arrays in a frame, expected at most {MAX_ARRAYS}", party=peer
        )
    specs, offset = _parse_specs(head, count, peer)
    total = sum(math.prod(spec.shape) * spec.dtype.itemsize for spec in specs)
    if total > max_message:
        raise FrameError(
            f"{peer} announces {total} bytes in a frame, expected at most {max_message} "
            "(Limits.max_message)",
            party=peer,
        )
    tag = Tag(op, round_, chunk, digest, _printable(raw))
    expected = offset + describe(tag, specs, room)[2]
    if len(head) != expected:
        raise FrameError(
            f"{peer} sent a head of {len(head)} bytes, expected {expected} for its shapes",
            party=peer,
        )
    return Heading(tag, tuple(specs), offset)


def _printable(raw: bytes) -> str:
    text = raw.rstrip(b"\0").decode(errors="ignore")
    return "".join(c if c.isprintable() else "?" for c in text)


def explain(heading: Heading, tag: Tag, specs: Sequence[Spec], peer: str, me: str) -> None:
    """Raise what is wrong with a well-formed frame, or return when only the name differs.

    Raises
    ------
    ProgramMismatch : the frame belongs elsewhere in the program, or to another program.
    FrameError : number, dtype or shape of its arrays.
    """
    theirs = heading.tag
    place = (theirs.op, theirs.round, theirs.chunk, theirs.digest)
    if place != (tag.op, tag.round, tag.chunk, tag.digest):
        what = "programs" if theirs.digest != tag.digest else "places in the program"
        raise ProgramMismatch(
            f"{peer} is at {theirs} and {me} at {tag}, in different {what}; run the same program "
            "with the same parameters and shapes at all parties, and send no command to only some",
            party=peer,
        )
    if len(specs) != len(heading.specs):
        raise FrameError(
            f"{peer} sent {len(heading.specs)} arrays in {tag}, expected {len(specs)}", party=peer
        )
    for expected, got in zip(specs, heading.specs, strict=True):
        if (expected.dtype, expected.shape) != (got.dtype, got.shape):
            raise FrameError(
                f"{peer} sent {got.dtype} {got.shape} in {tag}, expected {expected.dtype} "
                f"{expected.shape}; all parties must run the same program on the same shapes",
                party=peer,
            )
