"""Ways out that look innocent: values beside noise, values shared twice, ids used again.

Each of these computations holds something that is nobody's to give but its owner's, in a place
where a budget, a label or an approval could have been looked up for something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import ConfigError, FrameError, MpcError, PermissionDenied, RequestDenied
from mpyc_core.grid.committee import Committee
from mpyc_core.grid.keys import fresh_id
from mpyc_core.grid.pointer import Pointer
from mpyc_core.grid.virtual import VirtualNode
from mpyc_core.privacy.shared import add_noise

from .conftest import Clinic

SECRET = 654321.25


@pytest.fixture
def sent(clinic: Clinic) -> Pointer:
    """What the node's owner sent without a card, as a client finds it."""
    x = clinic.node.owner.send([SECRET], tags=["#sent"], searchable=True)
    return clinic.node.pointer(x.id)


BESIDE = {
    "joined": lambda total, x: np.concatenate([total.reshape(1), x]),
    "stacked": lambda total, x: np.stack([total.reshape(1), x]),
    "added": lambda total, x: total * 0 + x,
    "chosen": lambda total, x: np.where(total * 0 == 0, x, total),
    "multiplied": lambda total, x: (total * 0 + 1) * x,
    "padded": lambda total, x: np.pad(x, 1) + total * 0,
}


@pytest.mark.parametrize("how", BESIDE)
def test_noise_for_records_lets_nothing_out_beside_them(
    clinic: Clinic, sent: Pointer, how: str
) -> None:
    """Without a card there is no budget: the policy of a data set does not speak for it."""
    mixed = BESIDE[how](clinic.labels.sum(), sent)
    with pytest.raises(PermissionDenied, match="what somebody else sent"):
        mixed.get(epsilon=0.1)
    assert clinic.node.owner.accounts["dataset:patients"][2] == 0
    asked = mixed.request(reason="r", epsilon=0.1)
    waiting = clinic.node.owner.requests[0]
    assert "no noise hides what others sent" in waiting.leakage
    waiting.accept()
    assert SECRET in np.round(asked.wait(), 6)  # its owner has agreed now


def test_bounds_and_prices_tell_nothing_of_what_others_sent(clinic: Clinic) -> None:
    """The range of a value decides whether noise can hide records, and how much it costs: that must
    not be found out by asking, as a comparison with any public number could be."""
    texts = set()
    for value in (0.5, 7.5, -3.0, 1e300, np.nan):
        theirs = clinic.stranger.send([value], tags=["#theirs"], searchable=True)
        x = clinic.node.pointer(theirs.id)
        for probe in (clinic.labels / x, clinic.labels * x, clinic.labels / np.maximum(x, 1)):
            for terms in ({"epsilon": 0.1}, {"error": 1e-6}, {"epsilon": 1e9}):
                with pytest.raises(PermissionDenied) as caught:
                    probe.sum().get(**terms)
                texts.add(str(caught.value))
    assert len(texts) == 1


def test_a_rule_for_data_sets_covers_nothing_beside_them(clinic: Clinic, sent: Pointer) -> None:
    ops, room = ["concatenate", "sum", "reshape"], {"uses": 9, "elements": 9}
    clinic.node.owner.add_rule(ops, max_elements=2, cards=[clinic.labels.id], **room)
    alone = clinic.labels.sum().reshape(1)
    assert alone.request().status == "accepted"
    assert np.concatenate([alone, sent]).request().status == "pending"
    mine = clinic.node.send([1.0])
    assert np.concatenate([alone, mine]).request().status == "accepted"


# -- among nodes --------------------------------------------------------------------------------
@pytest.fixture
def three() -> Iterator[list[VirtualNode]]:
    """Nodes that trust each other; the first has a data set and something that was sent to it."""
    nodes = [VirtualNode(name) for name in ("a", "b", "c")]
    for x in nodes:
        for y in nodes:
            if x is not y:
                x.owner.trust(y.name, y.curve)
    nodes[0].owner.load(
        "d",
        np.arange(20.0),
        tags=["#d"],
        columns=[mpc.Column("x", 0, 20)],
        policy=mpc.Policy(epsilon=5.0, delta=1e-6),
    )
    yield nodes
    for node in nodes:
        node.close()


def spent(node: VirtualNode) -> float:
    return float(node.owner.accounts["dataset:d"][2])


