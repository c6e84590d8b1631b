"""The interface of a protocol: local operations here, interactive ones in each protocol's folder.

All protocols so far share secrets linearly: a linear function of a secret is the same function of
each component of its shares. So local operations are written once, in `Protocol`; a protocol says
how a public value looks as a share (`embed`) and brings the interactive primitives. Operations
built from primitives (division, softmax, sorting, ...) live in `mpyc_core.protocols.ops` and run
on every protocol.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from mpyc_core.bits import ones, pack, unpack, words
from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConfigError, ShapeMismatch
from mpyc_core.meta import Meta
from mpyc_core.prg import Stream
from mpyc_core.ring import Ring
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Spec, Steps

from .bilinear import BILINEAR
from .cost import Cost
from .dealt.provider import Provider
from .dealt.want import Want
from .security import Security
from .value import Public, Share, Value, component_spec

Rounding = Literal["stochastic", "exact", "local"]


class Protocol(ABC):
    """One party's side of a protocol.

    Interactive primitives are generators (`Steps`) of rounds; `cost` declares what they send.

    Parameters
    ----------
    me : index of this party.
    n : number of parties.
    """

    name: ClassVar[str]
    parties: ClassVar[str]
    """Which numbers of parties the protocol runs with, in words."""
    rings: ClassVar[tuple[int, ...]] = (32, 64)
    """Bit lengths of the rings that it computes in."""
    turns: ClassVar[int] = 1
    """After how many primitives every party has played every role."""
    verifies: ClassVar[bool] = False
    """Whether shares that a client dealt are checked as they come in, by `admit`."""
    needs_dealer: ClassVar[bool] = False
    """Whether it takes correlated randomness from a crypto provider."""

    pairs_at_once: int = 0
    """Up to how many comparisons at once cost less than the rounds of a tree of fewer."""
    planar: bool = True
    """Whether all components of a share of bits are packed planes, which can be regrouped."""

    def __init__(self, me: int, n: int) -> None:
        self.me = me
        self.n = n
        self._next_op = 0
        self.provider: Provider | None = None

    @classmethod
    @abstractmethod
    def supports(cls, n: int) -> bool:
        """Whether the protocol runs with `n` parties."""

    @classmethod
    @abstractmethod
    def security(cls, n: int) -> Security:
        """What the protocol guarantees with `n` parties."""

    @abstractmethod
    def setup(self, session: bytes) -> Steps[None]:
        """Agree on the keys of a new session."""

    def attach(self, provider: Provider) -> None:
        """Take correlated randomness from this provider, from `setup` on.

        Raises
        ------
        ConfigError : the protocol takes none.
        """
        if not self.needs_dealer:
            raise ConfigError(
                f"protocol {self.name!r} needs no correlated randomness, but the crypto provider "
                f"{provider.name!r} was named; leave it out, or choose a protocol that needs one"
            )
        self.provider = provider

    def fresh_op(self) -> int:
        """The next place in program order; every interactive primitive takes exactly one."""
        self._next_op += 1
        return self._next_op

    def bind(self, program: bytes) -> None:
        """Make every mask of what follows depend on the program's hash."""
        del program

    @property
    def position(self) -> int:
        """How many interactive primitives ran so far."""
        return self._next_op

    # -- primitives -------------------------------------------------------------------------
    @abstractmethod
    def embed(self, x: Public) -> Share:
        """A public value as a share, without a message."""

    @abstractmethod
    def input(self, owner: int, x: Array | None, meta: Meta) -> Steps[Share]:
        """Share the owner's array (ring elements, or packed planes for bits)."""

    @abstractmethod
    def open(self, x: Share, to: int | None) -> Steps[Array | None]:
        """Reconstruct at party `to`, or at every party when `to` is None."""

    @abstractmethod
    def product(
        self, kind: str, x: Share, y: Share, meta: Meta, shift: int, params: Mapping[str, Any]
    ) -> Steps[Share]:
        """A bilinear product; drops `shift` fraction bits when that is not 0."""

    @abstractmethod
    def truncate(self, x: Share, shift: int) -> Steps[Share]:
        """x / 2^shift, floor or floor + 1."""

    @abstractmethod
    def truncate_local(self, x: Share, shift: int) -> Steps[Share]:
        """x / 2^shift in fewer rounds; far wrong with probability about |x| / 2^(k-1)."""

    @abstractmethod
    def msb(self, x: Share, bits: int) -> Steps[Share]:
        """The sign of x, which must lie in [-2^(bits-1), 2^(bits-1))."""

    @abstractmethod
    def is_zero(self, x: Share, bits: int) -> Steps[Share]:
        """Whether x = 0 modulo 2^bits."""

    @abstractmethod
    def decompose(self, x: Share, bits: int) -> Steps[Share]:
        """The low `bits` bits of x, one plane each."""

    @abstractmethod
    def and_(self, x: Share, y: Share) -> Steps[Share]:
        """Bitwise AND of planes."""

    @abstractmethod
    def compose(self, b: Share, weights: Array, meta: Meta) -> Steps[Share]:
        """sum_i weights[i] * plane_i as a number of the given meta."""

    @abstractmethod
    def select(self, b: Share, x: Share) -> Steps[Share]:
        """b * x for one plane b and a number x of the same shape."""

    @abstractmethod
    def cost(self, primitive: str, op: int, **facts: Any) -> Cost:
        """Declared cost of a primitive that runs as operation `op`."""

    def wants(self, primitive: str, op: int, **facts: Any) -> list[Want]:
        """The correlations that a primitive takes as operation `op`, from the facts of `cost`."""
        return []

    @classmethod
    @abstractmethod
    def deal(cls, x: Array, meta: Meta, n: int) -> list[tuple[Array, ...]]:
        """Share a value outside the protocol, by a client: one tuple of components per party."""

    @abstractmethod
    def to_client(self, x: Share) -> Array:
        """This party's part of an opening to a client, masked so that only the sum says x."""

    @classmethod
    @abstractmethod
    def from_parties(cls, parts: Sequence[Array], meta: Meta) -> Array:
        """Put together, at a client, what `to_client` of all parties gave."""

    # -- terms of a sum, for conversions (`mpyc_core.protocols.conversion`) -------------------
    def holders(self) -> Sequence[int]:
        """The parties whose terms add up to a shared value."""
        return range(self.n)

    def summand(self, x: Share) -> Array | None:
        """This party's term of a shared value, known to it alone or to a few; None if it has none.

        The terms of all `holders` add up to x in the ring of x, over XOR for planes of bits.
        """
        raise ConfigError(
            f"values cannot leave protocol {self.name!r}: it does not say of which terms they are "
            "the sum"
        )

    # -- what verified protocols do around inputs and openings -------------------------------
    def check_dealt(self, meta: Meta, parts: tuple[Array, ...]) -> None:
        """Raise ShapeMismatch unless what a client dealt to this party looks as `deal` makes it."""
        one = meta.with_(shape=())
        like = component_spec(one)
        count = len(self.deal(np.zeros(like.shape, like.dtype), one, self.n)[self.me])
        if len(parts) != count:
            raise ShapeMismatch(f"a client dealt {len(parts)} components, expected {count}")
        spec = component_spec(meta, self.share_ring(meta.ring))
        for part in parts:
            if Spec.of(part) != spec:
                raise ShapeMismatch(f"a dealt component is {part.shape}, expected {spec.shape}")

    def admit(self, x: Share) -> Steps[Share]:
        """Take in a share that a client dealt: check it, and add what `deal` cannot know."""
        return x
        yield

    def for_client(self, x: Share) -> Steps[Share]:
        """A sharing of x whose components may be shown to a client; for `to_client`."""
        return x
        yield

    def before_open(self) -> Steps[None]:
        """Verify all that went before; nothing may be opened if it raises."""
        return
        yield

    @property
    def due(self) -> bool:
        """Whether so much awaits verification that `before_open` should run now."""
        return False

    def weaken(self, stat_bits: int) -> None:
        """Make checks so weak that one can measure how often they fail; in simulations only."""
        raise ConfigError(f"protocol {self.name!r} has no checks that could be weakened")

    def erase(self) -> None:
        """Forget keys, after a failure: nothing can be computed any more."""
        self.provider = None

    # -- composites that a protocol may do better -------------------------------------------
    def random_bits(self, meta: Meta, planes: int) -> Steps[Share]:
        """Uniform bits that no allowed coalition knows: `planes` of them for every element.

        Every party shares bits of its own; the result is their XOR, which is uniform to everybody
        as long as one party's bits are.
        """
        count = words(meta.size)
        flat = meta.with_(
            kind="bit", f=0, shape=(64 * planes * count,), public=False, label=frozenset()
        )
        mine = Stream(fresh_key(16)).words(0, 0, (1, planes * count))
        parts = yield from together(
            *[self.input(i, mine if i == self.me else None, flat) for i in range(self.n)]
        )
        total = parts[0]
        for part in parts[1:]:
            total = self.xor(total, part)
        inside = ones(meta.size)  # bits of the last word that belong to no element are 0
        bits = flat.with_(shape=meta.shape)
        return Share(bits, tuple(p.reshape(planes, count) & inside for p in total.parts))

    def relu(self, x: Share, bits: int) -> Steps[tuple[Share, Share]]:
        """max(x, 0), and the bit x >= 0."""
        negative = yield from self.msb(x, bits)
        keep = self.not_(negative)
        y = yield from self.select(keep, x)
        return y, keep

    def msb_number(self, x: Share, bits: int) -> Steps[Share]:
        """The sign of x as the number 0 or 1."""
        negative = yield from self.msb(x, bits)
        meta = x.meta.with_(kind="int", f=0)
        return (yield from self.compose(negative, x.meta.ring.full(1, 1), meta))

    # -- the ring of shares -----------------------------------------------------------------
    @classmethod
    def share_ring(cls, ring: Ring) -> Ring:
        """The ring of the components of shares of numbers of `ring`; larger where MACs need it."""
        return ring

    def ring(self, *values: Value) -> Ring:
        """The ring in which `linear` works on these operands: that of shares if any is secret.

        What a function given to `linear` computes with goes through this ring, constants included
        (`Ring.extend`).
        """
        ring = values[0].meta.ring
        return ring if all(isinstance(v, Public) for v in values) else self.share_ring(ring)

    # -- local operations -------------------------------------------------------------------
    def linear(self, fn: Callable[..., Array], meta: Meta, *values: Value) -> Any:
        """Apply a linear function to the components; public operands are embedded first.

        All operands public gives a public result. Bits are linear over XOR on packed planes.
        """
        label = frozenset[str]().union(*(v.meta.label for v in values))
        if all(isinstance(v, Public) for v in values):
            meta = meta.with_(public=True, label=label)
            return Public(meta, np.asarray(fn(*(v.value for v in values))))  # type: ignore[union-attr]
        meta = meta.with_(public=False, label=label)
        shares = [self.embed(v) if isinstance(v, Public) else v for v in values]
        parts = zip(*(s.parts for s in shares), strict=True)
        return Share(meta, tuple(np.asarray(fn(*group)) for group in parts))

    def add(self, x: Value, y: Value) -> Any:
        """x + y with broadcasting; scales must agree."""
        return self.linear(self.ring(x, y).add, _join(x, y), x, y)

    def sub(self, x: Value, y: Value) -> Any:
        """x - y with broadcasting; scales must agree."""
        return self.linear(self.ring(x, y).sub, _join(x, y), x, y)

    def neg(self, x: Value) -> Any:
        """-x."""
        return self.linear(self.ring(x).neg, x.meta, x)

    def scale(self, x: Value, factor: Array | int, meta: Meta | None = None) -> Any:
        """x times public ring elements, without a truncation."""
        ring = self.ring(x)
        c = _within(ring, factor) if isinstance(factor, np.ndarray) else ring.reduce(factor)
        if meta is None:
            meta = x.meta.with_(shape=np.broadcast_shapes(x.meta.shape, c.shape))
        return self.linear(lambda part: ring.mul(part, c), meta, x)

    def constant(self, like: Meta, value: int, shape: tuple[int, ...] | None = None) -> Public:
        """A public ring element of the kind and scale of `like` (not scaled by 2^f)."""
        meta = like.with_(public=True, shape=like.shape if shape is None else shape)
        return Public(meta, like.ring.full(meta.shape, value))

    def product_public(
        self, kind: str, x: Value, y: Value, meta: Meta, params: Mapping[str, Any]
    ) -> Any:
        """A bilinear product in which at least one operand is public; scales add."""
        apply, ring = BILINEAR[kind], self.ring(x, y)
        if isinstance(y, Public):
            right = _within(ring, y.value)
            return self.linear(lambda part: apply(ring, part, right, params), meta, x)
        if not isinstance(x, Public):
            raise TypeError("product_public needs a public operand; use product for two secrets")
        left = _within(ring, x.value)
        return self.linear(lambda part: apply(ring, left, part, params), meta, y)

    def reshape_like(self, fn: Callable[..., Array], meta: Meta, *values: Value) -> Any:
        """Apply a function that only moves or repeats elements (reshape, index, concatenate)."""
        if values[0].meta.kind != "bit":
            return self.linear(lambda *parts: np.asarray(fn(*parts), order="C"), meta, *values)
        metas = [v.meta for v in values]

        def on_planes(*parts: Array) -> Array:
            arrays = [
                unpack(part[0], m.size).reshape(m.shape)
                for part, m in zip(parts, metas, strict=True)
            ]
            return pack(np.ascontiguousarray(fn(*arrays)))[None]

        return self.linear(on_planes, meta, *values)

    def xor(self, x: Value, y: Value) -> Any:
        """Exclusive or of planes of one logical shape."""
        return self.linear(np.bitwise_xor, x.meta, x, y)

    def not_(self, x: Value) -> Any:
        """Negation of planes."""
        planes = x.value if isinstance(x, Public) else x.parts[0]
        flip = np.broadcast_to(ones(x.meta.size), planes.shape)
        return self.xor(x, Public(x.meta, flip))

    def planes(self, x: Share, which: Any) -> Share:
        """Some planes of a decomposed value (any NumPy index of the first axis)."""

        def pick(part: Array) -> Array:
            chosen = part[which]
            return np.ascontiguousarray(chosen if chosen.ndim == 2 else chosen[None])

        return Share(x.meta, tuple(pick(part) for part in x.parts))

    def stack_planes(self, *values: Share) -> Share:
        """Planes of several values of one logical shape, one after the other."""
        parts = zip(*(v.parts for v in values), strict=True)
        return Share(values[0].meta, tuple(np.concatenate(group) for group in parts))


def _within(ring: Ring, x: Array) -> Array:
    """Public elements in the ring of shares."""
    return x if x.dtype == ring.dtype else ring.extend(x)


def _join(x: Value, y: Value) -> Meta:
    shape = np.broadcast_shapes(x.meta.shape, y.meta.shape)
    return x.meta.with_(shape=shape)
