"""Lanes: what parties of one machine send each other beside ZeroMQ."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpyc_core.errors import FrameError, PeerGone, PeerTimeout
from mpyc_core.transport.lane import LENGTH, Landing, Lane, path_of, reach
from mpyc_core.transport.link import Link
from mpyc_core.transport.mesh import Tag

from .conftest import at_all, in_threads

SESSION = bytes(range(32))


@pytest.fixture
def pair() -> Iterator[tuple[Lane, Lane, socket.socket]]:
    """Two ends of a lane, and the socket of the first."""
    one, two = socket.socketpair()
    lanes = Lane(one, "bob", 1 << 24), Lane(two, "alice", 1 << 24)
    yield *lanes, one
    for lane in lanes:
        lane.close()


def carry(source: Lane, target: Lane, count: int) -> None:
    """Let both ends work in turn until `count` frames have come."""
    while len(target.frames) < count:
        source.flush()
        target.read()


def test_only_ipc_addresses_have_lanes() -> None:
    assert path_of("tcp://127.0.0.1:5") is None
    assert path_of("ipc:///run/x") == "/run/x+"
    assert path_of("ipc://@x") == "\0x+"


def test_frames_of_all_sizes_arrive_whole_and_in_order(pair: Any) -> None:
    one, two, _ = pair
    arrays = [np.arange(n, dtype=np.uint64) for n in (0, 1, 3, 400_000, 5)]
    for i, array in enumerate(arrays):
        one.send(bytes([i]) * 8, [array, array[:1].view(np.uint8)])
    carry(one, two, len(arrays))
    assert one.idle
    for i, array in enumerate(arrays):
        frame = two.take()
        assert not frame.flags.writeable
        assert frame[:8].tobytes() == bytes([i]) * 8
        np.testing.assert_array_equal(frame[8 : 8 + array.nbytes].view(np.uint64), array)


@pytest.mark.parametrize("expected", [8, 24, 4096])
def test_a_frame_of_another_size_than_expected_is_read_as_it_is(pair: Any, expected: int) -> None:
    one, two, _ = pair
    for i in range(3):
        one.send(bytes([i]) * 24, [])
    assert two.read(expected)
    two.read()
    assert [two.take().tobytes() for _ in range(3)] == [bytes([i]) * 24 for i in range(3)]


def test_what_was_not_sent_yet_is_read_from_where_it_lies(pair: Any) -> None:
    one, two, _ = pair
    array = np.zeros(1 << 20, np.uint64)
    one.send(bytes(8), [array])
    assert not one.idle
    array[-1] = 7  # before `idle`, which is why `exchange` waits for it
    carry(one, two, 1)
    assert two.take()[8:].view(np.uint64)[-1] == 7


def test_a_frame_over_the_limit_is_refused_before_memory_is_taken(pair: Any) -> None:
    _, two, raw = pair
    raw.sendall(LENGTH.pack(1 << 40))
    with pytest.raises(FrameError, match="alice announces a frame of"):
        two.read()


def test_the_last_words_are_read_before_the_end(pair: Any) -> None:
    one, two, _ = pair
    one.send(bytes(16), [])
    one.close()
    assert two.read(16)
    two.read()
    assert two.ended
    assert len(two.take()) == 16
    two.send(bytes(16), [])
    assert two.idle


def test_strangers_are_turned_away(tmp_path: Path) -> None:
    landing = Landing(str(tmp_path / "x"))
    alice, bob = Link(0, "alice"), Link(1, "bob")
    calls = [
        lambda: landing.accept(SESSION, 0, {1: bob}, 2.0),
        lambda: reach(str(tmp_path / "x"), bytes(32), 1, alice),  # another session
    ]
    late, refused = in_threads(calls)
    assert isinstance(late, PeerTimeout)
    assert late.party == "bob"
    assert isinstance(refused, FrameError)
    landing.close()
    with pytest.raises(PeerGone, match="no lane to alice"):
        reach(str(tmp_path / "x"), SESSION, 1, alice)


def test_whoever_has_the_address_without_the_session_is_no_peer(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as impostor:
        impostor.bind(path)
        impostor.listen()

        def answer() -> None:
            end, _ = impostor.accept()
            end.recv(64, socket.MSG_WAITALL)
            end.sendall(bytes(64))

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(FrameError, match="is not alice"):
            reach(path, SESSION, 1, Link(0, "alice"))
        thread.join()


def test_a_frame_beside_the_lane_is_refused(connect: Any) -> None:
    def program(mesh: Any) -> None:
        if mesh.me == 1:
            link = mesh._links[0]
            mesh._lanes[0].sent, link.lane = 0, None  # as if it knew of no lane
            mesh.send(0, [np.zeros(1, np.uint64)], Tag(1, 0))
            mesh.settle()
        else:
            mesh.recv(1, [], Tag(1, 0))

    raised = at_all(connect("ipc", 2), program)[0]
    assert isinstance(raised, FrameError)
    assert "beside its lane" in str(raised)
