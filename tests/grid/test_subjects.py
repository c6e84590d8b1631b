"""Data sets in which a person has several rows: noise, and accounts that belong to people."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import BudgetExceeded, ConfigError, EncodingError, PermissionDenied
from mpyc_core.grid.client import Client
from mpyc_core.grid.pointer import Pointer
from mpyc_core.grid.virtual import VirtualNode
from mpyc_core.privacy.sensitivity import Plan

COLUMNS = ["patient", mpc.Column("pressure", 0, 200), mpc.Column("pulse", 40, 180)]
VISITS = np.array([[1, 120, 60], [1, 130, 70], [2, 110, 80], [3, 140, 90], [3, 150, 95]])
EXACT = mpc.Policy(epsilon=3e9, max_epsilon=1e9, subject_epsilon=2e9)
"""So much epsilon that noise hardly moves a result: tests see which rows are in."""


def load(node: VirtualNode, name: str, rows: np.ndarray = VISITS, **options: Any) -> Pointer:
    given = {"columns": COLUMNS, "subject": "patient", "per_subject": 2, "tags": [f"#{name}"]}
    return node.owner.load(name, rows, **{**given, **options})


def found(client: Client, name: str) -> Pointer:
    return next(p for p in client.store if f"#{name}" in p.tags)


def test_the_subject_column_is_no_data(node: VirtualNode) -> None:
    load(node, "visits")
    x = found(node, "visits")
    assert x.shape == (5, 2)
    card = mpc.Grid([node]).search("#visits", verbose=False)[0].card  # type: ignore[attr-defined]
    assert [c.name for c in card.columns] == ["pressure", "pulse"]
    assert (card.subject, card.per_subject) == ("patient", 2)
    assert "rows of one patient: 2 at most" in str(card)


def test_identifiers_are_kept_under_the_nodes_key_only(tmp_path: Path) -> None:
    with VirtualNode("a", tmp_path / "n") as node:
        node.owner.load(
            "ages", [30.0, 40.0], subject="name", subjects=["Ada Marker", "Bo"], policy=EXACT
        )
        assert list(node.owner.accounts) == ["dataset:ages", "exact results"]
    stored = b"".join(p.read_bytes() for p in (tmp_path / "n").iterdir() if p.is_file())
    assert b"Ada Marker" not in stored
    marks = hashlib.sha256(b"Ada Marker").digest()[:16]
    assert marks not in stored and marks.hex().encode() not in stored


def test_rows_of_a_subject_are_bounded_when_they_come_in(node: VirtualNode) -> None:
    with pytest.raises(ConfigError, match="has 2 rows, per_subject allows 1"):
        load(node, "visits", per_subject=1)
    with pytest.raises(ConfigError, match="one subject for each"):
        node.owner.load("ages", [30.0, 40.0], subject="name", subjects=["only one"])
    with pytest.raises(ConfigError, match="no column 'name'"):
        node.owner.load("ages", [30.0, 40.0], subject="name")
    with pytest.raises(EncodingError):
        node.owner.load("ages", [30.0, 40.0], subject="name", subjects=[1.5, 2.0])  # type: ignore[list-item]
    assert not node.store
    x = load(node, "visits")
    more = np.vstack([VISITS, [[3, 1, 50]]])
    with pytest.raises(ConfigError, match="has 3 rows"):
        node.owner.reload(x, more[:, 1:], subjects=list(more[:, 0]))
    with pytest.raises(ConfigError, match="one subject for each"):
        node.owner.reload(x, VISITS[:, 1:])
    node.owner.reload(x, VISITS[:, 1:], subjects=[5, 5, 6, 6, 7])


def test_noise_covers_all_rows_of_a_subject(
    node: VirtualNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the definition: the sum moves by at most the L1 sensitivity when a person changes."""
    plans: list[Plan] = []
    original = Plan.charges

    def charges(self: Plan, *terms: Any) -> Any:
        plans.append(self)
        return original(self, *terms)

    monkeypatch.setattr(Plan, "charges", charges)
    node.owner.load("rows", VISITS[:, 1:], columns=COLUMNS[1:], tags=["#rows"], policy=EXACT)
    load(node, "visits", policy=EXACT)
    for name in ("rows", "visits"):
        found(node, name).sum(axis=0).get(epsilon=1)
    row, person = (next(iter(p.cuts.values())).noises[0].total for p in plans)  # type: ignore[union-attr]
    assert row.l1("rows") == 200 + 140
    assert person.l1("visits") == 2 * (200 + 140)
    changed = VISITS.copy()
    changed[:2, 1:], worst = [0, 40], VISITS.copy()
    worst[:2, 1:] = [200, 180]
    assert np.abs((worst - changed)[:, 1:].sum(0)).sum() == person.l1("visits")


