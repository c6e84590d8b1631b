"""A node in a process of its own: round trips, chains of operations, and a large array sent."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from mpyc_core.grid.client import Client
from mpyc_core.grid.connect import connect_node
from mpyc_core.transport.curve import Identity
from mpyc_core.transport.mesh import Spec, Tag
from mpyc_core.transport.zmq import ZmqMesh

from .report import Row

SIZE = 10**8
"""Bytes of the large array."""
ROUND_TRIP, CHAIN = 3.0, 1000.0
"""What is aimed for, in milliseconds."""
MESH = 50.0
"""What is aimed for of a large array, in percent of the speed of a mesh."""


@contextmanager
def node() -> Iterator[Client]:
    """A client of `mpc node` over loopback."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "mpyc_core", "node", "--name", "bench", "--open"]
        command += ["--data", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                if process.stdout is None or "listens" not in process.stdout.readline():
                    raise RuntimeError("the node did not start")
                ticket = process.stdout.readline().strip()
                with connect_node(ticket, identity=Path(folder) / "bench.key") as client:
                    yield client
            finally:
                process.kill()


def _timed(work: Callable[[], Any], repeat: int) -> float:
    """Median seconds of a call, after one to warm up."""
    work()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def tasks(client: Client, size: int = SIZE) -> dict[str, Callable[[], Any]]:
    """The rows."""
    x, large = client.send(np.zeros(4)), np.zeros(size // 8)

    def chain() -> None:
        y = x
        for _ in range(1000):
            y = y + 1
        if y.get().tolist() != [1000.0] * 4:
            raise RuntimeError("a chain of operations gave a wrong result")

    def upload() -> None:
        client.delete(client.send(large))

    return {
        "operation on a pointer, round trip": lambda: (x + 1).wait(),
        "1000 chained operations and get": chain,
        f"array of {size / 1e6:.4g} MB sent": upload,
    }


# -- what a mesh between two parties does -------------------------------------------------------
def _join(me: str, own: Identity, other: Identity, pipe: Connection) -> ZmqMesh:
    names = ["a", "b"]
    keys = {me: own.public, names[me == "a"]: other.public}
    mesh = ZmqMesh(me, names, identity=own, keys=keys)
    pipe.send(mesh.bind("tcp://127.0.0.1:0"))
    mesh.connect({names[me == "a"]: pipe.recv()})
    return mesh


def _receive(own: Identity, other: Identity, pipe: Connection, size: int, times: int) -> None:
    """The other party: takes arrays, and says when it has each."""
    mesh = _join("b", own, other, pipe)
    for i in range(times):
        mesh.recv(0, [Spec(np.dtype(np.uint64), (size // 8,))], Tag(i, 0))
        mesh.send(0, [np.zeros(1, np.uint64)], Tag(i, 1))
    mesh.settle()
    mesh.close()


def mesh_speed(repeat: int, size: int = SIZE) -> float:
    """Bytes a second of an array that one party sends another over an encrypted mesh."""
    spawn, (a, b) = get_context("spawn"), (Identity.fresh(), Identity.fresh())
    pipe, far = spawn.Pipe()
    other = spawn.Process(target=_receive, args=(b, a, far, size, repeat + 1), daemon=True)
    other.start()
    mesh, data = _join("a", a, b, pipe), np.zeros(size // 8, np.uint64)
    numbers = iter(range(repeat + 1))

    def send() -> None:
        i = next(numbers)
        mesh.send(1, [data], Tag(i, 0))
        mesh.recv(1, [Spec(np.dtype(np.uint64), (1,))], Tag(i, 1))

    try:
        return size / _timed(send, repeat)
    finally:
        mesh.close()
        other.join(10)


def rows(repeat: int = 5, only: str = "", size: int = SIZE) -> list[Row]:
    """Every row, beside what is aimed for; a large array beside what a mesh does."""
    found = []
    with node() as client:
        for name, work in tasks(client, size).items():
            if only not in name:
                continue
            seconds = _timed(work, 50 * repeat if "round trip" in name else repeat)
            if "sent" in name:
                mesh = mesh_speed(repeat, size)
                speed = size / seconds
                found.append(Row(name, speed / 1e9, "GB/s", mesh / 1e9, "mesh", runs=repeat))
                name = "that speed, as a part of a mesh's"
                found.append(Row(name, 100 * speed / mesh, "%", MESH, "aim", runs=repeat))
                continue
            aim = ROUND_TRIP if "round trip" in name else CHAIN
            runs = 50 * repeat if "round trip" in name else repeat
            found.append(Row(name, 1e3 * seconds, "ms", aim, "aim", runs=runs))
    return found
