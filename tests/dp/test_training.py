"""Training under differential privacy: clipping, noise, accounting, and what is learned."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

import mpyc_core as mpc
from mpyc_core.errors import ConfigError, ShapeMismatch, ShareError
from mpyc_core.ml import BCEWithLogits, Conv2d, Linear, ReLU, Sequential, apply
from mpyc_core.privacy.accounting import gaussian_price, noise_for
from mpyc_core.privacy.dpsgd import Clip, example_gradients, private_fit
from mpyc_core.privacy.regression import UNIT, clipped_sum, private_regression
from mpyc_core.protocols.ops.clipping import FACTOR_BITS, Clipping

from .laws import ALPHA, chi_square, gaussian, kolmogorov

ONE = 1 << 16


def network(seed: int = 0) -> Sequential:
    rng = np.random.default_rng(seed)
    return Sequential(Linear(3, 4, rng=rng), ReLU(), Linear(4, 1, rng=rng))


def by_hand(model: Sequential, x: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per-example gradients of the logistic loss, layer by layer, in NumPy."""
    (w1, b1), (w2, b2) = (
        (np.asarray(m.weight.value), np.asarray(m.bias.value)) for m in (model[0], model[2])
    )
    hidden = x @ w1 + b1
    active = np.maximum(hidden, 0)
    d2 = 1 / (1 + np.exp(-(active @ w2 + b2))) - y
    d1 = (d2 @ w2.T) * (hidden >= 0)
    return [(x, d1), (active, d2)]


def test_gradients_of_examples_are_those_of_the_loss() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(5, 3)), (rng.random((5, 1)) < 0.5).astype(float)
    model = network()
    with mpc.simulate(3) as s:
        found = example_gradients(
            model.share(s, public=True), s.share(x), s.share(y), BCEWithLogits()
        )
        for (_, a, d), (want_a, want_d) in zip(found, by_hand(model, x, y), strict=True):
            np.testing.assert_allclose(a.reveal(), want_a, atol=1e-3)
            np.testing.assert_allclose(d.reveal(), want_d, atol=1e-3)


def test_one_row_moves_a_sum_by_its_norm_at_most() -> None:
    """Every row of an awkward set, alone: the sum of one row is that row's clipped gradient."""
    far = [0.0, 2.0**-16, 0.3, -1.0, 7.9, 100.0, -(2.0**30), 2.0**46]
    pairs = np.array(list(itertools.product(far, repeat=2)))
    bound, reach = 1.5, [8 * ONE, 2 * ONE]
    worst = 0.0
    with mpc.simulate(3) as s:
        for a, d in itertools.product(pairs[::7], far):
            x, g = s.share(a[None]), s.share(np.array([[d]]))
            w, b = apply("clip_examples", x, g, bound=int(bound * ONE), reach=reach)
            row = np.append(w.reveal().reshape(-1), b.reveal().reshape(-1))
            worst = max(worst, float(np.sqrt((row * row).sum())))
    assert worst <= bound
    assert worst > 0.8 * bound  # and the bound is used


def test_small_gradients_are_left_alone() -> None:
    rng = np.random.default_rng(2)
    a, d = rng.normal(0, 0.1, (6, 3)), rng.normal(0, 0.1, (6, 2))
    a, d = np.rint(a * ONE) / ONE, np.rint(d * ONE) / ONE
    with mpc.simulate(3) as s:
        w, b = apply("clip_examples", s.share(a), s.share(d), bound=ONE, reach=[ONE, ONE])
        assert w.f == 32 + FACTOR_BITS
        np.testing.assert_allclose(w.reveal(), a.T @ d, atol=1e-12)
        np.testing.assert_allclose(b.reveal(), d.sum(0), atol=1e-12)


def test_thresholds_keep_the_bound() -> None:
    """In whole numbers: no norm between two thresholds exceeds the bound after its factor."""
    rule = list(Clipping((ONE, ONE), 3 * ONE, 16).thresholds())
    factor = 1 << FACTOR_BITS
    for limit, drop in rule:
        assert limit * factor**2 <= (3 * ONE << FACTOR_BITS) ** 2
        factor -= drop
    assert factor == 0


