"""The computation behind a value: a typed graph whose every node has a keyed digest.

The digest of a node covers its operation, parameters, constants, type, shape and the digests of its
operands, under the node's own key. Two values have one digest exactly if they are the same
computation on the same versions of the same data, and without the key a digest tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import PermissionDenied

from .keys import NodeKeys
from .ops import get_op
from .spec import Array, Spec, from_wire, to_wire

DATA, SENT, CONSTANT = "data", "sent", "constant"
LEAVES = (DATA, SENT, CONSTANT)
MAX_NODES = 20_000


class Expr:
    """One node of a graph; immutable.

    Parameters
    ----------
    op : an operation, or "data" (a data set), "sent" (what somebody sent) or "constant".
    params : of the operation; of leaves, the id and version of what is meant, and of what was sent
        its sender.
    inputs : operands.
    value : of constants, and of what was sent, which its version stands for.
    """

    __slots__ = ("__weakref__", "digest", "inputs", "op", "params", "spec", "value")

    def __init__(
        self,
        keys: NodeKeys,
        op: str,
        params: Mapping[str, Any],
        inputs: Sequence[Expr],
        spec: Spec,
        value: Array | None = None,
    ) -> None:
        self.op, self.params = op, dict(params)
        self.inputs: tuple[Expr, ...] = tuple(inputs)
        self.spec, self.value = spec, value
        constant = _bytes(value) if value is not None and op == CONSTANT else None
        digests = [x.digest for x in self.inputs]
        self.digest: bytes = keys.mac("graph", [op, self.params, to_wire(spec), constant, digests])


def _bytes(value: Array) -> bytes:
    return np.ascontiguousarray(value).tobytes()


def constant(keys: NodeKeys, value: Array) -> Expr:
    """A public operand."""
    return Expr(keys, CONSTANT, {}, (), Spec.of(value), value)


def walk(root: Expr, limit: int = MAX_NODES) -> list[Expr]:
    """All nodes below `root`, operands before what is made of them, each once.

    Raises
    ------
    PermissionDenied : more than `limit` of them; nobody could read that, let alone approve it.
    """
    order: list[Expr] = []
    seen: set[int] = set()
    stack: list[tuple[Expr, Iterator[Expr]]] = [(root, iter(root.inputs))]
    seen.add(id(root))
    while stack:
        node, rest = stack[-1]
        below = next((x for x in rest if id(x) not in seen), None)
        if below is None:
            order.append(node)
            stack.pop()
            continue
        if len(seen) >= limit:
            raise PermissionDenied(
                f"a computation of more than {limit} steps cannot be asked for; ask for parts of it"
            )
        seen.add(id(below))
        stack.append((below, iter(below.inputs)))
    return order


def senders(root: Expr) -> frozenset[str]:
    """Public keys of those who sent what a graph reads beside data sets."""
    return frozenset(str(x.params["sender"]) for x in walk(root) if x.op == SENT)


def evaluate(root: Expr, leaf: Callable[[Expr], Array]) -> Array:
    """Carry a graph out; `leaf` gives what data sets and sent values are."""
    values: dict[int, Array] = {}
    for node in walk(root):
        if node.value is not None:
            values[id(node)] = node.value
        elif node.op in LEAVES:
            values[id(node)] = leaf(node)
        else:
            values[id(node)] = get_op(node.op)([values[id(x)] for x in node.inputs], node.params)
    return values[id(root)]


def flatten(root: Expr) -> list[dict[str, Any]]:
    """A graph as plain data: nodes in the order of `walk`, operands by their place in the list.

    Constants are part of it; what was sent is named by its version.
    """
    nodes = walk(root)
    place = {id(node): i for i, node in enumerate(nodes)}
    return [
        {
            "op": node.op,
            "params": node.params,
            "inputs": [place[id(x)] for x in node.inputs],
            "spec": to_wire(node.spec),
            "value": _bytes(node.value) if node.op == CONSTANT and node.value is not None else None,
        }
        for node in nodes
    ]


def rebuild(
    keys: NodeKeys, nodes: Sequence[Mapping[str, Any]], sent: Callable[[str, Spec], Array]
) -> Expr:
    """The graph of `flatten`; its digests are computed anew.

    Parameters
    ----------
    sent : gives what was sent, by its version.
    """
    made: list[Expr] = []
    for node in nodes:
        spec, value = from_wire(node["spec"]), None
        if node["value"] is not None:
            value = np.frombuffer(node["value"], spec.dtype).reshape(spec.shape)
        elif node["op"] == SENT:
            value = sent(node["params"]["version"], spec)
        inputs = [made[i] for i in node["inputs"]]
        made.append(Expr(keys, node["op"], node["params"], inputs, spec, value))
    return made[-1]


def describe(root: Expr, leaf: Callable[[Expr], str]) -> str:
    """A graph for people: one line per node, constants by their value where it is short."""
    lines, names = [], {}
    for i, node in enumerate(walk(root)):
        names[id(node)] = f"v{i}"
        kind, shape = to_wire(node.spec)
        if node.op == CONSTANT and node.value is not None:
            text = np.array2string(node.value, threshold=8, separator=", ").replace("\n", " ")
        elif node.op in LEAVES:
            text = leaf(node)
        else:
            given = [names[id(x)] for x in node.inputs]
            given += [f"{key}={value}" for key, value in node.params.items()]
            text = f"{node.op}({', '.join(given)})"
        lines.append(f"v{i} = {text}  # {kind} {tuple(shape)}")
    return "\n".join(lines)
