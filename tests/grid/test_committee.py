"""Nodes that compute on shares together: nobody's data passes through the driver."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import (
    BudgetExceeded,
    ConfigError,
    ConsistencyCheckFailed,
    MpcError,
    PermissionDenied,
    RequestDenied,
    ShareError,
    UnboundedSensitivity,
)
from mpyc_core.grid.audit import START, AuditLog, Head, verify
from mpyc_core.grid.committee import Committee
from mpyc_core.grid.heads import pack_head, witness
from mpyc_core.grid.state import State
from mpyc_core.grid.virtual import VirtualNode
from mpyc_core.privacy.shared import add_noise

Nodes = dict[str, VirtualNode]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    found = {name: VirtualNode(name) for name in ("alice", "bob", "theo", "op")}
    found["bob"].owner.load("ages", [34.0, 51.0, 47.0], tags=["#ages"])
    found["alice"].owner.load("weights", [1.0, 2.0, 3.0], tags=["#weights"])
    yield found
    for node in found.values():
        node.close()


@pytest.fixture
def three(nodes: Nodes) -> list[VirtualNode]:
    return [nodes["alice"], nodes["bob"], nodes["theo"]]


def befriend(nodes: list[VirtualNode]) -> None:
    for a in nodes:
        for b in nodes:
            if a is not b:
                a.owner.trust(b.name, b.curve)


def test_the_snippet_of_shared_ownership(three: list[VirtualNode]) -> None:
    alice, bob, theo = three
    x = alice.send(np.array([1, 2, 3, 4, 5])).share(alice, bob, theo)
    y = x + x
    assert y.reveal().tolist() == [2, 4, 6, 8, 10]
    w = bob.send(np.array([1.5, 2.0, -1.0, 0.5, 1.0])).share(alice, bob, theo)
    assert np.allclose((y * w).relu().reveal(), [3, 8, 0, 4, 10], atol=1e-3)


def test_with_a_crypto_provider(nodes: Nodes) -> None:
    alice, bob, op = nodes["alice"], nodes["bob"], nodes["op"]
    x = alice.send(np.array([1.0, -2.0, 3.0])).share(alice, bob, crypto_provider=op)
    assert np.allclose((x * x).reveal(), [1, 4, 9], atol=1e-3)
    assert "additive" in repr(x)
    with pytest.raises(ConfigError):
        alice.send([1.0]).share(alice, bob, crypto_provider=bob)


def test_an_encrypted_model_is_trained_on_encrypted_data(three: list[VirtualNode]) -> None:
    alice, bob, theo = three
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(40, 3))
    truth = rows @ np.array([1.0, -2.0, 0.5])
    x, y = alice.send(rows).share(*three), bob.send(truth).share(*three)
    w = theo.send(np.zeros(3)).share(*three)
    for _ in range(30):
        w = w.detach()
        w.requires_grad = True
        loss = ((x @ w - y) ** 2).mean()
        loss.backward()
        assert w.grad is not None
        w = w - w.grad * 0.2
    assert np.allclose(w.reveal(), [1.0, -2.0, 0.5], atol=0.05)


def test_data_is_shared_with_trusted_nodes_only(nodes: Nodes, three: list[VirtualNode]) -> None:
    """Otherwise a driver would name machines of its own as parties and read the data there."""
    bob = nodes["bob"]
    ages = bob.pointer(bob.store[0].id)
    with pytest.raises(PermissionDenied, match="does not trust alice, theo"):
        ages.share(*three)
    bob.owner.trust("alice", nodes["alice"].curve)
    with pytest.raises(PermissionDenied, match="does not trust theo"):
        ages.share(*three)


def test_protocols_without_secrets_are_refused(three: list[VirtualNode]) -> None:
    with pytest.raises(PermissionDenied, match="keeps no secrets"):
        Committee(three, protocol="plain")


def test_opening_needs_consent_for_exactly_the_computation(three: list[VirtualNode]) -> None:
    alice, bob = three[:2]
    befriend(three)
    with Committee(three) as together:
        ages = together.share(bob.pointer(bob.store[0].id))
        weights = together.share(alice.pointer(alice.store[0].id))
        total, other = (ages * weights).sum(), ages.max()
        for hidden in (ages, total, other, ages * 0, weights - weights):
            with pytest.raises(RequestDenied):
                hidden.reveal()
        asked = together.request(total, reason="a weighted sum", name="sum")
        assert len(asked) == 2
        (at_bob,) = bob.owner.requests
        assert "mpc mul" in at_bob.computation and "data set 'ages'" in at_bob.computation
        at_bob.accept()
        with pytest.raises(RequestDenied, match="alice"):
            total.reveal()  # every owner must agree
        # bob's approval is used up by an attempt that alice refused
        together.request(total, reason="again")
        for owner in (alice.owner, bob.owner):
            for request in owner.requests:
                request.accept()
        with pytest.raises(RequestDenied):
            other.reveal()
        assert float(total.reveal()) == pytest.approx(34 + 102 + 141, abs=1e-2)
        events = [e["event"] for e in bob.owner.log if e["event"] != "witnessed"]
        assert events[-1] == "opened"


def test_a_driver_reads_no_openings(three: list[VirtualNode]) -> None:
    """Nothing but what is revealed comes to the driver: no messages of parties, no shares."""
    bob = three[1]
    befriend(three)
    with Committee(three) as together:
        ages = together.share(bob.pointer(bob.store[0].id))
        (ages * ages).sum()
        together.session.wait()
        channel: Any = together.session._channel
        seen = [a for queue in channel._replies.values() for _, arrays in queue for a in arrays]
        assert seen == []
        for message in (
            {"do": "run", "commands": [_command("to_client", ages.ref.id)], "free": []},
            {"do": "run", "commands": [_command("open", ages.ref.id)], "free": []},
        ):
            thief = Committee(three)
            for node in three:
                thief.session._channel.send(node.name, message)
            with pytest.raises(MpcError):
                thief.session.wait()
                raise AssertionError("this was to fail")
        stranger = bob.connect()
        for do in ("answers", "leave"):
            header = {"do": do, "session": together.id}
            if do == "leave":
                stranger.call(header)  # says nothing, and ends nothing
            else:
                with pytest.raises(PermissionDenied):
                    stranger.call(header)
        with pytest.raises(PermissionDenied):
            turn = {"session": together.id, "message": {"do": "wait", "free": []}}
            stranger.call({"do": "turn", **turn})
        together.session.wait()


def _command(op: str, key: int) -> dict[str, Any]:
    return {"op": op, "inputs": [key], "outputs": [], "params": {"to": None}, "where": ""}


def test_a_result_for_one_party_stays_there(three: list[VirtualNode]) -> None:
    bob = three[1]
    with Committee(three) as together:
        x = together.share(np.array([1.0, 2.0]))
        assert (x * 3).reveal(to="bob") is None
        together.session.wait()
    found = [p for p in bob.owner.store if "#revealed" in p.tags]
    assert found[-1].get().tolist() == [3.0, 6.0]
    with pytest.raises(PermissionDenied):
        bob.pointer(found[-1].id)


def test_the_holder_takes_part(three: list[VirtualNode], nodes: Nodes) -> None:
    with pytest.raises(ShareError, match="op holds the data"):
        nodes["op"].send([1.0]).share(*three)


def test_noise_made_among_the_nodes_is_charged_by_each(three: list[VirtualNode]) -> None:
    """A value with noise from the parties opens under the policies alone, and others do not."""
    befriend(three)
    policy = mpc.Policy(epsilon=1.0, delta=1e-6)
    for i, node in enumerate(three):
        node.owner.load(
            "scores",
            np.linspace(0, 8, 30 + i),
            tags=["#scores"],
            columns=[mpc.Column("score", 0, 10)],
            policy=policy,
        )
    found = mpc.Grid(three).search("#scores", verbose=False)
    truth = sum(np.linspace(0, 8, 30 + i).sum() for i in range(3))

    def spent() -> list[float]:
        return [node.owner.accounts["dataset:scores"][2] for node in three]

    with Committee(three) as together:
        raw = [together.share(x) for x in found]
        rows = np.concatenate([together.clip_rows(x, 0, 10) for x in raw])
        total = rows.sum()
        for hidden in (total, rows, add_noise(total, 1, 0.5)[0]):  # too little noise for its claim
            with pytest.raises(RequestDenied):
                hidden.reveal()
        for unbounded in (rows, rows.max(), np.concatenate(raw).sum()):
            with pytest.raises(UnboundedSensitivity):
                together.release(unbounded, 0.5)
        assert spent() == [0.0] * 3
        noisy = together.release(total, 0.5)
        assert abs(float(noisy) - truth) < 10 / 0.5 * 15
        assert float(noisy) != pytest.approx(truth, abs=1e-6)
        assert [n.heads[-1] for n in three] == [n.node.audit.head() for n in three]
        assert spent() == pytest.approx([0.5] * 3)
        with pytest.raises(BudgetExceeded, match="the release costs"):
            together.release(total, 0.6)  # more than is left
        assert spent() == pytest.approx([0.5] * 3)
        once, _ = add_noise(total, 10 << 16, 0.25)
        assert float(once.reveal()) == float(once.reveal())  # the same noise, paid for once
        assert spent() == pytest.approx([0.75] * 3)
        near = together.release(total, error=200.0)
        assert abs(float(near) - truth) < 1000
        # 95 % of Laplace noise of scale 10 / epsilon lies below 200 at this epsilon
        assert spent() == pytest.approx([0.75 + 10 / 200 * np.log(20)] * 3, rel=0.01)
        with pytest.raises(ConfigError, match="one of them"):
            together.release(total)


def test_a_logistic_regression_of_rows_at_three_nodes(three: list[VirtualNode]) -> None:
    """The sigmoid is approximated on shares, residuals are clipped behind it."""
    befriend(three)
    rng = np.random.default_rng(8)
    x = rng.uniform(-2, 2, (900, 2))
    y = x[:, 0] - x[:, 1] > 0.2
    policy = mpc.Policy(epsilon=8.0, max_epsilon=8.0, delta=1e-6)
    for node, part in zip(three, np.split(np.column_stack([x, y]), 3), strict=True):
        node.owner.load("points", part, tags=["#points"], policy=policy)
    found = mpc.Grid(three).search("#points", verbose=False)
    with Committee(three) as together:
        rows = np.concatenate([together.share(p) for p in found])
        terms = {"centre": [0, 0], "spread": [1, 1], "epsilon": 8, "lr": 3.0, "names": ["a", "b"]}
        model = together.regression("logistic", rows[:, :2], rows[:, 2], **terms)
        with pytest.raises(ConfigError, match="name for each"):
            together.regression("logistic", rows[:, :2], rows[:, 2], **terms | {"names": ["a"]})
        with pytest.raises(ConfigError, match="centre"):
            together.regression("linear", rows[:, :2], rows[:, 2], **terms)
    assert np.mean((model.predict(x) > 0) == y) > 0.9
    assert model.weights[0] > 0 > model.weights[1]
    assert str(model).split()[:2] == ["a", f"{model.weights[0]:+.4g}"]
    assert three[0].owner.accounts["dataset:points"][2] == pytest.approx(8.0)


def test_what_stands_in_the_way_of_noise_is_said(three: list[VirtualNode]) -> None:
    """A policy without delta cannot pay for the last digits of the noise: it says what to set."""
    befriend(three)
    bob = three[1]
    column = {"columns": [mpc.Column("x", 0, 10)], "tags": ["#strict"]}
    refused = (
        (mpc.Policy(epsilon=1.0), r"delta 0 in all; its owner sets Policy\(delta=1e-6\)"),
        (mpc.Policy(epsilon=1.0, delta=1e-6, max_epsilon=0.1), "may cost epsilon 0.1 at most"),
        (mpc.Policy(epsilon=1.0, delta=1e-6, noisy="request"), "noisy='budget'"),
        (mpc.Policy(), "noisy='budget'"),
    )
    x = bob.owner.load("strict", np.arange(9.0), policy=refused[0][0], **column)
    with Committee(three) as together:
        shared = together.share(bob.pointer(x.id))
        total = together.clip_rows(shared, 0, 10).sum()
        for policy, why in refused:
            bob.owner.set_policy(x, policy)
            with pytest.raises(PermissionDenied, match=why):
                together.release(total, 0.5)
        bob.owner.set_policy(x, mpc.Policy(epsilon=1.0, delta=1e-6))
        assert abs(float(together.release(total, 0.5)) - 36) < 10 / 0.5 * 30
    assert bob.owner.accounts["dataset:strict"][2] == pytest.approx(0.5)


def test_co_owners_keep_the_heads_of_each_others_logs() -> None:
    """After an opening each log tells where the others stood, and they extend that later on."""
    found = [VirtualNode(name) for name in ("ann", "ben", "cat")]
    try:
        for _ in range(2):
            found[0].send(np.array([1, 2])).share(*found).reveal()
        for node in found:
            entries = [e.body for e in node.node.audit.entries() if e.body["event"] == "witnessed"]
            others = [other for other in found if other is not node]
            assert sorted(e["name"] for e in entries) == sorted(2 * [o.name for o in others])
            for other in others:
                heads = [Head.parse(e["head"]) for e in entries if e["name"] == other.name]
                assert {e["who"] for e in entries if e["name"] == other.name} == {other.curve}
                stood = [Head(0, START), *(e.head for e in other.node.audit.entries())]
                assert all(head in stood for head in heads)
                verify(other.node.state, other.node.keys.public, heads)
    finally:
        for node in found:
            node.close()


@pytest.mark.parametrize("lie", ["unsigned", "another key", "cut", "rewritten"])
def test_a_log_that_does_not_extend_its_head_is_found_by_co_owners(lie: str) -> None:
    ann, ben = VirtualNode("ann"), VirtualNode("ben")
    try:
        for event in ("one", "two"):
            ben.node.audit.append(event)
        shown = ben.node.audit.signed_head()
        witness(ann.node, "ben", ben.curve, pack_head(shown).tobytes())
        witness(ann.node, "ben", ben.curve, pack_head(shown).tobytes())
        log = AuditLog(State(None), ann.node.keys if lie == "another key" else ben.node.keys)
        for event in ("one",) if lie == "cut" else ("one", "other"):
            log.append(event)
        false = log.signed_head()
        if lie == "unsigned":
            false["signature"] = bytes(64)
        with pytest.raises(ConsistencyCheckFailed):
            witness(ann.node, "ben", ben.curve, pack_head(false).tobytes())
    finally:
        ann.close()
        ben.close()
