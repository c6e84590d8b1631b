"""What operations will cost and which correlations they will take, before they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgpack
import numpy as np

from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Steps

from .command import Command, packable
from .cost import Cost
from .costmodel import CostModel, blank
from .dealt.want import Want
from .protocol import Protocol
from .registry import get_op
from .value import Public, Value

Operands = Sequence[Sequence[Value]]
"""The operands of each command; the same object where a command takes one value twice."""
KEPT = 4096
"""Walks remembered; a program's steps repeat."""
SMALL = 64
"""Elements of a public operand up to which its value is part of what is remembered."""


def walk(
    target: type[Protocol], n: int, position: int, commands: Sequence[Command], operands: Operands
) -> tuple[Cost, list[Want]]:
    """The declared cost of independent commands that run together, and their wants in order.

    Parameters
    ----------
    position : how many primitives ran before.
    """
    model = CostModel(target, n, position)
    steps: list[Steps[Any]] = []
    for command, values in zip(commands, operands, strict=True):
        op = get_op(command.op)
        if op.interactive:
            blanks = {id(v): v if isinstance(v, Public) else blank(v.meta) for v in values}
            chosen: list[Value] = [blanks[id(v)] for v in values]
            if all(isinstance(v, Public) for v in chosen):
                chosen = [blank(v.meta) for v in chosen]
            steps.append(op.body(model, *chosen, **command.params))
    with np.errstate(over="ignore"):
        cost = model.measure(together(*steps))
    return cost, model.wanted


class Foresight:
    """The wants of commands, walked once for each kind of step that a program repeats."""

    def __init__(self, target: type[Protocol], n: int) -> None:
        self._target, self._n = target, n
        self._known: dict[bytes, list[Want]] = {}

    def wants(self, position: int, commands: Sequence[Command], operands: Operands) -> list[Want]:
        """The wants of commands that run together from `position` on."""
        key = _key(commands, operands)
        found = None if key is None else self._known.get(key)
        if found is None:
            found = walk(self._target, self._n, 0, commands, operands)[1]
            if key is not None:
                while len(self._known) >= KEPT:
                    del self._known[next(iter(self._known))]
                self._known[key] = found
        return [want.at(want.op + position) for want in found]


def _key(commands: Sequence[Command], operands: Operands) -> bytes | None:
    """Equal for commands whose walks are equal; None where that would take long to tell."""
    facts: list[Any] = []
    for command, values in zip(commands, operands, strict=True):
        first = {id(v): i for i, v in reversed(list(enumerate(values)))}
        facts.append([command.op, sorted(command.params.items())])
        for v in values:
            if isinstance(v, Public) and v.value.size > SMALL:
                return None
            constant = v.value.tobytes() if isinstance(v, Public) else b""
            facts.append([v.meta.to_wire(), first[id(v)], constant])
    return bytes(msgpack.packb(facts, default=packable))  # type: ignore[no-untyped-call]
