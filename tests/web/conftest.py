"""A node with a data set and a waiting request, a registry with two nodes, and their pages."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from flask.testing import FlaskClient

import mpyc_core as mpc
from mpyc_core.grid.asking import Request
from mpyc_core.grid.entries import Entry
from mpyc_core.grid.pointer import Pointer
from mpyc_core.grid.registry import RegistryNode
from mpyc_core.grid.virtual import VirtualNode
from mpyc_core.grid.web.app import create_app
from mpyc_core.grid.web.hub import create_hub

TOKEN = "the token"
EVIL = "<script>alert('x')</script>"


@dataclass
class Page:
    """The page of a node, and what the test knows of it."""

    node: VirtualNode
    data: Pointer
    asked: Request
    browser: FlaskClient

    def login(self) -> str:
        """Log in; the token that forms of this session carry."""
        answer = self.browser.post("/login", data={"token": TOKEN})
        assert answer.status_code == 302
        found = re.search('name="form" value="([0-9a-f]{32})"', self.browser.get("/").text)
        assert found is not None
        return found[1]

    def status(self) -> str:
        """How the waiting request stands."""
        return self.asked.status


@pytest.fixture
def page() -> Iterator[Page]:
    with VirtualNode("May Clinic") as node:
        node.owner.load(
            f"ages {EVIL}",
            np.full(200, 43.0),
            tags=["#ages"],
            columns=[mpc.Column("age", 0, 100)],
            policy=mpc.Policy(epsilon=1.0),
        )
        data = mpc.Grid([node.connect()]).search("#ages", verbose=False)[0]
        data.mean().get(epsilon=0.25)
        asked = (data * 2 + data).sum().request(name=EVIL, reason=f"study {EVIL}")
        app = create_app(node.node, TOKEN, slow=0.0)
        yield Page(node, data, asked, app.test_client())


@dataclass
class Hub:
    """The page of a registry."""

    registry: RegistryNode
    browser: FlaskClient

    def login(self) -> str:
        """Log in; the token that forms of this session carry."""
        assert self.browser.post("/login", data={"token": TOKEN}).status_code == 302
        found = re.search('name="form" value="([0-9a-f]{32})"', self.browser.get("/").text)
        assert found is not None
        return found[1]


@pytest.fixture
def hub() -> Iterator[Hub]:
    registry = RegistryNode("Open Grid")
    nodes = [VirtualNode("May Clinic"), VirtualNode("St. Anna")]
    nodes[0].owner.load("ages", [34.0], tags=["#ages", "#data"], description=EVIL)
    nodes[1].owner.load("images", np.zeros((9, 4)), tags=["#images", "#data"])
    for i, node in enumerate(nodes):
        cards, address = node.node.cards(), f"tcp://192.0.2.{i}:7010"
        entry = Entry.signed(node.node.keys, node.name, address, time.time(), cards)
        registry.register(entry.curve, entry)
        node.close()
    yield Hub(registry, create_hub(registry, TOKEN, slow=0.0).test_client())
    registry.close()
