"""`Replicated`: the protocol as one class, each primitive with its declared cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mpyc_core.meta import Meta
from mpyc_core.protocols.agreement import agree
from mpyc_core.protocols.bilinear import doubles
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.masks import PairKeys
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.security import Security
from mpyc_core.protocols.value import Public, Share
from mpyc_core.transport.mesh import Array, Steps

from . import adder, carry, convert, multiply, sharing, truncate
from .turn import Turn


class Replicated(Protocol):
    """Three parties, semi-honest, one may be corrupted; needs private channels."""

    name: ClassVar[str] = "replicated"
    parties: ClassVar[str] = "exactly 3"
    turns: ClassVar[int] = 3
    pairs_at_once = 1 << 15

    def __init__(self, me: int, n: int) -> None:
        super().__init__(me, n)
        self._keys: dict[int, PairKeys] = {}

    @classmethod
    def supports(cls, n: int) -> bool:
        return n == 3

    @classmethod
    def security(cls, n: int) -> Security:
        return Security(
            "semi-honest",
            "none",
            1,
            3,
            None,
            128,
            not_covered=(
                "a party that deviates from the protocol",
                "two parties that pool what they hold",
                "what the opened results themselves say",
            ),
        )

    def setup(self, session: bytes) -> Steps[None]:
        """Agree on a fresh key with each neighbour; both ends contribute to it."""
        self._keys = yield from agree(self.me, ((self.me + 1) % 3, (self.me - 1) % 3), session)

    def bind(self, program: bytes) -> None:
        for keys in self._keys.values():
            keys.bind(program)

    def _turn(self) -> Turn:
        return Turn(self.me, self.fresh_op(), self._keys)

    def embed(self, x: Public) -> Share:
        return sharing.embed(self.me, x)

    def input(self, owner: int, x: Array | None, meta: Meta) -> Steps[Share]:
        return (yield from sharing.input_(self._turn(), self.me, owner, x, meta))

    def open(self, x: Share, to: int | None) -> Steps[Array | None]:
        return (yield from sharing.open_(self._turn(), self.me, x, to))

    def summand(self, x: Share) -> Array | None:
        """The component that this party holds with the next one."""
        return x.parts[0]

    def product(
        self, kind: str, x: Share, y: Share, meta: Meta, shift: int, params: Mapping[str, Any]
    ) -> Steps[Share]:
        turn = self._turn()
        if shift == 0:
            return (yield from multiply.product(turn, kind, x, y, meta, params))
        if doubles(kind, meta.ring, shift):
            terms = multiply.doubled_terms(turn, kind, x, y, params)
            return (yield from truncate.product_truncate(turn, terms, meta, shift + 1))
        terms = multiply.cross_terms(turn, kind, x, y, meta, params)
        return (yield from truncate.product_truncate(turn, terms, meta, shift))

    def truncate(self, x: Share, shift: int) -> Steps[Share]:
        return (yield from truncate.truncate(self._turn(), x, shift))

    def truncate_local(self, x: Share, shift: int) -> Steps[Share]:
        return (yield from truncate.truncate_local(self._turn(), x, shift))

    def msb(self, x: Share, bits: int) -> Steps[Share]:
        return (yield from carry.msb(self._turn(), x, bits))

    def is_zero(self, x: Share, bits: int) -> Steps[Share]:
        return (yield from adder.is_zero(self._turn(), x, bits))

    def decompose(self, x: Share, bits: int) -> Steps[Share]:
        return (yield from adder.decompose(self._turn(), x, bits))

    def and_(self, x: Share, y: Share) -> Steps[Share]:
        return (yield from multiply.and_(self._turn(), x, y))

    def compose(self, b: Share, weights: Array, meta: Meta) -> Steps[Share]:
        return (yield from convert.compose(self._turn(), b, weights, meta))

    def select(self, b: Share, x: Share) -> Steps[Share]:
        return (yield from convert.select(self._turn(), b, x))

    def random_bits(self, meta: Meta, planes: int) -> Steps[Share]:
        return sharing.random_bits(self._turn(), meta, planes)
        yield

    def relu(self, x: Share, bits: int) -> Steps[tuple[Share, Share]]:
        return (yield from convert.relu(self._turn(), x, bits))

    def msb_number(self, x: Share, bits: int) -> Steps[Share]:
        return (yield from convert.msb_number(self._turn(), x, bits))

    def cost(self, primitive: str, op: int, **facts: Any) -> Cost:
        first, meta = op % 3, facts["meta"]
        match primitive:
            case "input":
                return sharing.input_cost(meta, facts["owner"])
            case "open":
                return sharing.open_cost(meta, facts["to"])
            case "product" if facts["shift"] == 0:
                return multiply.product_cost(meta)
            case "product":
                shift = facts["shift"]
                shift += doubles(facts["kind"], meta.ring, shift)
                return truncate.truncate_cost(meta, shift, first, fused=True)
            case "truncate":
                return truncate.truncate_cost(meta, facts["shift"], first, fused=False)
            case "truncate_local":
                return truncate.truncate_local_cost(meta, first)
            case "msb":
                return carry.msb_cost(meta, facts["bits"], first)
            case "relu":
                return convert.relu_cost(meta, facts["bits"], first)
            case "msb_number":
                return convert.msb_number_cost(meta, facts["bits"], first)
            case "is_zero":
                return adder.is_zero_cost(meta, facts["bits"], first)
            case "decompose":
                return adder.decompose_cost(meta, facts["bits"], first)
            case "and_":
                return Cost(1, (plane_bytes(facts["planes"], meta.size),) * 3)
            case "compose":
                return convert.compose_cost(meta, facts["planes"], first)
            case "random_bits":
                return Cost.free(3)
            case "select":
                return convert.select_cost(meta, first)
        raise KeyError(f"{self.name} declares no cost for {primitive!r}")

    @classmethod
    def deal(cls, x: Array, meta: Meta, n: int) -> list[tuple[Array, ...]]:
        return sharing.deal(x, meta)

    def to_client(self, x: Share) -> Array:
        return sharing.to_client(self._turn(), x)

    @classmethod
    def from_parties(cls, parts: Sequence[Array], meta: Meta) -> Array:
        return sharing.from_parties(parts, meta)
