"""Randomised response: what comes out, what it says about one person, what about all."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mpyc_core.errors import ConfigError, EncodingError
from mpyc_core.privacy.local import EPSILON, PRICE, estimate, from_share, randomise

from .laws import privacy_loss

N = 100_000


def test_55_percent_yes_say_60_percent_truth() -> None:
    found = from_share(5_500, 10_000)
    assert found.value == pytest.approx(0.6)
    assert 0.58 < found.low < 0.6 < found.high < 0.62


def test_the_truth_comes_back() -> None:
    truth = np.arange(N) < 0.6 * N
    given = randomise(truth)
    assert abs(given.mean() - 0.55) < 5 * math.sqrt(0.25 / N)
    found = estimate(given, 1 - 1e-6)
    assert found.low < 0.6 < found.high
    assert found.high - found.low < 0.04


def test_three_of_four_answers_are_true() -> None:
    for truth in (False, True):
        given = randomise(np.full(N, truth))
        assert abs(int((given == truth).sum()) - 0.75 * N) < 5 * math.sqrt(N * 3 / 16)


def test_an_answer_costs_ln_3() -> None:
    certain, guess = privacy_loss(*(randomise(np.full(N, x)).astype(int) for x in (False, True)))
    assert certain <= EPSILON
    assert guess > 1.0
    assert math.log(3) <= EPSILON < math.log(3) + 1e-14
    assert math.log(3) <= PRICE.epsilon < math.log(3) + 1e-8


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    hits = 0
    for _ in range(300):
        found = estimate(randomise(np.arange(1000) < 300), 0.9)
        hits += found.low <= 0.3 <= found.high
    assert 240 <= hits <= 300


def test_shares_stay_between_0_and_1() -> None:
    assert (from_share(0, 10).value, from_share(10, 10).value) == (0.0, 1.0)


def test_only_truth_values_and_real_counts() -> None:
    with pytest.raises(EncodingError):
        randomise([0.5])
    with pytest.raises(ConfigError):
        from_share(3, 0)
