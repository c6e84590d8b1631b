"""Messages of a training step of a small network are tampered with."""

from __future__ import annotations

import random
import secrets
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import MpcError
from mpyc_core.protocols.cheating import WAYS, Tamper

X = np.array([[0.5, -1.0, 2.0, 0.25], [1.5, 0.0, -0.5, 1.0]])
T = np.array([[1.0, 0.0], [0.0, 1.0]])
W1 = np.linspace(-1, 1, 12).reshape(4, 3)
W2 = np.linspace(-0.5, 1, 6).reshape(3, 2)


def step(cheat: Tamper | None) -> list[Any]:
    """One step of a 4-3-2 network with squared loss; the data belong to the honest parties."""
    options: dict[str, Any] = {} if cheat is None else {"cheat": cheat}
    with mpc.simulate(3, security="active", **options) as s:
        x, t = s.share(X, owner="party0"), s.share(T, owner="party0")
        w1, w2 = s.share(W1, owner="party0"), s.share(W2, owner="party0")
        hidden = (x @ w1).relu()
        wrong = hidden @ w2 - t
        g2 = hidden.T @ wrong
        back = (wrong @ w2.T) * (hidden > 0).to_number()
        g1 = x.T @ back
        return [(w1 - g1 * 0.25).reveal(), (w2 - g2 * 0.25).reveal()]


def plain() -> list[Any]:
    hidden = np.maximum(X @ W1, 0)
    wrong = hidden @ W2 - T
    back = (wrong @ W2.T) * (hidden > 0)
    return [W1 - X.T @ back * 0.25, W2 - hidden.T @ wrong * 0.25]


def sweep(count: int | None) -> str:
    """Tamper with that many sampled messages, or with all."""
    counting = Tamper("party1", 10**9)
    for got, want in zip(step(counting), plain(), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-3)
    messages = list(range(counting.sent))
    seed = secrets.randbits(32)
    chooser = random.Random(seed)
    chosen = messages if count is None else [chooser.choice(messages) for _ in range(count)]
    right = 0
    for message in chosen:
        how = chooser.choice(WAYS)
        cheat = Tamper("party1", message, how, consistent=chooser.random() < 0.5)
        try:
            for got, want in zip(step(cheat), plain(), strict=True):
                np.testing.assert_allclose(got, want, atol=1e-3)
            right += 1
        except MpcError as error:
            assert error.message
        for outcome in cheat.outcomes.values():
            for got, want in zip(outcome.opened, plain(), strict=False):
                off = got.view(np.int64) / 2.0**16 - want
                assert np.max(np.abs(off)) < 1e-3, (seed, message, how, cheat.target)
    return f"seed {seed}: {len(chosen)} tampered runs of {len(messages)} messages, {right} right"


def test_sampled_messages() -> None:
    print(sweep(12))


@pytest.mark.full
@pytest.mark.timeout(3000)
def test_three_hundred_messages() -> None:
    print(sweep(300))


@pytest.mark.full
@pytest.mark.timeout(10000)
def test_every_message() -> None:
    print(sweep(None))
