"""Reverse-mode differentiation over the registry of operations.

The tape lives where the tensors live. A node holds references and metas, never shares. `backward`
walks the nodes once, lets every operation's `grad` rule write its calls into one plan, and runs
that plan: gradients that nobody asked for are never computed, independent ones share rounds, and
what a node held is freed as soon as nothing needs it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ShapeMismatch, ShareError
from mpyc_core.protocols.backend import Ref
from mpyc_core.protocols.registry import get_op
from mpyc_core.protocols.value import Public

from .plan import Plan, Planned

if TYPE_CHECKING:
    from .handle import Handle

_recording: ContextVar[bool] = ContextVar("recording", default=True)
_order = itertools.count()


def recording() -> bool:
    """Whether operations are noted for a backward pass, which is so outside `no_grad`."""
    return _recording.get()


@contextmanager
def no_grad() -> Iterator[None]:
    """Operations inside are not noted on the tape.

    Example
    -------
    >>> import mpyc_core as mpc
    >>> with mpc.simulate(3) as s:
    ...     w = s.share([2.0])
    ...     w.requires_grad = True
    ...     with mpc.ml.no_grad():
    ...         y = w * 3
    ...     (w * y).backward()  # y counts as a constant
    ...     w.grad.reveal().tolist()
    [6.0]
    """
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


@dataclass(slots=True, eq=False)
class Edge:
    """An input of a node: its value, and where its gradient goes (None: nowhere)."""

    value: Ref | Public
    target: Origin | Handle | None


@dataclass(slots=True, eq=False)
class Node:
    """One operation on the tape."""

    op: str
    inputs: list[Edge]
    outputs: list[Ref]
    params: Mapping[str, Any]
    order: int


@dataclass(slots=True, frozen=True, eq=False)
class Origin:
    """Which result of which node a tensor is."""

    node: Node
    index: int


def _target(x: Handle | Public) -> Origin | Handle | None:
    if isinstance(x, Public):
        return None
    return x._origin or (x if x._requires_grad else None)


def record(
    op: str, inputs: Sequence[Handle | Public], outputs: Sequence[Handle], params: Mapping[str, Any]
) -> None:
    """Note an operation if one of its inputs needs a gradient; bits never carry one."""
    if not _recording.get():
        return
    targets = [_target(x) for x in inputs]
    if all(t is None for t in targets):
        return
    edges = [
        Edge(x if isinstance(x, Public) else x.ref, t) for x, t in zip(inputs, targets, strict=True)
    ]
    node = Node(op, edges, [x.ref for x in outputs], params, next(_order))
    for i, x in enumerate(outputs):
        if x.kind != "bit":
            x._origin = Origin(node, i)


class _Walk:
    """One backward pass: nodes by descending order, gradients that wait for them, and leaves."""

    def __init__(self, root: Handle) -> None:
        self.plan = Plan(root.backend)
        self.tensor = type(root)
        self.nodes: dict[int, Node] = {}
        self.waiting: dict[int, list[Handle | None]] = {}
        self.leaves: dict[int, tuple[Handle, Handle]] = {}
        self.heap: list[int] = []

    def add(self, target: Origin | Handle, gradient: Handle) -> None:
        """Add `gradient` to what waits for `target`."""
        if not isinstance(target, Origin):
            _, sum_ = self.leaves.get(id(target), (None, None))
            total = gradient if sum_ is None else sum_ + gradient  # type: ignore[operator]
            self.leaves[id(target)] = (target, total)
            return
        node = target.node
        if not node.inputs:
            raise ShareError(
                f"the tape of {node.op!r} was used up by an earlier backward(); run the forward "
                "pass again, or add the losses first and call backward() once"
            )
        if node.order not in self.nodes:
            self.nodes[node.order] = node
            self.waiting[node.order] = [None] * len(node.outputs)
            heapq.heappush(self.heap, -node.order)
        slots = self.waiting[node.order]
        found = slots[target.index]
        slots[target.index] = gradient if found is None else found + gradient  # type: ignore[operator]

    def run(self) -> None:
        """Let every node pass its gradients on."""
        while self.heap:
            order = -heapq.heappop(self.heap)
            self._step(self.nodes.pop(order), self.waiting.pop(order))

    def _step(self, node: Node, gradients: list[Handle | None]) -> None:
        rule = get_op(node.op).grad
        if rule is None:
            raise ShareError(
                f"operation {node.op!r} has no gradient; use .detach() on its result, or an "
                "operation that has one"
            )
        wrap, value = self.tensor, self.plan.value
        inputs = [wrap(value(edge.value)) for edge in node.inputs]
        outputs = [wrap(value(ref)) for ref in node.outputs]
        results = rule(inputs, outputs, gradients, **node.params)
        for edge, gradient in zip(node.inputs, results, strict=True):
            if edge.target is not None and gradient is not None:
                self.add(edge.target, gradient)
        node.inputs, node.outputs = [], []


def backward(root: Handle, gradient: Handle | npt.ArrayLike | None) -> None:
    """Add the gradient of `root` to `.grad` of every leaf that requires one.

    Parameters
    ----------
    root : the loss, of one element unless `gradient` is given.
    gradient : secret, of `root`'s shape, or public, broadcast to it; 1 when None.

    Raises
    ------
    ShapeMismatch : no gradient was given for a tensor of several elements, or of another shape.
    ShareError : nothing to differentiate, an operation without a gradient, or a used-up tape.
    """
    origin = root._origin or (root if root._requires_grad else None)
    if origin is None:
        raise ShareError(
            "nothing to differentiate: no input requires a gradient (set x.requires_grad = True "
            "before the forward pass)"
        )
    if gradient is None and root.size != 1:
        raise ShapeMismatch(
            f"backward() needs a scalar, got shape {root.shape}; sum it, or pass its gradient"
        )
    walk = _Walk(root)
    seed = _seed(walk.plan, root, 1.0 if gradient is None else gradient)
    with no_grad():
        walk.add(origin, walk.tensor(seed))
        walk.run()
        _deliver(walk)


def _seed(plan: Plan, root: Handle, gradient: Handle | npt.ArrayLike) -> Planned:
    """The gradient that a backward pass starts with, as a value of its plan."""
    if isinstance(gradient, type(root)):
        if gradient.shape != root.shape:
            raise ShapeMismatch(f"expected a gradient of shape {root.shape}, got {gradient.shape}")
        return plan.value(gradient.ref)
    array = np.asarray(gradient, np.float64)
    try:
        return plan.known(np.broadcast_to(array, root.shape))
    except ValueError:
        raise ShapeMismatch(f"cannot broadcast {array.shape} to shape {root.shape}") from None


def _deliver(walk: _Walk) -> None:
    """Run the plan and add what it gives to the leaves' gradients."""
    leaves = list(walk.leaves.values())
    totals = [
        g if leaf.grad is None else walk.tensor(walk.plan.value(leaf.grad.ref)) + g  # type: ignore[operator]
        for leaf, g in leaves
    ]
    for (leaf, _), ref in zip(leaves, walk.plan.run([g.ref for g in totals]), strict=True):
        leaf.grad = walk.tensor(ref)
