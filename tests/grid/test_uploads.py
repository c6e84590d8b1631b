"""Large arrays over connections that break: they go on where they were, for their client alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import Disconnected, FrameError, PermissionDenied
from mpyc_core.grid import uploads
from mpyc_core.grid.client import Client
from mpyc_core.grid.connect import connect_node, ticket
from mpyc_core.grid.keys import fresh_id
from mpyc_core.grid.link import LocalLink
from mpyc_core.grid.node import Node
from mpyc_core.grid.server import NodeServer
from mpyc_core.grid.spec import Array
from mpyc_core.grid.uploads import PIECE
from mpyc_core.transport.curve import Identity

from .network import QUICK, NodeProcess


class Place:
    """A node whose server can be taken away and put back, and which counts what arrives."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.node, self.address = Node("a"), "tcp://127.0.0.1:0"
        self.arrived: list[int] = []
        take = self.node.uploads.add

        def add(visit: Any, name: str, offset: int, data: Array) -> int:
            done = take(visit, name, offset, data)
            self.arrived.append(data.size)
            return done

        monkeypatch.setattr(self.node.uploads, "add", add)
        self.open()

    def open(self) -> None:
        self.server = NodeServer(self.node, self.address, admit=lambda key: True).start()
        self.address = self.server.address

    def cut(self) -> None:
        """All connections break; the node goes on."""
        self.server.close()
        self.open()

    def client(self) -> Client:
        key = self.node.keys.identity.public
        return connect_node(ticket(self.address, key), identity=Identity.fresh(), limits=QUICK)

    def close(self) -> None:
        self.server.close()
        self.node.close()


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    found = Place(monkeypatch)
    yield found
    found.close()


def large() -> Array:
    return np.random.default_rng(1).normal(size=20 * PIECE // 8 + 5)


def test_an_upload_goes_on_where_it_broke_off(place: Place) -> None:
    """Twice; what had arrived is not sent again."""
    x, cuts, seen = large(), [0.3, 0.7], list[int]()

    def progress(done: int, size: int) -> None:
        seen.append(done)
        if cuts and done > cuts[0] * size:
            cuts.pop(0)
            place.cut()

    with place.client() as client:
        pointer = client.send(x, tags=["#x"], progress=progress)
        assert not cuts and sum(place.arrived) == x.nbytes
        assert seen == sorted(seen) and seen[-1] == x.nbytes
        assert np.array_equal(pointer.get(), x)
    assert not len(place.node.uploads)


def test_a_download_goes_on_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    x = large()
    with place.client() as client:
        pointer = client.send(x)
        pointer.wait()
        asked, whole = list[int](), client.submit

        def submit(header: dict[str, Any], arrays: Any = ()) -> Any:
            if header["do"] == "fetch":
                asked.append(header["offset"])
                if len(asked) == 12:
                    place.cut()
            return whole(header, arrays)

        monkeypatch.setattr(client, "submit", submit)
        assert np.array_equal(pointer.get(), x)
        assert asked.count(0) == 1 and len(asked) > 21  # what was under way is asked for again


def test_where_nobody_answers_any_more_it_is_said_how_far_it_came(place: Place) -> None:
    x = large()

    def progress(done: int, size: int) -> None:
        if done > size // 3:
            place.server.close()

    client = place.client()
    client._reconnect = None
    with pytest.raises(Disconnected, match=rf"of {x.nbytes} bytes had arrived"):
        client.send(x, tags=["#x"], progress=progress)
    assert not place.node.state.rows("SELECT id FROM blobs")


def begun(node: Node, caller: str, name: str, spec: Any = None) -> LocalLink:
    link = LocalLink(node, caller)
    header = {"do": "upload", "upload": name, "spec": spec or ["int", [4]]}
    link.submit(header).result()
    return link


def piece(link: LocalLink, name: str, offset: int) -> int:
    header = {"do": "piece", "upload": name, "offset": offset}
    return int(link.submit(header, [np.ones(8, np.uint8)]).result()[0]["done"])


def test_an_upload_belongs_to_a_client() -> None:
    """Another client has another upload under the name, whatever it knows."""
    node, name = Node("a"), fresh_id()
    mine = begun(node, "me", name)
    assert piece(mine, name, 0) == 8
    other = begun(node, "other", name)
    with pytest.raises(FrameError):
        piece(other, name, 8)
    put = {"do": "put", "tags": [], "description": "", "searchable": False, "upload": name}
    with pytest.raises(FrameError, match="not complete"):
        other.submit(put).result()
    for offset in (8, 16, 24):
        piece(mine, name, offset)
    with pytest.raises(FrameError):
        other.submit(put).result()
    mine.submit(put).result()
    with pytest.raises(FrameError, match="not complete"):  # it is used once
        mine.submit(put).result()
    node.close()


def test_pieces_of_a_connection_that_was_given_up_do_not_count() -> None:
    """They may still be on their way when the client has connected anew."""
    node, name = Node("a"), fresh_id()
    old = begun(node, "me", name)
    piece(old, name, 0)
    new = begun(node, "me", name)
    with pytest.raises(FrameError, match="not under way"):
        piece(old, name, 8)
    assert piece(new, name, 8) == 16
    with pytest.raises(FrameError, match="another array"):
        begun(node, "me", name, ["float", [4]])
    node.close()


def test_uploads_take_no_more_than_the_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node("a", quota=100)
    for _ in range(3):
        begun(node, "me", fresh_id())
    with pytest.raises(PermissionDenied):
        begun(node, "me", fresh_id())
    begun(node, "other", fresh_id())
    late = uploads.time.monotonic() + uploads.SILENCE + 1
    monkeypatch.setattr("mpyc_core.grid.uploads.time.monotonic", lambda: late)
    begun(node, "me", fresh_id())  # what nobody went on with is gone
    assert len(node.uploads) == 1
    node.close()


@pytest.mark.processes
@pytest.mark.timeout(120)
def test_a_node_killed_in_an_upload(tmp_path: Path) -> None:
    """What it had in memory is gone; the client begins again by itself, and all of it arrives."""
    place = NodeProcess("a", tmp_path / "a", "--open").start()
    client, owner, x = place.client(tmp_path / "me.key"), place.owner(), large()
    restarts: list[threading.Thread] = []

    def progress(done: int, size: int) -> None:
        if done > size // 2 and not restarts:
            place.kill()
            restarts.append(threading.Thread(target=place.start))
            restarts[0].start()

    pointer = client.send(x, tags=["#x"], progress=progress)
    restarts[0].join()
    assert np.array_equal(pointer.get(), x)
    with pytest.raises(Disconnected):
        owner.call({"do": "head"})
    place.kill()
    place.start()
    assert np.array_equal(client.pointer(pointer.id).get(), x)
    owner = place.owner()
    column = [mpc.Column("x", -9, 9)]
    loaded = owner.load("x", x[:9], columns=column, tags=["#d"])
    owner.reload(loaded, x)  # large data sets come in pieces, too, also new versions of them
    assert owner.pointer(loaded.id).shape == x.shape
    place.kill()
