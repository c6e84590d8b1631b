"""Sensitivity: never below what the worst pair of neighbours shows, found by trying them all."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpyc_core.errors import ConfigError, UnboundedSensitivity
from mpyc_core.privacy.cuts import Choice
from mpyc_core.privacy.label import Source
from mpyc_core.privacy.sensitivity import Plan, analyse

from .graphs import DATA, N, data, evaluate, run

LOW, HIGH = -1.0, 2.0
VALUES = [-5.0, -1.0, -0.3, 0.0, 0.7, 2.0, 9.0]
"""What one entry may be: bounds, what is inside, and what the owner should have clipped."""
ALL: dict[str, Any] = {"axis": 0, "keepdims": False}
EDGES = [-1.0, 0.0, 0.5, 2.0]


def column(x: N, i: int) -> N:
    return x.index(key=[["slice", None, None, None], ["at", i]])


GRAPHS: dict[str, Callable[[N], N]] = {
    "sum": lambda x: x.sum(**ALL),
    "sum of all": lambda x: x.sum(axis=None, keepdims=False),
    "mean": lambda x: x.mean(**ALL),
    "mean of all": lambda x: x.mean(axis=[0, 1], keepdims=True),
    "count": lambda x: x.gt(0.5).sum(**ALL),
    "squares": lambda x: x.square().sum(**ALL),
    "product": lambda x: column(x, 0).mul(column(x, 1)).sum(**ALL),
    "rows with rows": lambda x: x.transpose(axes=[1, 0]).matmul(x),
    "row with rows": lambda x: column(x, 0).matmul(x),
    "public weights": lambda x: x.matmul(np.array([[1.0, -2.0], [0.5, 3.0]])).sum(**ALL),
    "weights by row": lambda x: x.mul(np.array([[1.0], [-2.0], [0.25]])).sum(**ALL),
    "scaled": lambda x: x.mul(-3.0).add(10.0).mean(**ALL),
    "clip": lambda x: x.clip(low=0.0, high=0.5).sum(**ALL),
    "exp clipped": lambda x: x.exp().clip(low=0.0, high=3.0).mean(**ALL),
    "log clipped": lambda x: x.log().clip(low=-1.0, high=1.0).sum(**ALL),
    "sigmoid": lambda x: x.sigmoid().sum(**ALL),
    "where": lambda x: x.gt(0.0).where(x, x.abs()).sum(**ALL),
    "norm of rows": lambda x: x.abs().sum(axis=1, keepdims=False).sum(**ALL),
    "largest of a row": lambda x: x.max(axis=1, keepdims=True).sum(**ALL),
    "histogram": lambda x: column(x, 0).histogram(edges=EDGES),
    "part of a histogram": lambda x: (
        column(x, 0).histogram(edges=EDGES).index(key=[["slice", 1, None, None]])
    ),
    "two rows": lambda x: x.index(key=[["slice", 0, 2, None]]).sum(**ALL),
    "a row twice": lambda x: x.take(indices=[0, 2, 0], axis=0).sum(**ALL),
    "backwards": lambda x: x.index(key=[["slice", None, None, -1]]).sum(**ALL),
    "below itself": lambda x: x.concatenate(x, axis=0).sum(**ALL),
    "beside itself": lambda x: x.concatenate(x.neg(), axis=1).sum(**ALL),
    "stacked": lambda x: x.stack(x.square(), axis=0).sum(axis=1, keepdims=False),
    "difference of sums": lambda x: x.sum(**ALL).sub(x.square().mul(0.5).sum(**ALL)),
    "sum of sums": lambda x: x.sum(**ALL).sum(axis=0, keepdims=False),
    "turned": lambda x: x.transpose(axes=[1, 0]).sum(axis=1, keepdims=False),
    "integers": lambda x: x.floor().astype(to="int").sum(**ALL),
    "var": lambda x: x.var(axis=0, keepdims=False, ddof=0),
    "std": lambda x: x.std(axis=0, keepdims=False, ddof=1),
    "covariance": lambda x: x.covariance(),
    "quantile": lambda x: column(x, 1).quantile(q=0.25),
    "ratio": lambda x: column(x, 0).mean(**ALL).div(column(x, 1).square().mean(**ALL)),
    "centred": lambda x: x.sum(**ALL).sub(1.5).abs(),
}


def plan_of(graph: Callable[[N], N], array: Any, **facts: Any) -> Plan:
    leaf = data("d", array)
    given = {"lower": LOW, "upper": HIGH, "f": 4} | facts
    source = Source("d", "1", "clinic", np.shape(array), **given)
    return analyse(graph(leaf), lambda node: source.label() if node.op == "data" else None)


def numbers(plan: Plan) -> list[np.ndarray]:
    """What gets noise, exactly."""
    found = []
    for cut in plan.cuts.values():
        for noise in cut.noises:
            compute = noise.scores if isinstance(noise, Choice) else noise.integers
            found.append(np.asarray(compute(evaluate)).astype(object).reshape(-1))
    return found


def limits(plan: Plan) -> list[tuple[float, float, float]]:
    """(L1, squared L2, largest) that the analysis allows."""
    found = []
    for cut in plan.cuts.values():
        for noise in cut.noises:
            if isinstance(noise, Choice):
                k = max(rows for _, rows in noise.touched)
                found.append((np.inf, np.inf, noise.sensitivity * k))
            else:
                total = noise.total
                found.append((total.l1("d"), total.l2_squared("d"), np.inf))
    return found


def moves(plan: Plan, tables: list[np.ndarray], pairs: Any) -> list[tuple[int, int, int]]:
    """The largest (L1, squared L2, largest move) among neighbours, for each part."""
    values = []
    for table in tables:
        DATA["d"] = table
        values.append(numbers(plan))
    worst = [(0, 0, 0)] * plan.parts
    for a, b in pairs:
        for i, (x, y) in enumerate(zip(values[a], values[b], strict=True)):
            d = [abs(int(v)) for v in x - y]
            now = (sum(d), sum(v * v for v in d), max(d, default=0))
            worst[i] = tuple(max(p, q) for p, q in zip(worst[i], now, strict=True))  # type: ignore[assignment]
    return worst


@pytest.mark.parametrize("name", GRAPHS)
def test_no_neighbours_differ_by_more(name: str) -> None:
    """All values of a row of two, in every place of three rows."""
    base = np.array([[0.4, -0.2], [1.9, 0.6], [-0.9, 1.1]])
    plan = plan_of(GRAPHS[name], base)
    worst = [(0, 0, 0)] * plan.parts
    for place in range(3):
        tables = []
        for row in itertools.product(VALUES, repeat=2):
            table = base.copy()
            table[place] = row
            tables.append(table)
        pairs = itertools.combinations(range(len(tables)), 2)
        worst = [
            tuple(max(p, q) for p, q in zip(a, b, strict=True))  # type: ignore[misc]
            for a, b in zip(worst, moves(plan, tables, pairs), strict=True)
        ]
    for found, allowed in zip(worst, limits(plan), strict=True):
        assert all(f <= a for f, a in zip(found, allowed, strict=True)), (name, found, allowed)


@pytest.mark.parametrize("name", ["sum", "mean", "count", "clip", "histogram", "squares", "var"])
def test_bounds_are_tight(name: str) -> None:
    """The analysis of plain statistics gives no more than the worst neighbours."""
    base = np.array([[0.4, -0.2], [1.9, 0.6], [-0.9, 1.1]])
    plan = plan_of(GRAPHS[name], base)
    tables = []
    for row in itertools.product([*VALUES, 0.5], repeat=2):
        table = base.copy()
        table[0] = row
        tables.append(table)
    found = moves(plan, tables, itertools.combinations(range(len(tables)), 2))
    assert [f[0] for f in found] == [limit[0] for limit in limits(plan)]


def test_a_subject_with_several_rows() -> None:
    base = np.array([[0.4], [1.9], [-0.9], [0.1]])
    tables = []
    for pair in itertools.product(VALUES, repeat=2):
        table = base.copy()
        table[[1, 3], 0] = pair
        tables.append(table)
    for name in ("sum", "mean", "squares", "count"):
        plan = plan_of(GRAPHS[name], base, rows=2)
        pairs = itertools.combinations(range(len(tables)), 2)
        ((l1, l2, _),) = moves(plan, tables, pairs)
        ((limit1, limit2, _),) = limits(plan)
        assert l1 <= limit1
        assert l2 <= limit2
        assert limit1 == 2 * limits(plan_of(GRAPHS[name], base))[0][0]


def test_odd_numbers_stay_in_their_bounds() -> None:
    """NaN, infinities and huge values move no more than any others."""
    base = np.array([[0.4, -0.2], [1.9, 0.6], [-0.9, 1.1]])
    odd = [np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 2.0**62, -(2.0**63)]
    tables = []
    for row in itertools.product([*odd, LOW, HIGH], repeat=2):
        table = base.copy()
        table[2] = row
        tables.append(table)
    for name in ("sum", "mean", "squares", "exp clipped", "rows with rows", "var", "histogram"):
        plan = plan_of(GRAPHS[name], base)
        found = moves(plan, tables, itertools.combinations(range(len(tables)), 2))
        for (l1, l2, _), (most1, most2, _) in zip(found, limits(plan), strict=True):
            assert l1 <= most1
            assert l2 <= most2


REFUSED: dict[str, tuple[Callable[[N], N], str]] = {
    "rows": (lambda x: x, "rows of single subjects"),
    "maximum": (lambda x: x.max(**ALL), "quantile"),
    "sorted": (lambda x: x.sort(axis=0).sum(**ALL), "quantile"),
    "no bounds": (lambda x: x.exp().sum(**ALL), "clip"),
    "a mean subtracted": (lambda x: x.sub(x.mean(**ALL)).square().sum(**ALL), "release"),
    "other rows": (
        lambda x: (
            x.index(key=[["slice", 0, 2, None]])
            .mul(x.index(key=[["slice", 1, 3, None]]))
            .sum(**ALL)
        ),
        "same rows",
    ),
    "rows as columns": (
        lambda x: (
            column(x, 0)
            .add(column(x, 1).index(key=[["slice", None, None, None], ["new"]]))
            .sum(**ALL)
        ),
        "axes",
    ),
    "one row": (lambda x: x.index(key=[["at", 0]]), "rows"),
    "weights across rows": (
        lambda x: N(
            "constant",
            value=np.ones((2, 3)),
            spec=type("S", (), {"shape": (2, 3), "dtype": np.dtype(float)})(),
        ).matmul(x),
        "weighs",
    ),
    "mixed": (lambda x: x.reshape(shape=[2, 3]).sum(**ALL), "mixes"),
    "fed back": (lambda x: x.gt(x.mean(**ALL).div(2.0)).sum(**ALL), "noisy"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_bounded_is_refused_with_advice(name: str) -> None:
    graph, advice = REFUSED[name]
    with pytest.raises(UnboundedSensitivity, match=advice):
        plan_of(graph, np.array([[0.4, -0.2], [1.9, 0.6], [-0.9, 1.1]]))


def test_without_bounds_sums_are_refused_and_clipping_helps() -> None:
    array = np.ones((3, 2))
    with pytest.raises(UnboundedSensitivity, match="clip"):
        plan_of(GRAPHS["sum"], array, lower=None, upper=None)
    assert limits(plan_of(GRAPHS["clip"], array, lower=None, upper=None))[0][0] == 16


def test_releases_are_near_and_priced() -> None:
    rng = np.random.default_rng(3)
    array = rng.uniform(LOW, HIGH, (2000, 2))
    for name in ("mean", "var", "covariance", "quantile", "ratio", "histogram", "sum of sums"):
        plan = plan_of(GRAPHS[name], array, f=16)
        truth = evaluate(plan.root)
        got = plan.draw(evaluate, run, 40)
        assert got.shape == truth.shape
        assert np.allclose(got, truth, rtol=0.05, atol=0.05), name
        assert plan.prices("0.5")["d"].epsilon == 0.5
        assert plan.charges("0.5")[0].account == "dataset:d"
    gaussian = plan_of(GRAPHS["mean"], array, f=16)
    assert np.allclose(gaussian.draw(evaluate, run, 1, 1e-6), array.mean(0), atol=0.05)
    assert gaussian.prices(1, 1e-6)["d"].delta == 1e-6


def test_two_owners_pay_for_their_own_rows() -> None:
    """A subject with fewer rows at one owner changes less there, and pays less."""
    rng = np.random.default_rng(4)
    x, y = data("a", rng.uniform(0, 1, (50, 1))), data("b", rng.uniform(0, 1, (70, 1)))
    sources = {
        "a": Source("a", "1", "alice", (50, 1), 0, 1, rows=1),
        "b": Source("b", "7", "bob", (70, 1), 0, 1, rows=4),
    }
    plan = analyse(
        x.concatenate(y, axis=0).mean(**ALL),
        lambda node: sources[node.name].label() if node.op == "data" else None,
    )
    assert plan.label.owners == {"alice", "bob"}
    prices = plan.prices("0.4")
    assert prices["b"].epsilon == 0.4
    assert prices["a"].epsilon == 0.1


def test_errors_and_prices_go_both_ways() -> None:
    plan = plan_of(GRAPHS["mean"], np.zeros((1000, 2)), f=16)
    price = plan.epsilon_for("0.05", 0.95)
    assert plan.error(price.epsilon, 0.95) <= 0.05
    assert plan.error(price.epsilon * 0.9, 0.95) > 0.05
    with pytest.raises(ConfigError, match="give epsilon"):
        plan_of(GRAPHS["var"], np.zeros((10, 2))).epsilon_for(1)


def test_lineage_tells_computations_and_versions_apart() -> None:
    array = np.zeros((4, 2))
    plans = [plan_of(GRAPHS[name], array) for name in ("sum", "mean", "scaled")]
    leaf = data("d", array)
    other = Source("d", "2", "clinic", (4, 2), LOW, HIGH, f=4)
    plans.append(analyse(GRAPHS["sum"](leaf), lambda n: other.label() if n.op == "data" else None))
    assert len({plan.label.lineage for plan in plans}) == 4
    assert plan_of(GRAPHS["sum"], array).label == plans[0].label
