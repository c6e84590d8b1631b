"""A node behind an address: identities, pipelining, large arrays, broken connections, time."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq

from mpyc_core.cli.node import _host
from mpyc_core.errors import (
    AuthenticationFailed,
    ConfigError,
    Disconnected,
    FrameError,
    MpcError,
    PermissionDenied,
)
from mpyc_core.grid.client import Client
from mpyc_core.grid.connect import Guests, connect_node, read_ticket, ticket
from mpyc_core.grid.keys import fresh_id, own_identity
from mpyc_core.grid.node import Node
from mpyc_core.grid.remote import RemoteLink
from mpyc_core.grid.server import NodeServer
from mpyc_core.grid.virtual import VirtualNode
from mpyc_core.transport.curve import Identity
from mpyc_core.transport.limits import Limits

from .network import QUICK, NodeProcess


class Place:
    """A node behind an address, in this process."""

    def __init__(self) -> None:
        self.node = Node("May Clinic")
        self.server = NodeServer(self.node, "tcp://127.0.0.1:0", admit=lambda key: True).start()
        self.ticket = ticket(self.server.address, self.node.keys.identity.public)

    def client(self, identity: Identity | None = None) -> Client:
        return connect_node(self.ticket, identity=identity or Identity.fresh(), limits=QUICK)

    def close(self) -> None:
        self.server.close()
        self.node.close()


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    found = Place()
    yield found
    found.close()


@pytest.fixture
def client(place: Place) -> Iterator[Client]:
    with place.client() as found:
        yield found


def test_the_first_snippet_over_the_network(client: Client) -> None:
    x = client.send(np.array([1, 3, 4, 5]))
    y = x + x
    assert y.get().tolist() == [2, 6, 8, 10]
    assert "May Clinic" in repr(y)


def test_a_thousand_chained_operations(client: Client) -> None:
    """They are sent without waiting, each on the result of the one before."""
    x = client.send(np.zeros(4))
    start, y = time.perf_counter(), x
    for _ in range(1000):
        y = y + 1
    sent = time.perf_counter() - start
    assert y.get().tolist() == [1000.0] * 4
    print(f"1000 chained operations: {time.perf_counter() - start:.3f} s, sent in {sent:.3f} s")


def test_the_round_trip_of_an_operation(client: Client) -> None:
    x = client.send(np.zeros(4))
    times = []
    for _ in range(50):
        start = time.perf_counter()
        (x + 1).wait()
        times.append(time.perf_counter() - start)
    print(f"round trip of an operation: {1000 * np.median(times):.2f} ms")
    assert np.median(times) < 0.05  # `python -m bench grid` measures; 3 ms are aimed for


def test_large_arrays_come_in_pieces_with_progress(client: Client) -> None:
    x = np.random.default_rng(1).normal(size=(3000, 700))
    seen: list[tuple[int, int]] = []
    p = client.send(x, progress=lambda done, all_: seen.append((done, all_)))
    assert seen[-1] == (x.nbytes, x.nbytes)
    assert len(seen) >= 4
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)
    assert np.array_equal(p.get(), x)
    assert float((p * np.ones((3000, 700))).sum().get()) == pytest.approx(x.sum())


def test_errors_travel(client: Client) -> None:
    x = client.send([1.0])
    client.delete(x)
    y = (x + 1) * 2
    with pytest.raises(PermissionDenied, match="no object of this id"):
        y.get()
    with pytest.raises(FrameError):
        client.call({"do": "nothing"})
    assert client.send([2.0]).get().tolist() == [2.0]  # the connection goes on


def test_several_threads_share_a_connection(client: Client) -> None:
    results: dict[int, float] = {}

    def work(i: int) -> None:
        x = client.send(np.full(3, float(i)))
        for _ in range(30):
            x = x + 1
        results[i] = float(x.sum().get())

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == {i: 3.0 * (i + 30) for i in range(6)}


# -- who one is ---------------------------------------------------------------------------------
def test_an_identity_is_what_the_handshake_proves(place: Place) -> None:
    """Objects belong to keys: the same key sees them again, another does not."""
    me = Identity.fresh()
    with place.client(me) as first:
        key = first.send([1, 2], tags=["#kept"]).id
    with place.client(me) as again:
        assert again.pointer(key).get().tolist() == [1, 2]
    with place.client() as other, pytest.raises(PermissionDenied):
        other.pointer(key)


def test_a_public_key_alone_is_no_identity(place: Place) -> None:
    """Whoever knows a victim's public key, but not the secret, cannot connect as the victim."""
    owner = place.node.owner
    forged = Identity(owner, Identity.fresh().secret)
    short = Limits(heartbeat=0.3, gone=1.0, connect=2.0)
    with pytest.raises(MpcError):
        connect_node(place.ticket, identity=forged, limits=short)


