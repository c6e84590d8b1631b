"""A line so slow that one message takes longer than the time-outs."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from mpyc_core.transport.limits import Limits
from mpyc_core.transport.mesh import Spec, Tag
from mpyc_core.transport.zmq import ZmqMesh

from .conftest import in_threads, relay

RATE = 4e6
LIMITS = Limits(heartbeat=0.2, gone=1.2, progress=1.0, connect=5.0, linger=10.0)


def test_a_slow_line_is_neither_late_nor_gone_and_loses_nothing() -> None:
    """The sender closes as soon as it has sent; 8 MB take two seconds."""
    names = ("alice", "bob")
    meshes = [ZmqMesh(name, names, limits=LIMITS) for name in names]
    addresses = {m.names[m.me]: m.bind("tcp://127.0.0.1:0") for m in meshes}
    addresses["alice"], _ = relay(addresses["alice"], RATE)
    a = np.arange(1_000_000, dtype=np.uint64)

    def program(mesh: ZmqMesh) -> Any:
        with mesh:
            mesh.connect(addresses)
            if mesh.me == 1:
                mesh.send(0, [a], Tag(1, 0))
                return None
            start = time.monotonic()
            (got,) = mesh.recv(1, [Spec.of(a)], Tag(1, 0))
            return bool((got == a).all()), time.monotonic() - start

    results = in_threads([lambda m=m: program(m) for m in meshes])
    assert results[1] is None
    same, seconds = results[0]
    assert same and seconds > LIMITS.progress
