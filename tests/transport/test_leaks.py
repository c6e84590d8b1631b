"""After close nothing is left: no threads, no descriptors, no files."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from mpyc_core.errors import PeerTimeout
from mpyc_core.transport.control import ControlClient, ControlServer
from mpyc_core.transport.limits import Limits
from mpyc_core.transport.mesh import Mesh, Round, Spec, Tag
from mpyc_core.transport.zmq import ZmqMesh

from .conftest import NAMES, QUICK, at_all, in_threads, unconnected


def belongings() -> tuple[int, set[str]]:
    """Open descriptors, and names of threads."""
    return len(os.listdir("/proc/self/fd")), {t.name for t in threading.enumerate()}


def life(kind: str, folder: Path) -> None:
    """Connect, exchange large data, close."""
    meshes, addresses = unconnected(kind, NAMES[:3], folder, QUICK)
    a = np.zeros(500_000, np.uint64)

    def program(mesh: Mesh) -> None:
        mesh.connect(addresses)  # type: ignore[attr-defined]
        peers = [i for i in range(3) if i != mesh.me]
        mesh.exchange(Tag(1, 0), Round({p: [a] for p in peers}, {p: [Spec.of(a)] for p in peers}))
        mesh.close()

    assert at_all(meshes, program) == [None] * 3


def death(kind: str, folder: Path) -> None:
    """Fail in the handshake, then close."""
    limits = Limits(heartbeat=0.1, gone=0.3, connect=0.2)
    meshes, addresses = unconnected(kind, NAMES[:3], folder, limits)
    results = in_threads([lambda m=m: m.connect(addresses) for m in meshes[:2]])
    assert all(isinstance(raised, PeerTimeout) for raised in results)
    for mesh in meshes:
        mesh.close()
        mesh.close()


def driving(kind: str, folder: Path) -> None:
    """A control channel."""
    place = "tcp://127.0.0.1:0" if kind == "tcp" else f"ipc://{folder}/control"
    with ControlServer(place) as server, ControlClient({"alice": server.address}) as client:
        client.send("alice", {}, [np.zeros(500_000)])
        server.receive(5)
        server.reply({}, [np.zeros(500_000)])
        client.receive("alice", 5)


@pytest.mark.parametrize("kind", ["tcp", "ipc"])
@pytest.mark.parametrize("story", [life, death, driving])
def test_nothing_is_left(kind: str, story: object, tmp_path: Path) -> None:
    story(kind, tmp_path)  # type: ignore[operator]
    before = belongings()
    for _ in range(3):
        story(kind, tmp_path)  # type: ignore[operator]
    assert belongings() == before
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_forgets_to_close_still_ends() -> None:
    """Large data is on its way when the interpreter ends, by an error or not."""
    script = (
        "import sys, threading, numpy as np\n"
        "from mpyc_core.transport.mesh import Tag\n"
        "from mpyc_core.transport.zmq import ZmqMesh\n"
        "meshes = [ZmqMesh(name, ['a', 'b']) for name in 'ab']\n"
        "places = {m.names[m.me]: m.bind('tcp://127.0.0.1:0') for m in meshes}\n"
        "threads = [threading.Thread(target=m.connect, args=(places,)) for m in meshes]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "meshes[0].send(1, [np.zeros(10**7, np.uint64)], Tag(1, 0))\n"
        "sys.exit(int(sys.argv[1]))\n"
    )
    for code in (0, 5):
        done = subprocess.run([sys.executable, "-c", script, str(code)], timeout=20, check=False)
        assert done.returncode == code


@pytest.mark.timeout(20)
def test_a_forgotten_mesh_does_not_block_the_collector() -> None:
    mesh = ZmqMesh("alice", ["alice", "bob"])
    mesh.bind("tcp://127.0.0.1:0")
    mesh.cycle = mesh  # type: ignore[attr-defined]
    gone = weakref.ref(mesh)
    del mesh
    gc.collect()
    assert gone() is None
