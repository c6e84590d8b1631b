"""Declared cost of any operation, composites included, without running a protocol.

The cost model is the plaintext protocol that walks an operation's own body, and at every primitive
charges what the target protocol declares. So a composite's cost cannot drift from its code, and
there is one declaration per primitive. Rounds are counted where they are waited for: a primitive
of r rounds yields r empty rounds, and `together` merges them as it does in a real run.

No operation looks at a secret, so the walk needs shapes alone: shares are zeros without memory,
and nothing is computed from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mpyc_core.bits import words
from mpyc_core.meta import Meta
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Round, Steps

from .cost import Cost
from .dealt.want import Want
from .plain.protocol import Plain
from .protocol import Protocol
from .value import Public, Share, Value


def blank(meta: Meta, planes: int = 1) -> Share:
    """A share of zeros that takes no memory, for walks."""
    shape: tuple[int, ...]
    if meta.kind == "bit":
        zero, shape = np.zeros((), np.uint64), (planes, words(meta.size))
    else:
        zero, shape = np.zeros((), meta.ring.dtype), meta.shape
    return Share(meta.with_(public=False), (np.broadcast_to(zero, shape),))


class CostModel(Plain):
    """Walks operations on blank shares and charges the primitives of `target`.

    Parameters
    ----------
    target : the protocol class whose costs are charged.
    n : number of parties.
    op : where in program order the operation stands; some protocols rotate roles by it.
    """

    def __init__(self, target: type[Protocol], n: int, op: int = 0) -> None:
        super().__init__(0, n)
        self._target = target(0, n)
        self.planar, self.pairs_at_once = target.planar, target.pairs_at_once
        self._next_op = op
        self._total = Cost.free(n)
        self.wanted: list[Want] = []
        """The correlations of what was measured last, in the order in which they are taken."""

    def _charge(self, primitive: str, **facts: Any) -> Steps[None]:
        op = self.fresh_op()
        cost = self._target.cost(primitive, op, **facts)
        self.wanted += self._target.wants(primitive, op, **facts)
        self._total |= cost
        for _ in range(cost.rounds):
            yield Round()

    @property
    def total(self) -> Cost:
        """What was charged so far; rounds are those of the walk."""
        return self._total

    def holders(self) -> Sequence[int]:
        return self._target.holders()

    def summand(self, x: Share) -> Array | None:
        return x.parts[0]

    def measure(self, steps: Steps[Any]) -> Cost:
        """Drive an operation to its end and give its cost."""
        self._total, self.wanted = Cost.free(self.n), []
        rounds = 0
        try:
            next(steps)
            while True:
                rounds += 1
                steps.send({})
        except StopIteration:
            total = self._total
            return Cost(rounds, total.sent, total.dealt, dict(Counter(total.uses)))

    # -- local operations: shapes, no values ------------------------------------------------
    def embed(self, x: Public) -> Share:
        return blank(x.meta, len(x.value) if x.meta.kind == "bit" else 1)

    def linear(self, fn: Callable[..., Array], meta: Meta, *values: Value) -> Any:
        """A blank result, unless all operands are public; bits tell how many planes there are."""
        if all(isinstance(v, Public) for v in values):
            return super().linear(fn, meta, *values)
        label = frozenset[str]().union(*(v.meta.label for v in values))
        if meta.kind != "bit":
            return blank(meta.with_(label=label))
        made: Share = super().linear(fn, meta, *values)
        return blank(made.meta, len(made.parts[0]))

    def planes(self, x: Share, which: Any) -> Share:
        count = np.zeros(len(x.parts[0]), bool)[which]
        return blank(x.meta, count.size)

    def stack_planes(self, *values: Share) -> Share:
        return blank(values[0].meta, sum(len(v.parts[0]) for v in values))

    # -- primitives: charged, not run ------------------------------------------------------
    def input(self, owner: int, x: Array | None, meta: Meta) -> Steps[Share]:
        yield from self._charge("input", meta=meta, owner=owner)
        return blank(meta)

    def open(self, x: Share, to: int | None) -> Steps[Array | None]:
        yield from self._charge("open", meta=x.meta, to=to)
        return x.parts[0]

    def product(
        self, kind: str, x: Share, y: Share, meta: Meta, shift: int, params: Mapping[str, Any]
    ) -> Steps[Share]:
        yield from self._charge(
            "product",
            kind=kind,
            meta=meta,
            x=x.meta,
            y=y.meta,
            shift=shift,
            params=params,
            same=x is y,
        )
        return blank(meta)

    def truncate(self, x: Share, shift: int) -> Steps[Share]:
        yield from self._charge("truncate", meta=x.meta, shift=shift)
        return blank(x.meta)

    def truncate_local(self, x: Share, shift: int) -> Steps[Share]:
        yield from self._charge("truncate_local", meta=x.meta, shift=shift)
        return blank(x.meta)

    def msb(self, x: Share, bits: int) -> Steps[Share]:
        yield from self._charge("msb", meta=x.meta, bits=bits)
        return blank(x.meta.with_(kind="bit", f=0))

    def is_zero(self, x: Share, bits: int) -> Steps[Share]:
        yield from self._charge("is_zero", meta=x.meta, bits=bits)
        return blank(x.meta.with_(kind="bit", f=0))

    def decompose(self, x: Share, bits: int) -> Steps[Share]:
        yield from self._charge("decompose", meta=x.meta, bits=bits)
        return blank(x.meta.with_(kind="bit", f=0), bits)

    def and_(self, x: Share, y: Share) -> Steps[Share]:
        planes = max(len(x.parts[0]), len(y.parts[0]))
        yield from self._charge("and_", meta=x.meta, planes=planes)
        return blank(x.meta, planes)

    def compose(self, b: Share, weights: Array, meta: Meta) -> Steps[Share]:
        yield from self._charge("compose", meta=meta, planes=len(b.parts[0]))
        return blank(meta)

    def select(self, b: Share, x: Share) -> Steps[Share]:
        yield from self._charge("select", meta=x.meta)
        return blank(x.meta)

    def random_bits(self, meta: Meta, planes: int) -> Steps[Share]:
        bits = blank(meta.with_(kind="bit", f=0, label=frozenset()), planes)
        if type(self._target).random_bits is not Protocol.random_bits:
            yield from self._charge("random_bits", meta=bits.meta, planes=planes)
            return bits
        flat = bits.meta.with_(shape=(64 * planes * words(meta.size),))
        yield from together(*[self.input(i, None, flat) for i in range(self.n)])
        return bits

    def relu(self, x: Share, bits: int) -> Steps[tuple[Share, Share]]:
        if type(self._target).relu is Protocol.relu:
            return (yield from super().relu(x, bits))
        yield from self._charge("relu", meta=x.meta, bits=bits)
        return blank(x.meta), blank(x.meta.with_(kind="bit", f=0))

    def msb_number(self, x: Share, bits: int) -> Steps[Share]:
        if type(self._target).msb_number is Protocol.msb_number:
            return (yield from super().msb_number(x, bits))
        yield from self._charge("msb_number", meta=x.meta, bits=bits)
        return blank(x.meta.with_(kind="int", f=0))
