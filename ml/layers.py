"""Layers. Shapes are those of the usual libraries: (n, features) and (n, channels, h, w)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.random import Generator

from mpyc_core.errors import ConfigError, ShapeMismatch

from .module import Array, Module, Parameter, Sequential, compute
from .tape import recording

__all__ = [
    "AvgPool2d",
    "Conv2d",
    "Flatten",
    "Linear",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
]


def he(rng: Generator, shape: tuple[int, ...], fan_in: int) -> Array:
    """He initialisation: normal with variance 2 / fan_in [HZRS15, section 2.2]."""
    return rng.normal(0.0, math.sqrt(2.0 / fan_in), shape)


def glorot(rng: Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Array:
    """Glorot initialisation: uniform with variance 2 / (fan_in + fan_out) [GB10, equation 16]."""
    bound = math.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, shape)


def initial(kind: str, rng: Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Array:
    """First weights of a layer, "he" (before ReLU) or "glorot" (before sigmoid and tanh)."""
    if kind == "he":
        return he(rng, shape, fan_in)
    if kind == "glorot":
        return glorot(rng, shape, fan_in, fan_out)
    raise ConfigError(f'expected init "he" or "glorot", got {kind!r}')


class Linear(Module):
    """x @ weight + bias, for x of shape (..., inputs).

    Parameters
    ----------
    inputs, outputs : numbers of features.
    bias : whether to add one.
    rng : draws the first weights; they are public when the model is shared as such.
    init : "he" or "glorot".
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        bias: bool = True,
        *,
        rng: Generator,
        init: str = "he",
    ) -> None:
        self.weight = Parameter(initial(init, rng, (inputs, outputs), inputs, outputs))
        self.bias = Parameter(np.zeros(outputs)) if bias else None

    def forward(self, x: Any) -> Any:
        y = x @ self.weight.value
        return y if self.bias is None else y + self.bias.value


class ReLU(Module):
    """max(x, 0).

    Parameters
    ----------
    bits : a promise that inputs lie in [-2^(bits-1), 2^(bits-1)) in units of the last place; the
        comparison then costs about bits/k of its bytes.
    """

    def __init__(self, bits: int | None = None) -> None:
        self.bits = bits

    def forward(self, x: Any) -> Any:
        return compute("relu", x, **({} if self.bits is None else {"bits": self.bits}))


class Sigmoid(Module):
    """1 / (1 + e^-x)."""

    def forward(self, x: Any) -> Any:
        return compute("sigmoid", x)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x: Any) -> Any:
        return compute("tanh", x)


class Flatten(Module):
    """All axes after the first become one."""

    def forward(self, x: Any) -> Any:
        return x.reshape(len(x), -1)


class Conv2d(Module):
    """Cross-correlation with a bank of square filters; traffic depends on the output's size alone.

    Parameters
    ----------
    inputs, outputs : channels.
    kernel : side of the filters.
    stride, padding : as usual; padding adds zeros.
    bias : whether to add one per output channel.
    rng : draws the first filters.
    init : "he" or "glorot".
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        *,
        rng: Generator,
        init: str = "he",
    ) -> None:
        area = kernel * kernel
        shape = (outputs, inputs, kernel, kernel)
        self.weight = Parameter(initial(init, rng, shape, inputs * area, outputs * area))
        self.bias = Parameter(np.zeros(outputs)) if bias else None
        self.stride = stride
        self.padding = padding

    def forward(self, x: Any) -> Any:
        y = compute("conv2d", x, self.weight.value, stride=self.stride, padding=self.padding)
        return y if self.bias is None else y + self.bias.value.reshape(-1, 1, 1)


def windows(x: Any, kernel: int, stride: int) -> Any:
    """All pooling windows: (n, c, h, w) becomes (kernel * kernel, n, c, h', w'); local.

    Rows and columns that fill no window are left out.
    """
    if x.ndim != 4 or min(x.shape[2:]) < kernel:
        raise ShapeMismatch(f"expected images (n, c, h, w) of at least {kernel}^2, got {x.shape}")
    h, w = ((d - kernel) // stride + 1 for d in x.shape[2:])
    if kernel == stride:
        n, c = x.shape[:2]
        tiles = x[:, :, : h * kernel, : w * kernel].reshape(n, c, h, kernel, w, kernel)
        return tiles.transpose(3, 5, 0, 1, 2, 4).reshape(kernel * kernel, n, c, h, w)
    inside = np.arange(kernel * kernel)[:, None, None]
    rows = np.arange(h)[:, None] * stride + inside // kernel
    columns = np.arange(w) * stride + inside % kernel
    return x[:, :, rows, columns].transpose(2, 0, 1, 3, 4)


class _Pool2d(Module):
    """Common part of pooling layers.

    Parameters
    ----------
    kernel : side of a window.
    stride : step between windows; the kernel's side when None.
    """

    def __init__(self, kernel: int, stride: int | None = None) -> None:
        if kernel < 1 or (stride is not None and stride < 1):
            raise ConfigError(f"expected kernel and stride of 1 or more, got {kernel}, {stride}")
        self.kernel = kernel
        self.stride = kernel if stride is None else stride


class MaxPool2d(_Pool2d):
    """The largest element of each window, by a tree of comparisons.

    ReLU and maximum commute: put ReLU after the pooling and it compares kernel^2 times fewer
    elements, for the same result. In inference a `Sequential` then runs both as one operation.

    Parameters
    ----------
    kernel : side of a window.
    stride : step between windows; the kernel's side when None.
    bits : as in `ReLU`, for differences of elements.
    """

    def __init__(self, kernel: int, stride: int | None = None, bits: int | None = None) -> None:
        super().__init__(kernel, stride)
        self.bits = bits

    def forward(self, x: Any) -> Any:
        params = {} if self.bits is None else {"bits": self.bits}
        op = "max" if recording() else "largest"
        return compute(op, windows(x, self.kernel, self.stride), axis=0, keepdims=False, **params)

    def then(self, following: Module, x: Any) -> Any:
        """ReLU of the largest elements is the largest of them and 0: no further comparison."""
        if recording() or not isinstance(following, ReLU):
            return None
        wide = (self.bits, following.bits)
        params = {} if None in wide else {"bits": max(b or 0 for b in wide)}
        rows = windows(x, self.kernel, self.stride)
        return compute("largest", rows, axis=0, keepdims=False, initial=0, **params)


class AvgPool2d(_Pool2d):
    """The mean of each window: a local sum and one truncation."""

    def forward(self, x: Any) -> Any:
        total = windows(x, self.kernel, self.stride).sum(axis=0)
        return total * (1.0 / self.kernel**2)
