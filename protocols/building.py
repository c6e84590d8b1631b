"""What a protocol of one's own is built on: shares that are terms of a sum, the rest from products.

`SumProtocol` shares a secret as x = x_0 + x_1 + ... over Z/2^k, bits over XOR, one term for each
*holder*; other parties may help and hold nothing. A protocol that derives from it brings a product
and an AND, with their prices. Inputs, openings, truncation, comparison and conversions are here:
each holder inputs what it knows of its own term, and circuits of products and ANDs do the rest. A
protocol can override any of them by something faster.

References: the wrap of a sum from the tops of two terms, as in
[EGKRS20, section 5.1].
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from mpyc_core.bits import to_planes, unpack
from mpyc_core.entropy import fresh_key
from mpyc_core.meta import Meta
from mpyc_core.prg import Stream
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .circuits import Gates, add, every, root, sum_leaves
from .conversion import input_planes
from .cost import Cost, plane_bytes
from .costmodel import CostModel, blank
from .masks import Masks, PairKeys
from .protocol import Protocol
from .value import Public, Share, component_spec


class SumProtocol(Protocol):
    """Semi-honest protocols over Z/2^k whose shares are terms of a sum.

    A subclass defines `name`, `parties`, `supports`, `security`, `multiply`, `and_` and `price`,
    and `holders` where not every party holds a term.
    """

    def __init__(self, me: int, n: int) -> None:
        super().__init__(me, n)
        self._keys: dict[int, PairKeys] = {}

    @abstractmethod
    def multiply(
        self, kind: str, x: Share, y: Share, meta: Meta, params: Mapping[str, Any]
    ) -> Steps[Share]:
        """A bilinear product without a truncation; `BILINEAR[kind]` computes it in clear."""

    @abstractmethod
    def price(self, primitive: str, x: Meta, y: Meta, z: Meta, planes: int) -> Cost:
        """What `multiply` costs, or `and_` on so many planes, for these operands and result."""

    # -- keys -------------------------------------------------------------------------------
    def setup(self, session: bytes) -> Steps[None]:
        """Agree on a key with every other party, to which both contribute."""
        seeds = {peer: fresh_key(32) for peer in range(self.n) if peer != self.me}
        spec = Spec(np.dtype(np.uint8), (32,))
        received = yield Round(
            # keys travel on the private channel; every later message is masked by them
            send={peer: [np.frombuffer(seed, np.uint8)] for peer, seed in seeds.items()},
            recv={peer: [spec] for peer in seeds},
        )
        for peer, mine in seeds.items():
            theirs = received[peer][0].tobytes()
            low, high = (mine, theirs) if self.me < peer else (theirs, mine)
            holders = (min(self.me, peer), max(self.me, peer))
            self._keys[peer] = PairKeys(low + high, session, holders)

    def bind(self, program: bytes) -> None:
        for keys in self._keys.values():
            keys.bind(program)

    def erase(self) -> None:
        super().erase()
        self._keys = {}

    def masks(self) -> Masks:
        """The masks of a new operation: `masks.small(peer, purpose, buffer, dtype, shape)`."""
        return Masks(self.fresh_op(), self._keys)

    # -- in and out -------------------------------------------------------------------------
    def summand(self, x: Share) -> Array | None:
        return x.parts[0] if self.me in self.holders() else None

    def embed(self, x: Public) -> Share:
        mine = self.me == self.holders()[0]
        return Share(x.meta, (x.value if mine else np.zeros_like(x.value),))

    def input(self, owner: int, x: Array | None, meta: Meta) -> Steps[Share]:
        """All holders but one take a block of their key with the owner; one completes the sum.

        That one is the owner, who then sends nothing, or else the first holder.
        """
        masks, spec, holders = self.masks(), component_spec(meta), self.holders()
        last = owner if owner in holders else holders[0]
        if self.me == owner:
            if x is None:
                raise RuntimeError("the owner's value is missing")
            blocks = [_block(masks, p, "input", spec) for p in holders if p != last]
            rest = reduce(lambda left, block: minus(meta, left, block), blocks, x)
            if last == owner:
                return Share(meta, (rest,))
            yield Round(send={last: [rest]})  # hidden by the blocks of all other holders
            return Share(meta, (np.zeros(spec.shape, spec.dtype),))
        mine = np.zeros(spec.shape, spec.dtype)
        if self.me in holders and self.me != last:
            mine = _block(masks, owner, "input", spec)
        if last != owner:
            received = yield Round(recv={owner: [spec]} if self.me == last else {})
            mine = received[owner][0] if self.me == last else mine
        return Share(meta, (mine,))

    def hidden(self, x: Share) -> Array:
        """This party's term plus its part of a sharing of zero: only the sum says anything."""
        masks, part, spec = self.masks(), x.parts[0], Spec.of(x.parts[0])
        for peer in self.holders():
            if self.me in self.holders() and peer != self.me:
                block = _block(masks, peer, "open", spec)
                part = minus(x.meta, part, block) if self.me > peer else plus(x.meta, part, block)
        return part

    def open(self, x: Share, to: int | None) -> Steps[Array | None]:
        """Every holder sends its term, blinded by a sharing of zero, to who is to know the sum."""
        part, step, spec = self.hidden(x), Round(), Spec.of(x.parts[0])
        receivers = range(self.n) if to is None else (to,)
        if self.me in self.holders():
            step.send = {p: [part] for p in receivers if p != self.me}  # zero-sharing, see hidden
        if self.me in receivers:
            step.recv = {p: [spec] for p in self.holders() if p != self.me}
        received = yield step
        if self.me not in receivers:
            return None
        came = [arrays[0] for _, arrays in sorted(received.items())]
        return reduce(lambda a, b: plus(x.meta, a, b), came, part)

    def to_client(self, x: Share) -> Array:
        return self.hidden(x)

    @classmethod
    def from_parties(cls, parts: Sequence[Array], meta: Meta) -> Array:
        return np.asarray(reduce(lambda a, b: plus(meta, a, b), parts))

    @classmethod
    def deal(cls, x: Array, meta: Meta, n: int) -> list[tuple[Array, ...]]:
        holders, stream = cls(0, n).holders(), Stream(fresh_key(16))
        parts = [np.zeros_like(x) for _ in range(n)]
        for i in holders[1:]:
            parts[i] = stream.words(0, i, x.shape, x.dtype)
        parts[holders[0]] = reduce(lambda left, p: minus(meta, left, p), parts, x)
        return [(part,) for part in parts]

    # -- what is built of products ----------------------------------------------------------
    def product(
        self, kind: str, x: Share, y: Share, meta: Meta, shift: int, params: Mapping[str, Any]
    ) -> Steps[Share]:
        z = yield from self.multiply(kind, x, y, meta, params)
        return (yield from truncate(self, z, shift)) if shift else z

    def truncate(self, x: Share, shift: int) -> Steps[Share]:
        return (yield from truncate(self, x, shift))

    def truncate_local(self, x: Share, shift: int) -> Steps[Share]:
        return (yield from truncate(self, x, shift))

    def msb(self, x: Share, bits: int) -> Steps[Share]:
        return (yield from msb(self, x, bits))

    def is_zero(self, x: Share, bits: int) -> Steps[Share]:
        return (yield from is_zero(self, x, bits))

    def decompose(self, x: Share, bits: int) -> Steps[Share]:
        return (yield from decompose(self, x, bits))

    def compose(self, b: Share, weights: Array, meta: Meta) -> Steps[Share]:
        return (yield from compose(self, b, weights, meta))

    def select(self, b: Share, x: Share) -> Steps[Share]:
        return (yield from select(self, b, x))

    # -- costs ------------------------------------------------------------------------------
    def cost(self, primitive: str, op: int, **facts: Any) -> Cost:
        """The price of products and ANDs; of what is built of them, found by walking it."""
        meta: Meta = facts["meta"]
        match primitive:
            case "input" if facts["owner"] in self.holders():
                return Cost.free(self.n)
            case "input":
                sent = (size_of(meta) * (p == facts["owner"]) for p in range(self.n))
                return Cost(1, tuple(sent))
            case "open":
                receivers = range(self.n) if facts["to"] is None else (facts["to"],)
                counts = (sum(r != p for r in receivers) for p in range(self.n))
                held = [p in self.holders() for p in range(self.n)]
                sizes = (c * h * size_of(meta) for c, h in zip(counts, held, strict=True))
                return Cost(1, tuple(sizes))
            case "and_":
                return self.price("and_", meta, meta, meta, facts["planes"])
            case "product" if facts["shift"] == 0:
                return self.price("product", facts["x"], facts["y"], meta, 1)
        model = CostModel(type(self), self.n, op)
        return model.measure(_walk(model, primitive, facts))


