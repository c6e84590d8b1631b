"""The boundary between tensors and protocols: `execute(op, inputs, params) -> refs`.

A backend is what a secret tensor talks to: a `Party` inside a program, a `Session` that drives
remote parties, or a `Simulation` of all parties in this process. Everything above (autograd,
layers, training loops) is written once against this class.
"""

from __future__ import annotations

import sys
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from mpyc_core import fixed
from mpyc_core.bits import pack, unpack
from mpyc_core.errors import ConfigError, EncodingError, ShapeMismatch, ShareError
from mpyc_core.meta import MAX_NDIM, Meta
from mpyc_core.ring import Ring
from mpyc_core.ring import ring as ring_of
from mpyc_core.transport.mesh import Array

from .choice import default_ring
from .command import Command, Operand
from .conversion import CONVERT, choose_ring, converted
from .protocol import Protocol
from .registry import get_op, get_protocol
from .security import Security, weakest
from .value import Public


class Ref:
    """A handle on a value that the parties hold; dropping it frees the value at every party."""

    __slots__ = ("__weakref__", "backend", "id", "meta")

    def __init__(self, backend: Backend, key: int, meta: Meta) -> None:
        self.backend = backend
        self.id = key
        self.meta = meta
        weakref.finalize(self, backend.dropped.append, key)


@dataclass(frozen=True)
class Opening:
    """An entry in the list of what was opened.

    Parameters
    ----------
    what : the value's public description.
    to : the party that learned it; "all parties", or "the driver".
    why : the caller's words.
    where : the line that opened it.
    """

    what: str
    to: str
    why: str
    where: str


Wrap = Callable[[Ref], Any]