def test_noise_among_nodes_covers_all_rows_of_a_subject() -> None:
    from mpyc_core.grid.committee import Committee

    with VirtualNode("a") as a, VirtualNode("b") as b, VirtualNode("c") as c:
        for x in (a, b, c):
            for y in (a, b, c):
                if x is not y:
                    x.owner.trust(y.name, y.curve)
        policy = mpc.Policy(epsilon=1.0, delta=1e-6)
        load(a, "visits", policy=policy)
        load(a, "people", policy=mpc.Policy(epsilon=1.0, delta=1e-6, subject_epsilon=1.0))
        with Committee([a, b, c]) as together:
            total = together.clip_rows(together.share(found(a, "visits")), 0, 200).sum()
            together.session.wait()
            seat = a.node.seats[together.id]
            units = seat.sensitivity(total.ref.id)  # type: ignore[attr-defined]
            assert units >= 2 * (200 + 140)
            assert units == 2 * 2 * 200  # what the clips allow, for two rows of two columns
            people = together.clip_rows(together.share(found(a, "people")), 0, 200).sum()
            with pytest.raises(PermissionDenied, match="budget per subject"):
                together.release(people, 0.5)


def test_people_pay_in_advance_for_noise_among_nodes() -> None:
    """Those who cannot are left out on the way, those who can pay once for all releases."""
    from mpyc_core.grid.committee import Committee

    with VirtualNode("a") as a, VirtualNode("b") as b, VirtualNode("c") as c:
        for x in (b, c):
            a.owner.trust(x.name, x.curve)
        policy = mpc.Policy(epsilon=30.0, max_epsilon=8.0, delta=1e-6, subject_epsilon=8.0)
        later = np.array([[3, 100, 100], [4, 10, 50]])
        load(a, "visits", policy=policy)
        load(a, "later", later, policy=policy)
        found(a, "later").sum().get(epsilon=4.0)  # person 3 has 4 left, person 1 all of 8

        def spent() -> list[float]:
            return [a.owner.subject_account(p)["spent"][0] for p in (1, 2, 3, 4)]

        with Committee([a, b, c]) as together:
            rows = together.share(found(a, "visits"), epsilon=6.0)
            assert spent() == [6.0, 6.0, 4.0, 4.0]
            total = together.clip_rows(rows, 0, 200).sum(axis=0)
            (asked,) = together.request(total)
            a.owner.requests[0].accept()
            assert asked.status == "accepted"
            exact = np.array([120 + 130 + 110 + 2 * 100, 60 + 70 + 80 + 2 * 110])
            assert (total.reveal() == exact).all()  # person 3's rows are in the middle of bounds
            for epsilon in (4.0, 2.0):
                off = together.release(total, epsilon) - exact
                assert np.abs(off).max() < 2 * 2 * 200 / epsilon * 25
            with pytest.raises(PermissionDenied, match="paid in advance, and epsilon 0"):
                together.release(total, 0.5)
            again = together.clip_rows(together.share(found(a, "visits")), 0, 200).sum()
            with pytest.raises(PermissionDenied, match="paid in advance"):
                together.release(again, 0.5)
            with pytest.raises(PermissionDenied, match="begin a new one"):
                together.share(found(a, "visits"), epsilon=1.0)
            assert spent() == [6.0, 6.0, 4.0, 4.0]
            assert a.owner.accounts["dataset:visits"][2] == pytest.approx(6.0)
        with Committee([a, b, c]) as together:  # what was shared unpaid stays so
            rows = together.share(found(a, "visits"))
            with pytest.raises(PermissionDenied, match="begin a new one"):
                together.share(found(a, "visits"), epsilon=1.0)
            with pytest.raises(PermissionDenied, match="budget per subject"):
                together.release(together.clip_rows(rows, 0, 200).sum(), 0.5)
        assert spent() == [6.0, 6.0, 4.0, 4.0]
        events = [e for e in a.owner.log if "in advance" in str(e.get("kind", ""))]
        assert [e["subjects"] for e in events] == [2]


