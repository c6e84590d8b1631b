"""From a typed graph to a plan of release: what is made noisy, how noisy, and what it costs.

The graph is cut where rows become totals. Each cut is computed in whole numbers, gets noise for its
share of epsilon, and everything above the cuts is computed from the noisy numbers, which costs
nothing more. Where no cut is possible, the analysis says why and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from mpyc_core.errors import ConfigError, UnboundedSensitivity

from .budget import Charge, dataset_account
from .cuts import Cut, Part, RowsOf, cut_of, step_of
from .label import Array, Blocked, Label, Public, Rows, State, Total, constant, join
from .mechanisms import epsilon_for_error, laplace_error, laplace_scale
from .price import Price, Real, exact
from .step import Refusal
from .transfer import total_of, transfer


class Node(Protocol):
    """A node of a typed graph, as the analysis needs it; nodes are compared by identity.

    `spec` has the `shape` and `dtype` of the value, `value` is the array of a constant.
    """

    @property
    def op(self) -> str: ...
    @property
    def params(self) -> Mapping[str, Any]: ...
    @property
    def inputs(self) -> Sequence[Any]: ...
    @property
    def spec(self) -> Any: ...
    @property
    def value(self) -> Array | None: ...


Run = Callable[[Any, Sequence[Array]], Array]
"""`run(node, operands)` carries the operation of a node out."""


@dataclass(frozen=True)
class Plan:
    """What `analyse` found.

    Parameters
    ----------
    root : the node to be released.
    cuts : the nodes that get noise, by `id` of the node.
    order : the nodes from the cuts up to the root, operands first.
    label : of the root: owners and lineage.
    """

    root: Any
    cuts: Mapping[int, Cut]
    order: Sequence[Any]
    label: Label

    @property
    def parts(self) -> int:
        """Into how many equal parts epsilon is divided."""
        return sum(cut.parts for cut in self.cuts.values())

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets that pay."""
        return tuple(sorted({d for cut in self.cuts.values() for d, _ in cut.touched}))

    def prices(self, epsilon: Real, delta: Real | None = None) -> dict[str, Price]:
        """What each data set pays; known before any noise is drawn.

        Parameters
        ----------
        epsilon : of the whole release, more than 0.
        delta : None for Laplace noise, which needs none; else Gaussian noise.

        Raises
        ------
        ConfigError : epsilon or delta out of range.
        """
        share, slack = self._shares(epsilon, delta)
        found = {}
        for d in self.datasets:
            paid = sum((c.price(d, share, slack is None) for c in self.cuts.values()), Fraction(0))
            found[d] = Price.of(paid, 0 if delta is None else delta)
        return found

    def charges(self, epsilon: Real, delta: Real | None = None) -> list[Charge]:
        """The same as charges on the accounts of the data sets."""
        prices = self.prices(epsilon, delta)
        return [Charge(dataset_account(d), price) for d, price in prices.items()]

    def draw(self, rows: RowsOf, run: Run, epsilon: Real, delta: Real | None = None) -> Array:
        """The noisy value of the root. Draws noise: call it once, after the price is reserved.

        Parameters
        ----------
        rows : gives the array of a node below the cuts.
        run : carries out the operations above them, on noisy arrays.
        """
        share, slack = self._shares(epsilon, delta)
        values: dict[int, Array] = {}
        for node in self.order:
            cut = self.cuts.get(id(node))
            if cut is not None:
                values[id(node)] = cut.draw(rows, share, slack)
            elif node.value is not None:
                values[id(node)] = np.asarray(node.value)
            else:
                values[id(node)] = run(node, [values[id(x)] for x in node.inputs])
        return values[id(self.root)]

    # -- errors -----------------------------------------------------------------------------------
    def error(self, epsilon: Real, confidence: float = 0.95) -> float:
        """The error that Laplace noise causes at most, with this confidence, in units of the value.

        Raises
        ------
        ConfigError : the release is not a single total, so its error depends on the data.
        """
        part, worst = self._single()
        share, _ = self._shares(epsilon, None)
        if not part.total.l1(worst):
            return 0.0
        scale = laplace_scale(part.total.l1(worst), share)
        return laplace_error(scale, confidence, part.total.width.size) * float(part.total.unit)

    def epsilon_for(self, error: Real, confidence: float = 0.95) -> Price:
        """The smallest epsilon whose Laplace noise stays within an error, in units of the value."""
        part, worst = self._single()
        target = exact(error, "error") / part.total.unit
        return epsilon_for_error(target, part.total.l1(worst), confidence, part.total.width.size)

    def _single(self) -> tuple[Part, str]:
        cut = self.cuts.get(id(self.root))
        noise = cut.noises[0] if cut is not None and cut.parts == 1 else None
        if not isinstance(noise, Part):
            raise ConfigError(
                "the error of this release depends on the data; give epsilon instead of an error"
            )
        return noise, max(noise.total.touched, key=lambda pair: pair[1])[0]

    def _shares(self, epsilon: Real, delta: Real | None) -> tuple[Fraction, Fraction | None]:
        """Epsilon and delta of each part."""
        e = exact(epsilon, "epsilon")
        d = None if delta is None else exact(delta, "delta")
        if e <= 0 or (d is not None and not 0 < d < 1):
            raise ConfigError(
                f"expected epsilon above 0 and delta in (0, 1), got {epsilon}, {delta}"
            )
        return e / self.parts, None if d is None else d / self.parts


