"""Attacks on a node, each of which succeeds where permission is an afterthought.

Where each attack is tried; names are of functions, in this file where no other is given:

    raw get                         test_a_raw_get_is_refused_and_says_how_to_ask
    get by way of one's own data    test_mixing_in_own_data_does_not_make_it_own
    get through print, repr, errors test_nothing_that_is_shown_holds_a_value
    probing shape by shape          test_probing_shapes_tells_nothing
    probing by errors               test_errors_at_the_node_do_not_depend_on_values
    approved name, another graph
        test_consent.test_an_approved_name_does_not_cover_another_computation
    rule by name
        test_consent.test_rules_look_at_the_computation_and_not_at_the_name
    object swapped after approval   test_consent.test_swapping_the_object_voids_the_approval
    data or policy changed after it test_consent.test_new_rows_or_a_new_policy_void_approvals
    in-place alias after approval   test_what_was_approved_has_no_alias
    leaked id: get, overwrite, ...  test_a_leaked_id_is_of_no_use
    driver reads openings           test_committee.test_a_driver_reads_no_openings
    driver names parties of its own test_committee.test_data_is_shared_with_trusted_nodes_only
    two accounts, one budget        test_consent.test_a_second_account_does_not_double_a_budget
    two accounts, one person        test_subjects.test_two_requesters_cannot_double_a_persons_budget
    two data sets, one person       test_subjects.test_two_data_sets_cannot_double_a_persons_budget
    100 concurrent spends           test_a_hundred_spends_at_once_over_the_network
    crash after charge              test_crashes.test_a_node_killed_in_a_release_keeps_the_charge
    kill -9 at any time             test_crashes.test_a_node_killed_at_any_time
    replayed approval               test_consent.test_a_replayed_answer_is_no_approval
    approval used twice             test_consent.test_an_approval_is_used_once
    forged identity                 test_network.test_a_public_key_alone_is_no_identity
    another node at the address     test_network.test_another_node_at_the_address_is_found_out
    oversized command               test_hostile.test_oversized_commands_are_refused_unread
    a few steps of huge bounds      test_hostile.test_a_few_steps_cannot_keep_a_node_busy
    unknown operation               test_hostile.test_unknown_operations_are_refused
    unknown command                 test_hostile.test_unknown_commands_are_refused
    SQL and path injection          test_hostile.test_names_and_tags_inject_nothing
    log rewritten                   test_crashes.test_a_log_that_was_changed_does_not_verify
    cross-site request              web/test_page.test_forms_of_other_sites_do_nothing
    missing token on the page       web/test_page.test_nothing_is_shown_without_the_token
    averaging many releases         test_noise_that_a_node_gives_out_keeps_its_price
    what is sent, beside noise
        test_getting_out.test_noise_for_records_lets_nothing_out_beside_them
    the same among nodes
        test_getting_out.test_what_was_sent_gets_no_noise_among_nodes_either
    prices and bounds as an oracle
        test_getting_out.test_bounds_and_prices_tell_nothing_of_what_others_sent
    data shared a second time       test_getting_out.test_an_offer_is_shared_once
    shared anew after approval
        test_getting_out.test_what_the_driver_shares_anew_voids_an_approval
    one node in two seats           test_getting_out.test_one_node_takes_one_seat
    forged labels                   test_getting_out.test_a_client_states_no_labels
    owners lost on the way          test_getting_out.test_owners_follow_every_operation
    rows packed into a number
        test_getting_out.test_constants_that_pack_rows_into_one_number_are_counted
    NaN, infinity, wrapped integers
        test_getting_out.test_values_that_are_no_numbers_do_not_break_bounds
    replay after a restart          test_getting_out.test_nothing_is_replayed_across_a_restart
    log cut short                   test_crashes.test_a_log_that_was_changed_does_not_verify
    lease run out                   test_pointers.test_leases_end
    spending more than epsilon      dp/test_mechanisms.test_the_price_is_kept
    the same, noise by the parties  dp/test_shared_noise.test_the_price_is_kept
    averaging draws under one id
        test_noise_attacks.test_every_draw_is_paid_for_though_its_id_is_used_again
    exact value under a noisy id    test_noise_attacks.test_two_results_under_one_id_are_refused
    averaging retries               test_consent.test_a_retry_gives_the_same_noise_at_no_price
"""

from __future__ import annotations