def _walk(p: Protocol, primitive: str, facts: Mapping[str, Any]) -> Steps[Any]:
    meta: Meta = facts["meta"]
    bit = meta.with_(kind="bit", f=0)
    match primitive:
        case "product":
            x, y, params = blank(facts["x"]), blank(facts["y"]), facts["params"]
            z = yield from p.product(facts["kind"], x, y, meta, 0, params)
            return (yield from truncate(p, z, facts["shift"]))
        case "truncate" | "truncate_local":
            return (yield from truncate(p, blank(meta), facts["shift"]))
        case "compose":
            weights = meta.ring.full(facts["planes"], 1)
            return (yield from compose(p, blank(bit, facts["planes"]), weights, meta))
        case "select":
            return (yield from select(p, blank(bit), blank(meta)))
    built = {"msb": msb, "is_zero": is_zero, "decompose": decompose}
    if primitive not in built:
        raise KeyError(f"no cost is declared for {primitive!r}")
    return (yield from built[primitive](p, blank(meta), facts["bits"]))


def plus(meta: Meta, x: Array, y: Array) -> Array:
    """x + y in the group of shares of `meta`."""
    return x ^ y if meta.kind == "bit" else meta.ring.add(x, y)


def minus(meta: Meta, x: Array, y: Array) -> Array:
    """x - y in the group of shares of `meta`."""
    return x ^ y if meta.kind == "bit" else meta.ring.sub(x, y)


