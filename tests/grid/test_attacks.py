"""Attacks on a node, each of which succeeds where permission is an afterthought."""

from __future__ import annotations

import io
import traceback
from contextlib import redirect_stdout
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
)
from mpyc_core.grid.keys import fresh_id
from mpyc_core.grid.link import LocalLink
from mpyc_core.grid.pointer import Pointer
from mpyc_core.grid.virtual import VirtualNode

from .conftest import Clinic

SECRET = 987654.25


@pytest.fixture
def hidden(node: VirtualNode) -> Pointer:
    """A pointer to data whose every number is a marker that must never be seen."""
    node.owner.load("marked", np.full((5, 2), SECRET), tags=["#marked"])
    return node.pointer(node.store[0].id)


# -- reading without permission ---------------------------------------------------------------
def test_a_raw_get_is_refused_and_says_how_to_ask(clinic: Clinic) -> None:
    for private in (clinic.data, clinic.data + 0, clinic.data.sum(), clinic.data[:1, :1]):
        with pytest.raises(PermissionDenied, match=r"\.get\(epsilon=.*\.request\("):
            private.get()


def test_mixing_in_own_data_does_not_make_it_own(clinic: Clinic) -> None:
    own = clinic.node.send(np.zeros((442, 10)))
    for mixed in (
        own + clinic.data,
        clinic.data * 0 + own,
        np.where(own == 0, clinic.data, own),
        np.concatenate([own, clinic.data])[442:],
        np.stack([own, clinic.data])[1],
        np.minimum(clinic.data, own + 1e9),
    ):
        with pytest.raises(PermissionDenied):
            mixed.get()


def test_what_a_client_sent_is_its_own_even_towards_the_owner(node: VirtualNode) -> None:
    x = node.send([SECRET], tags=["#x"], searchable=True)
    seen = node.owner.pointer(x.id)
    with pytest.raises(PermissionDenied):
        seen.get()
    with pytest.raises(PermissionDenied):
        (seen + 1).get()
    assert x.get().tolist() == [SECRET]


def test_nothing_that_is_shown_holds_a_value(hidden: Pointer, node: VirtualNode) -> None:
    """print, repr, format, error texts and tracebacks, at the client and in the owner's list."""
    shown = io.StringIO()
    with redirect_stdout(shown):
        for x in (hidden, hidden.sum(), hidden[0, 0], hidden > 5):
            print(x, repr(x), f"{x}", x.shape, x.tags)
        print(node, node.node, vars(node.node.objects.find(hidden.id)).keys())
        print(node.node.objects.find(hidden.id), node.store)
        hidden.sum().request(reason="r")
        print(list(node.owner.requests), node.owner.requests[0].computation, node.owner.log)
    failures: list[Any] = [
        lambda: hidden.get(),
        lambda: hidden.get(epsilon=0.1),
        lambda: hidden + np.ones(17),
        lambda: hidden.reshape(3, 3),
        lambda: bool(hidden),
        lambda: float(hidden[0, 0]),
        lambda: np.sin(hidden),
        lambda: np.asarray(hidden),
        lambda: list(hidden.sum()),
        lambda: node.call({"do": "run", "op": "add", "inputs": [hidden.id], "params": {}}),
    ]
    for fail in failures:
        try:
            fail()
        except Exception:
            shown.write(traceback.format_exc())
        else:
            raise AssertionError("this was to fail")
    assert "987654" not in shown.getvalue()
    assert "PermissionDenied" in shown.getvalue()


@pytest.mark.parametrize(
    "probe",
    [
        lambda x: x.reshape(-1)[x],  # an index out of bounds would tell a value
        lambda x: np.take(np.arange(5), x),
        lambda x: np.broadcast_to(x, x),
        lambda x: np.zeros(3)[x],
        lambda x: np.linalg.inv(x),  # a singular matrix would raise
        lambda x: np.ones(3) ** x,  # a negative exponent of integers would raise
        lambda x: np.repeat([1], x),
        lambda x: np.unique(x),
        lambda x: np.nonzero(x),
        lambda x: x[x > 5],
        lambda x: range(x),
        lambda x: [0][x],
        lambda x: f"{x:d}",
        lambda x: sorted([x, x]),
    ],
)
def test_probing_shapes_tells_nothing(node: VirtualNode, probe: Any) -> None:
    """No operation has a shape or an error that depends on values."""
    node.owner.load("n", np.array([3, 1, 2]), tags=["#n"])
    with pytest.raises(TypeError):
        probe(node.store[0])


def test_errors_at_the_node_do_not_depend_on_values(node: VirtualNode) -> None:
    """Overflow, division by zero and NaN are results, not errors."""
    with np.errstate(all="raise"):
        for value in (0.0, 1.0, np.nan, np.inf, -1.0, 1e308):
            x = node.send(np.full(3, value))
            for y in (1 / x, np.log(x), np.sqrt(x), np.exp(x), x**-2, x.astype(int), x.sum()):
                y.wait()
            x.histogram([0.0, 1.0]).wait()
        whole = node.send(np.array([0, -(2**63), 2**63 - 1]))
        for y in (np.reciprocal(whole), abs(whole), whole * whole, whole / 0):
            y.wait()


