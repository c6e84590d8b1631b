"""Optimisers on secret parameters."""

from __future__ import annotations

from collections.abc import Sequence

from mpyc_core.errors import ConfigError

from .module import Parameter
from .plan import Plan
from .tape import no_grad
from .tensor import SecretTensor


class SGD:
    """Stochastic gradient descent with momentum and weight decay.

    The velocity carries the learning rate, u = momentum * u + rate * (gradient + decay * w), and
    w = w - u: one linear combination, so one truncation, per parameter and step; the truncations
    of all parameters share their rounds.

    Parameters
    ----------
    parameters : of a shared model.
    lr : learning rate; public.
    momentum, weight_decay : 0 switches them off; public.

    Raises
    ------
    ConfigError : no parameters, or coefficients outside their range.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        lr: float,
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        if not parameters:
            raise ConfigError("expected parameters to train, got none")
        if lr <= 0 or not 0 <= momentum < 1 or weight_decay < 0:
            raise ConfigError(
                f"expected lr > 0, 0 <= momentum < 1 and weight_decay >= 0, got {lr}, {momentum}, "
                f"{weight_decay}"
            )
        self.parameters = list(parameters)
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self._velocity: dict[int, SecretTensor] = {}

    def zero_grad(self) -> None:
        """Forget gradients; `step` does so, too."""
        for parameter in self.parameters:
            parameter.tensor.grad = None

    def step(self, scale: float = 1.0) -> None:
        """Update every parameter that has a gradient.

        Parameters
        ----------
        scale : what gradients are to be multiplied by; folded into the learning rate. With
            loss.backward(n) and step(1 / n) gradients keep log2(n) bits more than with a mean.
        """
        moving = [
            (i, p, p.tensor) for i, p in enumerate(self.parameters) if p.tensor.grad is not None
        ]
        if not moving:
            return
        plan = Plan(moving[0][2].backend)
        with no_grad():
            pairs = [self._update(plan, i, w, scale) for i, _, w in moving]
            found = plan.run([t.ref for pair in pairs for t in pair])
        for (i, parameter, _), w, u in zip(moving, found[::2], found[1::2], strict=True):
            if self.momentum:
                self._velocity[i] = SecretTensor(u)
            parameter.update(SecretTensor(w))

    def _update(
        self, plan: Plan, i: int, w: SecretTensor, scale: float
    ) -> tuple[SecretTensor, SecretTensor]:
        """(new weights, new velocity) of one parameter, as part of the plan."""
        terms = [(w.grad, self.lr * scale)]
        if self.weight_decay:
            terms.append((w, self.lr * self.weight_decay))
        if i in self._velocity:
            terms.append((self._velocity[i], self.momentum))
        inputs = [plan.value(t.ref) for t, _ in terms if t is not None]
        (u,) = plan.execute("combine", inputs, {"weights": [c for _, c in terms]})
        velocity = SecretTensor(u)
        return SecretTensor(plan.value(w.ref)) - velocity, velocity
