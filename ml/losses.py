"""Losses: mean over the batch, with gradients that never depend on the loss's own value."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .module import compute
from .tensor import SecretTensor


class Loss:
    """Compares predictions with targets; the result is the mean over the batch.

    The operation computes gradient and value apart, so a training step that does not open its loss
    does not pay for it.

    Parameters
    ----------
    bits : a promise that the logits (for cross-entropy, their differences) lie in
        [-2^(bits-1), 2^(bits-1)) in units of the last place; fewer bits cost fewer bytes.
    """

    op: ClassVar[str]

    def __init__(self, *, bits: int | None = None) -> None:
        self._params = {} if bits is None else {"bits": bits}

    def __call__(self, prediction: Any, target: Any, *, value: bool = True) -> Any:
        """The loss of a batch.

        Parameters
        ----------
        prediction : the model's output, (n, ...).
        target : of the same shape; secret or public.
        value : False leaves the value at 0, which saves its computation; gradients are the same.
        """
        return self._compute(prediction, target, value=value)

    def _compute(self, prediction: Any, target: Any, **params: Any) -> Any:
        return compute(self.op, prediction, target, **params, **self._params)

    def for_training(self, prediction: Any, target: Any, *, value: bool) -> tuple[Any, int]:
        """The loss of a batch, and what its gradients are best scaled by: the number of terms.

        A mean divides gradients by their number, which in fixed point rounds log2 of it bits away.
        `loss.backward(terms)` and `optimiser.step(1 / terms)` put the division into the step.
        """
        return self(prediction, target, value=value), prediction.shape[0]


class _Fused(Loss):
    """A loss whose operation leaves the division of its gradient to the step."""

    def for_training(self, prediction: Any, target: Any, *, value: bool) -> tuple[Any, int]:
        found = self._compute(prediction, target, value=value, summed=True)
        return found, self._terms(prediction.shape)

    def _terms(self, shape: tuple[int, ...]) -> int:
        return math.prod(shape)


class MSE(_Fused):
    """Mean squared error over all elements."""

    op = "mse"

    def __init__(self) -> None:
        super().__init__()

    def _compute(self, prediction: Any, target: Any, **params: Any) -> Any:
        if isinstance(target, SecretTensor):
            target = target.to_fixed()
        return super()._compute(prediction, target, **params)


class BCEWithLogits(_Fused):
    """Binary cross-entropy of logits, against targets in [0, 1]."""

    op = "bce_with_logits"


class CrossEntropy(_Fused):
    """Softmax cross-entropy of logits (n, classes).

    Targets are one-hot rows (numbers or bits), or probabilities that sum to 1.
    """

    op = "cross_entropy"

    def _terms(self, shape: tuple[int, ...]) -> int:
        return math.prod(shape[:-1])
