"""The channel between a driver and the servers of parties."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mpyc_core.errors import (
    AuthenticationFailed,
    ConfigError,
    Disconnected,
    FrameError,
    MacCheckFailed,
    PeerTimeout,
)
from mpyc_core.transport.control import WINDOW, ControlClient, ControlServer
from mpyc_core.transport.curve import Identity
from mpyc_core.transport.frame import PIECE_BYTES, Z128
from mpyc_core.transport.limits import Limits

from .conftest import QUICK

LOCAL = "tcp://127.0.0.1:0"
Handler = Callable[[ControlServer, dict[str, Any], list[np.ndarray]], None]


def echo(server: ControlServer, header: dict[str, Any], arrays: list[np.ndarray]) -> None:
    server.reply(header, arrays)


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve requests in a thread until the driver leaves; returns the address."""
    threads: list[threading.Thread] = []

    def start(handler: Handler = echo, **options: Any) -> str:
        server = ControlServer(LOCAL, limits=QUICK, **options)

        def work() -> None:
            with server:
                try:
                    while True:
                        header, arrays = server.receive(10)
                        handler(server, header, arrays)
                except (Disconnected, PeerTimeout):
                    return

        threads.append(threading.Thread(target=work, daemon=True))
        threads[-1].start()
        return server.address

    yield start
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_requests_and_replies_in_order(serve: Callable[..., str]) -> None:
    pair = np.zeros((2, 3), Z128)
    pair["hi"] = 7
    arrays = [
        np.arange(PIECE_BYTES + 3, dtype=np.uint8),
        np.linspace(0, 1, 5),
        np.array([[True], [False]]),
        np.zeros((0, 3), np.uint32),
        np.array(-5, np.int64),
        pair,
        np.arange(10, dtype=np.float32)[::3],
    ]
    with ControlClient({"alice": serve(), "bob": serve()}, limits=QUICK) as client:
        for k in range(20):
            client.send("alice", {"k": k, "b": b"\0", "nested": [1, {"x": None}]}, arrays)
            client.send("bob", {"k": -k})
        for k in range(20):
            header, got = client.receive("alice", 5)
            assert header == {"k": k, "b": b"\0", "nested": [1, {"x": None}]}
            for want, have in zip(arrays, got, strict=True):
                assert have.dtype == want.dtype and have.tobytes() == want.tobytes()
                assert have.shape == want.shape and not have.flags.writeable
            assert client.receive("bob", 5)[0] == {"k": -k}
        assert client.pending("alice") == 0
        with pytest.raises(PeerTimeout, match="bob"):
            client.receive("bob", 0.05)


def test_driver_does_not_run_ahead_without_end(serve: Callable[..., str]) -> None:
    seen: list[int] = []
    gate = threading.Event()

    def slow(server: ControlServer, header: dict[str, Any], arrays: list[np.ndarray]) -> None:
        gate.wait(5)
        seen.append(header["k"])
        server.reply({})

    with ControlClient({"alice": serve(slow)}, limits=QUICK) as client:
        threading.Timer(0.3, gate.set).start()
        for k in range(WINDOW):
            client.send("alice", {"k": k})
        assert not seen
        client.send("alice", {"k": WINDOW})
        assert seen
        for _ in range(WINDOW + 1):
            client.receive("alice", 5)
    assert seen == list(range(WINDOW + 1))


def test_end_of_a_server_is_told_by_name(serve: Callable[..., str]) -> None:
    def once(server: ControlServer, header: dict[str, Any], arrays: list[np.ndarray]) -> None:
        server.reply({"last": True})
        server.close()
        raise Disconnected("done")

    with ControlClient({"alice": serve(), "bob": serve(once)}, limits=QUICK) as client:
        client.send("bob", {})
        client.send("bob", {})
        assert client.receive("bob", 5)[0] == {"last": True}
        for call in (
            lambda: client.receive("bob", 5),
            lambda: client.send("alice", {}),
            lambda: client.send("bob", {}),
        ):
            with pytest.raises(Disconnected) as raised:
                call()
            assert raised.value.party == "bob"


