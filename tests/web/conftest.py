"""A node with a data set and a waiting request, and its page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from flask.testing import FlaskClient

import mpyc_core as mpc
from mpyc_core.grid.asking import Request
from mpyc_core.grid.pointer import Pointer
from mpyc_core.grid.virtual import VirtualNode
from mpyc_core.grid.web.app import create_app

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
