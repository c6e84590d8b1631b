"""Registries: what they show is signed by the nodes, names are kept, and data never comes there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import ConsistencyCheckFailed, MpcError, PermissionDenied
from mpyc_core.grid.audit import verify
from mpyc_core.grid.client import Client
from mpyc_core.grid.connect import connect_node, ticket
from mpyc_core.grid.entries import Entry
from mpyc_core.grid.link import LocalLink
from mpyc_core.grid.node import Node
from mpyc_core.grid.owner import Owner
from mpyc_core.grid.registered import Registration, Registry
from mpyc_core.grid.registry import RegistryNode
from mpyc_core.grid.server import NodeServer
from mpyc_core.transport.curve import Identity

from .network import QUICK, NodeProcess

COLUMN = [mpc.Column("age", 0, 120, "years")]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def served(node: Node) -> tuple[NodeServer, str]:
    server = NodeServer(node, "tcp://127.0.0.1:0", admit=lambda key: True).start()
    return server, ticket(server.address, node.keys.identity.public)


def entry_of(node: Node, address: str = "tcp://192.0.2.1:7010") -> Entry:
    return Entry.signed(node.keys, node.name, address, time.time(), node.cards())


def tell(registry: RegistryNode, caller: str, entry: Entry) -> None:
    link = LocalLink(registry, caller)
    header = {"do": "register", "entry": entry.body(), "signature": entry.signature}
    link.submit(header).result()


@pytest.fixture
def registry() -> Iterator[RegistryNode]:
    found = RegistryNode("Open Grid")
    yield found
    found.close()


@pytest.fixture
def clinic() -> Iterator[Node]:
    node = Node("May Clinic")
    owner = Owner(LocalLink(node, node.owner))
    owner.load("ages", [34.0, 51.0, 47.0], tags=["#ages", "#data"], columns=COLUMN)
    yield node
    node.close()


def look_up(registry: RegistryNode, *tags: str) -> list[Entry]:
    return Registry(LocalLink(registry, Identity.fresh().public)).entries(*tags)


def test_a_grid_finds_nodes_by_a_registry(registry: RegistryNode, clinic: Node) -> None:
    """Registered while it runs, found by tags, asked itself; what changes is told at once."""
    places = [served(registry), served(clinic)]
    (server, where), (_, at) = places
    dial = partial(connect_node, where, identity=clinic.keys.identity, limits=QUICK)
    registration = Registration(clinic, at[:-41], dial, every=30.0)
    try:
        until(lambda: bool(registry.entries()))
        grid = mpc.Grid(where, identity=Identity.fresh())
        assert isinstance(grid.registries[0], mpc.Registry)
        assert len(grid.search("#nothing", verbose=False)) == len(grid.nodes) == 0
        found = grid.search("#ages", "data", verbose=False)
        assert [x.client.name for x in found] == ["May Clinic"]
        assert found.together().shape == (3,)
        with pytest.raises(PermissionDenied, match="private"):
            found[0].mean().get()
        owner = Owner(LocalLink(clinic, clinic.owner))
        owner.load("heights", [1.8, 1.6], tags=["#heights"])
        until(lambda: bool(look_up(registry, "#heights")))
        assert len(grid.search("#heights", verbose=False)) == 1
        assert len(grid.nodes) == 1
    finally:
        registration.close()
        for server, _ in places:
            server.close()


def test_nodes_that_are_gone_are_named(
    registry: RegistryNode, clinic: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(registry, clinic.owner, entry_of(clinic, "tcp://127.0.0.1:9"))
    server, where = served(registry)
    try:
        grid = mpc.Grid([where], identity=Identity.fresh())
        assert len(grid.search("#ages")) == 0
        assert "May Clinic has matching data and could not be asked" in capsys.readouterr().out
        assert list(grid.absent) == ["May Clinic"]
    finally:
        server.close()


def test_another_node_at_a_registered_address_is_found_out(
    registry: RegistryNode, clinic: Node
) -> None:
    """The registry hands out a key that answers, under a name that is not its own."""
    other = Node("Other")
    server, at = served(other)
    place, where = served(registry)
    entry = Entry.signed(other.keys, "Best Clinic", at[:-41], time.time(), [])
    tell(registry, other.owner, entry)
    try:
        with pytest.raises(ConsistencyCheckFailed, match="other keys"):
            mpc.Grid(where, identity=Identity.fresh()).search(verbose=False)
    finally:
        server.close()
        place.close()
        other.close()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Other"},
        {"address": "tcp://203.0.113.9:1"},
        {"curve": Identity.fresh().public},
        {"time": 1.0},
        {"cards": (), "signatures": ()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_entries_are_signed(registry: RegistryNode, clinic: Node, change: dict[str, Any]) -> None:
    forged = replace(entry_of(clinic), **change)
    with pytest.raises(ConsistencyCheckFailed):
        tell(registry, clinic.owner, forged)
    with pytest.raises(ConsistencyCheckFailed):  # nor does a client believe its registry
        Entry.read(forged.body(), forged.signature)
    assert not registry.entries()


def test_a_node_speaks_for_itself_alone(registry: RegistryNode, clinic: Node) -> None:
    entry = entry_of(clinic)
    with pytest.raises(PermissionDenied, match="no such entry"):
        tell(registry, Identity.fresh().public, entry)
    tell(registry, clinic.owner, entry)
    older = Entry.signed(clinic.keys, clinic.name, "tcp://192.0.2.1:1", entry.time - 1, [])
    with pytest.raises(PermissionDenied, match="later entry"):  # a replay of what was
        tell(registry, clinic.owner, older)
    stranger = Registry(LocalLink(registry, Identity.fresh().public))
    stranger.withdraw()  # its own, of which there is none
    with pytest.raises(PermissionDenied, match="only the owner"):
        stranger.strike(entry)
    assert [e.name for e in registry.entries()] == ["May Clinic"]


@pytest.mark.parametrize("name", ["May Clinic", "may clinic", "MayClinic", "Ｍay Clinic"])
def test_names_are_kept(registry: RegistryNode, clinic: Node, name: str) -> None:
    tell(registry, clinic.owner, entry_of(clinic))
    other = Node(name)
    with pytest.raises(PermissionDenied, match="another node is registered"):
        tell(registry, other.owner, entry_of(other))
    Registry(LocalLink(registry, registry.owner)).strike(registry.entries()[0])
    tell(registry, other.owner, entry_of(other))
    with pytest.raises(PermissionDenied, match="no such entry"):
        tell(registry, clinic.owner, entry_of(clinic))
    assert verify(registry.state, registry.keys.public) == 3
    other.close()


@pytest.mark.parametrize(
    "header",
    [
        {"do": "put", "tags": [], "description": "", "searchable": True},
        {"do": "load"},
        {"do": "run", "op": "neg", "inputs": [0], "params": {}},
        {"do": "sit"},
        {"do": "search", "tags": []},
        {"do": "join", "name": "x", "proof": bytes(32)},
    ],
)
def test_no_data_comes_to_a_registry(registry: RegistryNode, header: dict[str, Any]) -> None:
    for caller in (Identity.fresh().public, registry.owner):
        with pytest.raises(PermissionDenied, match="holds no data"):
            LocalLink(registry, caller).submit(header, [np.ones(3)]).result()


def test_a_node_is_no_registry(clinic: Node) -> None:
    client = Client(LocalLink(clinic, Identity.fresh().public))
    for header in ({"do": "find", "tags": [], "after": ""}, {"do": "withdraw"}):
        with pytest.raises(PermissionDenied, match="no registry"):
            client.call(header)


def test_long_lists_come_in_parts(registry: RegistryNode) -> None:
    nodes = [Node(f"node {i}") for i in range(6)]
    for node in nodes:
        owner = Owner(LocalLink(node, node.owner))
        for j in range(20):
            owner.load(f"x{j}", [1.0], description="d" * 4096, tags=["#x"])
        tell(registry, node.owner, entry_of(node))
    first = LocalLink(registry, registry.owner).submit({"do": "find", "tags": [], "after": ""})
    assert first.result()[0]["more"]
    assert [e.name for e in look_up(registry, "#x")] == [f"node {i}" for i in range(6)]
    for node in nodes:
        node.close()


@pytest.mark.processes
@pytest.mark.timeout(120)
def test_a_registry_and_a_node_as_one_types_them(tmp_path: Path) -> None:
    """Both are processes; the registry is killed, comes back, and knows what it knew."""
    hub = NodeProcess("Open Grid", tmp_path / "hub", "--open", kind="registry").start()
    clinic = NodeProcess("May Clinic", tmp_path / "clinic", "--open", "--registry", hub.ticket)
    clinic.start()
    clinic.owner().load("ages", [34.0, 51.0], tags=["#ages"], columns=COLUMN)
    me = tmp_path / "me.key"

    def found() -> int:
        return len(mpc.Grid(hub.ticket, identity=me).search("#ages", verbose=False))

    until(lambda: found() == 1)
    assert hub.kill() == -9
    with pytest.raises(MpcError):
        connect_node(hub.ticket, identity=me, limits=replace(QUICK, connect=1.0))
    hub.start()
    assert found() == 1
    assert clinic.kill() == -9
    grid = mpc.Grid(hub.ticket, identity=me)
    assert len(grid.search("#ages", verbose=False)) == 0
    assert list(grid.absent) == ["May Clinic"]
