"""A plan: operations noted first, then pruned, and run in as few waits as they allow.

`Plan` looks like a backend to a secret tensor, but `execute` only infers shapes and notes the call.
`run` leaves out what no target needs, puts the rest on levels (a level waits for the one before)
and sends each level's interactive calls with `execute_many`, so that they may share rounds. What is
public, like the seed of a backward pass, is folded in float64 and costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpyc_core.errors import MpcError
from mpyc_core.meta import Kind, Meta
from mpyc_core.protocols.backend import Backend, Ref, decode, encode
from mpyc_core.protocols.bilinear import BILINEAR
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Op, get_op
from mpyc_core.protocols.value import Public

from . import operands
from .operands import Array


class Planned:
    """A value of a plan: known to everyone, held by the parties already, or still to be computed.

    Parameters
    ----------
    backend : the plan.
    meta : what is public about the value.
    known : the value itself, if it is public.
    ref : the backend's reference, once there is one.
    level : the level after which the value exists.
    """

    __slots__ = ("backend", "known", "level", "meta", "ref")

    def __init__(
        self,
        backend: Plan,
        meta: Meta,
        known: Array | None = None,
        ref: Ref | None = None,
        level: int = 0,
    ) -> None:
        self.backend = backend
        self.meta = meta
        self.known = known
        self.ref = ref
        self.level = level


@dataclass(slots=True, eq=False)
class _Call:
    op: Op
    inputs: list[Planned | Public]
    params: Mapping[str, Any]
    outputs: list[Planned]
    level: int


class Plan:
    """Notes calls for `backend`.

    Parameters
    ----------
    backend : where the calls will run.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._calls: list[_Call] = []

    # -- what tensors ask a backend for --------------------------------------------------------
    @property
    def f(self) -> int:
        """Fraction bits of the session."""
        return self.backend.f

    @property
    def names(self) -> tuple[str, ...]:
        """The parties."""
        return self.backend.names

    @property
    def protocol(self) -> type[Protocol]:
        """The session's protocol."""
        return self.backend.protocol

    def constant(self, x: Any, like: Meta, *, factor: bool = False) -> Public:
        """As in `Backend.constant`."""
        return self.backend.constant(x, like, factor=factor)

    def execute(
        self, op: str, inputs: Sequence[Planned | Public], params: Mapping[str, Any]
    ) -> list[Planned]:
        """Note a call; its results' metas are known at once."""
        entry = get_op(op)
        values = [x if isinstance(x, Planned) else self.value(x) for x in inputs]
        if all(v.known is not None for v in values):
            return self._fold(entry, values, params)
        if op == "mul":
            for one, other in (values, values[::-1]):
                if _is_one(one, other):
                    return [other]
        like = next(v.meta for v in values if v.known is None)
        given = [v if v.known is None else self._encoded(op, v.known, like) for v in values]
        level = max(v.level for v in values)
        after = level + entry.interactive
        metas = entry.metas([x.meta for x in given], params)
        outputs = [Planned(self, meta, level=after) for meta in metas]
        self._calls.append(_Call(entry, given, dict(params), outputs, level))
        return outputs

    # -- values ----------------------------------------------------------------------------------
    def value(self, x: Ref | Public) -> Planned:
        """A value that exists already, as an operand of the plan."""
        if isinstance(x, Public):
            return Planned(self, x.meta, known=decode(x.value, x.meta))
        return Planned(self, x.meta, ref=x)

    def known(self, array: Array) -> Planned:
        """A public array as an operand of the plan."""
        kinds: dict[str, Kind] = {"b": "bit", "f": "fixed"}
        kind = kinds.get(array.dtype.kind, "int")
        f = self.f if kind == "fixed" else 0
        meta = Meta(array.shape, kind, self.backend.ring, f, public=True)
        return Planned(self, meta, known=array)

    def _fold(self, op: Op, values: list[Planned], params: Mapping[str, Any]) -> list[Planned]:
        found = op.oracle(*(v.known for v in values), **params)
        results = found if isinstance(found, tuple) else (found,)
        return [self.known(np.asarray(result)) for result in results]

    def _encoded(self, op: str, array: Array, like: Meta) -> Public:
        if op in BILINEAR:
            return operands.factor(self.backend, array, like)
        if like.kind == "bit":
            return encode(array, like.ring, self.f)
        return operands.term(self.backend, array, like)

    # -- running -----------------------------------------------------------------------------------
    def run(self, targets: Sequence[Planned]) -> list[Ref]:
        """Carry out what `targets` need and give their references; the plan is empty afterwards."""
        levels: dict[int, list[_Call]] = {}
        for call in self._needed(targets):
            levels.setdefault(call.level, []).append(call)
        for level in sorted(levels):
            calls = levels.pop(level)
            for call in calls:
                if not call.op.interactive:
                    self._run([call])
            self._run([call for call in calls if call.op.interactive])
        return [self._reference(target) for target in targets]

    def _needed(self, targets: Sequence[Planned]) -> list[_Call]:
        wanted = {id(t) for t in targets}
        needed = []
        while self._calls:
            call = self._calls.pop()
            if any(id(out) in wanted for out in call.outputs):
                wanted.update(id(x) for x in call.inputs)
                needed.append(call)
        return needed[::-1]

    def _run(self, calls: list[_Call]) -> None:
        """Run independent calls; operands that nothing else needs are freed at once."""
        given = [(c.op.name, [_operand(x) for x in c.inputs], c.params) for c in calls]
        if len(calls) == 1:
            found = [self.backend.execute(*given[0])]
        else:
            found = self.backend.execute_many(given) if calls else []
        for call, refs in zip(calls, found, strict=True):
            for out, ref in zip(call.outputs, refs, strict=True):
                out.ref = ref
            call.inputs.clear()

    def _reference(self, target: Planned) -> Ref:
        if target.known is not None:
            made: Ref = self.backend.public_ref(target.known, f=target.meta.f)
            return made
        return _ref(target)


def _ref(x: Planned) -> Ref:
    if x.ref is None:
        raise MpcError("a planned value was used before it was computed; please report it")
    return x.ref


def _operand(x: Planned | Public) -> Ref | Public:
    return x if isinstance(x, Public) else _ref(x)


def _is_one(x: Planned, partner: Planned) -> bool:
    """Whether x * partner is the partner, but for float64's rounding."""
    return (
        x.known is not None
        and bool(np.all(np.abs(x.known - 1) < 2.0**-40))
        and np.broadcast_shapes(x.meta.shape, partner.meta.shape) == partner.meta.shape
    )