def size_of(meta: Meta) -> int:
    """Bytes of a term."""
    return plane_bytes(1, meta.size) if meta.kind == "bit" else meta.size * meta.ring.bytes


def _block(masks: Masks, peer: int, purpose: Any, spec: Spec) -> Array:
    return masks.small(peer, purpose, 0, spec.dtype, spec.shape)


# -- circuits, on any protocol of sums ----------------------------------------------------------
def _each(p: Protocol, mine: Array | None, meta: Meta) -> Iterable[Steps[Share]]:
    """Inputs of numbers, one from each holder."""
    return [p.input(i, mine if i == p.me else None, meta) for i in p.holders()]


def bits_of_terms(p: Protocol, x: Share, bits: int) -> Steps[list[Share]]:
    """The low bits of every holder's term, each input by its holder."""
    term, meta = p.summand(x), x.meta.with_(kind="bit", f=0)
    planes = None if term is None else to_planes(np.ascontiguousarray(term).reshape(-1), bits)
    inputs = [input_planes(p, i, planes if i == p.me else None, bits, meta) for i in p.holders()]
    shares: list[Share] = yield from together(*inputs)
    return shares


def decompose(p: Protocol, x: Share, bits: int) -> Steps[Share]:
    """The low bits of x: those of the terms, added up."""
    total, *rest = yield from bits_of_terms(p, x, bits)
    for term in rest:
        total = yield from add(Gates(p, p.and_), total, term)
    return total