def test_server_learns_that_the_driver_left_and_takes_the_next() -> None:
    with ControlServer(LOCAL, limits=QUICK, name="alice") as server:
        for round_ in range(3):
            client = ControlClient({"alice": server.address}, limits=QUICK)
            client.send("alice", {"round": round_})
            assert server.receive(5)[0] == {"round": round_}
            server.reply({})
            client.receive("alice", 5)
            if round_ == 1:
                client._wire.close()  # no farewell, as if it had been killed
            else:
                client.close()
            with pytest.raises(Disconnected):
                server.receive(5)
        with pytest.raises(PeerTimeout):
            server.receive(0.05)


def test_one_driver_at_a_time(serve: Callable[..., str]) -> None:
    address = serve(name="alice")
    with ControlClient({"alice": address}, limits=QUICK) as first:
        first.send("alice", {})
        first.receive("alice", 5)
        with ControlClient({"alice": address}, limits=QUICK) as second:
            second.send("alice", {})
            with pytest.raises(Disconnected, match="another session"):
                second.receive("alice", 5)
        first.send("alice", {"still": "here"})
        assert first.receive("alice", 5)[0] == {"still": "here"}


def test_only_plain_data_travels(serve: Callable[..., str]) -> None:
    with ControlClient({"alice": serve()}, limits=QUICK) as client:
        with pytest.raises(FrameError, match="plain data"):
            client.send("alice", {"x": MacCheckFailed})
        with pytest.raises(FrameError, match="cannot travel"):
            client.send("alice", {}, [np.array([object()])])
        client.send("alice", {"ok": 1})
        assert client.receive("alice", 5)[0] == {"ok": 1}


def test_too_large_a_message_is_refused_unread() -> None:
    small = Limits(heartbeat=0.1, gone=0.5, max_message=1000)
    with (
        ControlServer(LOCAL, limits=small) as server,
        ControlClient({"alice": server.address}, limits=QUICK) as client,
    ):
        client.send("alice", {}, [np.zeros(1001, np.uint8)])
        with pytest.raises(FrameError, match="max_message"):
            server.receive(5)
        with pytest.raises(Disconnected, match="alice"):
            client.receive("alice", 5)


def test_missing_server_and_busy_address() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(PeerTimeout, match=f"bob at {address}"):
            ControlClient({"bob": address}, limits=Limits(connect=0.5))
        with pytest.raises(ConfigError, match=address):
            ControlServer(address)


def test_curve() -> None:
    alice, driver, eve = Identity.fresh(), Identity.fresh(), Identity.fresh()
    with pytest.raises(ConfigError, match="mpyc_core keys"):
        ControlServer("tcp://0.0.0.0:0")
    with ControlServer(LOCAL, identity=alice, drivers=[driver.public], limits=QUICK) as server:
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                try:
                    server.reply(server.receive(0.1)[0])
                except (PeerTimeout, Disconnected):
                    continue

        thread = threading.Thread(target=work)
        thread.start()
        try:
            places = {"alice": server.address}
            with ControlClient(
                places, identity=driver, keys={"alice": alice.public}, limits=QUICK
            ) as client:
                client.send("alice", {"secret": 1})
                assert client.receive("alice", 5)[0] == {"secret": 1}
            for who, key in ((eve, alice.public), (driver, eve.public)):
                with pytest.raises((AuthenticationFailed, PeerTimeout), match="alice"):
                    ControlClient(places, identity=who, keys={"alice": key}, limits=QUICK)
        finally:
            stop.set()
            thread.join()


def test_round_trip_is_quick(serve: Callable[..., str]) -> None:
    """A loose bound that a lost wake-up or a polling sleep would break."""
    with ControlClient({"alice": serve()}, limits=QUICK) as client:
        times = []
        for _ in range(200):
            start = time.perf_counter()
            client.send("alice", {"do": "wait"})
            client.receive("alice", 5)
            times.append(time.perf_counter() - start)
    assert np.median(times) < 0.02
