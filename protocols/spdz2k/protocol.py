"""`Spdz2k`: the protocol as one class, each primitive with its declared cost."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mpyc_core.bits import ones, pack, unpack, words
from mpyc_core.errors import ConfigError, SessionClosed, ShapeMismatch
from mpyc_core.meta import Meta
from mpyc_core.protocols.additive.turn import Needs, cost_of, wants_of
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.dealt.provider import Provider
from mpyc_core.protocols.dealt.want import Want
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.security import Security
from mpyc_core.protocols.value import Public, Share, Value
from mpyc_core.ring import Ring, ring
from mpyc_core.transport.mesh import Array, Spec, Steps

from . import check, client, compare, convert, gates, multiply, sharing, truncate
from .keys import TAG_BITS, Keys
from .transcript import Transcript
from .turn import Turn, bits_of, keep, numbers_of, share_of

HELD = 1 << 28
"""Bytes of evidence after which a check runs, also if nothing is shown; it bounds memory only."""
STAT_BITS = {32: 26, 64: 57}
"""s - log2(s + 1), by bits of the user's ring."""
FEW = 40
"""Statistical bits below which a session warns."""
WEAK = (
    "spdz2k over Z/2^32 finds a wrong value but for 2^-26, and holds numbers below 2^30: use it "
    "for integers, comparisons and inference, and Z/2^64 (57 bits) for all else"
)


