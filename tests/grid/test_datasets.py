"""Data sets: cards, search over several nodes, sample rows, noisy statistics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

import mpyc_core as mpc
from mpyc_core.errors import (
    ConfigError,
    ConsistencyCheckFailed,
    EncodingError,
    PermissionDenied,
    ShapeMismatch,
    ShareError,
    UnboundedSensitivity,
)
from mpyc_core.grid.cards import Card, Column, Policy
from mpyc_core.grid.search import DataSet, Found
from mpyc_core.grid.virtual import VirtualNode

from .conftest import Clinic, columns

NAMES = ("May Clinic", "St. Anna", "City Hospital")
ROWS, TARGET = load_diabetes(return_X_y=True, scaled=False)
SPLITS = np.array_split(np.arange(442), 3)
POLICY = Policy(epsilon=5.0, max_epsilon=2.0)


@pytest.fixture(scope="module")
def grid() -> Iterator[mpc.Grid]:
    nodes = []
    for name, part in zip(NAMES, SPLITS, strict=True):
        node = VirtualNode(name)
        node.owner.load(
            "diabetes data",
            ROWS[part],
            tags=["#diabetes", "#data"],
            columns=columns(ROWS),
            description="ten baseline variables",
            collected="442 patients, 2004",
            group="patients",
            policy=POLICY,
            mock=ROWS[:1] + 0.0,
        )
        node.owner.load(
            "diabetes target",
            TARGET[part],
            tags=["#diabetes", "#target"],
            columns=[Column("progression", 0, 400, "points")],
            group="patients",
            policy=POLICY,
            synthetic=0.5,
        )
        nodes.append(node)
    yield mpc.Grid(nodes)
    for node in nodes:
        node.close()


def test_a_search_prints_a_profile_and_spans_nodes(
    grid: mpc.Grid, capsys: pytest.CaptureFixture[str]
) -> None:
    found = grid.search("#diabetes")
    printed = capsys.readouterr().out
    assert "Found 6 results in total." in printed
    assert "#diabetes found 6" in printed
    assert "#data found 3" in printed
    data = grid.search("#diabetes", "#data", verbose=False)
    assert [x.client.name for x in data] == list(NAMES)
    assert data.together().shape == (442, 10)
    assert len(grid.search("diabetes", "TARGET", verbose=False)) == 3  # with or without #
    assert len(grid.search("#nothing", verbose=False)) == 0
    assert len(found.at("St. Anna")) == 2


def test_what_is_described(grid: mpc.Grid) -> None:
    (first, *_) = grid.search("#target", verbose=False)
    assert isinstance(first, DataSet)
    text = first.describe()
    for word in ("diabetes target", "May Clinic", "148 rows", "progression", "points", "[0, 400]"):
        assert word in text
    assert first.budget["left"][0] <= 5.0


def test_sample_rows_say_how_they_came_about(grid: mpc.Grid) -> None:
    data = grid.search("#data", verbose=False)[0]
    target = grid.search("#target", verbose=False)[0]
    assert isinstance(data, DataSet) and isinstance(target, DataSet)
    assert data.card.sample == "mock"
    assert np.array_equal(data.sample(), ROWS[:1])
    assert target.card.sample == "synthetic, epsilon=0.5, columns independent"
    rows = target.sample(50)
    assert rows.shape == (50,)
    assert rows.min() >= 0 and rows.max() <= 400
    assert np.array_equal(rows, target.sample(50))  # drawn once: asking again tells no more
    assert target.budget["spent"][0] >= 0.5


def test_synthetic_rows_look_like_the_data() -> None:
    """With much epsilon the drawn column has the distribution of the real one."""
    with VirtualNode("a") as node:
        value = np.repeat([10.0, 90.0], [300, 700])
        node.owner.load(
            "v",
            value,
            tags=["#v"],
            columns=[Column("v", 0, 100)],
            policy=Policy(epsilon=10.0),
            synthetic=10.0,
        )
        (found,) = mpc.Grid([node]).search("#v", verbose=False)
        assert isinstance(found, DataSet)
        high = (found.sample(100) > 50).mean()
        assert abs(high - 0.7) < 5 * np.sqrt(0.21 / 100)


def test_no_sample_rows_without_the_owner(clinic: Clinic) -> None:
    found = mpc.Grid([clinic.node]).search("#data", verbose=False)[0]
    assert isinstance(found, DataSet)
    with pytest.raises(PermissionDenied, match="no sample rows"):
        found.sample()


def test_a_mean_over_three_nodes(grid: mpc.Grid) -> None:
    target = grid.search("#target", verbose=False).together()
    with pytest.raises(PermissionDenied):
        target.mean().get()
    found = float(target.mean().get(epsilon=1.0))
    assert abs(found - TARGET.mean()) < 3 * 400 / 147 * 12  # three Laplace noises, far in the tail
    count = (target > 150).sum().get(epsilon=1.0)
    assert abs(float(count) - (TARGET > 150).sum()) < 100


def test_rows_of_several_nodes_stay_rows(grid: mpc.Grid) -> None:
    x = grid.search("#data", verbose=False).together()
    y = np.clip((x[:, 2] - 20.0) / 10.0, 0.0, 1.0)
    assert y.shape == (442,)
    assert (x @ np.ones(10)).shape == (442,)
    assert x.sum(axis=1).shape == (442,)
    for wrong in (lambda: x.max(), lambda: x[0], lambda: x + np.ones((442, 1)), lambda: np.sort(x)):
        with pytest.raises(ShareError):
            wrong()
    with pytest.raises(PermissionDenied):
        y.get()


def test_schemas_must_agree(grid: mpc.Grid) -> None:
    with VirtualNode("other") as other:
        other.owner.load(
            "d", TARGET, tags=["#target"], columns=[Column("progression", 0, 500, "points")]
        )
        both = [*grid.search("#target", verbose=False), *mpc.Grid([other]).search("#target")]
        with pytest.raises(ShapeMismatch, match="columns differ"):
            Found(both).together()
    with pytest.raises(ShapeMismatch):
        grid.search("#diabetes", verbose=False).together()


def test_cards_are_signed(grid: mpc.Grid) -> None:
    node = grid.nodes[0]
    entry = node.call({"do": "search", "tags": ["#data"]})[0]["cards"][0]
    card = Card.from_wire(entry["card"], entry["signature"], node.key)
    forged = replace(card, policy=Policy(epsilon=1000.0)).to_wire()
    with pytest.raises(ConsistencyCheckFailed):
        Card.from_wire(forged, entry["signature"], node.key)
    with pytest.raises(ConsistencyCheckFailed):  # another node's signature, though a good one
        Card.from_wire(entry["card"], entry["signature"], grid.nodes[1].key)


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": [[1.0, 2.0]], "columns": ["a"]},
        {"data": [1.0, np.nan]},
        {"data": [1.0, 5.0], "columns": [Column("a", 0, 4)]},
        {"data": np.ones((2, 2, 2))},
        {"data": [1.0], "mock": [[1.0, 2.0]]},
        {"data": [1.0], "mock": [7.0], "columns": [Column("a", 0, 4)]},
        {"data": [1.0], "synthetic": 0.5},
    ],
)
def test_a_card_keeps_its_promises(node: VirtualNode, wrong: dict) -> None:
    with pytest.raises((ConfigError, EncodingError)):
        node.owner.load("d", wrong.pop("data"), tags=["#d"], **wrong)
    assert len(mpc.Grid([node]).search("#d", verbose=False)) == 0
    assert node.store == []


def test_records_of_a_group_go_together(clinic: Clinic) -> None:
    load = clinic.node.owner.load
    with pytest.raises(ConfigError, match="442 records"):
        load("more", np.ones(3), group="patients", policy=Policy(epsilon=3.0, max_epsilon=2.0))
    with pytest.raises(ConfigError, match="budget"):
        load("more", np.ones(442), group="patients", policy=Policy(epsilon=9.0))
    with pytest.raises(ConfigError, match="already"):
        load("diabetes data", np.ones(3))


NOISY = {
    "sum": (lambda x: x[:, 0].sum(), lambda x: x[:, 0].sum(), 2000),
    "mean": (lambda x: x.mean(axis=0), lambda x: x.mean(axis=0), 60),
    "count": (lambda x: (x[:, 2] > 25).sum(), lambda x: (x[:, 2] > 25).sum(), 30),
    "histogram": (
        lambda x: np.histogram(x[:, 2], 5, (15, 45))[0],
        lambda x: np.histogram(x[:, 2], 5, (15, 45))[0],
        40,
    ),
    "clipped": (lambda x: x[:, 3].clip(60, 140).mean(), lambda x: np.mean(x[:, 3]), 8),
    "quantile": (lambda x: np.quantile(x[:, 0], 0.5), lambda x: np.median(x[:, 0]), 8),
    "covariance": (
        lambda x: np.cov(x[:, :2], rowvar=False),
        lambda x: np.cov(x[:, :2], rowvar=False),
        60,
    ),
    "deviation": (lambda x: x[:, 0].std(), lambda x: x[:, 0].std(), 4),
    "products": (lambda x: (x[:, 2] * x[:, 3]).mean(), lambda x: (x[:, 2] * x[:, 3]).mean(), 300),
    "ratio": (
        lambda x: x[:, 0].sum() / (x[:, 0] > 0).sum(),
        lambda x: x[:, 0].mean(),
        20,
    ),
}


@pytest.mark.parametrize("what", NOISY)
def test_noisy_statistics_are_near_the_exact_ones(clinic: Clinic, what: str) -> None:
    ask, exact, tolerance = NOISY[what]
    found = ask(clinic.data).get(epsilon=2.0)
    truth = exact(clinic.rows)
    assert np.shape(found) == np.shape(truth)
    assert np.abs(found - truth).max() < tolerance
    assert not np.array_equal(found, truth) or what in ("quantile", "count", "histogram")
    assert clinic.node.owner.accounts["dataset:patients"][2] == pytest.approx(2.0)


def test_regressions_are_private_statistics_too(clinic: Clinic) -> None:
    """From columns in usual units and their target: within 45 points of least squares, which the
    mean alone misses by 55; the exact fit goes out on request alone."""
    centre, spread = np.array([26.0, 95, 4.6]), np.array([4.5, 14, 0.52])
    some = np.array([2, 3, 8])
    x = ((clinic.data.take(some, axis=1) - centre) / spread).clip(-1.5, 1.5)
    y = clinic.labels.clip(40.0, 260.0)
    with pytest.raises(PermissionDenied):
        x.regression(y).get()
    plain = np.clip((clinic.rows[:, some] - centre) / spread, -1.5, 1.5)
    table = np.column_stack([plain, np.ones(442)])
    exact = table @ np.linalg.lstsq(table, clinic.target, rcond=None)[0]
    policy = Policy(epsilon=3.0, max_epsilon=2.0, delta=1e-5)
    clinic.node.owner.set_policy(clinic.data, policy)
    for terms in ({"epsilon": 1.0}, {"epsilon": 1.0, "delta": 1e-6}):
        found = x.regression(y).get(**terms)
        assert np.sqrt(np.mean((table @ found - exact) ** 2)) < 45
    assert clinic.node.owner.accounts["dataset:patients"][2] == pytest.approx(2.0)
    high = (table @ x.regression(y > 140.0, "logistic").get(epsilon=1.0)) > 0
    assert np.mean(high == (clinic.target > 140)) > 0.6
    assert clinic.node.owner.accounts["dataset:patients"][2] == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("ask", "advice"),
    [
        (lambda c: c.data.regression(c.labels[::-1]), "same rows in the same order"),
        (lambda c: (c.data * 1.0).regression(np.ones(442)), "a target for each"),
        (lambda c: np.exp(c.data).regression(c.labels), "no bounds"),
    ],
)
def test_regressions_without_bounds_are_refused(clinic: Clinic, ask: Any, advice: str) -> None:
    with pytest.raises(UnboundedSensitivity, match=advice):
        ask(clinic).get(epsilon=1.0)
    assert clinic.node.owner.accounts["dataset:patients"][2] == 0


def test_exact_regressions_fail_on_no_data(node: VirtualNode) -> None:
    """What an owner's data does to a fit must not show as an error; one's own data is one's own."""
    x, y = np.array([[1.0, 2], [3, 4], [5, 7], [2, 2]]), np.array([1.0, 2, 3, 4])
    table = np.column_stack([x, np.ones(4)])
    found = node.send(x).regression(node.send(y)).get()
    assert np.allclose(found, np.linalg.lstsq(table, y, rcond=None)[0])
    assert np.isfinite(node.send(x).regression(node.send(y > 2.5), "logistic").get()).all()
    assert node.send(np.full((4, 2), np.nan)).regression(node.send(y)).get().shape == (3,)
    assert node.send(np.full((4, 2), np.inf)).regression(node.send(y), "logistic").get().size == 3