# -- accounts -----------------------------------------------------------------------------------
def test_two_requesters_cannot_double_a_persons_budget(node: VirtualNode) -> None:
    load(node, "visits", policy=mpc.Policy(epsilon=1.0, subject_epsilon=1.0))
    for client in (node, node.connect()):
        found(client, "visits").sum(axis=0).get(epsilon=0.5)
    for client in (node, node.connect(), node.connect()):
        with pytest.raises(BudgetExceeded):
            found(client, "visits").sum(axis=0).get(epsilon=0.5)
    for patient in (1, 2, 3):
        account = node.owner.subject_account(patient)
        assert (account["spent"][0], account["left"][0]) == (1.0, 0.0)
    with pytest.raises(ConfigError, match="no account"):
        node.owner.subject_account(4)
    with pytest.raises(PermissionDenied, match="only the owner"):
        node.call({"do": "subject"}, [np.zeros((1, 2), np.int64)])


def test_a_hundred_at_once_do_not_overspend_a_person(node: VirtualNode) -> None:
    """Nobody is refused, which would tell whose account is used up; people pay three times each."""
    load(node, "visits", policy=mpc.Policy(epsilon=100.0, subject_epsilon=1.0))
    failures: list[Exception] = []

    def ask() -> None:
        try:
            found(node.connect(), "visits").sum(axis=0).get(epsilon=0.3)
        except Exception as error:
            failures.append(error)

    crowd = [threading.Thread(target=ask) for _ in range(100)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert failures == []
    assert [node.owner.subject_account(p)["spent"][0] for p in (1, 2, 3)] == [0.9] * 3
    assert node.owner.accounts["dataset:visits"][2] == pytest.approx(30.0)


def test_two_data_sets_cannot_double_a_persons_budget(node: VirtualNode) -> None:
    """Whose account is used up is left out, silently; the others stay in."""
    load(node, "visits", policy=EXACT)
    later = np.array([[3, 100, 100], [3, 100, 100], [4, 10, 50], [5, 20, 60]])
    load(node, "later", later, policy=EXACT)
    client = node.connect()
    assert np.allclose(found(client, "visits").sum(0).get(epsilon=1e9), [650, 395], atol=0.1)
    assert np.allclose(found(node, "later").sum(0).get(epsilon=1e9), [230, 310], atol=0.1)
    # person 3 has paid twice, all that there was: in the middle of the bounds from now on
    for name, expected in (("later", [230, 330]), ("visits", [560, 430])):
        got = found(client, name).sum(0).get(epsilon=1e9)
        assert np.allclose(got, expected, atol=0.1), name
    spent = [node.owner.subject_account(p)["spent"][0] for p in (1, 2, 3, 4, 5)]
    assert spent == [2e9, 2e9, 2e9, 2e9, 2e9]
    assert node.owner.log[-2]["subjects"] == 2
    with pytest.raises(PermissionDenied):
        found(client, "visits").sum(0).get()  # exact results are another matter: on request


def test_left_out_people_are_left_out_of_every_statistic(node: VirtualNode) -> None:
    once = mpc.Policy(epsilon=9e9, max_epsilon=1e9, subject_epsilon=1e9)
    load(node, "visits", policy=once)
    x = found(node, "visits")
    x.sum(0).get(epsilon=1e9)
    for value, expected in (
        (x.mean(0), [100, 110]),
        (x[:, 0].histogram([0.0, 99.0, 101.0, 200.0]), [0, 5, 0]),
        (x[:, 0].quantile(0.5), 100),
        ((x * 2).clip(0, 300).sum(0), [1000, 1100]),
        (x.T @ x, [[50000, 55000], [55000, 60500]]),
    ):
        assert np.allclose(value.get(epsilon=1e9), expected, atol=0.5)
    assert node.owner.subject_account(1)["spent"][0] == 1e9


def test_one_release_of_two_data_sets_is_paid_twice(node: VirtualNode) -> None:
    load(node, "visits", policy=EXACT)
    load(node, "later", VISITS[3:], policy=EXACT)
    both = found(node, "visits").sum() + found(node, "later").sum()
    both.get(epsilon=0.5)
    spent = {p: node.owner.subject_account(p)["spent"][0] for p in (1, 3)}
    assert spent == {1: 0.5, 3: 1.0}


def test_a_delta_is_not_paid_twice(node: VirtualNode) -> None:
    policy = mpc.Policy(epsilon=3.0, delta=1e-5, subject_epsilon=3.0, subject_delta=1e-6)
    load(node, "visits", policy=policy)
    load(node, "later", VISITS[3:], policy=policy)
    both = found(node, "visits").sum() + found(node, "later").sum()
    with pytest.raises(PermissionDenied, match="take no delta"):
        both.get(epsilon=0.5, delta=1e-6)
    found(node, "visits").sum().get(epsilon=0.5, delta=1e-6)
    assert node.owner.subject_account(1)["spent"] == [0.5, 1e-6]


def test_records_of_one_group_are_of_the_same_people(node: VirtualNode) -> None:
    load(node, "visits", group="g", policy=EXACT)
    other = VISITS.copy()
    other[0, 0] = 9
    with pytest.raises(ConfigError, match="differ from those of 'visits'"):
        load(node, "other", other, group="g", policy=EXACT)
    with pytest.raises(ConfigError, match="differ from those of 'visits'"):
        node.owner.load("plain", np.zeros(5), group="g", policy=EXACT)
    load(node, "same", group="g", policy=EXACT)
    (found(node, "visits") + found(node, "same")).sum().get(epsilon=1.0)
    assert node.owner.subject_account(1)["spent"][0] == 1.0  # one data set, paid once


def test_sample_rows_are_paid_by_people_too(node: VirtualNode) -> None:
    load(node, "visits", policy=EXACT, synthetic=0.5)
    assert node.owner.subject_account(2)["spent"][0] == 0.5


def test_what_a_person_paid_survives(tmp_path: Path) -> None:
    """A restart, a removal and loading again under another name change nothing."""
    policy = mpc.Policy(epsilon=2.0, subject_epsilon=1.0)
    with VirtualNode("a", tmp_path / "n") as node:
        x = load(node, "visits", policy=policy)
        found(node, "visits").sum().get(epsilon=0.75)
        node.owner.remove(x)
    with VirtualNode("a", tmp_path / "n") as node:
        load(node, "renamed", policy=policy)
        assert node.owner.subject_account(1)["spent"][0] == 0.75
        node.owner.set_policy(found(node.owner, "renamed"), mpc.Policy(epsilon=2.0))
        found(node, "renamed").sum().get(epsilon=0.5)
        assert node.owner.subject_account(1)["spent"][0] == 0.75  # no accounts of people asked for
