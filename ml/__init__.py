"""Machine learning on secrets: tensors, gradients, layers, losses, optimisers, training.

Names are imported when they are first used, so that `import mpyc_core.ml` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dispatch import concatenate, stack, where
    from .tape import no_grad
    from .tensor import SecretTensor, apply

_HOMES = {
    "SecretTensor": "tensor",
    "apply": "tensor",
    "concatenate": "dispatch",
    "no_grad": "tape",
    "stack": "dispatch",
    "where": "dispatch",
}

__all__ = ["SecretTensor", "apply", "concatenate", "no_grad", "stack", "where"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
