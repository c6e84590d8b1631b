"""Pointers against NumPy: every operation of the closed set, and everything that is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpyc_core.errors import EncodingError, FrameError, MpcError, PermissionDenied, ShapeMismatch
from mpyc_core.grid import ops
from mpyc_core.grid.client import Client
from mpyc_core.grid.graph import evaluate
from mpyc_core.grid.virtual import VirtualNode

X = np.array([[1.5, -2.0, 0.0], [4.0, 5.5, -6.0]])
Y = np.array([[2.0, 0.5, 1.0], [-1.0, 3.0, 2.0]])
N = np.array([[3, -1, 4], [1, 5, -9]])
B = N > 0
CASES: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "add": (lambda x, y: x + y, (X, Y)),
    "radd": (lambda x: 1 + x, (N,)),
    "sub": (lambda x, y: x - y, (X, N)),
    "rsub": (lambda x: 2.5 - x, (N,)),
    "mul": (lambda x, y: x * y, (N, N)),
    "array on the left": (lambda x: Y * x, (X,)),
    "div": (lambda x, y: x / y, (X, Y)),
    "rdiv": (lambda x: 1 / x, (Y,)),
    "matmul": (lambda x, y: x @ y.T, (X, Y)),
    "matmul vector": (lambda x: x @ np.array([1.0, 2.0, 3.0]), (X,)),
    "rmatmul": (lambda x: np.ones((4, 2)) @ x, (X,)),
    "power": (lambda x: x**2, (N,)),
    "power real": (lambda x: abs(x) ** 0.5, (X,)),
    "power negative": (lambda x: x**-1, (Y,)),
    "neg": (lambda x: -x, (N,)),
    "abs": (lambda x: abs(x), (N,)),
    "compare": (lambda x, y: (x < y) | (x == y) ^ (x >= y), (X, Y)),
    "invert": (lambda x: ~(x > 0) & (x <= 4), (X,)),
    "ne": (lambda x: x != 4, (N,)),
    "exp": (np.exp, (X,)),
    "log": (lambda x: np.log(abs(x) + 1), (X,)),
    "sqrt": (lambda x: np.sqrt(abs(x)), (N,)),
    "tanh": (np.tanh, (X,)),
    "sign": (np.sign, (X,)),
    "square": (np.square, (N,)),
    "rounding": (lambda x: np.floor(x) + np.ceil(x) + np.rint(x), (X,)),
    "maximum": (np.maximum, (X, Y)),
    "minimum": (lambda x: np.minimum(x, 0.5), (X,)),
    "where": (lambda b, x, y: np.where(b, x, y), (B, X, Y)),
    "where constant": (lambda x: np.where(x > 0, x, 0.0), (X,)),
    "clip": (lambda x: np.clip(x, -1, 2.5), (X,)),
    "astype": (lambda x: x.astype(int), (X,)),
    "sum": (lambda x: np.sum(x, axis=1, keepdims=True), (X,)),
    "count": (lambda b: np.sum(b), (B,)),
    "mean": (lambda x: x.mean(axis=0), (N,)),
    "var": (lambda x: np.var(x, ddof=1), (X,)),
    "std": (lambda x: x.std(axis=1), (X,)),
    "max": (lambda x: x.max(axis=0), (N,)),
    "min": (np.min, (N,)),
    "argmax": (lambda x: np.argmax(x, axis=1), (X,)),
    "argmin": (np.argmin, (X,)),
    "all": (lambda b: np.all(b, axis=0), (B,)),
    "any": (np.any, (B,)),
    "sort": (lambda x: np.sort(x, axis=1), (X,)),
    "cumsum": (lambda x: np.cumsum(x, axis=1), (N,)),
    "index": (lambda x: x[1:, None, ::-1], (X,)),
    "ellipsis": (lambda x: x[..., 1], (X,)),
    "at": (lambda x: x[-1, 2], (N,)),
    "take": (lambda x: np.take(x, [2, 0], axis=1), (X,)),
    "reshape": (lambda x: x.reshape(3, -1), (X,)),
    "transpose": (lambda x: x.T, (X,)),
    "flatten": (np.ravel, (N,)),
    "squeeze": (lambda x: np.squeeze(np.expand_dims(x, 1)), (X,)),
    "swapaxes": (lambda x: np.swapaxes(x, 0, 1), (X,)),
    "moveaxis": (lambda x: np.moveaxis(x[None], 0, -1), (X,)),
    "flip": (lambda x: np.flip(x, 1), (N,)),
    "concatenate": (lambda x, y: np.concatenate([x, y, Y], axis=0), (X, N)),
    "stack": (lambda x, y: np.stack([x, y], axis=1), (X, Y)),
    "hstack": (lambda x, y: np.hstack([x, y]), (X, Y)),
    "vstack": (lambda x, y: np.vstack([x, y]), (X, Y)),
    "broadcast_to": (lambda x: np.broadcast_to(x, (4, 2, 3)), (X,)),
    "pad": (lambda x: np.pad(x, ((1, 0), (0, 2))), (N,)),
    "outer": (lambda x: np.outer(x[0], x[1]), (X,)),
    "dot": (lambda x: np.dot(x, Y.T), (X,)),
    "histogram": (lambda x: np.histogram(np.ravel(x), bins=4, range=(-8, 8))[0], (X,)),
    "quantile": (lambda x: np.quantile(np.ravel(x), 0.25), (X,)),
    "cov": (lambda x: np.cov(x, rowvar=False), (X,)),
}


@pytest.mark.parametrize("case", CASES)
def test_operations_are_those_of_numpy(node: VirtualNode, case: str) -> None:
    fn, arrays = CASES[case]
    expected = np.asarray(fn(*arrays))
    found = fn(*[node.send(a) for a in arrays])
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    got = found.get()
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_every_operation_of_the_set_is_reached() -> None:
    used: set[str] = set()

    class Noting(VirtualNode):
        def submit(self, header: Any, arrays: Any = ()) -> Any:
            used.add(header.get("op", ""))
            return super().submit(header, arrays)

    with Noting("a") as node:
        for fn, arrays in CASES.values():
            fn(*[node.send(a) for a in arrays])
        node.send(X).sigmoid()
        np.reciprocal(node.send(Y))
        node.send(X).regression(node.send(X)[:, 0])
    assert set(ops.names()) <= used | {"xor"}


def test_the_first_snippet(node: VirtualNode) -> None:
    x = node.send(np.array([1, 3, 4, 5]))
    y = x + x
    assert repr(y.get()) == "array([ 2,  6,  8, 10])"
    assert repr(x.get()) == "array([1, 3, 4, 5])"  # getting does not remove


REFUSED: dict[str, Callable[[Any], Any]] = {
    "truth": bool,
    "array": np.asarray,
    "float": float,
    "int": int,
    "hash": hash,
    "in": lambda x: 3.0 in x,
    "save": lambda x: np.save("/dev/null", x),
    "reduce": lambda x: np.add.reduce(x),
    "out": lambda x: np.add(x, 1, out=np.zeros((2, 3))),
    "unknown ufunc": np.sin,
    "unknown function": lambda x: np.linalg.inv(x),
    "assignment": lambda x: x.__setitem__(0, 1.0),
    "index by data": lambda x: x[np.array([True, False])],
    "exponent": lambda x: 2**x,
    "copy": lambda x: __import__("copy").deepcopy(x),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_needs_the_value_is_refused(node: VirtualNode, what: str) -> None:
    with pytest.raises(TypeError):
        REFUSED[what](node.send(X))


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: x + np.ones(5),
        lambda x: x @ x,
        lambda x: x.reshape(4, 4),
        lambda x: x[7],
        lambda x: x.sum(axis=3),
        lambda x: np.take(x, [5], axis=1),
        lambda x: np.concatenate([x, np.ones((2, 2))]),
        lambda x: np.broadcast_to(x, (10**9, 2, 3)),
        lambda x: x.clip(),
        lambda x: np.where(x, x, x),
        lambda x: (x > 0) - (x < 0),
    ],
)
def test_operands_that_do_not_fit_raise_at_the_line(node: VirtualNode, fn: Any) -> None:
    x = node.send(X)
    with pytest.raises(ShapeMismatch):
        fn(x)
    assert np.array_equal((x + 1).get(), X + 1)


@pytest.mark.parametrize("x", ["text", [1j], [None], np.array(["a"]), [2**63]])
def test_other_data_cannot_be_sent(node: VirtualNode, x: Any) -> None:
    with pytest.raises(EncodingError):
        node.send(x)


def test_the_sender_may_change_its_array(node: VirtualNode) -> None:
    mine = np.array([1.0, 2.0])
    x = node.send(mine)
    mine[0] = 99.0
    got = x.get()
    assert got.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        got[0] = 5.0


def test_objects_go_with_their_pointers(node: VirtualNode) -> None:
    x = node.send(np.ones(1000))
    for _ in range(50):
        x = x + 1
    x.get()
    node.call({"do": "mine"})
    assert len(node.node.objects) <= 3


def test_what_is_tagged_stays_until_it_is_deleted(node: VirtualNode) -> None:
    x = node.send([1, 2, 3], tags=["#mine"])
    key = x.id
    del x
    node.call({"do": "mine"})
    again = node.pointer(key)
    assert again.get().tolist() == [1, 2, 3]
    assert again.tags == ("#mine",)
    node.delete(again)
    with pytest.raises(PermissionDenied):
        node.pointer(key)


def test_leases_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with VirtualNode("a", lease=10.0) as node:
        x, kept = node.send([1, 2]), node.send([3], tags=["#kept"])
        other: Client = node.connect()
        y = other.send([5])
        y.wait()
        start = __import__("time").monotonic()
        monkeypatch.setattr("time.monotonic", lambda: start + 8)
        other.call({"do": "head"})
        monkeypatch.setattr("time.monotonic", lambda: start + 15)
        other.call({"do": "head"})
        assert y.get().tolist() == [5]  # its holder was heard of
        with pytest.raises(PermissionDenied):
            x.get()
        assert kept.get().tolist() == [3]  # durable


def test_a_quota_holds() -> None:
    with VirtualNode("a", quota=10_000) as node:
        kept = [node.send(np.zeros(1000))]
        with pytest.raises(PermissionDenied, match="10000 bytes"):
            node.send(np.zeros(1000)).wait()
        kept.clear()
        node.send(np.zeros(1000)).wait()


def test_constants_in_graphs_count_too() -> None:
    """Memory that only a graph still holds is its maker's."""
    with VirtualNode("a", quota=40_000) as node:
        node.owner.load("d", np.ones(10), tags=["#d"])
        x = node.store[0]
        with pytest.raises(PermissionDenied, match="40000 bytes"):
            for _ in range(20):
                x = x + np.full(1000, 2.0).sum() * 0 + np.ones((100, 10))[:1]
                x = (x * np.ones((50, 10)))[:1].wait()


