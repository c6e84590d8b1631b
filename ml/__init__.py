"""Machine learning on secrets: tensors, gradients, layers, losses, optimisers, training.

Names are imported when they are first used, so that `import mpyc_core.ml` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dispatch import concatenate, stack, where
    from .layers import AvgPool2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sigmoid, Tanh
    from .losses import MSE, BCEWithLogits, CrossEntropy, Loss
    from .module import Module, Parameter, Sequential
    from .optim import SGD
    from .tape import no_grad
    from .tensor import SecretTensor, apply
    from .training import batches, fit, predict

_HOMES = {
    "dispatch": ("concatenate", "stack", "where"),
    "layers": ("AvgPool2d", "Conv2d", "Flatten", "Linear", "MaxPool2d", "ReLU", "Sigmoid", "Tanh"),
    "losses": ("BCEWithLogits", "CrossEntropy", "Loss", "MSE"),
    "module": ("Module", "Parameter", "Sequential"),
    "optim": ("SGD",),
    "tape": ("no_grad",),
    "tensor": ("SecretTensor", "apply"),
    "training": ("batches", "fit", "predict"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "MSE",
    "SGD",
    "AvgPool2d",
    "BCEWithLogits",
    "Conv2d",
    "CrossEntropy",
    "Flatten",
    "Linear",
    "Loss",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "SecretTensor",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "apply",
    "batches",
    "concatenate",
    "fit",
    "no_grad",
    "predict",
    "stack",
    "where",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
