"""The binary format, under random and corrupted bytes."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpyc_core.errors import FrameError, MpcError, ProgramMismatch
from mpyc_core.transport.frame import (
    DTYPES,
    INLINE_BYTES,
    MAX_ARRAYS,
    PREFIX,
    Kind,
    describe,
    explain,
    inline_payload,
    pack_prefix,
    parse_heading,
    take_inline,
)
from mpyc_core.transport.handshake import Hello
from mpyc_core.transport.link import Link, pack_abort, parse_abort
from mpyc_core.transport.mesh import Spec, Tag
from mpyc_core.transport.pipe import Unpacker, pack

SESSION = bytes(range(32))
BOUND = 1 << 20
TAG = Tag(5, 2, 1, b"0123456789abcdef", "matmul")
ARRAYS = [
    np.arange(6, dtype=np.uint64).reshape(2, 3),
    np.array(7, np.uint8),
    np.zeros((2, 0), DTYPES[-1]),
    np.arange(9, dtype=np.uint32),
]


def data_head(arrays: list[np.ndarray] = ARRAYS, sequence: int = 1) -> bytes:
    body, following, _ = describe(TAG, arrays)
    return (
        pack_prefix(Kind.DATA, 1, sequence, SESSION[:16]) + body + inline_payload(arrays, following)
    )


def receive(head: bytes) -> list[np.ndarray]:
    """What a party does with a head of bob's."""
    Link(1, "bob").take(head, SESSION)
    heading = parse_heading(head, "bob", 1 << 20)
    specs = [Spec.of(a) for a in ARRAYS]
    explain(heading, TAG, specs, "bob", "alice")
    return take_inline(head, heading.payload, specs)


def quiet(call: Any, *args: Any) -> bool:
    """Run it; True when it gave a result. Only `FrameError` and `ProgramMismatch` are let pass."""
    try:
        call(*args)
    except (FrameError, ProgramMismatch) as error:
        assert len(error.message) < 2000
        return False
    return True


def test_what_is_packed_is_what_is_read() -> None:
    got = receive(data_head())
    for want, have in zip(ARRAYS, got, strict=True):
        assert have.dtype == want.dtype and have.shape == want.shape
        assert have.tobytes() == want.tobytes()
        assert have.flags.aligned and not have.flags.writeable


def test_small_arrays_ride_in_the_head_and_large_ones_follow() -> None:
    arrays = [
        np.zeros(INLINE_BYTES - 8, np.uint8),
        np.zeros(9, np.uint8),
        np.zeros(8, np.uint8),
        np.zeros(INLINE_BYTES + 1, np.uint8),
    ]
    _, following, inline = describe(TAG, arrays)
    assert following == (1, 3) and inline == INLINE_BYTES
    assert describe(TAG, [Spec.of(a) for a in arrays]) == describe(TAG, arrays)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=400))
def test_random_bytes(raw: bytes) -> None:
    prefix = pack_prefix(Kind.DATA, 1, 1, SESSION[:16])
    tracemalloc.start()
    try:
        assert not quiet(receive, raw)
        assert not quiet(receive, prefix + raw)
        quiet(Hello.parse, raw)
        quiet(parse_abort, raw, "bob")
        quiet(lambda: list(Unpacker("bob").feed(raw)))
        assert tracemalloc.get_traced_memory()[1] < BOUND
    finally:
        tracemalloc.stop()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_corrupted_frames(data: st.DataObject) -> None:
    head = data_head()
    payload = len(head) - sum((a.nbytes + 7) & ~7 for a in ARRAYS)
    where = data.draw(st.integers(0, payload - 1))
    how = data.draw(st.sampled_from(["flip", "cut", "insert", "huge"]))
    if how == "flip":
        bad = bytearray(head)
        bad[where] ^= data.draw(st.integers(1, 255))
        bad = bytes(bad)
    elif how == "cut":
        bad = head[:where]
    elif how == "insert":
        bad = head[:where] + data.draw(st.binary(min_size=1, max_size=64)) + head[where:]
    else:
        bad = head[:where] + b"\xff" * 16 + head[where + 16 :]
    tracemalloc.start()
    try:
        if quiet(receive, bad):
            # only bytes without meaning may differ: reserved ones and the operation's name
            assert len(bad) == len(head)
            assert [a.tobytes() for a in receive(bad)] == [a.tobytes() for a in ARRAYS]
        assert tracemalloc.get_traced_memory()[1] < BOUND
    finally:
        tracemalloc.stop()


def test_a_frame_of_another_version_says_so() -> None:
    head = bytearray(data_head())
    head[3] += 1
    with pytest.raises(FrameError, match="version 2, expected 1"):
        receive(bytes(head))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (pack_prefix(Kind.DATA, 1, 1, bytes(16)), "another session"),
        (pack_prefix(Kind.DATA, 2, 1, SESSION[:16]), "party number 2, expected 1"),
        (pack_prefix(Kind.DATA, 1, 3, SESSION[:16]), "frame number 3, expected 1"),
        (pack_prefix(99, 1, 1, SESSION[:16]), "kind 99"),
        (b"GET / HTTP/1.1\r\nHost: alice\r\n\r\n1234", "not a frame"),
        (b"", "0 bytes"),
    ],
)
def test_strange_heads_are_named(head: bytes, words: str) -> None:
    with pytest.raises(FrameError, match=words) as raised:
        Link(1, "bob").take(head, SESSION)
    assert raised.value.party == "bob"


def test_announced_sizes_are_bounded() -> None:
    big = Spec(np.dtype("u8"), (1 << 40, 1 << 20))
    body, _, _ = describe(TAG, [big])
    head = pack_prefix(Kind.DATA, 1, 1, SESSION[:16]) + body
    with pytest.raises(FrameError, match="max_message"):
        parse_heading(head, "bob", 1 << 32)
    with pytest.raises(FrameError, match=f"at most {MAX_ARRAYS}"):
        describe(TAG, [Spec(np.dtype("u1"), ())] * (MAX_ARRAYS + 1))


def test_errors_travel_with_a_name_and_a_bounded_size() -> None:
    error = parse_abort(pack_abort(ProgramMismatch("x" * 100_000)), "bob")
    assert isinstance(error, ProgramMismatch) and error.party == "bob"
    assert len(error.message) < 3000
    again = parse_abort(pack_abort(error), "carol")
    assert again.message == error.message and again.party == "bob"
    unknown = parse_abort(b'{"type": "Exit", "message": "m", "party": null}', "bob")
    assert type(unknown) is MpcError


def test_pipe_messages_come_out_whole_however_they_are_cut() -> None:
    messages = [{"k": k, "data": bytes(k * 100)} for k in range(20)]
    stream = b"".join(pack(m) for m in messages)
    unpacker = Unpacker("the child")
    got = [m for i in range(0, len(stream), 37) for m in unpacker.feed(stream[i : i + 37])]
    assert got == messages
    with pytest.raises(FrameError, match="the child announced"):
        list(Unpacker("the child").feed(b"\xff\xff\xff\xff"))
    assert PREFIX.size == 32
