"""Messages of a training step of a small network are tampered with."""

from __future__ import annotations

import random
import secrets
from collections import Counter
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


def step(cheat: Tamper | None, protocol: str = "replicated-active", n: int = 3) -> list[Any]:
    """One step of a 4-3-2 network with squared loss; the data belong to an honest party."""
    options: dict[str, Any] = {} if cheat is None else {"cheat": cheat}
    with mpc.simulate(n, protocol=protocol, **options) as s:
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


def sweep(protocol: str, n: int, count: int | None) -> str:
    """Tamper with so many sampled messages of parties that own no data, or with all of one."""
    messages = []
    for party in [f"party{i}" for i in range(1, n if count else 2)]:
        counting = Tamper(party, 10**9)
        for got, want in zip(step(counting, protocol, n), plain(), strict=True):
            np.testing.assert_allclose(got, want, atol=1e-3)
        messages += [(party, i) for i in range(counting.sent)]
    seed = secrets.randbits(32)
    chooser = random.Random(seed)
    chosen = messages if count is None else [chooser.choice(messages) for _ in range(count)]
    ended: Counter[str] = Counter()
    for party, message in chosen:
        how = chooser.choice(WAYS)
        cheat = Tamper(party, message, how, consistent=chooser.random() < 0.5)
        try:
            for got, want in zip(step(cheat, protocol, n), plain(), strict=True):
                np.testing.assert_allclose(got, want, atol=1e-3)
            ended["right"] += 1
        except MpcError as error:
            assert len(error.message) > 20
            ended[type(error).__name__] += 1
        for outcome in cheat.outcomes.values():
            for got, want in zip(outcome.opened, plain(), strict=False):
                off = got.view(np.int64) / 2.0**16 - want
                assert np.max(np.abs(off)) < 1e-3, (seed, party, message, how, cheat.target)
    return (
        f"{protocol}, {n} parties, seed {seed}: {len(chosen)} tampered runs of {len(messages)} "
        f"messages: {dict(ended)}"
    )


PLACES = [("replicated-active", 3), ("spdz2k", 2), ("spdz2k", 3), ("spdz2k", 5)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("protocol", "n"), PLACES[:3])
def test_sampled_messages(protocol: str, n: int) -> None:
    print(sweep(protocol, n, 100))


@pytest.mark.full
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(("protocol", "n"), PLACES)
def test_three_hundred_messages(protocol: str, n: int) -> None:
    print(sweep(protocol, n, 300))


@pytest.mark.full
@pytest.mark.timeout(10000)
@pytest.mark.parametrize(("protocol", "n"), PLACES)
def test_every_message(protocol: str, n: int) -> None:
    print(sweep(protocol, n, None))
