"""`Spread`: one data set whose rows lie at several nodes.

Operations on rows run at every node at once. Sums, means and histograms over all rows are made of
one result from each node; what a node gives out is charged to its own budget, with its own noise.
For anything else the nodes share their rows and compute on the shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from mpyc_core.errors import ShareError

from .elementwise import BINARY, REAL, UNARY
from .handle import Handle
from .operators import Operators
from .pointer import Pointer
from .spec import Array, Spec

ON_ROWS = {*BINARY, *UNARY, *REAL, "power", "clip", "where", "astype", "sigmoid"}
TOTALS = ("sum", "mean", "histogram")
ADVICE = (
    "across nodes, operations on rows, sum, mean and histogram are possible; share the rows among "
    "the nodes for others"
)


class Spread(Operators):
    """Rows at several nodes.

    Parameters
    ----------
    parts : one pointer for each node, of one type, with equal shapes but for the number of rows.
    """

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Pointer]) -> None:
        self.parts = list(parts)
        self.tags, self.description, self._owned = (), "", False
        first = self.parts[0]
        rows = sum(len(x) for x in self.parts)
        self.spec = Spec(first.dtype, (rows, *first.shape[1:]))

    def __repr__(self) -> str:
        places = ", ".join(f"{x.client.name}: {len(x)}" for x in self.parts)
        return f"<{self.shape[0]} rows of shape {self.shape[1:]} ({places})>"

    def _run(self, op: str, *inputs: Handle | Array, **params: Any) -> Any:
        rows = [[self._part(x, i) for x in inputs] for i in range(len(self.parts))]
        if op in ON_ROWS or self._keeps_rows(op, inputs, params):
            found = [x._run(op, *part, **params) for x, part in zip(self.parts, rows, strict=True)]
            return type(self)(found)
        whole = op in TOTALS and not params.get("keepdims", False)
        axis = params.get("axis")
        axes = [axis] if isinstance(axis, int) else axis
        if whole and (axes is None or 0 in [a % self.ndim for a in axes]):
            found = [x._run(op, *part, **params) for x, part in zip(self.parts, rows, strict=True)]
            return Totals(found, [len(x) for x in self.parts] if op == "mean" else None)
        raise ShareError(f"{op} is not possible on rows of several nodes; {ADVICE}")

    def _part(self, x: Handle | Array, i: int) -> Handle | Array:
        """What one node gets of an operand."""
        if isinstance(x, Spread):
            mine, other = self.parts[i], x.parts[i] if i < len(x.parts) else None
            if other is None or other.client is not mine.client or len(other) != len(mine):
                raise ShareError("the operands lie at other nodes, or have other numbers of rows")
            return other
        if isinstance(x, Handle):
            raise ShareError("a pointer to one node beside rows of several; get it first")
        if x.ndim >= self.ndim and x.ndim > 0 and x.shape[0] not in (0, 1):
            raise ShareError("a constant for each row does not fit rows of several nodes")
        return x

    def _keeps_rows(self, op: str, inputs: Sequence[Any], params: Any) -> bool:
        """Whether an operation leaves the rows where they are."""
        if op == "matmul":
            return isinstance(inputs[0], Spread) and not isinstance(inputs[1], Handle)
        if op == "index":
            key = params["key"]
            return bool(key) and key[0] == ["slice", None, None, None]
        if op in ("sum", "mean", "max", "min", "argmax", "argmin", "all", "any"):
            axis = params["axis"]
            axes = [axis] if isinstance(axis, int) else axis
            return axes is not None and 0 not in [a % self.ndim for a in axes]
        return False

    def get(self, **terms: Any) -> Array:
        """All rows, one node after the other; `terms` as of `Pointer.get`."""
        return np.concatenate([x.get(**terms) for x in self.parts])

    def __iter__(self) -> Any:
        raise TypeError("rows of several nodes cannot be looped over; see `parts`")

    def wait(self) -> Self:
        """Wait until every node has done its part."""
        for x in self.parts:
            x.wait()
        return self

    def __hash__(self) -> int:
        return super().__hash__()


class Totals:
    """A result over all rows, of which every node holds its part.

    Parameters
    ----------
    parts : one pointer for each node.
    weights : of a mean: the numbers of rows, which are public; None for sums.
    """

    def __init__(self, parts: Sequence[Pointer], weights: Sequence[int] | None) -> None:
        self.parts, self.weights = list(parts), weights

    def __repr__(self) -> str:
        names = ", ".join(x.client.name for x in self.parts)
        return f"<{'mean' if self.weights else 'sum'} over rows at {names}>"

    def get(self, **terms: Any) -> Array:
        """The result; every node releases its part, under its own policy and from its own budget.

        Parameters
        ----------
        terms : as of `Pointer.get`: epsilon is what each node charges. Nobody is in the rows of two
            nodes unless their owners say so, so epsilon is what it costs a person.
        """
        found = np.stack([np.asarray(x.get(**terms)) for x in self.parts])
        if self.weights is None:
            return np.asarray(found.sum(axis=0))
        return np.asarray(np.average(found, axis=0, weights=self.weights))
