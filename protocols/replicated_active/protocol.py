"""`ReplicatedActive`: the protocol as one class, each primitive with its declared cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mpyc_core.errors import ConfigError, SessionClosed
from mpyc_core.meta import Meta
from mpyc_core.prg import Stream
from mpyc_core.protocols.agreement import agree
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.masks import PairKeys
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.security import Security
from mpyc_core.protocols.value import Public, Share
from mpyc_core.ring import Ring, ring
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from . import bits, checks, coins, convert, multiply, sharing, truncate
from .ledger import Ledger
from .place import Parts, Place

HELD = 1 << 28
"""Bytes of unverified products and ANDs after which a check runs, also if nothing is opened."""


class ReplicatedActive(Protocol):
    """Three parties, malicious with abort, one may be corrupted; needs private channels."""

    name: ClassVar[str] = "replicated-active"
    parties: ClassVar[str] = "exactly 3"
    rings: ClassVar[tuple[int, ...]] = (32, 64)
    turns: ClassVar[int] = 3
    verifies: ClassVar[bool] = True
    repeats: int = 64
    """s: how many random combinations of MACs a check opens; fewer only in a simulation."""

    def __init__(self, me: int, n: int) -> None:
        super().__init__(me, n)
        self.ledger = Ledger()
        self._keys: dict[int, PairKeys] = {}
        self._mac_keys: dict[int, Parts] = {}
        self._common: Stream | None = None

    @classmethod
    def supports(cls, n: int) -> bool:
        return n == 3

    @classmethod
    def security(cls, n: int) -> Security:
        return Security(
            "malicious",
            "selective",
            1,
            3,
            54,
            128,
            not_covered=(
                "two parties that pool what they hold",
                "a party that makes the others stop without a result",
                "what a party inputs: it may lie, also about ranges that bits= promises",
                "what the opened results themselves say",
                "over Z/2^32 there are 30 statistical bits",
            ),
        )

    @classmethod
    def share_ring(cls, ring_: Ring) -> Ring:
        return ring(2 * ring_.bits)

    def setup(self, session: bytes) -> Steps[None]:
        """Agree on a key with each neighbour, on a key of MACs that nobody knows, and on coins."""
        self._keys = yield from agree(self.me, ((self.me + 1) % 3, (self.me - 1) % 3), session)
        place = self._place()
        for size in self.rings:
            wide = self.share_ring(ring(size))
            self._mac_keys[wide.bits] = (
                place.numbers(place.next, "mac", size, wide, ()),
                place.numbers(place.prev, "mac", size, wide, ()),
            )
        coin = yield from coins.toss(place)
        self._common = Stream(coin[:16])

    def bind(self, program: bytes) -> None:
        for keys in self._keys.values():
            keys.bind(program)

    def weaken(self, stat_bits: int) -> None:
        if not 1 <= stat_bits <= ReplicatedActive.repeats:
            raise ConfigError(f"expected 1 to {ReplicatedActive.repeats} bits, got {stat_bits}")
        self.repeats = stat_bits

    def erase(self) -> None:
        """Forget keys and what awaits a check; nothing can be computed any more."""
        self._keys, self._mac_keys, self._common = {}, {}, None
        self.ledger = Ledger()

    def _place(self) -> Place:
        if not self._keys:
            raise SessionClosed("this session has ended, its keys are erased; start a new one")
        return Place(self.me, self.fresh_op(), self._keys, self.ledger)

    def _key(self, wide: Ring) -> Parts:
        return self._mac_keys[wide.bits]

    # -- in and out -------------------------------------------------------------------------
    def embed(self, x: Public) -> Share:
        if x.meta.kind == "bit":
            return Share(x.meta, sharing.embed(self.me, x.value))
        wide = self.share_ring(x.meta.ring)
        value = wide.extend(x.value)
        macs = tuple(wide.mul(value, part) for part in self._key(wide))
        return Share(x.meta, (*sharing.embed(self.me, value), *macs))

    def input(self, owner: int, x: Array | None, meta: Meta) -> Steps[Share]:
        place, wide = self._place(), self.share_ring(meta.ring)
        parts: tuple[Array, ...] = yield from sharing.input_(place, owner, x, meta, wide)
        if meta.kind != "bit":
            parts = yield from self._with_mac(place, wide, (parts[0], parts[1]), meta)
        return Share(meta, parts)

    def admit(self, x: Share) -> Steps[Share]:
        place, wide = self._place(), self.share_ring(x.meta.ring)
        both = (x.parts[0], x.parts[1])
        if x.meta.kind == "bit":
            yield from sharing.agree(place, both)
            return x
        _, parts = yield from together(
            sharing.agree(place, both), self._with_mac(place, wide, both, x.meta)
        )
        return Share(x.meta, parts)

    def _with_mac(
        self, place: Place, wide: Ring, value: Parts, meta: Meta
    ) -> Steps[tuple[Array, ...]]:
        key = self._key(wide)
        return multiply.authenticate(place, wide, value, key, meta.shape)

    def open(self, x: Share, to: int | None) -> Steps[Array | None]:
        parts = (x.parts[0], x.parts[1])
        return (yield from sharing.open_(self._place(), parts, x.meta, to))

    def before_open(self) -> Steps[None]:
        if self.ledger.pending:
            yield from checks.settle(self.ledger.take(), self._place, self._mac_keys, self.repeats)

    @property
    def due(self) -> bool:
        return self.ledger.held > HELD

    def for_client(self, x: Share) -> Steps[Share]:
        """A fresh sharing of x, by a product with the public number 1."""
        place, meta = self._place(), x.meta
        if meta.kind == "bit":
            one = sharing.embed(self.me, np.full_like(x.parts[0], ~np.uint64(0)))
            fresh = yield from multiply.and_(place, (x.parts[0], x.parts[1]), one)
            return Share(meta, fresh)
        wide = self.share_ring(meta.ring)
        number = sharing.embed(self.me, np.broadcast_to(wide.full((), 1), meta.shape))
        parts = yield from multiply.product(place, wide, "mul", x.parts, number, meta.shape, {})
        return Share(meta, parts)

    def summand(self, x: Share) -> Array | None:
        """The component that this party holds with the next one; its MAC stays behind."""
        return x.parts[0] if x.meta.kind == "bit" else x.meta.ring.residue(x.parts[0])

    # -- products ---------------------------------------------------------------------------
    def product(
        self, kind: str, x: Share, y: Share, meta: Meta, shift: int, params: Mapping[str, Any]
    ) -> Steps[Share]:
        place, wide = self._place(), self.share_ring(meta.ring)
        parts = yield from multiply.product(place, wide, kind, x.parts, y.parts, meta.shape, params)
        z = Share(meta, parts)
        return (yield from self._truncate(place, z, shift)) if shift else z

    def truncate(self, x: Share, shift: int) -> Steps[Share]:
        return (yield from self._truncate(self._place(), x, shift))

    def truncate_local(self, x: Share, shift: int) -> Steps[Share]:
        return (yield from self.truncate(x, shift))

    def _truncate(self, place: Place, x: Share, shift: int) -> Steps[Share]:
        small, wide = x.meta.ring, self.share_ring(x.meta.ring)
        if self._common is None:
            raise SessionClosed("this session has ended, its keys are erased; start a new one")
        dither = self._common.words(place.op, 0, x.meta.shape, small.dtype)
        return (yield from truncate.truncate(place, wide, x, shift, self._key(wide), dither))

    def _one(self, wide: Ring) -> tuple[Array, ...]:
        return (*sharing.embed(self.me, wide.full((), 1)), *self._key(wide))

    # -- bits -------------------------------------------------------------------------------
    def msb(self, x: Share, bits_: int) -> Steps[Share]:
        return (yield from bits.msb(self, self._place(), x, bits_))

    def is_zero(self, x: Share, bits_: int) -> Steps[Share]:
        return (yield from bits.is_zero(self, self._place(), x, bits_))

    def decompose(self, x: Share, bits_: int) -> Steps[Share]:
        return (yield from bits.decompose(self, self._place(), x, bits_))

    def and_(self, x: Share, y: Share) -> Steps[Share]:
        (xn, xp), (yn, yp) = x.parts, y.parts
        return Share(x.meta, (yield from multiply.and_(self._place(), (xn, xp), (yn, yp))))

    def compose(self, b: Share, weights: Array, meta: Meta) -> Steps[Share]:
        place, wide = self._place(), self.share_ring(meta.ring)
        shape = (len(b.parts[0]), meta.size)
        planes = (b.parts[0], b.parts[1])
        rows = yield from convert.number(place, wide, planes, self._one(wide), shape)
        factors = wide.extend(weights)
        return Share(meta, tuple(wide.matmul(factors, row).reshape(meta.shape) for row in rows))

    def select(self, b: Share, x: Share) -> Steps[Share]:
        place, wide, meta = self._place(), self.share_ring(x.meta.ring), x.meta
        flat = tuple(part.reshape(1, -1) for part in x.parts)
        planes = (b.parts[0], b.parts[1])
        parts = yield from convert.choose(place, wide, planes, flat, (1, meta.size))
        return Share(meta, tuple(part.reshape(meta.shape) for part in parts))

    # -- costs ------------------------------------------------------------------------------
    def cost(self, primitive: str, op: int, **facts: Any) -> Cost:
        meta: Meta = facts["meta"]
        wide = self.share_ring(meta.ring)
        match primitive:
            case "input":
                first = sharing.input_cost(meta, facts["owner"], wide)
                bit = meta.kind == "bit"
                return first if bit else first >> multiply.authenticate_cost(meta.size, wide)
            case "admit":
                agreed = Cost(1, (32,) * 3)
                bit = meta.kind == "bit"
                return agreed if bit else agreed | multiply.authenticate_cost(meta.size, wide)
            case "open":
                return sharing.open_cost(meta, facts["to"])
            case "for_client" if meta.kind == "bit":
                return bits.and_costs(meta, [1])
            case "for_client":
                return multiply.product_cost(meta.size, wide)
            case "product":
                made, shift = multiply.product_cost(meta.size, wide), facts["shift"]
                return made >> truncate.truncate_cost(meta, shift, wide, op) if shift else made
            case "truncate" | "truncate_local":
                return truncate.truncate_cost(meta, facts["shift"], wide, op)
            case "msb":
                return bits.msb_cost(meta, facts["bits"])
            case "is_zero":
                return bits.is_zero_cost(meta, facts["bits"])
            case "decompose":
                return bits.decompose_cost(meta, facts["bits"])
            case "and_":
                return bits.and_costs(meta, [facts["planes"]])
            case "compose":
                return convert.number_cost(facts["planes"] * meta.size, wide)
            case "select":
                return convert.choose_cost(meta.size, wide)
        raise KeyError(f"{self.name} declares no cost for {primitive!r}")

    def check_cost(self) -> Cost:
        """What the next check sends: it covers everything since the last one."""
        return checks.settle_cost(self.ledger.terms, tuple(self.ledger.products), self.repeats)

    # -- clients ----------------------------------------------------------------------------
    @classmethod
    def deal(cls, x: Array, meta: Meta, n: int) -> list[tuple[Array, ...]]:
        return sharing.deal(x, meta, cls.share_ring(meta.ring))

    def to_client(self, x: Share) -> Array:
        return np.stack([sharing.shown(x.meta, part) for part in x.parts[:2]])

    @classmethod
    def from_parties(cls, parts: Sequence[Array], meta: Meta) -> Array:
        return sharing.from_parties(parts, meta)
