"""The closed set of operations that a node carries out, each with a schema.

An operation is known by name. Its parameters have types, its result's type and shape are inferred
before it runs, at the caller and again at the node. Nothing that an operation says may depend on
values: those whose errors would (integer powers of secret exponents, inverses of matrices, indices
that are data) are not among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpyc_core.errors import FrameError, MpcError, ShapeMismatch

from .spec import Array, Spec, checked

Params = Mapping[str, Any]
Check = Callable[[Any], bool]
Infer = Callable[[Sequence[Spec], Params], Spec]
Run = Callable[[Sequence[Array], Params], Any]
MAX_OPERANDS = 256


@dataclass(frozen=True)
class Op:
    """One operation.

    Parameters
    ----------
    name : by which it is asked for.
    arity : number of operands; None takes 1 to 256.
    params : what each parameter must be; all must be given, and nothing else.
    infer : type and shape of the result, from those of the operands.
    run : the operation on arrays.
    """

    name: str
    arity: int | None
    params: Mapping[str, Check]
    infer: Infer
    run: Run

    def spec(self, operands: Sequence[Spec], params: Params) -> Spec:
        """Type and shape of the result.

        Raises
        ------
        FrameError : not the operands or parameters of this operation.
        ShapeMismatch : operands that do not fit together.
        """
        fits = len(operands) == self.arity
        if self.arity is None:
            fits = 1 <= len(operands) <= MAX_OPERANDS
        if not fits:
            raise FrameError(f"{self.name} does not take {len(operands)} operands")
        if set(params) != set(self.params):
            wanted = ", ".join(self.params) or "none"
            raise FrameError(f"{self.name} takes the parameters {wanted}, and all of them")
        for key, check in self.params.items():
            if not check(params[key]):
                raise FrameError(f"{self.name} does not take this value as parameter {key}")
        try:
            return checked(self.infer(operands, params))
        except MpcError:
            raise
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            # from types, shapes and public parameters alone: no array has been touched yet
            raise ShapeMismatch(f"{self.name}: {error}") from None

    def __call__(self, operands: Sequence[Array], params: Params) -> Array:
        """Carry it out; the result is read-only.

        Raises
        ------
        MpcError : it failed; the message is the same whatever the values are.
        """
        expected = self.spec([Spec.of(x) for x in operands], params)
        try:
            with np.errstate(all="ignore"):
                found = np.asarray(self.run(operands, params))
        except Exception:
            raise MpcError(f"{self.name} failed at the node") from None
        if Spec.of(found) != expected:
            raise MpcError(
                f"{self.name} made {found.dtype} {found.shape} where {expected.dtype} "
                f"{expected.shape} was expected; please report it"
            )
        result = np.ascontiguousarray(found).reshape(found.shape)
        result.flags.writeable = False
        return result


OPS: dict[str, Op] = {}


def register(name: str, arity: int | None, infer: Infer, run: Run, **params: Check) -> None:
    """Add an operation to the set."""
    if name in OPS:
        raise ValueError(f"there is an operation {name!r} already")
    OPS[name] = Op(name, arity, params, infer, run)


def get_op(name: object) -> Op:
    """The operation of a name.

    Raises
    ------
    FrameError : there is none; nodes do nothing that is not in the set.
    """
    _load()
    found = OPS.get(name) if isinstance(name, str) else None
    if found is None:
        raise FrameError("unknown operation; nodes carry out a closed set of operations only")
    return found


def names() -> tuple[str, ...]:
    """All operations."""
    _load()
    return tuple(OPS)


def _load() -> None:
    """The files that register operations."""
    from . import elementwise, moving, reductions, statistics  # noqa: F401
