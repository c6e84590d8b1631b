"""Losses: mean over the batch, with gradients that never depend on the loss's own value."""

from __future__ import annotations

from typing import Any

from .module import compute
from .tensor import SecretTensor


class Loss:
    """Compares predictions with targets; the result is the mean over the batch.

    The operation computes gradient and value apart, so a training step that does not open its loss
    does not pay for it.
    """

    op: str

    def __call__(self, prediction: Any, target: Any, *, value: bool = True) -> Any:
        """The loss of a batch.

        Parameters
        ----------
        prediction : the model's output, (n, ...).
        target : of the same shape; secret or public.
        value : False leaves the value at 0, which saves its computation; gradients are the same.
        """
        if isinstance(target, SecretTensor):
            target = target.to_fixed()
        return compute(self.op, prediction, target, value=value)


class MSE(Loss):
    """Mean squared error over all elements."""

    op = "mse"


class BCEWithLogits(Loss):
    """Binary cross-entropy of logits, against targets in [0, 1]."""

    op = "bce_with_logits"


class CrossEntropy(Loss):
    """Softmax cross-entropy of logits (n, classes), against one-hot targets or probabilities."""

    op = "cross_entropy"
