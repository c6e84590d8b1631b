"""What is public about a secret value: its shape, kind, ring and scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from .errors import ConfigError
from .ring import Ring, ring

Kind = Literal["int", "fixed", "bit"]
MAX_NDIM = 8


@dataclass(frozen=True)
class Meta:
    """The public description of a value; every party and the driver know it.

    Parameters
    ----------
    shape : the logical shape of the tensor.
    kind : "int" (ring elements as signed integers), "fixed" (two's-complement fixed point) or
        "bit" (truth values, shared by XOR, stored packed).
    ring : the ring of arithmetic shares; for bits, the ring they convert to.
    f : fraction bits; 0 unless `kind` is "fixed".
    public : whether the value itself is public (a constant operand), not only its description.
    label : opaque to everything below the grid; joined whenever values meet.
    path : protocols under which the value was shared, the last is the present one and "" stands
        for the session's own; empty for a value that was never converted. Opaque here.
    """

    shape: tuple[int, ...]
    kind: Kind
    ring: Ring
    f: int = 0
    public: bool = False
    label: frozenset[str] = frozenset()
    path: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def with_(self, **changes: Any) -> Meta:
        """A copy with some fields changed."""
        fields = self.__dict__
        if not changes.keys() <= fields.keys():
            raise TypeError(f"a meta has no {', '.join(changes.keys() - fields.keys())}")
        made = object.__new__(Meta)  # several times faster than dataclasses.replace
        made.__dict__.update(fields)
        made.__dict__.update(changes)
        return made

    def __str__(self) -> str:
        scale = f", {self.f} fraction bits" if self.kind == "fixed" else ""
        return f"{self.kind} {self.shape} over {self.ring.name}{scale}"

    def to_wire(self) -> list[Any]:
        """Plain data, in a fixed order; also what programs are hashed by."""
        return [
            list(self.shape),
            self.kind,
            self.ring.bits,
            self.f,
            self.public,
            sorted(self.label),
            list(self.path),
        ]

    @classmethod
    def from_wire(cls, data: list[Any]) -> Meta:
        """Rebuild from `to_wire`, checked: it may come from another process."""
        shape, kind, bits, f, public, label, path = data
        if kind not in ("int", "fixed", "bit"):
            raise ConfigError(f"expected a kind of int, fixed or bit, got {kind!r}")
        dims = tuple(int(d) for d in shape)
        if len(dims) > MAX_NDIM or any(d < 0 for d in dims):
            raise ConfigError(f"expected at most {MAX_NDIM} axes of size 0 or more, got {dims}")
        labels, names = frozenset(map(str, label)), tuple(map(str, path))
        return cls(dims, kind, ring(int(bits)), int(f), bool(public), labels, names)