def caller() -> str:
    """file:line of the innermost frame outside this library."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("mpyc_core."):
        if frame.f_globals["__name__"].startswith("mpyc_core.examples"):
            break
        frame = frame.f_back  # type: ignore[assignment]
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


class Backend(ABC):
    """What programs and notebooks call, however the parties run.

    Parameters
    ----------
    names : the parties, in order.
    protocol : name of a registered protocol.
    ring : bits of the ring of numbers; None takes 64, or the protocol's largest without those.
    f : fraction bits of fixed point; None takes the ring's default.
    wrap : makes what the user holds (a secret tensor) from a `Ref`.
    """

    def __init__(
        self, names: Sequence[str], protocol: str, ring: int | None, f: int | None, wrap: Wrap
    ) -> None:
        if len(set(names)) != len(names):
            raise ConfigError(f"party names must differ, got {list(names)}")
        self.names = tuple(names)
        self.protocol = get_protocol(protocol, len(names))
        self.ring: Ring = ring_of(default_ring(self.protocol) if ring is None else ring)
        if self.ring.bits not in self.protocol.rings:
            there = ", ".join(ring_of(bits).name for bits in self.protocol.rings)
            raise ConfigError(
                f"protocol {protocol!r} does not compute in {self.ring.name}, only in {there}; "
                "change ring= or the protocol"
            )
        self.f = fixed.default_f(self.ring) if f is None else f
        self.wrap = wrap
        self.dropped: deque[int] = deque()
        self.crypto_provider: str | None = None
        self._ids = 0
        self._openings: list[Opening] = []
        self._adopted: set[str] = set()

    # -- what each kind of backend brings -----------------------------------------------------
    @abstractmethod
    def submit(self, commands: Sequence[Command]) -> None:
        """Run independent commands together at every party, or send them on their way."""

    @abstractmethod
    def share(self, x: ArrayLike | None, *, owner: str | None = None, f: int | None = None) -> Any:
        """Turn an array into a secret; floats become fixed point, bools bits."""

    @abstractmethod
    def input(self, name: str, *, owner: str, shape: Sequence[int | None] | None = None) -> Any:
        """A secret from what the owner's party offered under `name`."""

    @abstractmethod
    def open(self, ref: Ref, to: int | None) -> Array | None:
        """The opened ring array, where this backend may see it."""

    @abstractmethod
    def adopt(self, protocol: str) -> None:
        """Set a further protocol up among the same parties, for `convert`.

        Raises
        ------
        ConfigError : it does not run with these parties, or lacks its crypto provider.
        PermissionDenied : it promises less than the session, which a driver may not choose.
        """

    @abstractmethod
    def cost(self) -> dict[str, Any]:
        """What was communicated so far: rounds and bytes, by party and operation."""

    @abstractmethod
    def close(self) -> None:
        """End the session."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # -- shared ---------------------------------------------------------------------------------
    @property
    def security(self) -> Security:
        """What this session guarantees, and what it rests on."""
        security = self.protocol.security(len(self.names))
        return replace(security, provider=self.crypto_provider or "")

    def security_of(self, meta: Meta) -> Security:
        """What the parties guarantee about one value: the weakest of all it was shared under."""
        own, n = self.security, len(self.names)
        path = meta.path or ("",)
        return weakest(*(get_protocol(p).security(n) if p else own for p in sorted(path)))

    def protocol_of(self, meta: Meta) -> type[Protocol]:
        """The protocol under which a value is shared."""
        name = meta.path[-1] if meta.path else ""
        return get_protocol(name) if name else self.protocol

    def convert(self, ref: Ref, protocol: str | None = None, ring: int | None = None) -> Ref:
        """The same value shared under another protocol of the same parties, or in another ring.

        Parameters
        ----------
        protocol : its name; None keeps the present one.
        ring : its bits; None keeps the ring where the protocol computes in it, else takes Z/2^64,
            else the protocol's first.

        Raises
        ------
        ConfigError : no such protocol, or not with these parties or this ring.
        """
        meta, command, refs = self._conversion(ref, protocol, ring)
        if meta.path == ref.meta.path and meta.ring is ref.meta.ring:
            return ref
        name = command.params["protocol"]
        if name and name not in self._adopted:
            self.adopt(name)
            self._adopted.add(name)
        self.submit([command])
        return refs

    def _conversion(
        self, ref: Ref, protocol: str | None, ring: int | None
    ) -> tuple[Meta, Command, Ref]:
        now = ref.meta.path[-1] if ref.meta.path else ""
        name = now if protocol is None else "" if protocol == self.protocol.name else protocol
        target = get_protocol(name, len(self.names)) if name else self.protocol
        meta = converted(ref.meta, name, choose_ring(ref.meta, target, ring))
        if meta.ring.bits != ref.meta.ring.bits == 61 and meta.kind != "bit":
            raise ShareError(
                f"numbers over {ref.meta.ring.name} have no bits to convert by; share the data "
                "with ring=127"
            )
        made = self.new_ref(meta)
        params = {"protocol": name, "ring": meta.ring.bits}
        operands = self._operands([ref])
        return meta, Command(CONVERT, operands, (made.id,), params, caller()), made

    def execute(
        self, op: str, inputs: Sequence[Ref | Public], params: Mapping[str, Any] | None = None
    ) -> list[Ref]:
        """Run one registered operation; its results' metas are known at once.

        Raises
        ------
        ShareError : the operands do not fit; nothing was sent and the session stays as it was.
        """
        command, refs = self._command(op, inputs, params or {})
        self.submit([command])
        return refs

    def execute_many(
        self, calls: Sequence[tuple[str, Sequence[Ref | Public], Mapping[str, Any]]]
    ) -> list[list[Ref]]:
        """Run operations that do not need each other's results in the same rounds."""
        made = [self._command(*call) for call in calls]
        if made:
            self.submit([command for command, _ in made])
        return [refs for _, refs in made]

    def _command(
        self, op: str, inputs: Sequence[Ref | Public], params: Mapping[str, Any]
    ) -> tuple[Command, list[Ref]]:
        outputs = get_op(op).metas([x.meta for x in inputs], params)
        refs = [self.new_ref(meta) for meta in outputs]
        ids = tuple(ref.id for ref in refs)
        return Command(op, self._operands(inputs), ids, dict(params), caller()), refs

    def _operands(self, inputs: Sequence[Ref | Public]) -> tuple[Operand, ...]:
        for x in inputs:
            if isinstance(x, Ref) and x.backend is not self:
                raise ShareError(
                    "an operand belongs to another session; use values of one session, or open it "
                    "there and share it here"
                )
        return tuple(x.id if isinstance(x, Ref) else x for x in inputs)

    def new_ref(self, meta: Meta) -> Ref:
        """A handle with the next id."""
        self._ids += 1
        return Ref(self, self._ids, meta)

    def public(self, x: ArrayLike, *, f: int | None = None) -> Any:
        """A value that every party knows, as a share: no message, and no secrecy.

        Parameters
        ----------
        x : floats become fixed point, integers integers, bools bits.
        f : fraction bits; None takes the session's.
        """
        return self.wrap(self.public_ref(x, f=f))

    def public_ref(self, x: ArrayLike, *, f: int | None = None) -> Ref:
        """The handle of `public`."""
        value = encode(x, self.ring, self.f if f is None else f)
        ref = self.new_ref(value.meta.with_(public=False))
        self.submit([Command("embed", (value,), (ref.id,), {}, caller())])
        return ref

    def reveal(self, ref: Ref, *, to: str | None = None, why: str = "") -> Any:
        """Open a value and write it into the list of openings.

        Returns
        -------
        The decoded array where the caller is to see it, None elsewhere.
        """
        target = None if to is None else self.index(to)
        entry = Opening(str(ref.meta), to or self.audience, why, caller())
        opened = self.open(ref, target)
        self._openings.append(entry)
        return None if opened is None else decode(opened, ref.meta)

    audience = "all parties"
    """Who learns a value that is revealed without `to`."""

    def openings(self) -> list[Opening]:
        """Everything that was opened, in order."""
        return list(self._openings)

    def index(self, name: str) -> int:
        """The position of a party, or ConfigError with the names there are."""
        if name not in self.names:
            raise ConfigError(f"no party {name!r}; there are: {', '.join(self.names)}")
        return self.names.index(name)

    def constant(self, x: ArrayLike, like: Meta, *, factor: bool = False) -> Public:
        """A public operand, encoded to go with a secret of meta `like`.

        Floats beside fixed point take its scale; as a `factor`, small ones get more fraction bits,
        so that they keep about `like.f` significant bits.
        """
        array = np.asarray(x)
        if array.dtype == bool:
            if like.kind == "bit":
                return encode(array, like.ring, 0)
            array = array.astype(np.int64)
        if like.kind == "int" and not np.issubdtype(array.dtype, np.integer):
            if factor or array.dtype.kind != "f":
                return encode(array, like.ring, self.f)
            raise ShareError(
                "a float beside secret integers; use .to_fixed() on the tensor or round the number"
            )
        if np.issubdtype(array.dtype, np.integer):
            return encode(array, like.ring, 0)
        return encode(array, like.ring, _factor_bits(array, like) if factor else like.f)


