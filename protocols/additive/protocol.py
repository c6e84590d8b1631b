"""`Additive`: the protocol as one class, each primitive with its declared cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mpyc_core.errors import ConfigError
from mpyc_core.meta import Meta
from mpyc_core.protocols.agreement import agree
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.dealt.provider import Provider
from mpyc_core.protocols.dealt.want import Want
from mpyc_core.protocols.masks import PairKeys
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.security import Security
from mpyc_core.protocols.value import Public, Share
from mpyc_core.transport.mesh import Array, Steps

from . import compare, convert, gates, multiply, sharing, truncate
from .turn import Needs, Turn, wants_of


class Additive(Protocol):
    """Two parties or more, semi-honest, all but one may be corrupted; needs a crypto provider.

    The crypto provider (dealer) is honest and works with none of the parties.
    """

    name: ClassVar[str] = "additive"
    parties: ClassVar[str] = "2 or more"
    rings: ClassVar[tuple[int, ...]] = (32, 64, 128)
    needs_dealer: ClassVar[bool] = True

    def __init__(self, me: int, n: int) -> None:
        super().__init__(me, n)
        self._keys: dict[int, PairKeys] = {}

    @classmethod
    def supports(cls, n: int) -> bool:
        return n >= 2

    @classmethod
    def security(cls, n: int) -> Security:
        return Security(
            "semi-honest",
            "none",
            n - 1,
            n,
            None,
            128,
            dealer="honest, non-colluding",
            not_covered=(
                "a party that deviates from the protocol",
                "a dealer that deviates, or pools what it holds with a party",
                "what the opened results themselves say",
            ),
        )

    def _dealer(self) -> Provider:
        if self.provider is None:
            raise ConfigError(
                "protocol 'additive' takes its randomness from a crypto provider, and none was "
                'named; start one with `mpc dealer` and name it: crypto_provider="..."'
            )
        return self.provider

    def setup(self, session: bytes) -> Steps[None]:
        """Agree on a fresh key with every other party and meet the dealer."""
        self._dealer().setup(session, self.me, self.n)
        self._keys = yield from agree(self.me, [p for p in range(self.n) if p != self.me], session)

    def bind(self, program: bytes) -> None:
        for keys in self._keys.values():
            keys.bind(program)
        self._dealer().bind(program)

    def _turn(self, needs: Needs = ()) -> Turn:
        return Turn(self.me, self.n, self.fresh_op(), self._keys, self.provider, needs)

    def embed(self, x: Public) -> Share:
        return sharing.embed(self.me, x)

    def input(self, owner: int, x: Array | None, meta: Meta) -> Steps[Share]:
        return sharing.input_(self._turn(), owner, x, meta)
        yield

    def open(self, x: Share, to: int | None) -> Steps[Array | None]:
        return (yield from sharing.open_(self._turn(), x, to))

    def summand(self, x: Share) -> Array | None:
        return x.parts[0]

    def product(
        self, kind: str, x: Share, y: Share, meta: Meta, shift: int, params: Mapping[str, Any]
    ) -> Steps[Share]:
        needs = multiply.product_needs(self.n, kind, x.meta, y.meta, meta, shift, params, x is y)
        return (yield from multiply.product(self._turn(needs), kind, x, y, meta, shift, params))

    def truncate(self, x: Share, shift: int) -> Steps[Share]:
        turn = self._turn(truncate.truncate_needs(x.meta, shift))
        return (yield from truncate.truncate(turn, x, shift))

    def truncate_local(self, x: Share, shift: int) -> Steps[Share]:
        """Two parties shift their shares; more than two cannot, and take one round."""
        if self.n > 2:
            return (yield from self.truncate(x, shift))
        self.fresh_op()
        return truncate.truncate_alone(self.me, x, shift)

    def msb(self, x: Share, bits: int) -> Steps[Share]:
        turn = self._turn(compare.msb_needs(x.meta, bits))
        return (yield from compare.msb(turn, x, bits))

    def is_zero(self, x: Share, bits: int) -> Steps[Share]:
        turn = self._turn(compare.is_zero_needs(x.meta, bits))
        return (yield from compare.is_zero(turn, x, bits))

    def decompose(self, x: Share, bits: int) -> Steps[Share]:
        turn = self._turn(compare.decompose_needs(x.meta, bits))
        return (yield from compare.decompose(turn, x, bits))

    def and_(self, x: Share, y: Share) -> Steps[Share]:
        planes = max(len(x.parts[0]), len(y.parts[0]))
        return (yield from gates.and_(self._turn(gates.and_needs(x.meta, planes)), x, y))

    def compose(self, b: Share, weights: Array, meta: Meta) -> Steps[Share]:
        turn = self._turn(convert.compose_needs(meta, len(b.parts[0])))
        return (yield from convert.compose(turn, b.parts[0], weights, meta))

    def select(self, b: Share, x: Share) -> Steps[Share]:
        return (yield from convert.select(self._turn(convert.select_needs(x.meta)), b, x))

    def relu(self, x: Share, bits: int) -> Steps[tuple[Share, Share]]:
        return (yield from convert.relu(self._turn(convert.relu_needs(x.meta, bits)), x, bits))

    def msb_number(self, x: Share, bits: int) -> Steps[Share]:
        turn = self._turn(convert.msb_number_needs(x.meta, bits))
        return (yield from convert.msb_number(turn, x, bits))

    def wants(self, primitive: str, op: int, **facts: Any) -> list[Want]:
        return wants_of(op, self._needs(primitive, facts))

    def _needs(self, primitive: str, facts: Mapping[str, Any]) -> Needs:
        meta = facts["meta"]
        match primitive:
            case "product":
                return multiply.product_needs(self.n, **facts)
            case "truncate":
                return truncate.truncate_needs(meta, facts["shift"])
            case "truncate_local" if self.n > 2:
                return truncate.truncate_needs(meta, facts["shift"])
            case "msb":
                return compare.msb_needs(meta, facts["bits"])
            case "is_zero":
                return compare.is_zero_needs(meta, facts["bits"])
            case "decompose":
                return compare.decompose_needs(meta, facts["bits"])
            case "and_":
                return gates.and_needs(meta, facts["planes"])
            case "compose":
                return convert.compose_needs(meta, facts["planes"])
            case "select":
                return convert.select_needs(meta)
            case "relu":
                return convert.relu_needs(meta, facts["bits"])
            case "msb_number":
                return convert.msb_number_needs(meta, facts["bits"])
        return []

    def cost(self, primitive: str, op: int, **facts: Any) -> Cost:
        meta, n = facts["meta"], self.n
        match primitive:
            case "input":
                return Cost.free(n)
            case "open":
                return sharing.open_cost(meta, facts["to"], n)
            case "product":
                return multiply.product_cost(n, **facts)
            case "truncate_local" if n == 2:
                return Cost.free(n)
            case "truncate" | "truncate_local":
                return truncate.truncate_cost(meta, facts["shift"], n)
            case "msb":
                return compare.msb_cost(meta, facts["bits"], n)
            case "is_zero":
                return compare.is_zero_cost(meta, facts["bits"], n)
            case "decompose":
                return compare.decompose_cost(meta, facts["bits"], n)
            case "and_":
                return gates.and_cost(meta, facts["planes"], n)
            case "compose":
                return convert.compose_cost(meta, facts["planes"], n)
            case "select":
                return convert.select_cost(meta, n)
            case "relu":
                return convert.relu_cost(meta, facts["bits"], n)
            case "msb_number":
                return convert.msb_number_cost(meta, facts["bits"], n)
        raise KeyError(f"{self.name} declares no cost for {primitive!r}")

    @classmethod
    def deal(cls, x: Array, meta: Meta, n: int) -> list[tuple[Array, ...]]:
        return sharing.deal(x, meta, n)

    def to_client(self, x: Share) -> Array:
        return sharing.hidden_part(self._turn(), x)

    @classmethod
    def from_parties(cls, parts: Sequence[Array], meta: Meta) -> Array:
        return sharing.from_parties(parts, meta)