def test_norms_that_do_not_fit_are_refused() -> None:
    with mpc.simulate(3) as s:
        a, d = s.share(np.zeros((2, 3))), s.share(np.zeros((2, 3)))
        for bound, reach in [(ONE, [1 << 40, 1 << 40]), (1 << 40, [ONE, ONE]), (0, [ONE, ONE])]:
            with pytest.raises(ShareError):
                apply("clip_examples", a, d, bound=bound, reach=reach)
        with pytest.raises(ShapeMismatch):
            apply("clip_examples", a, s.share(np.zeros((3, 3))), bound=ONE, reach=[ONE, ONE])


def test_noise_of_the_honest_parties_has_the_law_it_is_accounted_with() -> None:
    """Two of three parties' parts have the whole variance; all three together half more."""
    sigma = 2.0**10
    with mpc.simulate(3) as s:
        (found,) = apply_noise(s, sigma)
    total = sigma * math.sqrt(3 / 2)
    grouped = np.floor(found / 64 + 0.5).astype(int)
    law = gaussian(total)

    def coarse(z: int) -> float:
        return math.fsum(law(64 * z - 32 + i) for i in range(64))

    assert chi_square(grouped, coarse) > ALPHA


def apply_noise(s: object, sigma: float) -> tuple[np.ndarray, ...]:
    x = s.share(np.zeros(20_000, np.int64))  # type: ignore[attr-defined]
    return (apply("add_party_gaussian", x, sigma=sigma).reveal(),)


def test_too_coarse_noise_in_parts_is_refused() -> None:
    with mpc.simulate(3) as s, pytest.raises(ShareError, match="sigma"):
        apply("add_party_gaussian", s.share([1.0]), sigma=100.0)


# -- accounting --------------------------------------------------------------------------------
def test_accounting_agrees_with_the_formula_of_renyi() -> None:
    """epsilon = min over orders of a T / (2 noise^2) + log(1 / delta) / (a - 1), or better."""
    noise, releases, delta = 4.0, 10, 1e-5
    simple = min(
        a * releases / (2 * noise**2) + math.log(1 / delta) / (a - 1)
        for a in np.linspace(1.01, 200, 20_000)
    )
    found = gaussian_price(noise, releases, delta).epsilon
    assert 0.5 * simple < found <= simple


@pytest.mark.parametrize(("epsilon", "releases"), [(1, 1), ("0.5", 20), (8, 100)])
def test_noise_for_a_price_costs_that_price(epsilon: float | str, releases: int) -> None:
    noise = noise_for(epsilon, releases, 1e-6)
    found = gaussian_price(noise, releases, 1e-6).epsilon
    assert 0.999 * float(epsilon) < found <= float(epsilon)


@pytest.mark.parametrize("bad", [(0, 1, 1e-5), (1, 0, 1e-5), (1, 1, 0), (1, 1, 1)])
def test_accounting_refuses_nonsense(bad: tuple[float, int, float]) -> None:
    with pytest.raises(ConfigError):
        gaussian_price(*bad)


# -- whole runs --------------------------------------------------------------------------------
def test_a_model_learns_from_secret_rows() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    y = ((x @ [1.0, -2.0, 0.5] + 0.3) > 0).astype(float)[:, None]
    with mpc.simulate(3) as s:
        model = Sequential(Linear(3, 1, rng=rng, init="glorot")).share(s, public=True)
        trained = private_fit(
            model,
            s.share(x),
            s.share(y),
            loss=BCEWithLogits(),
            lr=2.0,
            epsilon=4,
            delta=1e-5,
            epochs=3,
            batch_size=400,
        )
        assert s.openings() == []
        assert trained.steps == 3
        assert 3.9 < trained.price.epsilon <= 4
        plain = model.reveal()
    assert np.mean((np.asarray(plain(x)) > 0) == (y > 0.5)) > 0.75


