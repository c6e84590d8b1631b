"""Parties as threads, each with a mesh of its own, over every transport."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mpyc_core.transport.limits import Limits
from mpyc_core.transport.mesh import Mesh
from mpyc_core.transport.queues import queue_meshes
from mpyc_core.transport.zmq import ZmqMesh

NAMES = ("alice", "bob", "carol", "dave", "erin")
QUICK = Limits(heartbeat=0.1, gone=0.5, progress=0.5, connect=5.0, linger=1.0)


def in_threads(calls: Sequence[Callable[[], Any]], timeout: float = 20) -> list[Any]:
    """Run calls at the same time; each one's result, or the exception it raised."""
    results: list[Any] = [None] * len(calls)

    def work(index: int) -> None:
        try:
            results[index] = calls[index]()
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
        assert not thread.is_alive(), "a party hangs"
    return results


def at_all(meshes: Sequence[Mesh], program: Callable[[Mesh], Any]) -> list[Any]:
    """Run one program at all parties."""
    return in_threads([lambda mesh=mesh: program(mesh) for mesh in meshes])


def relay(target: str, rate: float = 1e12) -> tuple[str, bytearray]:
    """A TCP relay of at most `rate` bytes per second; returns its address and what passes."""
    listener = socket.create_server(("127.0.0.1", 0))
    record = bytearray()

    def pipe(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                record.extend(data)
                time.sleep(len(data) / rate)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                end.close()

    def accept() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            host, port = target.removeprefix("tcp://").split(":")
            two = socket.create_connection((host, int(port)))
            for ends in ((one, two), (two, one)):
                threading.Thread(target=pipe, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return f"tcp://127.0.0.1:{listener.getsockname()[1]}", record


def address(kind: str, name: str, folder: Path) -> str:
    """Where a party of a test listens."""
    return "tcp://127.0.0.1:0" if kind == "tcp" else f"ipc://{folder}/{name}"


def unconnected(
    kind: str, names: Sequence[str], folder: Path, limits: Limits
) -> tuple[list[ZmqMesh], dict[str, str]]:
    """Bound meshes and their addresses."""
    meshes = [ZmqMesh(name, names, limits=limits) for name in names]
    return meshes, {m.names[m.me]: m.bind(address(kind, m.names[m.me], folder)) for m in meshes}


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[..., list[Mesh]]]:
    """Make connected meshes of a kind; they are closed after the test."""
    with ExitStack() as stack:

        def make(kind: str, n: int = 3, limits: Limits = QUICK) -> list[Mesh]:
            names = NAMES[:n]
            if kind == "queue":
                meshes = queue_meshes(names, limits)
            else:
                meshes, addresses = unconnected(kind, names, tmp_path, limits)
                results = at_all(meshes, lambda mesh: mesh.connect(addresses, {"ring": "64"}))
                assert results == [None] * n
            for mesh in meshes:
                stack.callback(mesh.close)
            return meshes

        yield make
