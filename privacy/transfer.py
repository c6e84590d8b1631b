"""What one operation does to labels; every party applies it to what it carries out itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mpyc_core.errors import ConfigError, UnboundedSensitivity
from mpyc_core.meta import Meta

from . import moving, rowwise, totals
from .label import Blocked, Label, Public, Rows, State, Total, constant, join
from .step import Look, Refusal, Step

ON_ROWS: dict[str, Callable[[Step], State]] = {
    **dict.fromkeys(rowwise.OPS, rowwise.rowwise),
    **dict.fromkeys(moving.MOVES, moving.moved),
    **dict.fromkeys(moving.JOINS, moving.joined),
    **dict.fromkeys(totals.REDUCTIONS, totals.summed),
    **dict.fromkeys(totals.EXTREMES, totals.extreme),
    "histogram": totals.histogram,
    "matmul": totals.multiplied,
}
ON_TOTALS: dict[str, Callable[[Step], State]] = {
    **dict.fromkeys(totals.LINEAR, totals.linear_total),
    **dict.fromkeys(moving.MOVES, moving.moved_total),
}


def transfer(step: Step) -> State:
    """The state of a result; `Blocked` with the reason where it cannot be bounded."""
    blocked = next((s for s in step.states if isinstance(s, Blocked)), None)
    if blocked is not None:
        return blocked
    rules = ON_ROWS if step.rows else ON_TOTALS
    if all(isinstance(s, Public) for s in step.states):
        return step.states[0] if step.op == "embed" else Public(None)
    if step.op not in rules:
        return Blocked(
            f"{step.op} has no bound on what one row changes; "
            + ("compute it row by row or" if step.rows else "release its operands first, or")
            + " ask the owner for a raw release"
        )
    try:
        return rules[step.op](step)
    except Refusal as refusal:
        return Blocked(f"{step.op}: {refusal}")


def after(
    op: str,
    params: Mapping[str, Any],
    operands: Sequence[tuple[Label, Look]],
    outputs: Sequence[Look],
    ring: int = 0,
) -> list[Label]:
    """The labels of an operation's results.

    Parameters
    ----------
    op, params : the operation.
    operands : label, shape and type of each.
    outputs : shape and type of each result.
    ring : bits of the ring of shares; 0 for plain arrays.
    """
    labels, looks = [label for label, _ in operands], [look for _, look in operands]
    states = [label.state for label in labels]
    return [
        join(op, params, labels, transfer(Step(op, params, states, looks, out, ring)), i)
        for i, out in enumerate(outputs)
    ]


def total_of(label: Label) -> Total:
    """The state of a label that can be released under a budget.

    Raises
    ------
    UnboundedSensitivity : it cannot; the message says why, and what to do.
    """
    match label.state:
        case Total() as total:
            return total
        case Rows():
            reason = "these are rows of single subjects; sum, average or count them first"
        case Blocked(reason):
            pass
        case Public():
            reason = "a public constant needs no release"
    raise UnboundedSensitivity(f"cannot be released under a budget: {reason}")


class LabelTable:
    """Labels of the values that one party holds, by id; it follows the commands it carries out.

    Parameters
    ----------
    ring : bits of the ring of shares; 0 for plain arrays.
    """

    def __init__(self, ring: int = 0) -> None:
        self._ring = ring
        self._labels: dict[int, Label] = {}

    def put(self, key: int, label: Label) -> None:
        """The label of what comes in: a data set, or what somebody sent.

        Raises
        ------
        ConfigError : the id has one.
        """
        if key in self._labels:
            raise ConfigError(f"value {key} has a label already; labels do not change")
        self._labels[key] = label

    def get(self, key: int) -> Label:
        """The label of a value.

        Raises
        ------
        ConfigError : no such value.
        """
        if key not in self._labels:
            raise ConfigError(f"value {key} has no label")
        return self._labels[key]

    def run(
        self,
        op: str,
        params: Mapping[str, Any],
        inputs: Sequence[tuple[int | Label, Meta]],
        outputs: Sequence[tuple[int, Meta]],
    ) -> None:
        """Note an operation on shares: inputs by id, public constants by their label."""
        operands = [
            (x if isinstance(x, Label) else self.get(x), Look.of_share(meta)) for x, meta in inputs
        ]
        looks = [Look.of_share(meta) for _, meta in outputs]
        found = after(op, params, operands, looks, self._ring)
        for (key, _), label in zip(outputs, found, strict=True):
            self.put(key, label)

    def free(self, keys: Sequence[int]) -> None:
        """Forget values."""
        for key in keys:
            self._labels.pop(key, None)


__all__ = ["LabelTable", "after", "constant", "total_of", "transfer"]
