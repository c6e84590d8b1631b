"""Attacks on consent and on budgets, each of which succeeds where they are an afterthought."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import (
    BudgetExceeded,
    ConsistencyCheckFailed,
    FrameError,
    PermissionDenied,
    RequestDenied,
    RequestTimeout,
    UnboundedSensitivity,
)
from mpyc_core.grid import approvals
from mpyc_core.grid.asking import Request
from mpyc_core.grid.cards import Policy
from mpyc_core.grid.keys import fresh_id
from mpyc_core.grid.ops import names
from mpyc_core.grid.virtual import VirtualNode

from .conftest import Clinic


def accept_all(node: VirtualNode) -> None:
    for asked in node.owner.requests:
        asked.accept()


# -- requests and approvals ---------------------------------------------------------------------
def test_an_approved_name_does_not_cover_another_computation(clinic: Clinic) -> None:
    node, x = clinic.node, clinic.data
    x[:, 2].mean().request(name="mean_bmi", reason="agreed by phone")
    accept_all(node)
    with pytest.raises(RequestTimeout):
        x.get(request_block=True, name="mean_bmi", reason="agreed by phone", timeout_secs=0.05)
    for other in (x, x[:, 2], x[:, 3].mean(), x[:, 2].sum(), x[:, 2].mean() * 1.0, x[:1, 2].mean()):
        with pytest.raises(PermissionDenied):
            other.get()
    assert float(x[:, 2].mean().get()) == clinic.rows[:, 2].mean()


def test_rules_look_at_the_computation_and_not_at_the_name(clinic: Clinic) -> None:
    node, x = clinic.node, clinic.data
    node.owner.add_rule(["index", "mean"], max_elements=1, uses=3, elements=3)
    ok = {"request_block": True, "timeout_secs": 5.0}
    assert float(x[:, 2].mean().get(name="anything", **ok)) == clinic.rows[:, 2].mean()
    quick = {"request_block": True, "timeout_secs": 0.05, "name": "model_download"}
    for refused in (x, x[:1], x.sum(), x.mean(axis=0), x + 0, x * 1e-9):
        with pytest.raises(RequestTimeout):
            refused.get(**quick)
    x[:, 3].mean().get(**ok)
    x[:, 4].mean().get(**ok)
    with pytest.raises(RequestTimeout):  # the quota is used up
        x[:, 5].mean().get(**quick)


def test_a_rule_for_everything_does_not_cover_the_bare_data(clinic: Clinic) -> None:
    clinic.node.owner.add_rule(list(names()), max_elements=10**6, uses=9, elements=10**7)
    with pytest.raises(RequestTimeout):
        clinic.data.get(request_block=True, timeout_secs=0.05)


def test_quotas_of_rules_are_in_epsilon_too(clinic: Clinic) -> None:
    """Noisy results of what somebody else sent need that person's consent as well."""
    node = clinic.node
    other = node.connect()
    sent = other.send(np.arange(442.0), tags=["#extra"], searchable=True)
    other.add_rule(["mul", "sum"], 1, max_epsilon=0.5, uses=9, elements=9, epsilon=0.6)
    mixed = (clinic.labels * node.pointer(sent.id)).sum()
    with pytest.raises(PermissionDenied):
        mixed.get(epsilon=0.5)
    mixed.get(epsilon=0.5, request_block=True, timeout_secs=5)
    with pytest.raises(RequestTimeout):
        mixed.get(epsilon=0.5, request_block=True, timeout_secs=0.05)


def test_swapping_the_object_voids_the_approval(clinic: Clinic) -> None:
    node, own = clinic.node, clinic.node.send(np.full(442, 1 / 442), tags=["#weights"])
    asked = (clinic.labels * own).sum().request(reason="a mean")
    accept_all(node)
    only_first = np.zeros(442)
    only_first[0] = 1.0
    node.update(own, only_first)
    with pytest.raises(PermissionDenied, match="request"):
        asked.get()
    with pytest.raises(PermissionDenied):
        (clinic.labels * node.pointer(own.id)).sum().get()


def test_a_computed_object_keeps_what_it_was_made_of(clinic: Clinic) -> None:
    """Aliases that are held from before an approval do not change with it."""
    x = clinic.data[:, 0]
    alias = x
    asked = x.sum().request(reason="r")
    x += 1e6  # rebinds: the object that was asked about stays what it was
    accept_all(clinic.node)
    assert float(asked.get()) == clinic.rows[:, 0].sum()
    with pytest.raises(PermissionDenied):
        alias.get()
    with pytest.raises(PermissionDenied):
        x.get()


def test_new_rows_or_a_new_policy_void_approvals(clinic: Clinic) -> None:
    node = clinic.node
    for change in (
        lambda: node.owner.reload(clinic.data, clinic.rows[::-1].copy()),
        lambda: node.owner.set_policy(clinic.data, Policy(raw="never", epsilon=3.0)),
    ):
        x = node.pointer(clinic.data.id)
        asked = x.sum().request(reason="r")
        accept_all(node)
        change()
        with pytest.raises(PermissionDenied):
            asked.get()