def test_another_node_at_the_address_is_found_out(place: Place) -> None:
    elsewhere = ticket(place.server.address, Identity.fresh().public)
    short = Limits(heartbeat=0.3, gone=1.0, connect=3.0)
    with pytest.raises(MpcError):
        connect_node(elsewhere, identity=Identity.fresh(), limits=short)


def test_strangers_stay_outside_until_they_are_admitted(tmp_path: Path) -> None:
    node, guests = Node("a"), Guests(tmp_path / "guests")
    server = NodeServer(node, "tcp://127.0.0.1:0", guests).start()
    line, me = ticket(server.address, node.keys.identity.public), Identity.fresh()
    try:
        with pytest.raises(AuthenticationFailed, match="admitted"):
            connect_node(line, identity=me, limits=QUICK)
        guests.add("bob", me.public)
        with connect_node(line, identity=me, limits=QUICK) as found:
            assert not found.is_owner
        with connect_node(line, identity=node.keys.identity, limits=QUICK) as owner:
            assert owner.is_owner
    finally:
        server.close()
        node.close()


def test_plain_connections_do_not_get_in(place: Place) -> None:
    """Without CURVE there is no handshake, and nothing that is sent arrives."""
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(place.server.address)
    socket.send(b"mpd\x01" + bytes(28))
    assert not socket.poll(300)
    socket.close()
    context.term()