import io
import re
import threading
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import BudgetExceeded, PermissionDenied
from mpyc_core.grid.keys import fresh_id
from mpyc_core.grid.pointer import Pointer
from mpyc_core.grid.virtual import VirtualNode

from ..dp.laws import privacy_loss
from .conftest import Clinic, hide
from .network import NodeProcess

SECRET = 987654.25


@pytest.fixture
def hidden(node: VirtualNode) -> Pointer:
    """A pointer to data whose every number is a marker that must never be seen."""
    return hide(node, SECRET)


# -- reading without permission ---------------------------------------------------------------
def test_a_raw_get_is_refused_and_says_how_to_ask(clinic: Clinic) -> None:
    for private in (clinic.data, clinic.data + 0, clinic.data.sum(), clinic.data[:1, :1]):
        with pytest.raises(PermissionDenied, match=r"\.get\(epsilon=.*\.request\("):
            private.get()


def test_mixing_in_own_data_does_not_make_it_own(clinic: Clinic) -> None:
    own = clinic.node.send(np.zeros((442, 10)))
    for mixed in (
        own + clinic.data,
        clinic.data * 0 + own,
        np.where(own == 0, clinic.data, own),
        np.concatenate([own, clinic.data])[442:],
        np.stack([own, clinic.data])[1],
        np.minimum(clinic.data, own + 1e9),
    ):
        with pytest.raises(PermissionDenied):
            mixed.get()


def test_what_a_client_sent_is_its_own_even_towards_the_owner(node: VirtualNode) -> None:
    x = node.send([SECRET], tags=["#x"], searchable=True)
    seen = node.owner.pointer(x.id)
    with pytest.raises(PermissionDenied):
        seen.get()
    with pytest.raises(PermissionDenied):
        (seen + 1).get()
    assert x.get().tolist() == [SECRET]


def test_nothing_that_is_shown_holds_a_value(hidden: Pointer, node: VirtualNode) -> None:
    """print, repr, format, error texts and tracebacks, at the client and in the owner's list."""
    shown = io.StringIO()
    with redirect_stdout(shown):
        for x in (hidden, hidden.sum(), hidden[0, 0], hidden > 5):
            print(x, repr(x), f"{x}", x.shape, x.tags)
        print(node, node.node, vars(node.node.objects.find(hidden.id)).keys())
        print(node.node.objects.find(hidden.id), node.store)
        hidden.sum().request(reason="r")
        print(list(node.owner.requests), node.owner.requests[0].computation, node.owner.log)
    failures: list[Any] = [
        lambda: hidden.get(),
        lambda: hidden.get(epsilon=0.1),
        lambda: hidden + np.ones(17),
        lambda: hidden.reshape(3, 3),
        lambda: bool(hidden),
        lambda: float(hidden[0, 0]),
        lambda: np.sin(hidden),
        lambda: np.asarray(hidden),
        lambda: list(hidden.sum()),
        lambda: node.call({"do": "run", "op": "add", "inputs": [hidden.id], "params": {}}),
    ]
    for fail in failures:
        try:
            fail()
        except Exception:
            shown.write(traceback.format_exc())
        else:
            raise AssertionError("this was to fail")
    assert "987654" not in shown.getvalue()
    assert "PermissionDenied" in shown.getvalue()


@pytest.mark.parametrize(
    "probe",
    [
        lambda x: x.reshape(-1)[x],  # an index out of bounds would tell a value
        lambda x: np.take(np.arange(5), x),
        lambda x: np.broadcast_to(x, x),
        lambda x: np.zeros(3)[x],
        lambda x: np.linalg.inv(x),  # a singular matrix would raise
        lambda x: np.ones(3) ** x,  # a negative exponent of integers would raise
        lambda x: np.repeat([1], x),
        lambda x: np.unique(x),
        lambda x: np.nonzero(x),
        lambda x: x[x > 5],
        lambda x: range(x),
        lambda x: [0][x],
        lambda x: f"{x:d}",
        lambda x: sorted([x, x]),
    ],
)
def test_probing_shapes_tells_nothing(node: VirtualNode, probe: Any) -> None:
    """No operation has a shape or an error that depends on values."""
    node.owner.load("n", np.array([3, 1, 2]), tags=["#n"])
    with pytest.raises(TypeError):
        probe(node.store[0])