def test_an_approval_is_used_once(clinic: Clinic) -> None:
    total = clinic.data.sum()
    asked = total.request(reason="r")
    clinic.node.owner.requests[0].accept(uses=2)
    first, again = asked.get(), asked.get()
    assert first == again == pytest.approx(clinic.rows.sum())  # the same release, delivered twice
    for _ in range(1):
        Request(clinic.node, asked.id).get()  # the second use
    with pytest.raises(PermissionDenied):
        Request(clinic.node, asked.id).get()
    with pytest.raises(PermissionDenied):
        total.get()


def test_a_replayed_answer_is_no_approval(clinic: Clinic) -> None:
    """Neither the stored bytes of another approval nor a second answer open anything."""
    node, state = clinic.node, clinic.node.node.state
    good = clinic.data.sum().request(reason="fine")
    node.owner.requests[0].accept()
    bad = clinic.data.request(reason="all of it")
    body = state.row("SELECT body FROM answers WHERE request = ?", good.id)[0]
    state.run("UPDATE answers SET status='accepted', uses=5, body=? WHERE request=?", body, bad.id)
    with pytest.raises(PermissionDenied):
        bad.get()
    good.get()
    answered = node.owner.requests.all()[0]
    with pytest.raises(PermissionDenied, match="accepted before"):
        answered.accept()
    denied = clinic.data.max().request(reason="r")
    node.owner.requests[-1].deny("no")
    with pytest.raises(PermissionDenied, match="denied before"):
        next(a for a in node.owner.requests.all() if a.id == denied.id).accept()


def test_an_approval_is_for_its_requester(clinic: Clinic) -> None:
    asked = clinic.data.sum().request(reason="r")
    accept_all(clinic.node)
    thief = clinic.stranger
    with pytest.raises(PermissionDenied):
        Request(thief, asked.id).get()
    with pytest.raises(PermissionDenied):
        _ = Request(thief, asked.id).status
    with pytest.raises(PermissionDenied):
        thief.pointer(clinic.data.id).sum().get()
    assert asked.get() == pytest.approx(clinic.rows.sum())


def test_nobody_answers_for_the_owner(clinic: Clinic) -> None:
    asked = clinic.data.sum().request(reason="r")
    for who in (clinic.node, clinic.stranger):
        header = {"request": asked.id, "accept": True, "reason": "", "uses": 1, "expiry": 9.0}
        with pytest.raises(PermissionDenied):
            who.call({"do": "answer", **header})
        with pytest.raises(PermissionDenied):
            who.call({"do": "preview", "request": asked.id})
        assert len(who.requests) == 0
    assert asked.status == "pending"


def test_an_approval_expires(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = clinic.data.sum().request(reason="r")
    clinic.node.owner.requests[0].accept(expiry=60.0)
    now = time.time()
    monkeypatch.setattr(approvals.time, "time", lambda: now + 61)
    with pytest.raises(PermissionDenied):
        asked.get()


def test_every_owner_must_agree(clinic: Clinic) -> None:
    node, partner = clinic.node, clinic.node.connect()
    theirs = partner.send(np.ones(442), tags=["#w"], searchable=True)
    asked = (clinic.labels * node.pointer(theirs.id)).sum().request(reason="both")
    node.owner.requests[0].accept()
    assert asked.status == "pending"
    with pytest.raises(PermissionDenied):
        asked.get()
    partner.requests[0].accept()
    assert asked.wait() == pytest.approx(clinic.target.sum())


def test_the_logs_head_goes_to_requester_and_owners(clinic: Clinic) -> None:
    """Whoever has it finds out if the log is cut behind a release."""
    node, partner = clinic.node, clinic.node.connect()
    theirs = partner.send(np.ones(442), tags=["#w"], searchable=True)
    asked = (clinic.labels * node.pointer(theirs.id)).sum().request(reason="both")
    for owner in (node.owner, partner):
        owner.requests[0].accept()
    asked.wait()
    log = node.node.audit
    last = log.head().number
    assert node.heads[-1].number == last
    assert len(partner.requests) == 0 and partner.heads[-1] == log.head()
    with node.node.state.transaction():  # by the node's own owner, at the disk
        node.node.state.run("DELETE FROM audit WHERE seq >= ?", last)
        log.append("nothing happened")
        log.append("nothing at all")
    for client in (node, partner):
        with pytest.raises(ConsistencyCheckFailed, match="rewritten"):
            client.verify(client.heads[-1])


def test_one_denial_is_enough_and_says_why(clinic: Clinic) -> None:
    asked = clinic.data.sum().request(reason="r")
    clinic.node.owner.requests[0].deny("not without the ethics board")
    with pytest.raises(RequestDenied, match="ethics board"):
        asked.wait()


# -- budgets ------------------------------------------------------------------------------------
def test_a_second_account_does_not_double_a_budget(clinic: Clinic) -> None:
    clinic.labels.mean().get(epsilon=2.0)
    other = clinic.stranger.pointer(clinic.labels.id)
    with pytest.raises(BudgetExceeded):
        other.mean().get(epsilon=1.5)
    other.mean().get(epsilon=1.0)
    for who in (clinic.node, clinic.stranger, clinic.node.connect()):
        with pytest.raises(BudgetExceeded):
            who.pointer(clinic.labels.id).mean().get(epsilon=1e-6)


def test_data_sets_of_one_group_share_a_budget(clinic: Clinic) -> None:
    clinic.labels.mean().get(epsilon=2.0)
    with pytest.raises(BudgetExceeded):
        clinic.data.mean(axis=0).get(epsilon=1.5)


def test_a_hundred_at_once_do_not_overspend(clinic: Clinic) -> None:
    """epsilon 3 in parts of 0.06: exactly 50 of 100 concurrent requests are served."""
    served, refused = [], []
    start = threading.Barrier(20)

    def ask() -> None:
        client = clinic.node.connect()
        mean = client.pointer(clinic.labels.id).mean()
        start.wait()
        for _ in range(5):
            try:
                served.append(float(mean.get(epsilon=0.06)))
            except BudgetExceeded:
                refused.append(1)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert (len(served), len(refused)) == (50, 50)
    _, _, spent, _ = clinic.node.owner.accounts["dataset:patients"]
    assert spent == pytest.approx(3.0, abs=1e-12)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("inf"), float("nan"), True, "1", 1e400])
