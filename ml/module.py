"""Modules: one definition that runs on NumPy floats and on secret tensors.

A new layer holds NumPy arrays drawn from the caller's generator, so a model computes in plaintext
until `share` makes a secret twin of it. Both run the same code: an operation on NumPy arrays is the
oracle that its registry entry names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ConfigError, ShapeMismatch
from mpyc_core.protocols.backend import Backend
from mpyc_core.protocols.bilinear import BILINEAR
from mpyc_core.protocols.registry import get_op

from . import operands
from .tensor import SecretTensor

Array = npt.NDArray[np.float64]
Value = SecretTensor | Array


def compute(op: str, *inputs: Any, **params: Any) -> Any:
    """The first result of a registered operation, on secret tensors or on NumPy arrays."""
    secret = next((x for x in inputs if isinstance(x, SecretTensor)), None)
    if secret is None:
        found = get_op(op).oracle(*inputs, **params)
        return found[0] if isinstance(found, tuple) else found
    encode = operands.factor if op in BILINEAR else operands.term
    given = [
        x
        if isinstance(x, SecretTensor)
        else encode(secret.backend, np.asarray(x, np.float64), secret.meta)
        for x in inputs
    ]
    return secret._one(op, *given, **params)


class Parameter:
    """A cell for one trained array, because tensors are immutable and training rebinds them.

    Parameters
    ----------
    value : a NumPy array, or a secret tensor once the model is shared.
    """

    def __init__(self, value: Value) -> None:
        self.value = value

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self.value.shape

    @property
    def secret(self) -> bool:
        """Whether the value is a secret tensor."""
        return isinstance(self.value, SecretTensor)

    @property
    def tensor(self) -> SecretTensor:
        """The secret value, or ConfigError before the model is shared."""
        if not isinstance(self.value, SecretTensor):
            raise ConfigError(
                "the model holds plain NumPy weights; call model.share(session) first"
            )
        return self.value

    def update(self, value: SecretTensor) -> None:
        """Rebind to a new secret value, which gathers gradients from now on."""
        value.requires_grad = True
        self.value = value

    def __repr__(self) -> str:
        return f"Parameter({self.value!r})" if self.secret else f"Parameter(shape={self.shape})"


class Module(ABC):
    """A layer or a network. Subclasses keep `Parameter`s and other modules as attributes."""

    @abstractmethod
    def forward(self, x: Any) -> Any:
        """The output for a batch `x`."""

    def __call__(self, x: Any) -> Any:
        return self.forward(x)

    def then(self, following: Module, x: Any) -> Any:
        """What this module and the following one make of `x`, or None: they are no cheaper as one.

        Parameters
        ----------
        following : the next module of a `Sequential`.
        """
        del following, x

    def children(self) -> Iterator[tuple[str, Module]]:
        """Modules that are attributes of this one, by name."""
        return ((k, v) for k, v in vars(self).items() if isinstance(v, Module))

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """All parameters with names like "layers.0.weight", in a fixed order."""
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield prefix + name, value
        for name, child in self.children():
            yield from child.named_parameters(f"{prefix}{name}.")

    def parameters(self) -> list[Parameter]:
        """All parameters, for an optimiser."""
        return [parameter for _, parameter in self.named_parameters()]

    def share(self, backend: Backend, *, owner: str | None = None, public: bool = False) -> Self:
        """A secret twin of this model; this one keeps its NumPy arrays.

        Parameters
        ----------
        backend : the session, program or simulation that is to hold the weights.
        owner : the party whose weights count; the others pass a model of the same shape. None: the
            driver's (in a program, the first party's).
        public : the weights are public, like a first random initialisation: embedded without a
            message, known to every party until the first update.

        Raises
        ------
        ConfigError : both `owner` and `public`, or the model is shared already.
        """
        if public and owner is not None:
            raise ConfigError("public weights have no owner; pass owner= or public=True, not both")

        def shared(parameter: Parameter) -> Parameter:
            if parameter.secret:
                raise ConfigError("the model is shared already; share the plaintext model")
            value = np.asarray(parameter.value, np.float64)
            secret = backend.public(value) if public else backend.share(value, owner=owner)
            twin = Parameter(secret)
            twin.update(secret)
            return twin

        return self._map(shared)

    def reveal(self, *, why: str = "") -> Self:
        """A plaintext twin of a shared model; every weight is opened."""
        return self._map(lambda p: Parameter(p.tensor.reveal(why=why)))

    def _map(self, fn: Any) -> Self:
        twin = object.__new__(type(self))
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                value = fn(value)
            elif isinstance(value, Module):
                value = value._map(fn)
            setattr(twin, name, value)
        return twin

    def state_dict(self, *, reveal: bool = False) -> dict[str, Value]:
        """Parameters by name.

        Parameters
        ----------
        reveal : open secret values; otherwise they stay secret tensors.
        """
        return {
            name: p.value.reveal(why=name)
            if reveal and isinstance(p.value, SecretTensor)
            else p.value
            for name, p in self.named_parameters()
        }

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Replace the NumPy arrays of a model that is not shared yet.

        Raises
        ------
        ConfigError : names are missing or unknown, or the model is shared.
        ShapeMismatch : an array has another shape than the parameter.
        """
        own = dict(self.named_parameters())
        if set(own) != set(state):
            missing, unknown = sorted(set(own) - set(state)), sorted(set(state) - set(own))
            raise ConfigError(f"the state lacks {missing} and has unknown {unknown}")
        loaded = {name: np.asarray(value, np.float64) for name, value in state.items()}
        for name, array in loaded.items():
            if own[name].secret:
                raise ConfigError("the model is shared; load weights first, then share it")
            if array.shape != own[name].shape:
                raise ShapeMismatch(f"{name} has shape {own[name].shape}, got {array.shape}")
        for name, array in loaded.items():
            own[name].value = array


class Sequential(Module):
    """Modules one after the other."""

    def __init__(self, *layers: Module) -> None:
        self._length = len(layers)
        for i, layer in enumerate(layers):
            setattr(self, str(i), layer)

    def children(self) -> Iterator[tuple[str, Module]]:
        return ((str(i), getattr(self, str(i))) for i in range(self._length))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, i: int) -> Module:
        layer: Module = getattr(self, str(range(self._length)[i]))
        return layer

    def __iter__(self) -> Iterator[Module]:
        return (layer for _, layer in self.children())

    def forward(self, x: Any) -> Any:
        layers = list(self)
        while layers:
            layer = layers.pop(0)
            both = layer.then(layers[0], x) if layers else None
            if both is not None:
                del layers[0]
            x = layer(x) if both is None else both
        return x
