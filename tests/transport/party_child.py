"""A party process for tests: it meets its peers, then does what it is told."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from mpyc_core.errors import MpcError
from mpyc_core.transport.limits import Limits
from mpyc_core.transport.mesh import Round, Spec, Tag
from mpyc_core.transport.parent import ParentPipe
from mpyc_core.transport.zmq import ZmqMesh

ONE = Spec(np.dtype("u8"), (1,))


def act(mesh: ZmqMesh, order: dict[str, Any]) -> dict[str, Any]:
    tag = Tag(order["op"], 0, name="test")
    if order["do"] == "exchange":
        peers = [i for i in range(mesh.n) if i != mesh.me]
        mine = np.array([mesh.me], np.uint64)
        got = mesh.exchange(tag, Round({p: [mine] for p in peers}, {p: [ONE] for p in peers}))
        return {"sum": int(sum(int(arrays[0][0]) for arrays in got.values()))}
    if order["do"] == "wait for":
        mesh.recv(order["peer"], [ONE], tag)
    if order["do"] == "compute":
        with mesh.busy():
            time.sleep(order["seconds"])
            for peer in order["then tell"]:
                mesh.send(peer, [np.array([1], np.uint64)], tag)
    return {}


def main() -> None:
    pipe = ParentPipe(sys.argv[-1])
    order = pipe.receive(10)
    if order.get("die"):
        sys.stderr.write("these are my last words\n")
        sys.exit(7)
    mesh = ZmqMesh(order["name"], order["names"], limits=Limits(**order["limits"]))
    pipe.send({"address": mesh.bind(order["address"])})
    mesh.connect(pipe.receive(10)["addresses"])
    while True:
        try:
            pipe.send(act(mesh, pipe.receive()))
        except MpcError as error:
            pipe.send({"error": error.to_wire(), "at": time.time()})


if __name__ == "__main__":
    main()
