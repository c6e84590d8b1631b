"""`SecretTensor`: an array that the parties hold and nobody sees, with NumPy's manners.

handle.py      the reference, what is public, what is refused
operators.py   + - * / @ **, comparisons, logic
shaping.py     shape, indexing, sums
functions.py   functions, choices, order, products
dispatch.py    NumPy functions called on secret tensors
tape.py        gradients
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy.typing as npt

from mpyc_core.errors import ShareError
from mpyc_core.protocols.backend import Ref
from mpyc_core.protocols.registry import get_op
from mpyc_core.protocols.security import Security
from mpyc_core.protocols.value import Public

from . import tape
from .functions import Functions
from .handle import Handle
from .plan import Planned


class SecretTensor(Functions):
    """A secret array; made by `share` or `input` of a session, a program or a simulation.

    Immutable: `+=` rebinds the name. Operations run at the parties; shapes are known at once, and
    operands that do not fit raise at the calling line and leave the session as it was.

    Example
    -------
    >>> import mpyc_core as mpc
    >>> with mpc.simulate(3) as s:
    ...     x = s.share([1.5, -2.0])
    ...     (x * x + 1).relu().reveal().tolist()
    [3.25, 5.0]
    """

    __slots__ = ()

    def __init__(self, ref: Ref | Planned) -> None:
        super().__init__(ref)

    def reveal(self, to: str | None = None, why: str = "") -> Any:
        """Open the value; the one way out, and it is written down.

        Parameters
        ----------
        to : the party that is to learn it; None opens it to the caller (in a program: to all).
        why : the reason, for the list of openings.

        Returns
        -------
        The array (int64, float64 or bool) where the caller is to see it, None elsewhere.

        Raises
        ------
        PermissionDenied : a party does not allow it.
        """
        return self.backend.reveal(self._ref, to=to, why=why)  # type: ignore[arg-type]

    # -- protocols --------------------------------------------------------------------------------
    def to(self, protocol: str | None = None, *, ring: int | None = None) -> Self:
        """The same value shared under another protocol among the same parties, or in another ring.

        Nothing is opened: the parties share their terms of the value anew. Operations take operands
        of one protocol and ring. Gradients end here: call `.detach()` first if there are any.

        Parameters
        ----------
        protocol : its name; None keeps the present one.
        ring : its bits; None keeps the ring where the protocol computes in it.

        Raises
        ------
        ConfigError : the protocol does not run with these parties, this ring, or without a dealer.
        PermissionDenied : a driver asks for a protocol that promises less than the session's.
        ShareError : a gradient was to pass.

        Cost: an input from every holder of a term; with another ring the bits of the number.
        Security: the weaker of both protocols, from now on; see `security`.
        Error: exact, for integers that both rings hold.

        Example
        -------
        >>> import mpyc_core as mpc
        >>> with mpc.simulate(3) as s:
        ...     x = s.share([1.5, -2.0]).to("shamir")
        ...     (x * x).to("replicated").reveal().tolist()
        [2.25, 4.0]
        """
        if tape.recording() and (self._origin is not None or self._requires_grad):
            raise ShareError("gradients do not pass from one protocol to another; .detach() first")
        return type(self)(self.backend.convert(self._ref, protocol, ring))  # type: ignore[arg-type]

    @property
    def security(self) -> Security:
        """What the parties guarantee about this value: the weakest of all it was shared under."""
        return self.backend.security_of(self.meta)

    # -- gradients --------------------------------------------------------------------------------
    @property
    def requires_grad(self) -> bool:
        """Whether `backward` leaves a gradient in `.grad`."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value and self.kind != "fixed":
            raise ShareError(f"gradients need fixed point, got {self.kind}; use .to_fixed() first")
        if self._origin is not None:
            raise ShareError("only tensors that no operation made can require a gradient")
        self._requires_grad = bool(value)

    def backward(self, gradient: SecretTensor | npt.ArrayLike | None = None) -> None:
        """Add this tensor's gradient to `.grad` of every tensor that requires one.

        Parameters
        ----------
        gradient : of this tensor, secret or public; 1 when None, which needs one element. A public
            number scales all gradients: what is public is multiplied in float64, at no cost.

        The tape is used up, and what it held is freed on the way.

        Raises
        ------
        ShapeMismatch : no gradient was given for several elements, or one of another shape.
        ShareError : nothing to differentiate, an operation without a gradient, a used-up tape.
        """
        tape.backward(self, gradient)

    def detach(self) -> Self:
        """The same value, unknown to the tape."""
        return type(self)(self._ref)

    # -- NumPy ------------------------------------------------------------------------------------
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from . import dispatch

        return dispatch.ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any
    ) -> Any:
        from . import dispatch

        return dispatch.CLOSED.call(function, args, kwargs)


def apply(op: str, *inputs: Handle | Public, **params: Any) -> Any:
    """Run any registered operation, those of other packages too.

    Parameters
    ----------
    op : its registered name.
    inputs : secret tensors; at least one. Public operands as `backend.constant` gives them.
    params : its public parameters, plain data.

    Returns
    -------
    SecretTensor, or a tuple of them if the operation has several results.
    """
    get_op(op)
    first = next((x for x in inputs if isinstance(x, Handle)), None)
    if first is None:
        raise ShareError(f"operation {op!r} needs a secret tensor among its inputs")
    outputs = first._call(op, inputs, params)
    return outputs[0] if len(outputs) == 1 else tuple(outputs)