def test_an_error_reaches_everything_that_is_made_of_it(node: VirtualNode) -> None:
    x = node.send([1.0])
    node.delete(x)
    y = (x + 1) * 2
    with pytest.raises(PermissionDenied, match="no object of this id"):
        y.get()


def test_two_nodes_do_not_mix(node: VirtualNode) -> None:
    with VirtualNode("b") as other, pytest.raises(MpcError, match="lie at May Clinic and b"):
        node.send([1]) + other.send([2])


def test_graphs_give_what_the_node_computed(node: VirtualNode) -> None:
    node.owner.load("d", X, tags=["#d"])
    x = node.store[0]
    y = (np.where(x > 0, x, 0.0) @ np.array([1.0, 2.0, 3.0])).sum()
    y.wait()
    stored = node.node.objects.find(y.id)
    assert stored is not None
    assert float(evaluate(stored.graph, lambda leaf: X)) == float(stored.value)


def test_commands_have_schemas(node: VirtualNode) -> None:
    for header in (
        {"do": "nothing"},
        {"do": 5},
        {},
        {"do": "hello", "more": 1},
        {"do": "run", "op": "add", "inputs": [1.5], "params": {}},
        {"do": "run", "op": "add", "inputs": [], "params": {}},
        {"do": "run", "op": "__import__", "inputs": [], "params": {}},
        {"do": "release", "target": "x", "token": "y"},
        {"do": "put", "tags": "#a", "description": "", "searchable": False},
        {"do": "hello", "free": ["not an id"]},
    ):
        with pytest.raises(FrameError):
            node.call(header, [])


def test_item_is_a_pointer(node: VirtualNode) -> None:
    x = node.send([[7]])
    assert x.item().shape == () and int(x.item().get()) == 7
    with pytest.raises(ShapeMismatch):
        node.send([1, 2]).item()
