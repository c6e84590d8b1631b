"""Labels of shared values, which follow the commands that a party carries out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import ConfigError, UnboundedSensitivity
from mpyc_core.ml import where
from mpyc_core.privacy.label import Blocked, Label, Source, constant
from mpyc_core.privacy.shared import clip
from mpyc_core.privacy.transfer import LabelTable, total_of
from mpyc_core.protocols.backend import decode
from mpyc_core.protocols.command import Command
from mpyc_core.protocols.simulation import Simulation

LOW, HIGH = -1.0, 2.0
BASE = np.array([[0.4, -0.2], [1.9, 0.6], [-0.9, 1.1]])
VALUES = [-1.0, -0.3, 2.0**-16, 0.7, 2.0]


class Following:
    """A simulation whose commands a table of labels follows."""

    def __init__(self, s: Simulation) -> None:
        self.table = LabelTable(ring=64)
        self._s = s
        self._submit = s.submit
        s.submit = self._both  # type: ignore[method-assign]

    def _both(self, commands: Sequence[Command]) -> None:
        self._submit(commands)
        values = self._s.evaluators[0].values
        for c in commands:
            inputs = [
                (x, values[x].meta)
                if isinstance(x, int)
                else (constant(decode(x.value, x.meta)), x.meta)
                for x in c.inputs
            ]
            self.table.run(c.op, c.params, inputs, [(k, values[k].meta) for k in c.outputs])

    def share(self, array: np.ndarray, **facts: Any) -> Any:
        x = self._s.share(array)
        given = {"lower": LOW, "upper": HIGH, "f": x.f} | facts
        self.table.put(x.ref.id, Source("d", "1", "alice", array.shape, **given).label())
        return x

    def label(self, x: Any) -> Label:
        return self.table.get(x.ref.id)


def followed(program: Callable[[Any], Any], array: np.ndarray, **facts: Any) -> tuple[Any, Label]:
    """The result in whole units, and its label."""
    with mpc.simulate(3, protocol="plain") as s:
        following = Following(s)
        y = program(following.share(array, **facts))
        label = following.label(y)
        units = np.rint(np.ravel(y.reveal()) * 2.0**y.f).astype(object)
    return units, label


W = np.array([[1.0, -2.0], [0.5, 3.0]])


def within(x: Any, lower: int, upper: int) -> Any:
    """Clipped, whatever ring element it is."""
    return clip(x, lower << x.f, upper << x.f)


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: x.sum(axis=0),
    "sum of all": lambda x: x.sum(),
    "scaled": lambda x: (x * -0.3).sum(axis=0),
    "shifted": lambda x: (x + 1.5).sum(axis=0),
    "products": lambda x: (x[:, 0] * x[:, 1]).sum(),
    "exact products": lambda x: x.mul(x, rounding="exact").sum(axis=0),
    "public columns": lambda x: (x @ np.array([[1.0, -2.0], [0.5, 3.0]])).sum(axis=0),
    "rows with rows": lambda x: x.T @ x,
    "exact rows with rows": lambda x: x.T.matmul(x, rounding="exact"),
    "relu": lambda x: x.relu().sum(axis=0),
    "abs": lambda x: abs(x).sum(axis=0),
    "count": lambda x: (x > 0.5).to_number().sum(axis=0),
    "clip": lambda x: np.minimum(np.maximum(x, -0.5), 0.5).sum(axis=0),
    "where": lambda x: where(x > 0.5, x, x * 2.0).sum(axis=0),
    "stacked": lambda x: np.concatenate([x, x * x], axis=1).sum(axis=0),
    "difference": lambda x: x.sum(axis=0) - (x * x).sum(axis=0),
    "some rows": lambda x: x[:2].sum(axis=0),
    "turned": lambda x: x.T.sum(axis=1),
    "coarser": lambda x: x.rescale(4).sum(axis=0),
    "approximated": lambda x: within(x.sigmoid(), 0, 1).sum(axis=0),
    "divided, also by 0": lambda x: within(x / (x[:, :1] - 0.7), -3, 3).sum(axis=0),
    "wrapped around": lambda x: within((x * 1e3).exp() * (x * 1e3).exp(), -1, 1).sum(axis=0),
    "rounded locally": lambda x: within(x.mul(x, rounding="local"), -4, 4).sum(axis=0),
    "a broken promise": lambda x: within((x * 4.0).relu(bits=17), 0, 8).sum(axis=0),
    "a promise about bits": lambda x: x.lt(0.5, bits=17).to_number().sum(axis=0),
    "columns mapped locally": lambda x: within(x.matmul(W, rounding="local"), -1, 1).sum(axis=0),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_neighbours_differ_by_more(name: str) -> None:
    results, label = [], None
    for row in itertools.product(VALUES, repeat=2):
        array = BASE.copy()
        array[1] = row
        units, label = followed(PROGRAMS[name], array)
        results.append(units)
    assert label is not None
    total = total_of(label)
    for x, y in itertools.combinations(results, 2):
        moved = [abs(int(v)) for v in x - y]
        assert sum(moved) <= total.l1("d")
        assert sum(v * v for v in moved) <= total.l2_squared("d")
    assert max(abs(int(v)) for x in results for v in x) <= total.magnitude
    assert label.owners == {"alice"}


@pytest.mark.parametrize("name", ["sum", "count", "clip", "relu"])
def test_bounds_are_tight(name: str) -> None:
    ends = []
    for row in itertools.product([LOW, -0.5, 0.5, HIGH], repeat=2):
        array = BASE.copy()
        array[1] = row
        units, label = followed(PROGRAMS[name], array)
        ends.append(units)
    widest = max(sum(abs(int(v)) for v in x - y) for x, y in itertools.combinations(ends, 2))
    assert widest == total_of(label).l1("d")


def big(x: Any) -> Any:
    return ((x * 2.0**20) * (x * 2.0**20)).sum()


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "rows": (lambda x: x, "single subjects"),
    "approximations": (lambda x: x.sigmoid().sum(axis=0), "clip_rows"),
    "promises": (lambda x: x.relu(bits=20).sum(axis=0), "clip_rows"),
    "local rounding": (lambda x: x.mul(x, rounding="local").sum(axis=0), "clip_rows"),
    "local products": (lambda x: x.matmul(W, rounding="local").sum(axis=0), "clip_rows"),
    "local products of rows": (lambda x: x.T.matmul(x, rounding="local"), "locally"),
    "the ring's range": (big, "range of the ring"),
    "maximum": (lambda x: x.max(axis=0), "quantile"),
    "products of totals": (lambda x: x.sum(axis=0) * x.sum(axis=0), "release"),
    "secret weights": (lambda x: x.sum(axis=0).sigmoid(), "release"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_bounded_is_refused(name: str) -> None:
    program, advice = REFUSED[name]
    _, label = followed(program, BASE)
    with pytest.raises(UnboundedSensitivity, match=advice):
        total_of(label)


def test_without_bounds_shares_are_refused() -> None:
    _, label = followed(PROGRAMS["clip"], BASE, lower=None, upper=None)
    assert isinstance(label.state, Blocked)
    _, label = followed(lambda x: within(x, -1, 2).sum(axis=0), BASE, lower=None, upper=None)
    assert total_of(label).l1("d") == 2 * 3 * 2**16


def test_every_element_keeps_the_bounds_of_its_column() -> None:
    """Columns side by side are no rows, though all of them may be of one row."""
    ends = {"lower": [0.0, -100.0], "upper": [1.0, 100.0]}
    wide: dict[str, Callable[[Any], Any]] = {
        "second column": lambda x: x.T[1].sum(),
        "columns turned": lambda x: x[:, ::-1][:, 0].sum(),
        "in a row": lambda x: x[:, 1].reshape(1, 3).sum(),
    }
    for name, program in wide.items():
        _, label = followed(program, BASE, **ends)
        assert total_of(label).l1("d") == 200 * 2**16, name
    picked: list[Callable[[Any], Any]] = [
        lambda x: x[0].sum(),
        lambda x: x[:1].sum(),
        lambda x: x[0].reshape(2, 1).sum(axis=0),
        lambda x: x.T[:, 2].sum(),
    ]
    for program in picked:
        _, label = followed(program, BASE, **ends)
        with pytest.raises(UnboundedSensitivity, match="single rows"):
            total_of(label)
    _, label = followed(lambda x: x.reshape(2).sum(), BASE[:1], **ends)
    assert isinstance(label.state, Blocked)
    _, label = followed(lambda x: x.T.sum(axis=1), BASE[:1], **ends)
    assert total_of(label).l1("d") == 201 * 2**16


def test_labels_are_canonical() -> None:
    first, second = (followed(PROGRAMS["products"], BASE)[1] for _ in range(2))
    assert first.encode() == second.encode()
    assert len({followed(PROGRAMS[name], BASE)[1].encode() for name in PROGRAMS}) == len(PROGRAMS)


def test_owners_join() -> None:
    with mpc.simulate(3, protocol="plain") as s:
        following = Following(s)
        x = following.share(BASE)
        y = s.share(BASE)
        other = Source("e", "1", "bob", BASE.shape, LOW, HIGH, f=y.f)
        following.table.put(y.ref.id, other.label())
        both = np.concatenate([x, y]).sum(axis=0)
        label = following.label(both)
        mixed = following.label((x * y).sum(axis=0))
    assert label.owners == mixed.owners == {"alice", "bob"}
    assert total_of(label).l1("d") == total_of(label).l1("e") == 2 * 3 * 2**16
    assert isinstance(mixed.state, Blocked)  # nobody said that these are the same rows


def test_a_label_does_not_change() -> None:
    table = LabelTable()
    table.put(1, constant(1.0))
    with pytest.raises(ConfigError):
        table.put(1, constant(2.0))
    table.free([1])
    with pytest.raises(ConfigError):
        table.get(1)
