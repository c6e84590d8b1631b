"""Noise made by the parties under the other protocols: its law, and what a cheater can do."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.ml import SecretTensor, apply
from mpyc_core.protocols.cheating import WAYS, Tamper

from ..active.programs import INTS, Program, judge, play
from .laws import ALPHA, chi_square, kolmogorov, laplace


@pytest.mark.parametrize(
    ("protocol", "n"), [("additive", 20_000), ("replicated-active", 5000), ("spdz2k", 1500)]
)
def test_noise_has_its_law(protocol: str, n: int) -> None:
    with mpc.simulate(3, protocol=protocol) as s:
        x = s.share(np.full(n, 5, np.int64))
        found = apply("add_discrete_laplace", x, sensitivity=1, epsilon=[1, 2]).reveal() - 5
    assert chi_square(found, laplace(2.0)) > ALPHA
    assert kolmogorov(found, laplace(2.0)) > ALPHA
    assert chi_square(found, laplace(2.7)) < ALPHA  # the test can fail


def noised(x: Any) -> Any:
    """Noise that is 0 but with a probability of 10^-16, made by the whole circuit."""
    if not isinstance(x, SecretTensor):
        return x
    return apply("add_discrete_laplace", x, sensitivity=1, epsilon=[40, 1])


def test_every_message_of_the_noise_is_verified() -> None:
    """A party that tampers with a message stops the run, or changes nothing: no AND of the circuit
    gives a wrong digit unnoticed, so nobody can make the noise smaller."""
    program, ended = Program((INTS,), noised), Counter[str]()
    honest = Tamper("party1", 10**9)
    assert judge(program, honest, play(program, honest)) == []
    for i in range(honest.sent):
        cheat = Tamper("party1", i, WAYS[i % len(WAYS)], consistent=i % 2 == 0)  # type: ignore[arg-type]
        ran = play(program, cheat)
        assert judge(program, cheat, ran) == [], (i, cheat.target)
        ended[type(ran.error).__name__ if ran.error else "right"] += 1
    print(f"{sum(ended.values())} tampered runs: {dict(ended)}")
    assert sum(ended.values()) - ended["right"] > honest.sent // 2