def test_an_error_can_be_asked_for_instead_of_epsilon(clinic: Clinic) -> None:
    found = float(clinic.labels.mean().get(error=20.0))
    assert abs(found - clinic.target.mean()) < 80
    spent = clinic.node.owner.accounts["dataset:patients"][2]
    # 95 % of Laplace noise of scale 400 / (442 epsilon) lies below 20 at this epsilon
    assert spent == pytest.approx(400 / 442 / 20 * np.log(20), rel=0.02)


def test_normal_noise_has_a_delta(clinic: Clinic) -> None:
    policy = Policy(epsilon=3.0, max_epsilon=2.0, delta=1e-5)
    clinic.node.owner.set_policy(clinic.data, policy)
    x = clinic.node.pointer(clinic.data.id)
    found = x.mean(axis=0).get(epsilon=1.0, delta=1e-6)
    assert np.abs(found - clinic.rows.mean(0)).max() < 100
    assert clinic.node.owner.accounts["dataset:patients"][3] == pytest.approx(1e-6)


def test_what_clients_tag_is_found_too(node: VirtualNode) -> None:
    node.send(np.arange(3), tags=["#weights"], description="mine", searchable=True)
    node.send(np.arange(3), tags=["#weights"])
    (found,) = mpc.Grid([node.connect()]).search("#weights", verbose=False)
    assert (found.description, found.shape) == ("mine", (3,))