def test_errors_at_the_node_do_not_depend_on_values(node: VirtualNode) -> None:
    """Overflow, division by zero and NaN are results, not errors."""
    with np.errstate(all="raise"):
        for value in (0.0, 1.0, np.nan, np.inf, -1.0, 1e308):
            x = node.send(np.full(3, value))
            for y in (1 / x, np.log(x), np.sqrt(x), np.exp(x), x**-2, x.astype(int), x.sum()):
                y.wait()
            x.histogram([0.0, 1.0]).wait()
        whole = node.send(np.array([0, -(2**63), 2**63 - 1]))
        for y in (np.reciprocal(whole), abs(whole), whole * whole, whole / 0):
            y.wait()


def test_sizes_cannot_be_probed_through_foreign_ids(clinic: Clinic) -> None:
    """Whether an id exists, and what shape it has, cannot be told from the refusal."""
    secret = clinic.stranger.send(np.ones((3, 4)))
    texts = set()
    for key in (secret.id, fresh_id()):
        for params, op, other in (
            ({}, "add", np.ones((3, 4))),
            ({}, "add", np.ones((7, 9))),
            ({"shape": [12]}, "reshape", None),
            ({"shape": [13]}, "reshape", None),
        ):
            inputs = [key] if other is None else [key, ["constant", 0]]
            header = {"do": "run", "op": op, "inputs": inputs, "params": params}
            with pytest.raises(PermissionDenied) as caught:
                clinic.node.call(header, [] if other is None else [other])
            texts.add(str(caught.value))
    assert len(texts) == 1


# -- leaked ids ---------------------------------------------------------------------------------
LEAKED = {
    "get": lambda c, k: c.call(
        {
            "do": "release",
            "target": k,
            "token": fresh_id(),
            "epsilon": None,
            "delta": None,
            "error": None,
        }
    ),
    "noisy get": lambda c, k: c.call(
        {
            "do": "release",
            "target": k,
            "token": fresh_id(),
            "epsilon": 1.0,
            "delta": None,
            "error": None,
        }
    ),
    "run": lambda c, k: c.call({"do": "run", "op": "neg", "inputs": [k], "params": {}}),
    "overwrite": lambda c, k: c.call({"do": "update", "target": k}, [np.zeros(3)]),
    "delete": lambda c, k: c.call({"do": "delete", "target": k}),
    "look": lambda c, k: c.call({"do": "look", "target": k}),
    "request": lambda c, k: c.call(
        {
            "do": "request",
            "target": k,
            "name": "",
            "reason": "",
            "epsilon": None,
            "delta": None,
            "error": None,
        }
    ),
    "sample": lambda c, k: c.call({"do": "sample", "target": k, "rows": 5}),
    "budget": lambda c, k: c.call({"do": "budget", "target": k}),
}


@pytest.mark.parametrize("what", LEAKED)
def test_a_leaked_id_is_of_no_use(node: VirtualNode, what: str) -> None:
    x = node.send([SECRET, 2.0, 3.0])
    y = x * 2
    for key in (x.id, y.id):
        with pytest.raises(PermissionDenied, match="no object of this id"):
            LEAKED[what](node.connect(), key)
    node.connect().call({"do": "head", "free": [x.id, y.id]})  # nor is freeing it
    assert x.get().tolist() == [SECRET, 2.0, 3.0]
    assert y.get().tolist() == [2 * SECRET, 4.0, 6.0]


@pytest.mark.parametrize("what", ["overwrite", "delete"])
def test_a_data_set_that_all_may_use_is_not_theirs(clinic: Clinic, what: str) -> None:
    with pytest.raises(PermissionDenied):
        LEAKED[what](clinic.node, clinic.data.id)
    clinic.data.sum().wait()


def test_only_the_owner_does_what_owners_do(clinic: Clinic) -> None:
    policy = {"raw": "request", "epsilon": 100.0, "delta": 0.0, "max_epsilon": 100.0}
    policy["noisy"] = "budget"
    for header in (
        {"do": "policy", "target": clinic.data.id, "policy": policy},
        {"do": "remove", "target": clinic.data.id},
        {"do": "accounts"},
        {"do": "audit", "start": 1},
    ):
        with pytest.raises(PermissionDenied, match="only the owner"):
            clinic.node.call(header)
    with pytest.raises(PermissionDenied, match="only the owner"):
        clinic.node.call({"do": "reload", "target": clinic.data.id}, [np.zeros((442, 10))])


def test_ids_cannot_be_guessed(node: VirtualNode) -> None:
    ids = {node.send([i]).id for i in range(200)}
    assert len(ids) == 200
    assert all(len(i) == 32 for i in ids)
    bits = np.unpackbits(np.frombuffer(bytes.fromhex("".join(ids)), np.uint8))
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(bits.size)