def msb(p: Protocol, x: Share, bits: int) -> Steps[Share]:
    """The sign: as `decompose`, but of the last sum one carry is enough."""
    total, *rest = yield from bits_of_terms(p, x, bits)
    top, low, gates = slice(bits - 1, bits), slice(0, bits - 1), Gates(p, p.and_)
    for term in rest[:-1]:
        total = yield from add(gates, total, term)
    sign: Share = p.planes(total, top)
    for term in rest[-1:]:
        sign = p.xor(sign, p.planes(term, top))
        if bits > 1:
            leaves = sum_leaves(p, p.planes(total, low), p.planes(term, low))
            sign = p.xor(sign, (yield from root(gates, leaves)))
    return sign


def is_zero(p: Protocol, x: Share, bits: int) -> Steps[Share]:
    """Whether all bits are 0."""
    planes = yield from decompose(p, x, bits)
    return (yield from every(Gates(p, p.and_), p.not_(planes)))


def compose(p: Protocol, b: Share, weights: Array, meta: Meta) -> Steps[Share]:
    """Each holder inputs its terms of the bits as numbers; XOR is s + t - 2 s t."""
    mine, ring, size = p.summand(b), meta.ring, meta.size
    rows = meta.with_(kind="int", f=0, shape=(len(b.parts[0]), size))
    digits = None
    if mine is not None:
        clear = [unpack(np.ascontiguousarray(plane), size) for plane in mine]
        digits = ring.reduce(np.stack(clear).reshape(rows.shape))
    total, *rest = yield from together(*_each(p, digits, rows))
    for term in rest:
        both = yield from p.product("mul", total, term, rows, 0, {})
        total = p.sub(p.add(total, term), p.scale(both, 2))
    number: Share = p.linear(
        lambda part: ring.matmul(weights, part).reshape(meta.shape), meta, total
    )
    return number


def select(p: Protocol, b: Share, x: Share) -> Steps[Share]:
    """b * x, of the bit as a number."""
    factor = x.meta.with_(kind="int", f=0)
    bit = yield from compose(p, b, x.meta.ring.full(1, 1), factor)
    return (yield from p.product("mul", bit, x, x.meta, 0, {}))


def truncate(p: Protocol, x: Share, shift: int) -> Steps[Share]:
    """x >> shift: floor or floor + 1 with two holders, for |x| < 2^(k-2); else the exact floor.

    Protocol    With two holders let u + v = z + w 2^k, z = x + 2^(k-2) in [0, 2^(k-1)). As the top
                bit of z is 0, w is 1 exactly if the top of u or of v is: w = s + t - s t for bits
                that their holders know. Then z >> f = (u >> f) + ceil(v / 2^f) - w 2^(k-f).
    """
    ring, k = x.meta.ring, x.meta.ring.bits
    if len(p.holders()) != 2:
        planes = yield from decompose(p, x, k)
        weights = [1 << i for i in range(k - 1 - shift)] + [-1 << (k - 1 - shift)]
        chosen = p.planes(planes, slice(shift, None))
        return (yield from compose(p, chosen, ring.reduce(np.array(weights, object)), x.meta))
    lifted = p.add(x, p.constant(x.meta, 1 << (k - 2)))
    term, first = p.summand(lifted), p.me == p.holders()[0]
    top = None if term is None else ring.reduce(ring.bit(term, k - 1))
    s, t = yield from together(*_each(p, top, x.meta.with_(kind="int", f=0)))
    both = yield from p.product("mul", s, t, s.meta, 0, {})
    wraps: Share = p.sub(p.add(s, t), both)
    high = np.zeros(x.meta.shape, ring.dtype) if term is None else ring.rshift_logical(term, shift)
    if term is not None and not first:
        dropped = ring.sub(term, ring.lshift(high, shift))
        high = ring.add(high, ring.reduce(ring.nonzero(dropped)))
    rounded = Share(x.meta, (high,))
    taken: Share = p.scale(wraps, 1 << (k - shift), x.meta)
    return p.sub(p.sub(rounded, taken), p.constant(x.meta, 1 << (k - 2 - shift)))
