"""`Shamir`: the protocol as one class, each primitive with its declared cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mpyc_core.bits import words
from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.agreement import joined
from mpyc_core.protocols.circuits import Gates
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.masks import PairKeys
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.security import Security
from mpyc_core.protocols.value import Public, Share
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from . import compare, convert, multiply, sharing, truncate
from .king import STATISTICAL
from .space import bits_for, numbers
from .turn import Turn, reshare_cost, threshold

KEY = Spec(np.dtype(np.uint8), (32,))
MOST = 9
"""Parties up to which masks of 40 statistical bits leave room for 84 bits of numbers."""


class Shamir(Protocol):
    """Three or more parties, semi-honest, fewer than half corrupted; needs private channels."""

    name: ClassVar[str] = "shamir"
    parties: ClassVar[str] = f"3 to {MOST}"
    rings: ClassVar[tuple[int, ...]] = (127, 61)
    turns: ClassVar[int] = 3

    def __init__(self, me: int, n: int) -> None:
        super().__init__(me, n)
        self._peers: dict[int, PairKeys] = {}
        self._groups: dict[int, PairKeys] = {}
        """By the party that plays role 0 when the group is needed."""

    @classmethod
    def supports(cls, n: int) -> bool:
        return 3 <= n <= MOST

    @classmethod
    def security(cls, n: int) -> Security:
        return Security(
            "semi-honest",
            "none",
            threshold(n),
            n,
            STATISTICAL,
            128,
            not_covered=(
                "a party that deviates from the protocol inside an operation",
                f"{threshold(n) + 1} parties that pool what they hold",
                "what the opened results themselves say",
            ),
        )

    def setup(self, session: bytes) -> Steps[None]:
        """Agree on a key with each peer, to which both contribute, and on one in each group."""
        me, n, t = self.me, self.n, threshold(self.n)
        peers = [p for p in range(n) if p != me]
        seeds = {peer: fresh_key(32) for peer in peers}
        led = fresh_key(32)  # of the group that this party leads, in turns of the one before it
        step = Round(
            # keys travel on private channels; every later message is masked by them
            send={p: [np.frombuffer(seeds[p], np.uint8)] for p in peers},
            recv={p: [KEY] for p in peers},
        )
        for p in self._group((me - 1) % n):
            if p != me:
                step.send[p].append(np.frombuffer(led, np.uint8))
        mine = {(me - 1) % n: led}
        leaders = [(me - role) % n for role in range(t, n - 1)]  # this party plays role + 1
        for leader in leaders:
            step.recv[leader].append(KEY)
        received = yield step
        for peer in peers:
            theirs = received[peer][0].tobytes()
            self._peers[peer] = joined(me, peer, seeds[peer], theirs, session)
        for leader in leaders:
            mine[(leader - 1) % n] = received[leader][1].tobytes()
        for first, seed in mine.items():
            self._groups[first] = PairKeys(seed, session, (*self._group(first), n))
        self._peers[n + 1] = PairKeys(fresh_key(32), session, (me, me))

    def _group(self, first: int) -> list[int]:
        return [(first + role) % self.n for role in (1, *range(threshold(self.n) + 1, self.n))]

    def bind(self, program: bytes) -> None:
        for keys in (*self._peers.values(), *self._groups.values()):
            keys.bind(program)

    def _turn(self) -> Turn:
        op = self.fresh_op()
        keys = dict(self._peers)
        if op % self.n in self._groups:
            keys[self.n] = self._groups[op % self.n]
        return Turn(self.me, self.n, op, keys)

    def _gates(self, turn: Turn) -> Gates:
        return Gates(self, lambda x, y: multiply.and_(turn, x, y))

    def check_dealt(self, meta: Meta, parts: tuple[Array, ...]) -> None:
        super().check_dealt(meta, parts)
        if meta.kind != "bit":
            field = numbers(meta.ring.bits).field
            for part in parts:
                if not np.array_equal(field.total(part[None]), part):
                    raise ShareError(f"a dealt component is no element of {field.name}")

    def embed(self, x: Public) -> Share:
        return sharing.embed(self.n, x)

    def input(self, owner: int, x: Array | None, meta: Meta) -> Steps[Share]:
        return (yield from sharing.input_(self._turn(), owner, x, meta))

    def open(self, x: Share, to: int | None) -> Steps[Array | None]:
        return (yield from sharing.open_(self._turn(), x, to))

    def holders(self) -> Sequence[int]:
        return range(threshold(self.n) + 1)

    def summand(self, x: Share) -> Array | None:
        return sharing.summand(self.n, self.me, x)

    def product(
        self, kind: str, x: Share, y: Share, meta: Meta, shift: int, params: Mapping[str, Any]
    ) -> Steps[Share]:
        turn = self._turn()
        if shift == 0:
            return (yield from multiply.product(turn, kind, x, y, meta, params))
        gates = self._gates(turn)
        return (yield from truncate.product_truncate(gates, turn, kind, x, y, meta, shift, params))

    def truncate(self, x: Share, shift: int) -> Steps[Share]:
        turn = self._turn()
        return (yield from truncate.truncate(self._gates(turn), turn, x, shift))

    def truncate_local(self, x: Share, shift: int) -> Steps[Share]:
        """As `truncate`: shares of polynomials cannot be shifted without a message."""
        return (yield from self.truncate(x, shift))

    def msb(self, x: Share, bits: int) -> Steps[Share]:
        turn = self._turn()
        return (yield from compare.msb(self._gates(turn), turn, x, bits))

    def is_zero(self, x: Share, bits: int) -> Steps[Share]:
        turn = self._turn()
        return (yield from compare.is_zero(self._gates(turn), turn, x, bits))

    def decompose(self, x: Share, bits: int) -> Steps[Share]:
        turn = self._turn()
        return (yield from compare.decompose(self._gates(turn), turn, x, bits))

    def and_(self, x: Share, y: Share) -> Steps[Share]:
        return (yield from multiply.and_(self._turn(), x, y))

    def compose(self, b: Share, weights: Array, meta: Meta) -> Steps[Share]:
        return (yield from convert.compose(self._turn(), b, weights, meta))

    def select(self, b: Share, x: Share) -> Steps[Share]:
        return (yield from convert.select(self._turn(), b, x))

    def cost(self, primitive: str, op: int, **facts: Any) -> Cost:
        n, first, meta = self.n, op % self.n, facts["meta"]
        match primitive:
            case "input":
                return sharing.input_cost(n, meta, facts["owner"])
            case "open":
                return sharing.open_cost(n, meta, 1, facts["to"])
            case "product" if facts["shift"] == 0:
                return reshare_cost(numbers(meta.ring.bits), n, meta.size, first)
            case "product":
                return truncate.truncate_cost(n, meta, facts["shift"], first, fused=True)
            case "truncate" | "truncate_local":
                return truncate.truncate_cost(n, meta, facts["shift"], first, fused=False)
            case "msb":
                return compare.msb_cost(n, meta, facts["bits"], first)
            case "is_zero":
                return compare.is_zero_cost(n, meta, facts["bits"], first)
            case "decompose":
                return compare.decompose_cost(n, meta, facts["bits"], first)
            case "and_":
                size = facts["planes"] * words(meta.size)
                return reshare_cost(bits_for(n), n, size, first)
            case "compose":
                return convert.compose_numbers_cost(n, meta, facts["planes"], first)
            case "select":
                return convert.select_cost(n, meta, first)
        raise KeyError(f"{self.name} declares no cost for {primitive!r}")

    @classmethod
    def deal(cls, x: Array, meta: Meta, n: int) -> list[tuple[Array, ...]]:
        return sharing.deal(x, meta, n)

    def to_client(self, x: Share) -> Array:
        return sharing.to_client(self._turn(), x)

    @classmethod
    def from_parties(cls, parts: Sequence[Array], meta: Meta) -> Array:
        return sharing.from_parties(parts, meta)