def test_what_was_sent_gets_no_noise_among_nodes_either(three: list[VirtualNode]) -> None:
    a = three[0]
    x = a.owner.send([SECRET / 100] * 3, searchable=True)
    data = next(p for p in a.store if "#d" in p.tags)
    with Committee(three) as together:
        rows = together.clip_rows(together.share(data), 0, 20)
        beside = together.clip_rows(together.share(a.pointer(x.id)), 0, 10_000)
        for hidden in (beside.sum(), rows.sum() * 0 + beside.sum()):
            with pytest.raises(PermissionDenied):
                together.release(hidden, 0.5)
            with pytest.raises(RequestDenied):
                add_noise(hidden, 1, 0.5)[0].reveal()
        assert spent(a) == 0


def test_an_offer_is_shared_once(three: list[VirtualNode]) -> None:
    """What came in a second time would be taken for rows of somebody else, which cost nothing."""
    a = three[0]
    data = next(p for p in a.store if "#d" in p.tags)
    with Committee(three) as together:
        together.share(data)
        with pytest.raises(ConfigError, match="nothing to share"):
            together.session.input(data.id, owner="a")
        again = together.clip_rows(together.share(data), 0, 20)  # with an offer it is labelled
        with pytest.raises(RequestDenied):
            add_noise(again.sum(), 1, 0.5)[0].reveal()
    assert spent(a) == 0


def test_what_the_driver_shares_anew_voids_an_approval(three: list[VirtualNode]) -> None:
    a = three[0]
    data = next(p for p in a.store if "#d" in p.tags)
    with Committee(three) as together:
        rows = together.share(data)
        first = together.share(np.zeros(20))
        number = first.ref.id
        total = (rows * first).sum()
        together.request(total, "weighed by nothing")
        a.owner.requests[0].accept()
        product = total.ref.id
        del first, total
        together.session.wait()
        chosen = np.zeros(20)
        chosen[7] = 1.0
        together.session._ids = number - 1
        other = together.share(chosen)
        assert other.ref.id == number
        swapped = (rows * other).sum()
        assert swapped.ref.id == product
        with pytest.raises(RequestDenied):
            swapped.reveal()


def test_one_node_takes_one_seat(three: list[VirtualNode]) -> None:
    """Two of three shares are the data: a driver gives one node no second name."""
    a, b, _ = three
    keys = {"a": a.curve, "b": b.curve, "c": b.curve}
    plan = {"names": list(keys), "protocol": "replicated", "ring": 64, "f": None}
    header = {"do": "sit", "session": fresh_id(), "me": "a", "keys": keys, "provider": None}
    with pytest.raises(ConfigError, match="one key"):
        a.call({**header, **plan})


# -- what came from where -----------------------------------------------------------------------
def test_owners_follow_every_operation(clinic: Clinic) -> None:
    """Of two owners both are asked, wherever the second one's part went."""
    theirs = clinic.stranger.send(np.ones((442, 10)), tags=["#t"], searchable=True)
    x, d = clinic.node.pointer(theirs.id), clinic.data
    mixed: list[Any] = [
        np.where(x > 0, d, 0.0),
        np.where(d > 0, x, 0.0),
        np.where(d > 0, 0.0, x),
        np.concatenate([d, x])[:442],
        np.stack([x, d])[1],
        (d * 0 + x)[:1],
        np.minimum(d, x * 1e9),
        (d @ x.T).sum(axis=0)[:1],
    ]
    node = clinic.node.node
    for y in mixed:
        stored = node.objects.find(y.id)
        assert stored is not None
        assert stored.owners == {node.owner, clinic.stranger.public}
        asked = y.request(reason="r")
        clinic.node.owner.requests[0].accept()
        assert asked.status == "pending"
        assert len(clinic.stranger.requests) == 1
        clinic.stranger.requests[0].deny("no")
        assert asked.status == "denied"