def test_prices_that_make_no_sense_are_refused(clinic: Clinic, epsilon: Any) -> None:
    with pytest.raises((FrameError, TypeError, PermissionDenied)):
        clinic.labels.mean().get(epsilon=epsilon)
    assert clinic.node.owner.accounts["dataset:patients"][2] == 0


def test_the_price_of_one_release_is_limited(clinic: Clinic) -> None:
    with pytest.raises(PermissionDenied, match="2 at most"):
        clinic.labels.mean().get(epsilon=2.5)


@pytest.mark.parametrize(
    "unbounded",
    [
        lambda c: c.data,
        lambda c: c.data[0],
        lambda c: c.data.max(axis=0),
        lambda c: np.exp(c.data * 1e3).sum(),
        lambda c: (1 / (c.data - 50.0)).sum(),
        lambda c: np.sort(c.labels)[0],
    ],
)
def test_what_has_no_bound_costs_nothing_and_gives_nothing(clinic: Clinic, unbounded: Any) -> None:
    with pytest.raises(UnboundedSensitivity):
        unbounded(clinic).get(epsilon=1.0)
    assert clinic.node.owner.accounts["dataset:patients"][2] == 0


def test_failed_asking_is_free(clinic: Clinic) -> None:
    with pytest.raises(PermissionDenied):
        clinic.labels.get()
    assert clinic.node.owner.accounts["dataset:patients"][2] == 0


def test_a_retry_gives_the_same_noise_at_no_price(clinic: Clinic) -> None:
    mean, token = clinic.labels.mean(), fresh_id()
    ask = {"target": mean.id, "epsilon": 0.5, "delta": None, "error": None}
    first = clinic.node.take("release", ask, token)
    assert [float(clinic.node.take("release", ask, token)) for _ in range(5)] == [float(first)] * 5
    assert clinic.node.owner.accounts["dataset:patients"][2] == pytest.approx(0.5)
    with pytest.raises(PermissionDenied, match="another computation"):
        clinic.node.take("release", {**ask, "epsilon": 1.0}, token)
    stolen = clinic.stranger.pointer(clinic.labels.id).mean()
    other = clinic.stranger.take("release", {**ask, "target": stolen.id}, token)
    assert float(other) != float(first)  # a token is its caller's


def test_removing_and_loading_again_gives_no_new_budget(clinic: Clinic) -> None:
    clinic.labels.mean().get(epsilon=2.0)
    clinic.node.owner.remove(clinic.data)
    clinic.node.owner.remove(clinic.labels)
    again = clinic.node.owner.load(
        "fresh",
        clinic.target,
        tags=["#again"],
        group="patients",
        columns=[mpc.Column("progression", 0, 400)],
        policy=Policy(epsilon=3.0, max_epsilon=2.0),
    )
    with pytest.raises(BudgetExceeded):
        clinic.node.pointer(again.id).mean().get(epsilon=1.5)


def test_a_policy_may_want_to_be_asked_for_noisy_results_too(clinic: Clinic) -> None:
    policy = Policy(epsilon=3.0, noisy="request")
    clinic.node.owner.set_policy(clinic.labels, policy)
    mean = clinic.node.pointer(clinic.labels.id).mean()
    with pytest.raises(PermissionDenied):
        mean.get(epsilon=0.5)
    asked = mean.request(reason="r", epsilon=0.5)
    accept_all(clinic.node)
    with pytest.raises(PermissionDenied):
        mean.get(epsilon=0.6)  # the price is part of what was accepted
    assert abs(float(mean.get(epsilon=0.5)) - clinic.target.mean()) < 40
    with pytest.raises(PermissionDenied):
        asked.get()
    assert clinic.node.owner.accounts["dataset:patients"][2] == pytest.approx(0.5)