def _factor_bits(factor: Array, like: Meta) -> int:
    """Fraction bits of a public factor: the ring's default, and more if it is small.

    A factor below 1 is given more of them, so that about as many significant bits remain; the
    product's range is what it would be for a factor of 1.
    """
    default = min(like.f, fixed.default_f(like.ring))
    largest = float(np.max(np.abs(factor), initial=0.0))
    if not 0 < largest < 1:
        return default
    spare = int(-np.floor(np.log2(largest))) - 1
    return default + max(0, min(spare, 14, like.ring.width - 2 - 2 * default))


def encode(x: ArrayLike, ring: Ring, f: int) -> Public:
    """A NumPy array as a public value: bools are bits, integers integers, floats fixed point.

    Raises
    ------
    EncodingError : NaN, infinity, complex, text or objects.
    EncodingOverflow : outside the range of ring and scale.
    """
    array = np.asarray(x)
    if array.ndim > MAX_NDIM:
        raise ShapeMismatch(f"expected at most {MAX_NDIM} axes, got {array.ndim}")
    if array.dtype == bool:
        return Public(Meta(array.shape, "bit", ring, public=True), pack(array)[None])
    if np.issubdtype(array.dtype, np.integer) or is_big(array):
        return Public(Meta(array.shape, "int", ring, public=True), ring.from_int(array))
    if np.issubdtype(array.dtype, np.floating):
        meta = Meta(array.shape, "fixed", ring, f, public=True)
        return Public(meta, fixed.encode(array, ring, f))
    raise EncodingError(
        f"expected integers, floats or bools, got {array.dtype}; convert the data first"
    )


def is_big(array: Array) -> bool:
    """Whether these are Python's integers, which may be larger than NumPy's."""
    return array.dtype == object and all(type(v) is int for v in array.flat)


def decode(x: Array, meta: Meta) -> Array:
    """What an opened value means: int32, int64, Python's integers, float64 or bool."""
    if meta.kind == "bit":
        return unpack(x[0], meta.size).reshape(meta.shape).astype(bool)
    if meta.kind == "int":
        return np.asarray(meta.ring.to_int(x))
    return np.asarray(fixed.decode(x, meta.ring, meta.f))


def check_shape(meta: Meta, expected: Sequence[int | None] | None, what: str) -> None:
    """The announced shape fits what the caller expects; None stands for any length."""
    if expected is None:
        return
    fits = len(expected) == meta.ndim and all(
        want is None or want == got for want, got in zip(expected, meta.shape, strict=False)
    )
    if not fits:
        raise ShapeMismatch(f"{what} has shape {meta.shape}, expected {tuple(expected)}")