class Spdz2k(Protocol):
    """Two parties or more, malicious with abort, all but one may be corrupted; needs a dealer.

    The crypto provider (dealer) is honest and works with none of the parties.
    """

    name: ClassVar[str] = "spdz2k"
    parties: ClassVar[str] = "2 or more"
    rings: ClassVar[tuple[int, ...]] = (32, 64)
    verifies: ClassVar[bool] = True
    needs_dealer: ClassVar[bool] = True
    strength: int | None = None
    """s of checks, if it is less than k: in simulations only."""

    def __init__(self, me: int, n: int) -> None:
        super().__init__(me, n)
        self.transcript = Transcript(n)
        self._keys: Keys | None = None
        self._warned = False

    @classmethod
    def supports(cls, n: int) -> bool:
        return n >= 2

    @classmethod
    def security(cls, n: int) -> Security:
        return Security(
            "malicious",
            "selective",
            n - 1,
            n,
            STAT_BITS[64],
            128,
            dealer="honest, non-colluding",
            not_covered=(
                "a dealer that deviates, or pools what it holds with a party",
                "a party that makes the others stop without a result",
                "what a party inputs: it may lie, also about ranges that bits= promises",
                "what the opened results themselves say",
                f"over Z/2^32 there are {STAT_BITS[32]} statistical bits",
                "a client's input that parties change is found but for 2^-55 (2^-25 over Z/2^32)",
            ),
        )

    @classmethod
    def share_ring(cls, ring_: Ring) -> Ring:
        return ring(2 * ring_.bits)

    def setup(self, session: bytes) -> Steps[None]:
        """Meet the dealer, and derive shares of the MAC keys; the parties say nothing."""
        if self.provider is None:
            raise ConfigError(
                "protocol 'spdz2k' takes its randomness from a crypto provider, and none was "
                'named; start one with `mpc dealer` and name it: crypto_provider="..."'
            )
        self.provider.setup(session, self.me, self.n)
        self._keys = Keys(self.provider.source, [self.share_ring(ring(b)) for b in self.rings])
        return
        yield

    def bind(self, program: bytes) -> None:
        if self.provider is not None:
            self.provider.bind(program)

    def weaken(self, stat_bits: int) -> None:
        if not 1 <= stat_bits <= min(self.rings):
            raise ConfigError(f"expected 1 to {min(self.rings)} bits, got {stat_bits}")
        self.strength = stat_bits

    def erase(self) -> None:
        """Forget keys and what awaits a check; nothing can be computed any more."""
        super().erase()
        self._keys, self.transcript = None, Transcript(self.n)

    def _session(self) -> tuple[Keys, Provider]:
        if self._keys is None or self.provider is None:
            raise SessionClosed("this session has ended, its keys are erased; start a new one")
        return self._keys, self.provider

    def _turn(self, needs: Needs = ()) -> Turn:
        keys, provider = self._session()
        op = self.fresh_op()
        return Turn(self.me, self.n, op, keys, provider, self.transcript, needs)

    def _wide(self, small: Ring) -> Ring:
        if STAT_BITS[small.bits] < FEW and not self._warned:
            self._warned = True
            warnings.warn(WEAK, stacklevel=2)
        return self.share_ring(small)

    # -- in and out -------------------------------------------------------------------------
    def embed(self, x: Public) -> Share:
        keys, _ = self._session()
        value, first = x.value, self.me == 0
        if x.meta.kind == "bit":
            macs = value[..., None, :] & keys.bits[:, None]
        else:
            wide = self._wide(x.meta.ring)
            value = wide.extend(value)
            macs = wide.mul(value, keys.alpha(wide))
        return Share(x.meta, (value if first else np.zeros_like(value), macs))

    def input(self, owner: int, x: Array | None, meta: Meta) -> Steps[Share]:
        wide = self._wide(meta.ring)
        turn = self._turn(sharing.input_needs(meta, wide, owner))
        return share_of(meta, (yield from sharing.input_(turn, owner, x, meta, wide)))

    def check_dealt(self, meta: Meta, parts: tuple[Array, ...]) -> None:
        expected = client.specs(meta, self.share_ring(meta.ring), self.n)
        if [Spec.of(part) for part in parts] != expected:
            raise ShapeMismatch(f"what a client dealt for {meta} is not of the form of its shares")

    def admit(self, x: Share) -> Steps[Share]:
        wide = self._wide(x.meta.ring)
        turn = self._turn(client.admit_needs(x.meta, wide, self.n))
        return share_of(x.meta, (yield from client.admit(turn, x, wide)))

    planar = False  # every bit has a MAC of 16 bytes

    def summand(self, x: Share) -> Array | None:
        """The term of the value modulo 2^k; its MAC stays behind."""
        return x.parts[0] if x.meta.kind == "bit" else x.meta.ring.residue(x.parts[0])

    def open(self, x: Share, to: int | None) -> Steps[Array | None]:
        wide = self._wide(x.meta.ring)
        turn = self._turn(sharing.output_needs(x.meta, wide, to))
        value = bits_of(x) if x.meta.kind == "bit" else numbers_of(x)
        opened = yield from sharing.output(turn, value, x.meta, wide, to)
        yield from self.before_open()
        return opened if to is None or to == self.me else None

    def before_open(self) -> Steps[None]:
        if self.transcript.pending:
            self._session()
            taken, self.transcript = self.transcript, Transcript(self.n)
            place = self.me, self.n, self.fresh_op()
            yield from check.settle(place, taken, self.strength)

    @property
    def due(self) -> bool:
        return self.transcript.held > HELD

    def for_client(self, x: Share) -> Steps[Share]:
        """What this party tells the client, once the check has passed."""
        wide = self._wide(x.meta.ring)
        turn = self._turn(client.reveal_needs(x.meta, wide))
        value = bits_of(x) if x.meta.kind == "bit" else numbers_of(x)
        return Share(x.meta, ((yield from client.seal(turn, value, x.meta, wide)),))

    def random_bits(self, meta: Meta, planes: int) -> Steps[Share]:
        """Uniform bits, dealt."""
        turn = self._turn(self._random_needs(meta, planes))
        made = keep(ones(meta.size)[None], turn.dealt(0).bits(0))
        bits = meta.with_(kind="bit", f=0, public=False, label=frozenset())
        return share_of(bits, made)
        yield

    def _random_needs(self, meta: Meta, planes: int) -> Needs:
        return [("spdz2k-random-bits", (planes, words(meta.size)))]

    # -- products ---------------------------------------------------------------------------
    def product(
        self, kind: str, x: Share, y: Share, meta: Meta, shift: int, params: Mapping[str, Any]
    ) -> Steps[Share]:
        small, wide, same = meta.ring, self._wide(meta.ring), x is y
        needs = multiply.product_needs(
            self.n, kind, x.meta, y.meta, meta, wide, shift, params, same
        )
        turn, a, b = self._turn(needs), numbers_of(x), numbers_of(y)
        z = yield from multiply.product(turn, kind, a, b, small, wide, shift, params, same)
        return share_of(meta, z)

    def truncate(self, x: Share, shift: int) -> Steps[Share]:
        wide = self._wide(x.meta.ring)
        turn = self._turn(truncate.truncate_needs(x.meta, wide, shift))
        z = yield from truncate.truncate(turn, wide, numbers_of(x), shift)
        return share_of(x.meta, z)

    def truncate_local(self, x: Share, shift: int) -> Steps[Share]:
        """Shares with MACs cannot be shifted; one round, and never far wrong."""
        return (yield from self.truncate(x, shift))

    # -- bits -------------------------------------------------------------------------------
    def msb(self, x: Share, bits: int) -> Steps[Share]:
        small, wide = x.meta.ring, self._wide(x.meta.ring)
        turn = self._turn(compare.msb_needs(x.meta, wide, bits))
        found = yield from compare.msb(turn, small, wide, numbers_of(x), bits)
        return share_of(x.meta.with_(kind="bit", f=0), found)

    def is_zero(self, x: Share, bits: int) -> Steps[Share]:
        small, wide = x.meta.ring, self._wide(x.meta.ring)
        turn = self._turn(compare.is_zero_needs(x.meta, wide, bits))
        found = yield from compare.is_zero(turn, small, wide, numbers_of(x), bits)
        return share_of(x.meta.with_(kind="bit", f=0), found)

    def decompose(self, x: Share, bits: int) -> Steps[Share]:
        small, wide = x.meta.ring, self._wide(x.meta.ring)
        turn = self._turn(compare.decompose_needs(x.meta, wide, bits))
        found = yield from compare.decompose(turn, small, wide, numbers_of(x), bits)
        return share_of(x.meta.with_(kind="bit", f=0), found)

    def and_(self, x: Share, y: Share) -> Steps[Share]:
        planes = max(len(x.parts[0]), len(y.parts[0]))
        turn = self._turn(gates.and_needs(x.meta, planes))
        a, b = (gates.repeated(bits_of(v), planes) for v in (x, y))
        return share_of(x.meta, (yield from gates.and_(turn, a, b, 0)))

    def compose(self, b: Share, weights: Array, meta: Meta) -> Steps[Share]:
        wide = self._wide(meta.ring)
        turn = self._turn(convert.compose_needs(meta, wide, len(b.parts[0])))
        return share_of(meta, (yield from convert.compose(turn, bits_of(b), weights, meta, wide)))

    def select(self, b: Share, x: Share) -> Steps[Share]:
        wide = self._wide(x.meta.ring)
        turn = self._turn(convert.select_needs(x.meta, wide))
        return share_of(x.meta, (yield from convert.select(turn, wide, bits_of(b), numbers_of(x))))

    def relu(self, x: Share, bits: int) -> Steps[tuple[Share, Share]]:
        wide = self._wide(x.meta.ring)
        turn = self._turn(convert.relu_needs(x.meta, wide, bits))
        y, positive = yield from convert.relu(turn, x.meta, wide, numbers_of(x), bits)
        return share_of(x.meta, y), share_of(x.meta.with_(kind="bit", f=0), positive)

    def msb_number(self, x: Share, bits: int) -> Steps[Share]:
        wide, meta = self._wide(x.meta.ring), x.meta.with_(kind="int", f=0)
        turn = self._turn(convert.msb_number_needs(meta, wide, bits))
        return share_of(
            meta, (yield from convert.msb_number(turn, meta, wide, numbers_of(x), bits))
        )

    # -- local operations on planes ---------------------------------------------------------
    def planes(self, x: Share, which: Any) -> Share:
        chosen = np.atleast_1d(np.arange(len(x.parts[0]))[which])
        return Share(x.meta, tuple(np.ascontiguousarray(part[chosen]) for part in x.parts))

    def reshape_like(self, fn: Callable[..., Array], meta: Meta, *values: Value) -> Any:
        secret = any(isinstance(v, Share) for v in values)
        if values[0].meta.kind != "bit" or not secret:
            return super().reshape_like(fn, meta, *values)
        metas = [v.meta for v in values]
        places, start = [], 1
        for m in metas:
            places.append(np.arange(start, start + m.size).reshape(m.shape))
            start += m.size
        moved = np.asarray(fn(*places)).reshape(-1)  # 0 stands for a bit that is filled in

        def on_planes(*parts: Array) -> Array:
            rows = [np.zeros((parts[0].size // parts[0].shape[-1], 1), np.uint8)]
            for part, m in zip(parts, metas, strict=True):
                rows.append(np.stack([unpack(r, m.size) for r in part.reshape(-1, part.shape[-1])]))
            bits = np.concatenate(rows, axis=1)[:, moved]
            packed = np.stack([pack(row) for row in bits])
            return packed.reshape(*parts[0].shape[:-1], packed.shape[-1])

        return super().linear(on_planes, meta, *values)

    def linear(self, fn: Callable[..., Array], meta: Meta, *values: Value) -> Any:
        """Apply a linear function; to MACs of bits coefficient by coefficient."""
        bits = meta.kind == "bit" and any(isinstance(v, Share) for v in values)
        if not bits or fn is np.bitwise_xor:
            return super().linear(fn, meta, *values)

        def on_planes(*parts: Array) -> Array:
            if parts[0].ndim == 2:
                return np.asarray(fn(*parts))
            sliced = (fn(*(part[:, i] for part in parts)) for i in range(TAG_BITS))
            return np.stack([np.asarray(planes) for planes in sliced], axis=1)

        return super().linear(on_planes, meta, *values)

    # -- costs ------------------------------------------------------------------------------
    def wants(self, primitive: str, op: int, **facts: Any) -> list[Want]:
        return wants_of(op, self._needs(primitive, facts))

    def _needs(self, primitive: str, facts: Mapping[str, Any]) -> Needs:
        meta: Meta = facts["meta"]
        wide = self.share_ring(meta.ring)
        match primitive:
            case "input":
                return sharing.input_needs(meta, wide, facts["owner"])
            case "product":
                return multiply.product_needs(self.n, wide=wide, **facts)
            case "truncate" | "truncate_local":
                return truncate.truncate_needs(meta, wide, facts["shift"])
            case "msb":
                return compare.msb_needs(meta, wide, facts["bits"])
            case "is_zero":
                return compare.is_zero_needs(meta, wide, facts["bits"])
            case "decompose":
                return compare.decompose_needs(meta, wide, facts["bits"])
            case "and_":
                return gates.and_needs(meta, facts["planes"])
            case "compose":
                return convert.compose_needs(meta, wide, facts["planes"])
            case "select":
                return convert.select_needs(meta, wide)
            case "relu":
                return convert.relu_needs(meta, wide, facts["bits"])
            case "msb_number":
                return convert.msb_number_needs(meta, wide, facts["bits"])
            case "random_bits":
                return self._random_needs(meta, facts["planes"])
        return []

    def cost(self, primitive: str, op: int, **facts: Any) -> Cost:
        meta, n = facts["meta"], self.n
        wide = self.share_ring(meta.ring)
        match primitive:
            case "input":
                return sharing.input_cost(meta, wide, facts["owner"], n)
            case "open":
                return sharing.output_cost(meta, wide, facts["to"], n) >> check.settle_cost(n, 1)
            case "admit":
                return client.admit_cost(meta, wide, n)
            case "for_client":
                return client.seal_cost(meta, wide, n)
            case "product":
                return multiply.product_cost(n, wide=wide, **facts)
            case "truncate" | "truncate_local":
                return truncate.truncate_cost(meta, wide, facts["shift"], n)
            case "msb":
                return compare.msb_cost(meta, wide, facts["bits"], n)
            case "is_zero":
                return compare.is_zero_cost(meta, wide, facts["bits"], n)
            case "decompose":
                return compare.decompose_cost(meta, wide, facts["bits"], n)
            case "and_":
                return gates.and_cost(meta, facts["planes"], n)
            case "compose":
                return convert.compose_cost(meta, wide, facts["planes"], n)
            case "select":
                return convert.select_cost(meta, wide, n)
            case "relu":
                return convert.relu_cost(meta, wide, facts["bits"], n)
            case "msb_number":
                return convert.msb_number_cost(meta, wide, facts["bits"], n)
            case "random_bits":
                return cost_of(n, [], self._needs(primitive, facts))
        raise KeyError(f"{self.name} declares no cost for {primitive!r}")

    def check_cost(self) -> Cost:
        """What the next check sends: it covers everything since the last one."""
        groups = len(self.transcript.numbers) + bool(self.transcript.bits)
        return check.settle_cost(self.n, groups)

    # -- clients ----------------------------------------------------------------------------
    @classmethod
    def deal(cls, x: Array, meta: Meta, n: int) -> list[tuple[Array, ...]]:
        return client.deal(x, meta, cls.share_ring(meta.ring), n)

    def to_client(self, x: Share) -> Array:
        return x.parts[0]

    @classmethod
    def from_parties(cls, parts: Sequence[Array], meta: Meta) -> Array:
        return client.from_parties(parts, meta, cls.share_ring(meta.ring))