def test_sizes_cannot_be_probed_through_foreign_ids(clinic: Clinic) -> None:
    """Whether an id exists, and what shape it has, cannot be told from the refusal."""
    secret = clinic.stranger.send(np.ones((3, 4)))
    texts = set()
    for key in (secret.id, fresh_id()):
        for params, op, other in (
            ({}, "add", np.ones((3, 4))),
            ({}, "add", np.ones((7, 9))),
            ({"shape": [12]}, "reshape", None),
            ({"shape": [13]}, "reshape", None),
        ):
            inputs = [key] if other is None else [key, ["constant", 0]]
            header = {"do": "run", "op": op, "inputs": inputs, "params": params}
            with pytest.raises(PermissionDenied) as caught:
                clinic.node.call(header, [] if other is None else [other])
            texts.add(str(caught.value))
    assert len(texts) == 1


# -- leaked ids ---------------------------------------------------------------------------------
LEAKED = {
    "get": lambda c, k: c.call(
        {
            "do": "release",
            "target": k,
            "token": fresh_id(),
            "epsilon": None,
            "delta": None,
            "error": None,
        }
    ),
    "noisy get": lambda c, k: c.call(
        {
            "do": "release",
            "target": k,
            "token": fresh_id(),
            "epsilon": 1.0,
            "delta": None,
            "error": None,
        }
    ),
    "run": lambda c, k: c.call({"do": "run", "op": "neg", "inputs": [k], "params": {}}),
    "overwrite": lambda c, k: c.call({"do": "update", "target": k}, [np.zeros(3)]),
    "delete": lambda c, k: c.call({"do": "delete", "target": k}),
    "look": lambda c, k: c.call({"do": "look", "target": k}),
    "request": lambda c, k: c.call(
        {
            "do": "request",
            "target": k,
            "name": "",
            "reason": "",
            "epsilon": None,
            "delta": None,
            "error": None,
        }
    ),
    "sample": lambda c, k: c.call({"do": "sample", "target": k, "rows": 5}),
    "budget": lambda c, k: c.call({"do": "budget", "target": k}),
}


@pytest.mark.parametrize("what", LEAKED)
def test_a_leaked_id_is_of_no_use(node: VirtualNode, what: str) -> None:
    x = node.send([SECRET, 2.0, 3.0])
    y = x * 2
    for key in (x.id, y.id):
        with pytest.raises(PermissionDenied, match="no object of this id"):
            LEAKED[what](node.connect(), key)
    node.connect().call({"do": "head", "free": [x.id, y.id]})  # nor is freeing it
    assert x.get().tolist() == [SECRET, 2.0, 3.0]
    assert y.get().tolist() == [2 * SECRET, 4.0, 6.0]


@pytest.mark.parametrize("what", ["overwrite", "delete"])
def test_a_data_set_that_all_may_use_is_not_theirs(clinic: Clinic, what: str) -> None:
    with pytest.raises(PermissionDenied):
        LEAKED[what](clinic.node, clinic.data.id)
    clinic.data.sum().wait()


def test_only_the_owner_does_what_owners_do(clinic: Clinic) -> None:
    policy = {"raw": "request", "epsilon": 100.0, "delta": 0.0, "max_epsilon": 100.0}
    policy["noisy"] = "budget"
    for header in (
        {"do": "policy", "target": clinic.data.id, "policy": policy},
        {"do": "remove", "target": clinic.data.id},
        {"do": "accounts"},
        {"do": "audit", "start": 1},
    ):
        with pytest.raises(PermissionDenied, match="only the owner"):
            clinic.node.call(header)
    with pytest.raises(PermissionDenied, match="only the owner"):
        clinic.node.call({"do": "reload", "target": clinic.data.id}, [np.zeros((442, 10))])


def test_ids_cannot_be_guessed(node: VirtualNode) -> None:
    ids = {node.send([i]).id for i in range(200)}
    assert len(ids) == 200
    assert all(len(i) == 32 for i in ids)
    bits = np.unpackbits(np.frombuffer(bytes.fromhex("".join(ids)), np.uint8))
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(bits.size)


def test_numbers_of_commands_reach_no_other_connection(node: VirtualNode) -> None:
    node.send([SECRET]).wait()
    other = node.connect()
    for number in range(10):
        with pytest.raises(PermissionDenied):
            other.call({"do": "run", "op": "neg", "inputs": [number], "params": {}})


# -- what comes over the wire -------------------------------------------------------------------
def test_oversized_commands_are_refused_unread(node: VirtualNode) -> None:
    with pytest.raises(FrameError, match="bytes"):
        node.call({"do": "put", "tags": [], "description": "x" * 2**21, "searchable": False})
    with pytest.raises(FrameError, match="bytes"):
        node.call({"do": "update", "target": fresh_id()}, [np.zeros(2**24)])
    x = node.send(np.ones(4))
    for spec in (["float", [2**31, 2**31]], ["float", [2**40]]):
        with pytest.raises((FrameError, PermissionDenied)):
            node.call({"do": "upload", "spec": spec})
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
    upload = node.call({"do": "upload", "spec": ["float", [4]]})[0]["upload"]
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
    assert isinstance(node._link, LocalLink)