class _Analysis:
    """One walk over a graph."""

    def __init__(self, leaf: Callable[[Any], Label | None]) -> None:
        self.leaf = leaf
        self.labels: dict[int, Label] = {}
        self.noisy: set[int] = set()
        self.cuts: dict[int, Cut] = {}

    def visit(self, node: Any) -> None:
        """Label a node whose operands have labels; find out whether it is noisy."""
        found = self.leaf(node)
        if found is None and node.value is not None:
            found = constant(node.value)
        self.labels[id(node)] = self._made(node) if found is None else found

    def _made(self, node: Any) -> Label:
        step = step_of(node, self.labels)
        operands = [self.labels[id(x)] for x in node.inputs]
        if any(id(x) in self.noisy for x in node.inputs):
            self._above(node, step.states)
            return join(node.op, node.params, operands, Blocked("made of noisy numbers"))
        try:
            special = cut_of(step, node)
        except Refusal as refusal:
            raise UnboundedSensitivity(f"{node.op}: {refusal}") from None
        state = transfer(step)
        if special is not None:
            self.cuts[id(node)] = special
            self.noisy.add(id(node))
        elif isinstance(state, Blocked) and all(isinstance(s, Total | Public) for s in step.states):
            self._above(node, step.states)
        return join(node.op, node.params, operands, state)

    def _above(self, node: Any, states: Sequence[State]) -> None:
        """A node computed from noisy numbers and constants: its totals are cuts."""
        self.noisy.add(id(node))
        for x, state in zip(node.inputs, states, strict=True):
            if id(x) in self.noisy or isinstance(state, Public):
                continue
            if isinstance(state, Rows):
                raise UnboundedSensitivity(
                    f"{node.op} brings a noisy value back to single rows; release it first, and "
                    "send what you got as a constant"
                )
            self.cuts[id(x)] = Cut.of_total(x, total_of(self.labels[id(x)]), self.labels)
            self.noisy.add(id(x))

    def plan(self, root: Any, order: Sequence[Any]) -> Plan:
        """The plan of a graph that was walked."""
        if id(root) not in self.noisy:
            total = total_of(self.labels[id(root)])
            self.cuts = {id(root): Cut.of_total(root, total, self.labels)}
        needed = _needed(root, self.cuts)
        cuts = {key: cut for key, cut in self.cuts.items() if key in needed}
        above = [node for node in order if id(node) in needed]
        return Plan(root, cuts, above, self.labels[id(root)])


def analyse(root: Any, leaf: Callable[[Any], Label | None]) -> Plan:
    """Find the cuts of a graph, and bound how much one subject changes at each.

    Parameters
    ----------
    root : a `Node`; operands that are shared occur as the same object.
    leaf : the label of a node that is a data set (`Source.label()`), None for all others.
        Constants are known by their `value`.

    Returns
    -------
    Plan : prices and errors for every epsilon, and the release itself.

    Raises
    ------
    UnboundedSensitivity : no finite noise covers the result; the message says what to do.
    """
    analysis, order = _Analysis(leaf), _walk(root)
    for node in order:
        analysis.visit(node)
    return analysis.plan(root, order)


def _needed(root: Any, cuts: Mapping[int, Cut]) -> set[int]:
    """What is computed from noisy numbers to give the root."""
    found: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) not in found:
            found.add(id(node))
            if id(node) not in cuts:
                stack.extend(node.inputs)
    return found


def _walk(root: Any) -> list[Any]:
    """All nodes, operands first, each once."""
    order: list[Any] = []
    seen: set[int] = set()
    stack: list[tuple[Any, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((x, False) for x in node.inputs if id(x) not in seen)
    return order


__all__ = ["Node", "Plan", "RowsOf", "Run", "Total", "analyse"]