def test_numbers_of_commands_reach_no_other_connection(node: VirtualNode) -> None:
    node.send([SECRET]).wait()
    other = node.connect()
    for number in range(10):
        with pytest.raises(PermissionDenied):
            other.call({"do": "run", "op": "neg", "inputs": [number], "params": {}})


# -- alias, crowd, average ----------------------------------------------------------------------
def test_the_list_names_tests_that_exist() -> None:
    named = re.findall(r" ((?:[\w/]+\.)?test_\w+)$", __doc__ or "", re.M)
    here = Path(__file__).parent
    assert len(named) > 30
    for place, _, test in (name.rpartition(".") for name in named):
        folder = here.parent if "/" in place else here
        text = (folder / f"{place or 'test_attacks'}.py").read_text()
        assert f"def {test}(" in text, (place, test)


def test_what_was_approved_has_no_alias(clinic: Clinic) -> None:
    """The owner approved these weights; what the client does to its array afterwards is nothing."""
    weights = np.zeros((10, 1))
    weights[2] = 1
    sent = clinic.node.send(weights)
    view = weights[:]
    for weighted in (clinic.data @ sent, clinic.data @ weights):
        asked = weighted.mean().request(reason="mean of one column")
        clinic.node.owner.requests[0].accept()
        view += 1000.0  # in place, and seen by whoever kept a reference
        assert float(asked.wait()) == pytest.approx(clinic.rows[:, 2].mean())
        view -= 1000.0
    rows = clinic.rows.copy()
    x = clinic.node.owner.load("alias", rows, tags=["#alias"])
    rows[:] = 0
    asked = clinic.node.pointer(x.id).mean().request(reason="r")
    clinic.node.owner.requests[0].accept()
    assert float(asked.wait()) == pytest.approx(clinic.rows.mean())
    given = sent.get()
    assert not given.flags.writeable  # nor is what came out the node's own memory to write to


@pytest.mark.processes
@pytest.mark.timeout(120)
def test_a_hundred_spends_at_once_over_the_network(tmp_path: Path) -> None:
    """Ten clients with keys of their own, ten requests of each under way at once: epsilon 1 in
    parts of 0.02 serves exactly 50 of 100."""
    place = NodeProcess("a", tmp_path / "a", "--open").start()
    owner = place.owner()
    column = {"columns": [mpc.Column("x", 0, 20)], "tags": ["#x"]}
    owner.load("x", np.arange(20.0), policy=mpc.Policy(epsilon=1.0), **column)
    clients = [place.client(tmp_path / f"{i}.key") for i in range(10)]
    assert len({client.public for client in clients}) == 10
    served, refused, start = [], [], threading.Barrier(10)

    def ask(client: mpc.Client) -> None:
        mean = client.store[0].mean()
        terms = {"target": mean.id, "epsilon": 0.02, "delta": None, "error": None}
        start.wait()
        sent = [client.submit({"do": "release", **terms, "token": fresh_id()}) for _ in range(10)]
        for pending in sent:
            try:
                served.append(float(pending.result()[1][0]))
            except BudgetExceeded:
                refused.append(1)

    threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert (len(served), len(refused)) == (50, 50)
    assert len(set(served)) > 40
    assert owner.accounts["dataset:x"][2] == pytest.approx(1.0, abs=1e-12)
    assert place.kill() == -9


def test_noise_that_a_node_gives_out_keeps_its_price(node: VirtualNode) -> None:
    """10^4 runs on neighbouring data, as elements of one vector, through the whole node; 10^5 of
    the mechanisms alone are in dp/test_mechanisms and, made by the parties, dp/test_shared_noise.

    All elements move together when the row changes, so each has its part of epsilon as noise.
    """
    runs, epsilon, found = 10**4, 0.75, []
    policy = mpc.Policy(epsilon=1e6, max_epsilon=1e6)
    copies = np.ones((1, runs))
    for name, row in (("low", 0.0), ("high", 1.0)):
        column = [mpc.Column("x", 0, 1)]
        x = node.owner.load(name, [[row]], tags=["#n"], columns=column, policy=policy)
        found.append((node.pointer(x.id) @ copies).sum(axis=0).get(epsilon=epsilon * runs))
    certain, estimate = privacy_loss(*(np.round(x * 2**16).astype(np.int64) for x in found))
    assert certain <= epsilon
    assert estimate > 0.8 * epsilon
