"""`Handle`: what every secret tensor is below its methods: a reference, and what it refuses.

A secret never silently becomes plaintext: everything in Python or NumPy that would need the value
(truth, conversion, hashing, pickling) raises a TypeError that says what to do instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, Self

import numpy as np

from mpyc_core.meta import Kind, Meta
from mpyc_core.protocols.backend import Backend, Ref
from mpyc_core.protocols.value import Public

from . import tape
from .plan import Planned


class Handle:
    """An immutable handle on a value that the parties hold.

    Parameters
    ----------
    ref : the backend's reference.
    """

    __slots__ = ("__weakref__", "_origin", "_ref", "_requires_grad", "grad")
    __array_priority__ = 1000

    def __init__(self, ref: Ref | Planned) -> None:
        self._ref = ref
        self._origin: tape.Origin | None = None
        self._requires_grad = False
        self.grad: Self | None = None

    # -- what is public ---------------------------------------------------------------------
    @property
    def ref(self) -> Any:
        """The backend's reference."""
        return self._ref

    @property
    def backend(self) -> Backend:
        """The session, program or simulation that holds the value."""
        return self._ref.backend  # type: ignore[return-value]

    @property
    def meta(self) -> Meta:
        """Everything that is public about the value."""
        return self._ref.meta

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._ref.meta.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._ref.meta.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._ref.meta.size

    @property
    def kind(self) -> Kind:
        """What the elements are: "int", "fixed" or "bit"."""
        return self._ref.meta.kind

    @property
    def f(self) -> int:
        """Fraction bits; 0 unless fixed point."""
        return self._ref.meta.f

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type that `reveal` gives."""
        meta = self._ref.meta
        if meta.kind == "bit":
            return np.dtype(bool)
        return np.dtype(np.float64) if meta.kind == "fixed" else meta.ring.signed

    def __repr__(self) -> str:
        meta, backend = self.meta, self.backend
        scale = f", f={meta.f}" if meta.kind == "fixed" else ""
        grad = ", requires_grad=True" if self._requires_grad else ""
        return (
            f"{type(self).__name__}(shape={meta.shape}, {meta.kind}, {meta.ring.name}{scale}, "
            f"{backend.protocol.name} among {', '.join(backend.names)}{grad})"
        )

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a secret scalar")
        return self.shape[0]

    # -- calling operations -----------------------------------------------------------------
    def _call(
        self, op: str, inputs: Sequence[Handle | Public], params: Mapping[str, Any]
    ) -> list[Self]:
        """Run an operation on this tensor's backend and note it on the tape."""
        operands: list[Any] = [x if isinstance(x, Public) else x._ref for x in inputs]
        refs = self.backend.execute(op, operands, params)
        outputs = [type(self)(ref) for ref in refs]
        tape.record(op, inputs, outputs, params)
        return outputs

    def _one(self, op: str, *inputs: Handle | Public, **params: Any) -> Self:
        """The first result of an operation."""
        return self._call(op, inputs, params)[0]

    # -- what would need the value -----------------------------------------------------------
    def _refusal(self, what: str, instead: str) -> TypeError:
        return TypeError(f"{what} of a secret tensor would need its value; {instead}")

    def __bool__(self) -> bool:
        raise self._refusal(
            "the truth", "choose with where(condition, x, y), or .reveal() it first"
        )

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self._refusal("a NumPy array", "call .reveal() to open it")

    def __float__(self) -> float:
        raise self._refusal("float()", "call .reveal() to open it")

    def __int__(self) -> int:
        raise self._refusal(
            "int()", "call .reveal() to open it, or .rescale(0) to drop fraction bits"
        )

    def __complex__(self) -> complex:
        raise self._refusal("complex()", "call .reveal() to open it")

    def __index__(self) -> int:
        raise self._refusal("an index", "select with where() or a one-hot product")

    def __hash__(self) -> int:
        raise self._refusal("hash()", "use id(x), or keep tensors in lists or as dict values")

    def __contains__(self, item: object) -> bool:
        raise self._refusal("`in`", "use (x == item).any(), which stays secret")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a secret tensor cannot be pickled or copied: it is a handle on values at the parties; "
            "reveal it, or keep using it in its session"
        )

    def __setitem__(self, key: object, value: object) -> NoReturn:
        raise TypeError(
            "secret tensors are immutable; use where() or concatenate() to make a new one"
        )

    def __iter__(self) -> Iterator[Self]:
        if self.kind == "bit":
            raise self._refusal("iterating over bits", "use .any(), .all() or .to_number()")
        if not self.shape:
            raise TypeError("iteration over a secret scalar")
        return (self._row(i) for i in range(self.shape[0]))

    def _row(self, i: int) -> Self:
        return self._one("index", self, key=[["at", i]])