@pytest.mark.parametrize(
    "forged",
    [
        {"label": ["c"]},
        {"owners": []},
        {"cards": []},
        {"graph": {}},
        {"bounds": [0, 1]},
        {"sensitivity": 0},
    ],
)
def test_a_client_states_no_labels(clinic: Clinic, forged: dict[str, Any]) -> None:
    """Nothing that a client says of a value counts: the commands have no place for it."""
    run = {"do": "run", "op": "neg", "inputs": [clinic.data.id], "params": {}}
    put = {"do": "put", "tags": [], "description": "", "searchable": False}
    for header, arrays in ((run, []), (put, [np.ones(3)])):
        with pytest.raises(FrameError):
            clinic.node.call({**header, **forged}, arrays)
    with pytest.raises(FrameError):
        clinic.node.call({**run, "params": forged})


def test_constants_that_pack_rows_into_one_number_are_counted(clinic: Clinic) -> None:
    """Weights that are powers of two put many rows into one number: it still is 64 bits at most,
    which is what the owner reads, beside the weights; and it is one element of a rule's quota."""
    weights = 2.0 ** np.arange(10)
    packed = (clinic.data[0] * weights).sum()
    packed.request(name="mean", reason="an average")
    asked = clinic.node.owner.requests[0]
    assert asked.leakage.startswith("at most 64 bits")
    assert "512" in asked.computation and "mean(" not in asked.computation
    clinic.node.owner.add_rule(["index", "mul", "sum"], max_elements=1, uses=2, elements=2)
    seen = [(clinic.data[i] * weights).sum().request().status for i in range(4)]
    assert seen == ["accepted", "accepted", "pending", "pending"]


def test_values_that_are_no_numbers_do_not_break_bounds(clinic: Clinic) -> None:
    """log(-1), 0 / 0 and wrapped integers get the noise that their stated bounds need."""
    d = clinic.labels
    with np.errstate(all="ignore"):
        odd = [np.log(-d), (d * 0) / (d * 0), (d * 1e308) * 1e308 - (d * 1e308) * 1e308]
    for x in odd:
        found = x.clip(0.0, 1.0).sum().get(epsilon=0.1)
        assert np.isfinite(found)
        assert found != round(float(found))  # there is noise in it
    whole = clinic.node.owner.load(
        "whole",
        np.arange(1, 11),
        columns=[mpc.Column("n", 1, 10)],
        policy=mpc.Policy(epsilon=9.0),
    )
    n = clinic.node.pointer(whole.id)
    wrapped = ((n * 2**32) * 2**32 + n).clip(0, 10)  # n, though it is provably 10 or more
    assert int(wrapped.sum().get(epsilon=1e-6)) == 100


# -- after a restart ----------------------------------------------------------------------------
def test_nothing_is_replayed_across_a_restart(tmp_path: Any) -> None:
    """Answers, tokens and numbers of an earlier process get nothing more than they got."""
    from mpyc_core.grid.keys import own_identity

    me = own_identity(tmp_path / "me.key")
    policy = mpc.Policy(epsilon=1.0)
    with VirtualNode("a", tmp_path / "n") as node:
        node.owner.load("x", [1.0, 5.0], columns=[mpc.Column("x", 0, 9)], policy=policy)
        client = node.connect(me)
        x = client.store[0] if client.store else client.pointer(node.owner.store[0].id)
        asked = x.max().request(reason="r")
        node.owner.requests[0].accept()
        answer = {"do": "answer", "request": asked.id, "accept": True, "reason": ""}
        answer |= {"uses": 5, "expiry": 1000.0}
        first = float(asked.wait())
        token = fresh_id()
        made = x.mean()
        ask = {"target": made.id, "epsilon": 0.5, "delta": None, "error": None}
        noisy = float(client.take("release", ask, token))
        old = ask["target"]
    with VirtualNode("a", tmp_path / "n") as node:
        client, other = node.connect(me), node.connect()
        assert asked.client is not client
        with pytest.raises(PermissionDenied, match="before"):
            node.owner.call(answer)
        assert client.call({"do": "status", "request": asked.id})[0]["status"] == "used"
        with pytest.raises(PermissionDenied):
            client.take("collect", {"request": asked.id}, fresh_id())
        with pytest.raises(PermissionDenied):  # what it was made of is gone with the process
            client.take("release", {**ask, "target": old}, token)
        anew = client.pointer(x.id).mean()
        mean = {**ask, "target": anew.id}
        assert float(client.take("release", mean, token)) == noisy
        with pytest.raises(MpcError):
            other.take("release", mean, token)
        assert node.owner.accounts["dataset:x"][2] == pytest.approx(0.5)
        assert first == 5.0
