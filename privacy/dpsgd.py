"""DP-SGD on secret data: gradients of single examples are clipped and made noisy among the parties.

For a linear layer the gradient of one example is the product of its input and of its output's
gradient, so its norm needs no gradient [Goo15]. Output gradients are those of zeros that are added
to each linear layer's output; clipping is the operation `clip_examples`, which enforces its bounds
on the secret values; noise comes from all parties, and counts as far as the honest ones bring it
(`add_party_gaussian`). Nothing is opened: the price is that of the trained model, and of all that
is computed from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpyc_core.errors import ConfigError, ShapeMismatch
from mpyc_core.ml.layers import Flatten, Linear, ReLU, Sigmoid, Tanh
from mpyc_core.ml.losses import Loss
from mpyc_core.ml.module import Module, Parameter, Sequential
from mpyc_core.ml.tape import no_grad
from mpyc_core.ml.tensor import SecretTensor, apply
from mpyc_core.ml.training import batches
from mpyc_core.protocols.ops.clipping import FACTOR_BITS

from .accounting import gaussian_price, noise_for
from .price import Price, Real

Layers = list[tuple[Linear, SecretTensor, SecretTensor]]
"""(layer, its input, the gradient of its output)."""
LOCAL = (ReLU, Sigmoid, Tanh, Flatten)


@dataclass(frozen=True)
class Clip:
    """Bounds of a step.

    Parameters
    ----------
    norm : Euclidean norm to which the gradient of one example is clipped, over all layers.
    inputs : elements of every layer's input are clipped to [-inputs, inputs].
    gradients : elements of every layer's output gradient, likewise.

    Bounds of elements are there so that norms do not wrap; choose them so that they rarely bind.
    """

    norm: float = 1.0
    inputs: float = 8.0
    gradients: float = 2.0


def layers_of(model: Module) -> list[Module]:
    """The layers of a model that DP-SGD can train.

    Raises
    ------
    ConfigError : not a sequence of linear layers and elementwise functions, or one without a bias.
    """
    layers = list(model) if isinstance(model, Sequential) else [model]
    for layer in layers:
        if isinstance(layer, Linear) and layer.bias is not None:
            continue
        if not isinstance(layer, LOCAL):
            raise ConfigError(
                f"DP-SGD trains Linear layers with a bias, with ReLU, Sigmoid, Tanh and Flatten "
                f"between them; got {type(layer).__name__}"
            )
    if not any(isinstance(layer, Linear) for layer in layers):
        raise ConfigError("expected at least one Linear layer to train")
    return layers


def example_gradients(model: Module, x: SecretTensor, y: Any, loss: Loss) -> Layers:
    """Input and output gradient of every linear layer, one row per example.

    Zeros that require a gradient are added to each layer's output; weights require none here.
    """
    found: list[tuple[Linear, SecretTensor, SecretTensor]] = []
    value = x
    for layer in layers_of(model):
        if isinstance(layer, Linear) and layer.bias is not None:
            given = value.detach()
            shape = (given.shape[0], layer.weight.shape[1])
            probe = x.backend.public(np.zeros(shape), f=given.f)
            probe.requires_grad = True
            w, b = layer.weight.tensor.detach(), layer.bias.tensor.detach()
            value = value @ w + b + probe
            found.append((layer, given, probe))
        else:
            value = layer(value)
    total, terms = loss.for_training(value, y, value=False)
    total.backward(terms)
    return [(layer, given, _gradient(probe)) for layer, given, probe in found]


def _gradient(probe: SecretTensor) -> SecretTensor:
    if probe.grad is None:
        raise ConfigError("a layer does not contribute to the loss; leave it out")
    return probe.grad


@dataclass(frozen=True)
class Trained:
    """What a private training cost.

    Parameters
    ----------
    price : of the model and all that is computed from it.
    noise : standard deviation over L2 sensitivity, of the honest parties' parts together.
    steps : number of updates.
    """

    price: Price
    noise: float
    steps: int


def private_fit(
    model: Module,
    x: SecretTensor,
    y: Any,
    *,
    loss: Loss,
    lr: float,
    epsilon: Real,
    delta: Real,
    clip: Clip | None = None,
    epochs: int = 1,
    batch_size: int = 32,
    rows: int = 1,
    rng: Any = None,
    noise: str = "distributed",
    progress: Callable[[int, int], None] | None = None,
) -> Trained:
    """Train a shared model so that its weights are (epsilon, delta)-differentially private.

    Parameters
    ----------
    model : shared; linear layers with elementwise functions between them.
    x, y : one row per example; x secret, y secret or public.
    loss : compares the model's output with the targets.
    lr : learning rate; gradients are averaged over a batch.
    epsilon, delta : what the trained model may cost; the noise follows from them.
    clip : bounds of a step.
    epochs, batch_size, rng : as in `batches`. Batches are public, so more of them cost nothing, and
        epochs do.
    rows : at most how many rows belong to one subject.
    noise : "distributed", the sum of the parties' parts, for semi-honest parties.
    progress : called with (step, number of steps).

    Returns
    -------
    Trained : the price, which is to be charged before anything of the model is opened.

    Raises
    ------
    ConfigError : a model that cannot be trained so, or parameters out of range.
    """
    if noise != "distributed":
        raise ConfigError(f'expected noise="distributed", got {noise!r}')
    if len(y) != len(x) or rows < 1 or epochs < 1 or batch_size < 1 or lr <= 0:
        raise ShapeMismatch(
            f"expected as many targets as rows and positive numbers, got {len(x)} rows, "
            f"{len(y)} targets, rows={rows}, epochs={epochs}, batch_size={batch_size}, lr={lr}"
        )
    layers_of(model)
    if any(parameter.secret is False for parameter in model.parameters()):
        raise ConfigError("the model holds plain NumPy weights; call model.share(session) first")
    # A subject with several rows: each is clipped, and all may fall into one batch.
    multiplier = noise_for(epsilon, epochs, delta)
    bounds = clip or Clip()
    total = epochs * -(-len(x) // batch_size)
    for step, chosen in enumerate(batches(len(x), batch_size, epochs, rng), 1):
        found = example_gradients(model, x[chosen], y[chosen], loss)
        _update(found, bounds, multiplier * rows, lr)
        if progress is not None:
            progress(step, total)
    return Trained(gaussian_price(multiplier, epochs, delta), multiplier, total)


def _update(found: Layers, clip: Clip, noise: float, lr: float) -> None:
    """Clip, add noise, and move the weights; noise is relative to what one row changes."""
    f = found[0][1].f
    unit = 1 << f
    bound = math.floor(clip.norm * unit)
    reach = [math.floor(r * unit) for _ in found for r in (clip.inputs, clip.gradients)]
    inputs = [t for _, given, d in found for t in (given, d)]
    count = inputs[0].shape[0]
    with no_grad():
        sums = apply("clip_examples", *inputs, bound=bound, reach=reach)
        sensitivity = 2.0 * bound * 2.0 ** (f + FACTOR_BITS)
        noisy = apply("add_party_gaussian", *sums, sigma=noise * sensitivity * (1 + 2.0**-40))
        for i, (layer, _, _) in enumerate(found):
            _move(layer.weight, noisy[2 * i], lr / count, f)
            if layer.bias is not None:
                _move(layer.bias, noisy[2 * i + 1], lr / count, f)


def _move(parameter: Parameter, gradient: SecretTensor, rate: float, f: int) -> None:
    w = parameter.tensor.detach()
    parameter.update(w - gradient.rescale(f).mul(rate))
