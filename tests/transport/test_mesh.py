"""One suite for every mesh: queues, ZeroMQ over TCP, ZeroMQ over ipc."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from mpyc_core.errors import (
    FrameError,
    MacCheckFailed,
    PeerGone,
    PeerTimeout,
    ProgramMismatch,
    SessionClosed,
)
from mpyc_core.transport.frame import PIECE_BYTES, Z128
from mpyc_core.transport.mesh import Mesh, Round, Spec, Steps, Tag, drive

from .conftest import NAMES, at_all

KINDS = ["queue", "tcp", "ipc"]
pytestmark = pytest.mark.parametrize("kind", KINDS)


def peers(mesh: Mesh) -> list[int]:
    return [i for i in range(mesh.n) if i != mesh.me]


def sample(sender: int, receiver: int) -> list[np.ndarray]:
    """Arrays that tell who sent them to whom, of all dtypes and awkward shapes."""
    seed = 10 * sender + receiver
    pair = np.zeros((3, 2), Z128)
    pair["lo"], pair["hi"] = seed, 2**64 - 1 - seed
    big = np.arange(PIECE_BYTES // 4 + 5, dtype=np.uint64) * np.uint64(seed + 1)
    return [
        np.array(seed, np.uint64),
        np.full((0, 4), 1, np.uint32),
        np.arange(7, dtype=np.uint8) + np.uint8(seed),
        pair,
        big.reshape(-1, 1),
        np.full(100_000, seed, np.uint8),
        np.full((5, 3), 2**32 - 1 - seed, np.uint32),
    ]


@pytest.mark.parametrize("n", [3, 5])
def test_exchange_of_all_dtypes_and_sizes(kind: str, n: int, connect: Any) -> None:
    def program(mesh: Mesh) -> dict[int, list[np.ndarray]]:
        step = Round(
            {p: sample(mesh.me, p) for p in peers(mesh)},
            {p: [Spec.of(a) for a in sample(p, mesh.me)] for p in peers(mesh)},
        )
        got = mesh.exchange(Tag(1, 0, 0, b"d" * 16, "mix"), step)
        mesh.settle()
        return got

    for me, got in enumerate(at_all(connect(kind, n), program)):
        assert set(got) == set(range(n)) - {me}
        for p, arrays in got.items():
            for want, have in zip(sample(p, me), arrays, strict=True):
                assert have.dtype == want.dtype and have.shape == want.shape
                assert have.tobytes() == want.tobytes()
                assert have.flags.aligned and have.flags.c_contiguous and not have.flags.writeable


def test_strided_arrays_travel_by_value(kind: str, connect: Any) -> None:
    base = np.arange(400_000, dtype=np.uint64).reshape(2, -1)

    def program(mesh: Mesh) -> Any:
        views = [base[:, ::2], base.T[:3]]
        step = Round(
            {p: views for p in peers(mesh)}, {p: [Spec.of(v) for v in views] for p in peers(mesh)}
        )
        return mesh.exchange(Tag(1, 0), step)

    for got in at_all(connect(kind, 2), program):
        ((even, rows),) = got.values()
        np.testing.assert_array_equal(even, base[:, ::2])
        np.testing.assert_array_equal(rows, base.T[:3])


def test_counters_equal_what_was_sent(kind: str, connect: Any) -> None:
    def program(mesh: Mesh) -> Any:
        for op in range(3):
            for index in range(2):
                a = np.zeros((op + 1, 50_000), np.uint64)
                mesh.exchange(
                    Tag(op, index, name="mul"),
                    Round({1 - mesh.me: [a]}, {1 - mesh.me: [Spec.of(a)]}),
                )
        return mesh.counters

    for counters in at_all(connect(kind, 2), program):
        tally = counters.by_name["mul"]
        assert (tally.calls, tally.rounds) == (3, 6)
        assert tally.payload == counters.payload == 2 * (1 + 2 + 3) * 400_000
        assert 0 < tally.headers < 2000


@pytest.mark.parametrize(
    ("sent", "error", "words"),
    [
        (np.zeros((2, 2), np.uint64), FrameError, "(2, 2)"),
        (np.zeros(4, np.uint32), FrameError, "uint32"),
        (None, FrameError, "0 arrays"),
    ],
)
def test_wrong_shape_dtype_or_count(
    kind: str, sent: Any, error: type[Exception], words: str, connect: Any
) -> None:
    def program(mesh: Mesh) -> Any:
        if mesh.me == 1:
            mesh.send(0, [] if sent is None else [sent], Tag(1, 0, name="mul"))
        if mesh.me == 0:
            mesh.recv(1, [Spec(np.dtype("u8"), (4,))], Tag(1, 0, name="mul"))

    raised = at_all(connect(kind), program)[0]
    assert isinstance(raised, error) and raised.party == "bob"
    assert words in raised.message and "mul" in raised.message


@pytest.mark.parametrize(
    "theirs",
    [
        Tag(2, 0, 0, b"x" * 16, "add"),
        Tag(1, 1, 0, b"x" * 16, "mul"),
        Tag(1, 0, 1, b"x" * 16, "mul"),
        Tag(1, 0, 0, b"y" * 16, "mul"),
    ],
)
def test_parties_at_different_places(kind: str, theirs: Tag, connect: Any) -> None:
    mine = Tag(1, 0, 0, b"x" * 16, "mul")

    def program(mesh: Mesh) -> Any:
        if mesh.me == 2:
            mesh.send(0, [np.zeros(2, np.uint64)], theirs)
        if mesh.me == 0:
            mesh.recv(2, [Spec(np.dtype("u8"), (2,))], mine)

    raised = at_all(connect(kind), program)[0]
    assert isinstance(raised, ProgramMismatch) and raised.party == "carol"
    assert "carol" in raised.message and "alice" in raised.message
    assert f"operation {theirs.op} ({theirs.name})" in raised.message
    assert "operation 1 (mul)" in raised.message


def test_dtypes_that_may_not_travel(kind: str, connect: Any) -> None:
    mesh = connect(kind, 2)[0]
    for bad in (np.zeros(2), np.zeros(2, np.int64), np.zeros(2, ">u8"), np.zeros(2, object)):
        with pytest.raises(FrameError, match="may travel"):
            mesh.send(1, [bad], Tag(1, 0))


def test_abort_gives_everybody_the_first_cause(kind: str, connect: Any) -> None:
    def program(mesh: Mesh) -> Any:
        if mesh.me == 2:
            error = MacCheckFailed("the MAC of value 3 is wrong")
            mesh.abort(error)
            mesh.abort(FrameError("a later error"))
            raise error
        mesh.recv(1 - mesh.me, [Spec(np.dtype("u8"), (2,))], Tag(1, 0))

    meshes = connect(kind)
    for raised in at_all(meshes, program)[:2]:
        assert isinstance(raised, MacCheckFailed) and raised.party == "carol"
        assert "MAC of value 3" in raised.message and "carol" in raised.message
    with pytest.raises(MacCheckFailed):
        meshes[0].send(1, [np.zeros(1, np.uint64)], Tag(1, 0))


def test_silent_peer_is_late(kind: str, connect: Any) -> None:
    start = time.monotonic()

    def program(mesh: Mesh) -> Any:
        if mesh.me == 0:
            mesh.recv(2, [Spec(np.dtype("u8"), (2,))], Tag(4, 1, name="relu"))

    raised = at_all(connect(kind), program)[0]
    assert isinstance(raised, PeerTimeout) and raised.party == "carol"
    assert "relu" in raised.message and time.monotonic() - start < 3


def test_end_of_a_chain_of_waiting_parties_is_named(kind: str, connect: Any) -> None:
    def program(mesh: Mesh) -> Any:
        spec = [Spec(np.dtype("u8"), (2,))]
        try:
            if mesh.me == 0:
                mesh.recv(1, spec, Tag(1, 0))
            if mesh.me == 1:
                time.sleep(0.3)
                mesh.recv(2, spec, Tag(1, 0))
        except PeerTimeout as error:
            mesh.abort(error)
            raise

    for raised in at_all(connect(kind), program)[:2]:
        assert isinstance(raised, PeerTimeout) and raised.party == "carol"


def test_circle_of_waiting_parties_ends(kind: str, connect: Any) -> None:
    def program(mesh: Mesh) -> Any:
        mesh.recv((mesh.me + 1) % 3, [Spec(np.dtype("u8"), (2,))], Tag(1, 0))

    start = time.monotonic()
    assert all(isinstance(raised, PeerTimeout) for raised in at_all(connect(kind), program))
    assert time.monotonic() - start < 4


def test_computing_peer_is_not_late(kind: str, connect: Any) -> None:
    def slow(mesh: Mesh) -> Steps[int]:
        if mesh.me == 1:
            time.sleep(1.0)  # twice the limit
        a = np.array([mesh.me], np.uint64)
        got = yield Round({1 - mesh.me: [a]}, {1 - mesh.me: [Spec.of(a)]})
        return int(got[1 - mesh.me][0][0])

    results = at_all(connect(kind, 2), lambda mesh: drive(slow(mesh), mesh, 1, bytes(16), "slow"))
    assert results == [1, 0]


@pytest.mark.parametrize(("leaver", "reader"), [(0, 2), (2, 0)])
def test_peer_that_left_in_order(kind: str, leaver: int, reader: int, connect: Any) -> None:
    """Its last words arrive; it is missed only by those who wait for more."""
    a = np.arange(300_000, dtype=np.uint64)
    heard = []

    def program(mesh: Mesh) -> Any:
        if mesh.me == leaver:
            mesh.send(reader, [a], Tag(1, 0))
            mesh.close()
            return None
        time.sleep(0.2)
        if mesh.me == 1:
            time.sleep(0.3)
            mesh.send(reader, [a], Tag(1, 0))
            return None
        first = mesh.recv(1, [Spec.of(a)], Tag(1, 0))[0]
        second = mesh.recv(leaver, [Spec.of(a)], Tag(1, 0))[0]
        heard.extend([(first == a).all(), (second == a).all()])
        return mesh.recv(leaver, [Spec.of(a)], Tag(2, 0))

    meshes = connect(kind)
    raised = at_all(meshes, program)[reader]
    assert heard == [True, True]
    assert isinstance(raised, PeerGone) and raised.party == NAMES[leaver]
    with pytest.raises(SessionClosed):
        meshes[leaver].send(reader, [a], Tag(2, 0))
    meshes[leaver].close()


def test_workspace_may_be_overwritten_after_the_operation(kind: str, connect: Any) -> None:
    """The next operation writes other values into the memory that was sent."""
    size, rounds = 3 * PIECE_BYTES // 8 + 17, 8

    def operation(mesh: Mesh, work: np.ndarray, value: int) -> Steps[np.ndarray]:
        work[:] = value
        got = yield Round({1 - mesh.me: [work]}, {1 - mesh.me: [Spec.of(work)]})
        return got[1 - mesh.me][0]

    def program(mesh: Mesh) -> Any:
        work, wrong = np.zeros(size, np.uint64), 0
        for op in range(rounds):
            got = drive(operation(mesh, work, op + 1), mesh, op, bytes(16), "reuse")
            work[:] = 2**64 - 1
            wrong += int((got != op + 1).sum())
        return wrong

    assert at_all(connect(kind, 2), program) == [0, 0]
