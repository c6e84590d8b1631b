"""Declared cost of any operation, composites included, without running a protocol.

The cost model is the plaintext protocol that walks an operation's own body, and at every primitive
charges what the target protocol declares. So a composite's cost cannot drift from its code, and
there is one declaration per primitive. Rounds are counted where they are waited for: a primitive
of r rounds yields r empty rounds, and `together` merges them as it does in a real run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpyc_core.meta import Meta
from mpyc_core.transport.mesh import Array, Round, Steps

from .cost import Cost
from .plain.protocol import Plain
from .protocol import Protocol
from .value import Share


class CostModel(Plain):
    """Walks operations in cleartext and charges the primitives of `target`.

    Parameters
    ----------
    target : the protocol class whose costs are charged.
    n : number of parties.
    op : where in program order the operation stands; some protocols rotate roles by it.
    """

    def __init__(self, target: type[Protocol], n: int, op: int = 0) -> None:
        super().__init__(0, n)
        self._target = target(0, n)
        self._clear = Plain(0, n)
        self._next_op = op
        self._sent = (0,) * n

    def _charge(self, primitive: str, **facts: Any) -> Steps[None]:
        cost = self._target.cost(primitive, self.fresh_op(), **facts)
        self._sent = tuple(a + b for a, b in zip(self._sent, cost.sent, strict=True))
        for _ in range(cost.rounds):
            yield Round()

    def measure(self, steps: Steps[Any]) -> Cost:
        """Drive an operation to its end and give its cost."""
        self._sent = (0,) * self.n
        rounds = 0
        try:
            next(steps)
            while True:
                rounds += 1
                steps.send({})
        except StopIteration:
            return Cost(rounds, self._sent)

    def input(self, owner: int, x: Array | None, meta: Meta) -> Steps[Share]:
        yield from self._charge("input", meta=meta, owner=owner)
        if x is None:
            raise RuntimeError("the cost model needs the owner's array")
        return Share(meta, (x,))

    def open(self, x: Share, to: int | None) -> Steps[Array | None]:
        yield from self._charge("open", meta=x.meta, to=to)
        return (yield from self._clear.open(x, to))

    def product(
        self, kind: str, x: Share, y: Share, meta: Meta, shift: int, params: Mapping[str, Any]
    ) -> Steps[Share]:
        yield from self._charge(
            "product", kind=kind, meta=meta, x=x.meta, y=y.meta, shift=shift, params=params
        )
        return (yield from self._clear.product(kind, x, y, meta, shift, params))

    def truncate(self, x: Share, shift: int) -> Steps[Share]:
        yield from self._charge("truncate", meta=x.meta, shift=shift)
        return (yield from self._clear.truncate(x, shift))

    def truncate_local(self, x: Share, shift: int) -> Steps[Share]:
        yield from self._charge("truncate_local", meta=x.meta, shift=shift)
        return (yield from self._clear.truncate_local(x, shift))

    def msb(self, x: Share, bits: int) -> Steps[Share]:
        yield from self._charge("msb", meta=x.meta, bits=bits)
        return (yield from self._clear.msb(x, bits))

    def is_zero(self, x: Share, bits: int) -> Steps[Share]:
        yield from self._charge("is_zero", meta=x.meta, bits=bits)
        return (yield from self._clear.is_zero(x, bits))

    def decompose(self, x: Share, bits: int) -> Steps[Share]:
        yield from self._charge("decompose", meta=x.meta, bits=bits)
        return (yield from self._clear.decompose(x, bits))

    def and_(self, x: Share, y: Share) -> Steps[Share]:
        planes = max(len(x.parts[0]), len(y.parts[0]))
        yield from self._charge("and_", meta=x.meta, planes=planes)
        return (yield from self._clear.and_(x, y))

    def compose(self, b: Share, weights: Array, meta: Meta) -> Steps[Share]:
        yield from self._charge("compose", meta=meta, planes=len(b.parts[0]))
        return (yield from self._clear.compose(b, weights, meta))

    def select(self, b: Share, x: Share) -> Steps[Share]:
        yield from self._charge("select", meta=x.meta)
        return (yield from self._clear.select(b, x))

    def relu(self, x: Share, bits: int) -> Steps[tuple[Share, Share]]:
        if type(self._target).relu is Protocol.relu:
            return (yield from super().relu(x, bits))
        yield from self._charge("relu", meta=x.meta, bits=bits)
        return (yield from self._clear.relu(x, bits))

    def msb_number(self, x: Share, bits: int) -> Steps[Share]:
        if type(self._target).msb_number is Protocol.msb_number:
            return (yield from super().msb_number(x, bits))
        yield from self._charge("msb_number", meta=x.meta, bits=bits)
        return (yield from self._clear.msb_number(x, bits))
