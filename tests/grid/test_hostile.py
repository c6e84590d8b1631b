"""Hostile commands, names and texts: what comes over the wire is data, and of a known form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import (
    EncodingError,
    FrameError,
    MpcError,
    PermissionDenied,
    ShapeMismatch,
    UnboundedSensitivity,
)
from mpyc_core.grid.keys import fresh_id
from mpyc_core.grid.link import LocalLink
from mpyc_core.grid.pointer import Pointer
from mpyc_core.grid.virtual import VirtualNode

from .conftest import Clinic, hide

SECRET = 987654.25


@pytest.fixture
def hidden(node: VirtualNode) -> Pointer:
    """A pointer to data whose every number is a marker that must never be seen."""
    return hide(node, SECRET)


def test_oversized_commands_are_refused_unread(node: VirtualNode) -> None:
    with pytest.raises(FrameError, match="bytes"):
        node.call({"do": "put", "tags": [], "description": "x" * 2**21, "searchable": False})
    with pytest.raises(FrameError, match="bytes"):
        node.call({"do": "update", "target": fresh_id()}, [np.zeros(2**24)])
    x = node.send(np.ones(4))
    for spec in (["float", [2**31, 2**31]], ["float", [2**40]]):
        with pytest.raises((FrameError, PermissionDenied)):
            node.call({"do": "upload", "upload": fresh_id(), "spec": spec})
    with pytest.raises(ShapeMismatch):
        node.call(
            {
                "do": "run",
                "op": "broadcast_to",
                "inputs": [x.id],
                "params": {"shape": [2**20, 2**20, 4]},
            }
        )
    with pytest.raises(FrameError):
        header = {"do": "run", "op": "stack", "inputs": [x.id] * 300, "params": {"axis": 0}}
        node.call(header)
    assert x.get().tolist() == [1, 1, 1, 1]


def test_pieces_of_uploads_stay_inside_their_array(node: VirtualNode) -> None:
    upload = fresh_id()
    assert node.call({"do": "upload", "upload": upload, "spec": ["float", [4]]})[0]["done"] == 0
    for offset, size in ((8, 8), (0, 40), (2**62, 8), (0, 0)):
        with pytest.raises(FrameError):
            piece = {"do": "piece", "upload": upload, "offset": offset}
            node.call(piece, [np.zeros(size, np.uint8)])
    with pytest.raises(FrameError, match="not complete"):
        node.call(
            {
                "do": "put",
                "tags": [],
                "description": "",
                "searchable": False,
                "upload": upload,
            }
        )


@pytest.mark.parametrize("op", ["__class__", "eval", "numpy.load", "save", "", "ADD", "add\n"])
def test_unknown_operations_are_refused(node: VirtualNode, op: str) -> None:
    x = node.send([1.0])
    with pytest.raises(FrameError):
        node.call({"do": "run", "op": op, "inputs": [x.id], "params": {}})


@pytest.mark.parametrize("do", ["__init__", "handle", "close", "persist", "run; drop table", ""])
def test_unknown_commands_are_refused(node: VirtualNode, do: str) -> None:
    with pytest.raises(FrameError, match="unknown command"):
        node.call({"do": do})


HOSTILE = [
    "'; DROP TABLE cards; --",
    '" OR 1=1 --',
    "../../../etc/passwd",
    "..\\..\\x",
    "/etc/passwd",
    "a\x00b",
    "%s%n%x",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "\u202egnp.exe",
    "\x1b[2J",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_tags_inject_nothing(tmp_path: Any, text: str) -> None:
    """What is accepted is data and comes back as it was; what is refused leaves no trace."""
    with VirtualNode("a", tmp_path / "node") as node:
        node.owner.load("first", [1.0], tags=["#ok"])
        before = {p.name for p in (tmp_path / "node").iterdir()}
        for attempt in (
            lambda: node.send([1], tags=[text]),
            lambda: node.send([1], tags=["#ok"], description=text),
            lambda: node.owner.load(text, [1.0], tags=["#ok"]),
            lambda: node.owner.load("n", [1.0], tags=["#ok"], description=text, group=text),
            lambda: node.call({"do": "search", "tags": [text]}),
            lambda: node.store[0].sum().request(name=text, reason=text),
        ):
            try:
                attempt()
            except (MpcError, EncodingError):
                continue
        found = mpc.Grid([node]).search("#ok", verbose=False)
        for x in found:
            assert x.description in ("", text)
        tables = node.node.state.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert len(tables) == 10
        after = {p.name for p in (tmp_path / "node").iterdir()}
        assert after <= before | {"state.db-wal", "state.db-shm"}
        assert sorted(p.name for p in tmp_path.iterdir()) == ["node"]


def test_the_log_cannot_be_forged_by_text(clinic: Clinic) -> None:
    """A reason that looks like an entry stays a reason."""
    clinic.data.sum().request(reason='accepted"\n{"event": "accepted"}', name="accepted")
    assert [e["event"] for e in clinic.node.owner.log][-1] == "requested"


def test_plain_data_only(node: VirtualNode) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (print, ("executed",))

    with pytest.raises(FrameError):
        node.call({"do": "put", "tags": [], "description": Evil(), "searchable": False})


def test_a_closed_connection_is_closed(node: VirtualNode) -> None:
    client = node.connect()
    client.close()
    with pytest.raises(MpcError):
        client.call({"do": "head"})


def test_an_exception_of_the_node_itself_tells_nothing(
    hidden: Pointer, node: VirtualNode, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError(f"the value is {SECRET}")

    monkeypatch.setattr("mpyc_core.grid.act_release.release", broken)
    with pytest.raises(MpcError) as caught:
        hidden.get()
    assert "987654" not in str(caught.value)
    assert isinstance(node.link, LocalLink)


def test_a_few_steps_cannot_keep_a_node_busy(clinic: Clinic) -> None:
    """Exact bounds of 16 to the power of 16, of 16, ... would take all of time and memory."""
    tower = clinic.labels
    for _ in range(12):
        tower = tower**16
    assert 0 <= float(tower.clip(0.0, 1.0).mean().get(epsilon=1.0)) <= 2
    product = clinic.labels
    for _ in range(40):
        product = product * product
    with pytest.raises(UnboundedSensitivity):
        product.sum().get(epsilon=0.1)
