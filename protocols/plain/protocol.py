"""`Plain`: every party holds the cleartext. It protects nothing and defines what is right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mpyc_core.bits import ones, pack, to_planes, unpack
from mpyc_core.field import SIZES as FIELDS
from mpyc_core.meta import Meta
from mpyc_core.protocols.bilinear import BILINEAR
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.security import Security
from mpyc_core.protocols.value import Public, Share, component_spec
from mpyc_core.ring import SIZES
from mpyc_core.transport.mesh import Array, Round, Steps


class Plain(Protocol):
    """Cleartext at every party; the only messages are those of inputs.

    Truncation is the exact floor, comparison is exact modulo 2^bits, as the secure protocols
    promise within their stated bounds.
    """

    name: ClassVar[str] = "plain"
    parties: ClassVar[str] = "1 or more"
    rings: ClassVar[tuple[int, ...]] = (*SIZES, *FIELDS)

    @classmethod
    def supports(cls, n: int) -> bool:
        return n >= 1

    @classmethod
    def security(cls, n: int) -> Security:
        return Security("none", "none", 0, n, None, 0, not_covered=("anything: values are clear",))

    def holders(self) -> Sequence[int]:
        return (0,)

    def summand(self, x: Share) -> Array | None:
        return x.parts[0]

    def setup(self, session: bytes) -> Steps[None]:
        return
        yield

    def embed(self, x: Public) -> Share:
        return Share(x.meta, (x.value,))

    def input(self, owner: int, x: Array | None, meta: Meta) -> Steps[Share]:
        self.fresh_op()
        if x is not None:
            yield Round(send={p: [x] for p in range(self.n) if p != owner})
            return Share(meta, (x,))
        received = yield Round(recv={owner: [component_spec(meta)]})
        return Share(meta, (received[owner][0],))

    def open(self, x: Share, to: int | None) -> Steps[Array | None]:
        self.fresh_op()
        return x.parts[0] if to is None or to == self.me else None
        yield

    def product(
        self, kind: str, x: Share, y: Share, meta: Meta, shift: int, params: Mapping[str, Any]
    ) -> Steps[Share]:
        self.fresh_op()
        z = BILINEAR[kind](meta.ring, x.parts[0], y.parts[0], params)
        return Share(meta, (meta.ring.rshift_arithmetic(z, shift),))
        yield

    def truncate(self, x: Share, shift: int) -> Steps[Share]:
        self.fresh_op()
        return Share(x.meta, (x.meta.ring.rshift_arithmetic(x.parts[0], shift),))
        yield

    def truncate_local(self, x: Share, shift: int) -> Steps[Share]:
        return (yield from self.truncate(x, shift))

    def msb(self, x: Share, bits: int) -> Steps[Share]:
        self.fresh_op()
        top = x.meta.ring.bit(x.parts[0], bits - 1)
        return Share(x.meta.with_(kind="bit", f=0), (pack(top)[None],))
        yield

    def is_zero(self, x: Share, bits: int) -> Steps[Share]:
        self.fresh_op()
        planes = _planes(x, bits)
        nonzero = np.bitwise_or.reduce(planes, axis=0, keepdims=True)
        return Share(x.meta.with_(kind="bit", f=0), (nonzero ^ ones(x.meta.size),))
        yield

    def decompose(self, x: Share, bits: int) -> Steps[Share]:
        self.fresh_op()
        return Share(x.meta.with_(kind="bit", f=0), (_planes(x, bits),))
        yield

    def and_(self, x: Share, y: Share) -> Steps[Share]:
        self.fresh_op()
        return Share(x.meta, (x.parts[0] & y.parts[0],))
        yield

    def compose(self, b: Share, weights: Array, meta: Meta) -> Steps[Share]:
        self.fresh_op()
        total = np.zeros(meta.shape, meta.ring.dtype)
        for plane, weight in zip(b.parts[0], weights, strict=True):
            bit = meta.ring.reduce(unpack(plane, meta.size).reshape(meta.shape))
            total = meta.ring.add(total, meta.ring.mul(bit, weight))
        return Share(meta, (np.asarray(total),))
        yield

    def select(self, b: Share, x: Share) -> Steps[Share]:
        self.fresh_op()
        bit = unpack(b.parts[0][0], x.meta.size).reshape(x.meta.shape)
        return Share(x.meta, (x.meta.ring.mul(x.parts[0], x.meta.ring.reduce(bit)),))
        yield

    def cost(self, primitive: str, op: int, **facts: Any) -> Cost:
        if primitive != "input":
            return Cost.free(self.n)
        meta, owner = facts["meta"], facts["owner"]
        spec = component_spec(meta)
        size = math.prod(spec.shape) * spec.dtype.itemsize
        sent = [size * (self.n - 1) if p == owner else 0 for p in range(self.n)]
        return Cost(1, tuple(sent))

    @classmethod
    def deal(cls, x: Array, meta: Meta, n: int) -> list[tuple[Array, ...]]:
        return [(x,)] * n

    def to_client(self, x: Share) -> Array:
        return x.parts[0]

    @classmethod
    def from_parties(cls, parts: Sequence[Array], meta: Meta) -> Array:
        return parts[0]


def _planes(x: Share, bits: int) -> Array:
    """The low bits of the signed integers, a plane each."""
    words = x.meta.ring.twos(x.parts[0])
    return to_planes(np.ascontiguousarray(words).reshape(-1), bits)
