"""Noise that a node adds: its law, its price, its privacy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mpyc_core.errors import ConfigError
from mpyc_core.privacy.mechanisms import (
    choose,
    discrete_gaussian,
    discrete_laplace,
    epsilon_for_error,
    gaussian_scale,
    laplace_error,
    laplace_scale,
)

from .laws import ALPHA, chi_square, gaussian, kolmogorov, laplace, privacy_loss

N = 100_000


@pytest.mark.parametrize(("sensitivity", "epsilon"), [(1, 0.5), (3, "1"), (7, 2)])
def test_laplace_noise_has_its_law(sensitivity: int, epsilon: float | str) -> None:
    found = discrete_laplace(np.zeros(N // 2, np.int64), sensitivity, epsilon)
    exact = laplace(sensitivity / float(epsilon))
    assert chi_square(found.values, exact) > ALPHA
    assert kolmogorov(found.values, exact) > ALPHA
    assert found.price.epsilon == float(epsilon)
    assert found.price.delta == 0


def test_another_law_is_found_out() -> None:
    """The tests above can fail: a scale that is 6 % off."""
    found = discrete_laplace(np.zeros(N, np.int64), 100, 1)
    assert (
        kolmogorov(found.values, laplace(106.0)) < ALPHA
        or chi_square(found.values, laplace(106.0)) < ALPHA
    )


def test_gaussian_noise_has_its_law() -> None:
    found = discrete_gaussian(np.zeros(N // 2, np.int64), 9, 1, 1e-6)
    assert chi_square(found.values, gaussian(found.scale)) > ALPHA
    assert found.price.delta == 1e-6


def test_gaussian_scale_is_as_small_as_zcdp_allows() -> None:
    """rho = 1 / (2 sigma^2) and the usual conversion, which OpenDP's improves on."""
    sigma = gaussian_scale(1, 1, 1e-6)
    rho = 1 / (2 * sigma * sigma)
    assert rho + 2 * math.sqrt(rho * math.log(1e6)) >= 1  # the simple bound would not allow it
    larger = 1 / (2 * (1.3 * sigma) ** 2)
    assert larger + 2 * math.sqrt(larger * math.log(1e6)) < 1


def test_the_price_is_kept() -> None:
    """10^5 neighbouring runs, as elements of two vectors."""
    runs = [discrete_laplace(np.full(N, x, np.int64), 4, 0.6).values for x in (0, 4)]
    certain, estimate = privacy_loss(*runs)
    assert certain <= 0.6
    assert estimate > 0.5


def test_too_little_noise_is_found_out() -> None:
    runs = [discrete_laplace(np.full(N, x, np.int64), 2, 0.6).values for x in (0, 4)]
    assert privacy_loss(*runs)[0] > 0.6


def test_scales_pay_for_their_sensitivity() -> None:
    for sensitivity, epsilon in [(1, 0.1), (12345, 1), ((1 << 50) + 1, 3.7), (1, 1e-9)]:
        scale = laplace_scale(sensitivity, epsilon)
        assert sensitivity / epsilon * (1 - 1e-15) <= scale <= sensitivity / epsilon * (1 + 1e-12)


def test_large_values_do_not_saturate() -> None:
    huge = np.array([2**70, -(2**70), 2**63 - 1], object)
    found = discrete_laplace(huge, 1, 1)
    assert all(abs(int(a) - int(b)) < 200 for a, b in zip(found.values, huge, strict=True))


def test_choice_follows_the_scores() -> None:
    """Report noisy max with exponential noise: P(first of two) has a closed form."""
    gap, epsilon, runs = 2, 1.0, 3000
    wins = sum(choose(np.array([gap, 0]), 1, epsilon)[0] == 0 for _ in range(runs))
    exact = 1 - math.exp(-gap * epsilon / 2) / 2
    assert abs(wins - runs * exact) < 5 * math.sqrt(runs * exact * (1 - exact))


def test_an_error_has_a_price() -> None:
    price = epsilon_for_error(100, 1, 0.95)
    scale = laplace_scale(1, price.epsilon)
    assert laplace_error(scale, 0.95) <= 100
    noise = discrete_laplace(np.zeros(N // 5, np.int64), 1, price.epsilon).values
    assert abs(np.mean(np.abs(noise) <= 100) - 0.95) < 0.01


@pytest.mark.parametrize("epsilon", [0, -1, "nan", float("inf")])
def test_no_price_no_release(epsilon: float | str) -> None:
    with pytest.raises(ConfigError):
        discrete_laplace(np.zeros(1, np.int64), 1, epsilon)


def test_sensitivities_are_bounded() -> None:
    with pytest.raises(ConfigError, match="clip"):
        discrete_laplace(np.zeros(1, np.int64), 1 << 60, 1)