def test_what_cannot_be_trained_is_refused() -> None:
    rng = np.random.default_rng(0)
    settings = {"loss": BCEWithLogits(), "lr": 1.0, "epsilon": 1, "delta": 1e-5}
    with mpc.simulate(3) as s:
        x, y = s.share(np.zeros((4, 3))), s.share(np.zeros((4, 1)))
        plain = Sequential(Linear(3, 1, rng=rng))
        with pytest.raises(ConfigError, match="share"):
            private_fit(plain, x, y, **settings)
        wrong = Sequential(Conv2d(1, 1, 2, rng=rng)).share(s, public=True)
        with pytest.raises(ConfigError, match="Conv2d"):
            private_fit(wrong, x, y, **settings)
        model = plain.share(s, public=True)
        with pytest.raises(ConfigError, match="distributed"):
            private_fit(model, x, y, noise="none", **settings)
        with pytest.raises(ConfigError, match="epsilon"):
            private_fit(model, x, y, clip=Clip(), **(settings | {"epsilon": 0}))


# -- at one data holder ------------------------------------------------------------------------
def test_no_row_is_longer_than_the_norm() -> None:
    rng = np.random.default_rng(5)
    for scale in (1e-8, 1e-3, 1.0, 1e3, 1e200, np.inf, np.nan):
        for _ in range(50):
            x, r = rng.normal(size=(1, 7)), rng.normal(size=1) * scale
            row = clipped_sum(r, x, 1.0)
            assert int((row * row).sum()) <= UNIT * UNIT
            assert int(np.abs(clipped_sum(r, x, 1.0, order=1)).sum()) <= UNIT


def test_regression_of_diabetes_is_near_the_exact_one() -> None:
    """At epsilon = 1 the error is at most 25 % above that of least squares; 6 to 15 % is usual."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    lower = [18, 1, 15, 60, 90, 40, 20, 2, 3, 50]
    upper = [80, 2, 45, 140, 305, 245, 100, 10, 6.2, 125]
    ones = np.c_[x, np.ones(len(x))]
    exact = ones @ np.linalg.lstsq(ones, y, rcond=None)[0]
    best = np.sqrt(np.mean((exact - y) ** 2))
    found = private_regression(
        "linear", x, y, lower=lower, upper=upper, targets=(0, 400), epsilon=1, delta=1e-5
    )
    assert np.sqrt(np.mean((found.predict(x) - y) ** 2)) < 1.25 * best < 0.9 * np.std(y)
    assert 0.99 < found.price.epsilon <= 1
    assert found.price.delta == 1e-5


@pytest.mark.parametrize("delta", [None, 1e-6])
def test_logistic_regression_separates(delta: float | None) -> None:
    rng = np.random.default_rng(6)
    x = rng.uniform(0, 10, (2000, 2))
    y = (x[:, 0] + x[:, 1] > 10).astype(float)
    found = private_regression(
        "logistic", x, y, lower=[0, 0], upper=[10, 10], epsilon=2, delta=delta, lr=4.0
    )
    assert np.mean((found.predict(x) > 0) == (y > 0)) > 0.9
    assert found.price.delta == (delta or 0)


def test_a_regression_is_as_noisy_as_it_costs() -> None:
    """One step on rows that do not reach the bounds: noise of scale 2 norms over epsilon, checked
    against the exact law; the price of steps adds up to epsilon exactly."""
    x, y, n = np.zeros((4, 999)), np.array([1.0, 0.0, 0.0, 0.0]), 4
    ends = {"lower": -np.ones(999), "upper": np.ones(999), "targets": (-1.0, 1.0)}
    settings: Any = ends | {"steps": 1, "lr": 1.0, "norm": 1.0}
    found = private_regression("linear", x, y, epsilon=0.5, **settings)
    units = np.rint(found.weights * n * UNIT).astype(np.int64)
    assert kolmogorov(units >> 14, lambda z: cell(z, 2 * UNIT / 0.5, 1 << 14)) > ALPHA
    assert kolmogorov(units >> 14, lambda z: cell(z, 2 * UNIT / 0.2, 1 << 14)) < ALPHA
    assert private_regression("linear", x, y, epsilon="0.1", steps=3, **ends).price.epsilon == 0.1


def cell(z: int, scale: float, width: int) -> float:
    """P(z * width <= noise < (z + 1) * width) of discrete Laplace noise."""

    def below(k: float) -> float:  # P(noise < k)
        q = math.exp(-1 / scale)
        return q ** (1 - k) / (1 + q) if k <= 0 else 1 - q**k / (1 + q)

    return below((z + 1) * width) - below(z * width)
