"""Parties as threads, each with a mesh of its own, over every transport."""

from __future__ import annotations

import threading
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