def test_identities_are_kept_in_files(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "me.key"
    first = own_identity(path)
    assert own_identity(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        own_identity(path)


@pytest.mark.parametrize("text", ["", "tcp://1.2.3.4:5", "tcp://1.2.3.4:5#abc", "x" * 60])
def test_tickets_are_checked(text: str) -> None:
    with pytest.raises(ConfigError):
        read_ticket(text)


@pytest.mark.parametrize(
    ("given", "address", "host"),
    [
        (None, "tcp://127.0.0.1:0", "127.0.0.1"),
        (None, "tcp://192.0.2.7:7010", "192.0.2.7"),
        (None, "tcp://0.0.0.0:7010", "127.0.0.1"),
        (None, "ipc:///tmp/x", "127.0.0.1"),
        (None, "tcp://[::1]:7010", "[::1]"),
        ("192.0.2.9", "tcp://0.0.0.0:7010", "192.0.2.9"),
        ("2001:db8::9", "tcp://*:7010", "[2001:db8::9]"),
    ],
)
def test_where_other_nodes_find_a_node(given: str | None, address: str, host: str) -> None:
    assert _host(given, address) == host


@pytest.mark.parametrize("host", ["", "*", "0.0.0.0", "::", "a b", "tcp://a"])
def test_a_host_is_an_address_that_others_can_use(host: str) -> None:
    with pytest.raises(ConfigError, match="--host"):
        _host(host, "tcp://127.0.0.1:0")


def test_seats_listen_at_the_host(place: Place, client: Client) -> None:
    others = [Identity.fresh().public for _ in range(2)]
    plan = {"me": "a", "names": ["a", "b", "c"], "protocol": "replicated", "ring": 64, "f": None}
    keys = dict(zip("abc", [client.curve, *others], strict=True))
    place.node.host = "localhost"
    try:
        sit = {"do": "sit", "session": fresh_id(), "provider": None, "keys": keys, **plan}
        assert client.call(sit)[0]["address"].startswith(("tcp://127.0.0.1:", "tcp://[::1]:"))
    finally:
        place.node.host = "127.0.0.1"


# -- what goes wrong ----------------------------------------------------------------------------
def test_messages_out_of_order_end_the_connection(place: Place) -> None:
    link = RemoteLink(place.server.address, place.node.keys.identity.public, Identity.fresh())
    link.submit({"do": "hello"}).result()
    link._sent = 7
    with pytest.raises((FrameError, Disconnected)):
        link.submit({"do": "hello"}).result()
    link.close()


def test_commands_that_are_too_large_are_not_sent(client: Client) -> None:
    with pytest.raises(FrameError):
        client.call({"do": "put", "tags": [], "description": "x" * 2**21, "searchable": False})
    assert client.send([1]).get().tolist() == [1]


def test_arrays_that_nothing_names_are_removed(tmp_path: Path) -> None:
    with VirtualNode("a", tmp_path / "n") as node:
        kept = node.owner.send([1, 2], tags=["#kept"]).id
        node.node.state.put_blob("object " + "0" * 32, b"left by a crash")
    with VirtualNode("a", tmp_path / "n") as node:
        found = {key for (key,) in node.node.state.rows("SELECT id FROM blobs")}
        assert len(found) == 1
        assert "object " + "0" * 32 not in found
        assert node.owner.pointer(kept).get().tolist() == [1, 2]


def test_waiting_in_another_thread_and_asynchronously(place: Place, client: Client) -> None:
    owner = connect_node(place.ticket, identity=place.node.keys.identity, limits=QUICK)
    owner.load("waiting", np.arange(5.0), tags=["#waiting"])  # type: ignore[attr-defined]
    x = next(p for p in client.store if "#waiting" in p.tags)

    def answer() -> None:
        while not len(owner.requests):
            time.sleep(0.01)
        owner.requests[0].accept()

    thread = threading.Thread(target=answer)
    thread.start()
    assert float(x.sum().get(request_block=True, reason="r", timeout_secs=20)) == 10.0
    thread.join()

    async def both() -> list[float]:
        first, second = x.max().request("a"), x.min().request("b")
        for asked in owner.requests:
            asked.accept()
        return [float(v) for v in await asyncio.gather(first.result(), second.result())]

    assert asyncio.run(both()) == [4.0, 0.0]
    owner.close()


@pytest.mark.processes
def test_a_node_that_dies_is_noticed_and_found_again(tmp_path: Path) -> None:
    """Killed and started again: durable objects, budgets, requests and identities are there."""
    place = NodeProcess("May Clinic", tmp_path / "node", "--open").start()
    owner, client = place.owner(), place.client(tmp_path / "me.key")
    column = [{"name": "x", "lower": 0.0, "upper": 10.0}]
    import mpyc_core as mpc

    owner.load(
        "x",
        np.arange(10.0),
        tags=["#x"],
        columns=[mpc.Column(**column[0])],
        policy=mpc.Policy(epsilon=1.0),
    )
    kept = client.send([7, 8], tags=["#kept"])
    x = next(p for p in client.store if "#x" in p.tags)
    x.mean().get(epsilon=0.75)
    asked, volatile = x.sum().request(reason="r"), client.send([1.0])
    volatile.wait()
    place.kill()
    with pytest.raises(Disconnected):
        for _ in range(100):
            client.call({"do": "head"})
            time.sleep(0.05)
    place.start()
    assert client.pointer(kept.id).get().tolist() == [7, 8]  # reconnects by itself
    found = client.pointer(x.id)
    with pytest.raises(PermissionDenied):
        volatile.get()
    owner = place.owner()
    assert owner.accounts["dataset:x"][2] == pytest.approx(0.75)
    owner.requests[0].accept()
    assert float(asked.wait()) == 45.0
    with pytest.raises(PermissionDenied):
        found.get()
    assert client.verify().number >= client.heads[0].number
    assert place.kill(signal.SIGTERM) == 0
