"""Killed at any time: what was acknowledged is there, and what was given out was paid for."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.cli import main
from mpyc_core.errors import ConfigError, ConsistencyCheckFailed, MpcError, PermissionDenied
from mpyc_core.grid.audit import Head, verify
from mpyc_core.grid.keys import fresh_id, own_identity
from mpyc_core.grid.state import State
from mpyc_core.grid.virtual import VirtualNode

from .network import NodeProcess

CHILD = Path(__file__).with_name("crash_child.py")
DATA = np.arange(20.0)
CARD = {
    "tags": ["#x"],
    "columns": [mpc.Column("x", 0, 20)],
    "policy": mpc.Policy(epsilon=1000.0),
}
CHARGED = {  # charged after the crash, and what asking again gives
    "reserving": (False, "fresh"),
    "reserved": (True, "lost"),
    "drawing": (True, "lost"),
    "drawn": (True, "stored"),
    "committing": (True, "stored"),
    "committed": (True, "stored"),
    "delivered": (True, "stored"),
}


@pytest.fixture(scope="module")
def died(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[str, int]]:
    """Folders of nodes by stage, the token of the release, and how each process ended."""
    root, token = tmp_path_factory.mktemp("stages"), fresh_id()
    for stage in CHARGED:
        with VirtualNode("a", root / stage) as node:
            node.owner.load("x", DATA, **CARD)
    command = [sys.executable, str(CHILD), str(root), token]
    ended = subprocess.run(command, timeout=55, stdout=subprocess.PIPE, text=True, check=True)
    codes = dict(line.split() for line in ended.stdout.splitlines())
    return root, token, {stage: int(code) for stage, code in codes.items()}


@pytest.mark.processes
@pytest.mark.parametrize("stage", CHARGED)
def test_a_node_killed_in_a_release_keeps_the_charge(
    died: tuple[Path, str, dict[str, int]], stage: str
) -> None:
    root, token, codes = died
    folder = root / stage
    assert codes[stage] == -signal.SIGKILL
    charged, then = CHARGED[stage]
    with VirtualNode("a", folder) as node:
        verify(node.node.state, node.node.keys.public)
        assert (node.owner.accounts["dataset:x"][2] == pytest.approx(0.5)) == charged
        client = node.connect(own_identity(folder / "client.key"))
        mean = client.pointer(client.store[0].id).mean()
        ask = {"target": mean.id, "epsilon": 0.5, "delta": None, "error": None}
        if then == "lost":
            with pytest.raises(PermissionDenied, match="not drawn a second time"):
                client.take("release", ask, token)
        else:
            first = client.take("release", ask, token)
            assert float(first) == float(client.take("release", ask, token))
        assert node.owner.accounts["dataset:x"][2] == pytest.approx(0.5)
        float(mean.get(epsilon=0.5))  # the node goes on, at a new charge
        assert node.owner.accounts["dataset:x"][2] == pytest.approx(1.0)
        verify(node.node.state, node.node.keys.public, client.heads)


@pytest.mark.processes
def test_a_node_killed_at_any_time(tmp_path: Path) -> None:
    """Under load, several times: spent is never below what came out, and the log goes on."""
    folder = tmp_path / "node"
    place = NodeProcess("a", folder, "--open").start()
    place.owner().load("x", DATA, **CARD)
    delivered: list[float] = []
    sent: list[tuple[str, int]] = []
    heads: list[Head] = []
    for turn in range(2):
        client = place.client(tmp_path / "me.key")
        mean = client.pointer(next(p for p in client.store if "#x" in p.tags).id).mean()

        def load(client: mpc.Client = client, mean: object = mean, turn: int = turn) -> None:
            client._reconnect = None
            try:
                for i in range(10_000):
                    mean.get(epsilon=0.01)  # type: ignore[attr-defined]
                    delivered.append(0.01)
                    heads.append(client.heads[-1])
                    sent.append((client.send([turn, i], tags=["#t"]).id, i))
            except MpcError:
                return

        worker = threading.Thread(target=load)
        before = len(delivered)
        worker.start()
        while len(delivered) == before and worker.is_alive():
            time.sleep(0.01)
        time.sleep(random.uniform(0.0, 0.7))
        place.kill()
        worker.join()
        place.start()
    client, owner = place.client(tmp_path / "me.key"), place.owner()
    assert len(delivered) > 2
    assert owner.accounts["dataset:x"][2] >= sum(delivered) - 1e-9
    for key, i in sent:
        assert client.pointer(key).get()[1] == i
    assert place.kill(signal.SIGTERM) == 0
    presented = [flag for head in heads for flag in ("--head", str(head))]
    assert main(["audit", "verify", "--data", str(folder), *presented[-20:]]) == 0


def test_only_one_process_runs_a_node(tmp_path: Path) -> None:
    """Two on one folder would each spend the same budget."""
    with VirtualNode("a", tmp_path / "n"), pytest.raises(ConfigError, match="another process"):
        VirtualNode("a", tmp_path / "n")
    with VirtualNode("a", tmp_path / "n"):
        pass
    with pytest.raises(ConfigError, match="belongs to 'a'"):
        VirtualNode("b", tmp_path / "n")


def test_everything_durable_is_found_again(tmp_path: Path) -> None:
    me = own_identity(tmp_path / "me.key")
    rows = np.random.default_rng(2).normal(size=(50, 3)).clip(-4, 4)
    with VirtualNode("a", tmp_path / "n") as node:
        bounds = [mpc.Column(f"c{i}", -4, 4) for i in range(3)]
        node.owner.load("rows", rows, tags=["#rows"], columns=bounds, mock=rows[:2] * 0)
        node.owner.add_rule(["sum"], 3, uses=5, elements=9)
        client = node.connect(me)
        found = client.store[0]
        weights = client.send(np.arange(3.0))
        asked = (found @ weights).sum().request(reason="over night", name="n")
        noted = client.send([1, 2], tags=["#noted"], description="d").id
        key = node.node.keys.public
    with VirtualNode("a", tmp_path / "n") as node:
        client = node.connect(me)
        assert node.node.keys.public == key
        assert node.owner.rules[0]["used"] == 0
        (request,) = node.owner.requests
        assert request.reason == "over night"
        assert "matmul" in request.computation
        assert float(request.preview()) == pytest.approx((rows @ np.arange(3.0)).sum())
        request.accept()
        again = type(asked)(client, asked.id)
        assert float(again.wait()) == pytest.approx((rows @ np.arange(3.0)).sum())
        assert client.pointer(noted).get().tolist() == [1, 2]
        (data,) = mpc.Grid([client]).search("#rows", verbose=False)
        assert data.sample().shape == (2, 3)  # type: ignore[attr-defined]
        total = data.sum(axis=0).get(request_block=True, timeout_secs=5)
        assert total == pytest.approx(rows.sum(0))


# -- the audit log ------------------------------------------------------------------------------
@pytest.fixture
def logged(tmp_path: Path) -> tuple[Path, list[Head], bytes]:
    """A folder whose node has given out three values, and the heads that went with them."""
    with VirtualNode("a", tmp_path / "n") as node:
        node.owner.load("x", DATA, **CARD)
        client = node.connect()
        x = client.pointer(client.store[0].id)
        for _ in range(3):
            x.mean().get(epsilon=0.1)
        return tmp_path / "n", client.heads, node.node.keys.public


def test_the_log_verifies_and_extends_every_head(logged: tuple) -> None:
    folder, heads, public = logged
    given = [text for head in heads for text in ("--head", str(head))]
    assert main(["audit", "verify", "--data", str(folder), *given]) == 0
    key = ["--key", public.hex()]
    assert main(["audit", "verify", "--data", str(folder), *key]) == 0
    assert main(["audit", "show", "--data", str(folder)]) == 0


TAMPERED = {
    "an entry changed": "UPDATE audit SET body = x'81a56576656e74a3796573' WHERE seq = 3",
    "an entry removed": "DELETE FROM audit WHERE seq = 3",
    "the first removed": "DELETE FROM audit WHERE seq = 1",
    "two exchanged": "UPDATE audit SET seq = CASE seq WHEN 3 THEN -4 ELSE -3 END "
    "WHERE seq IN (3, 4)",
    "a head changed": "UPDATE audit SET head = zeroblob(32) WHERE seq = 4",
    "a signature changed": "UPDATE audit SET signature = zeroblob(64) WHERE seq = 4",
    "the end cut off": "DELETE FROM audit WHERE seq > 4",
    "an unlogged release": "INSERT INTO releases VALUES ('f00', 'delivered', x'92c40090')",
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_log_that_was_changed_does_not_verify(logged: tuple, how: str) -> None:
    folder, heads, public = logged
    state = State(folder)
    state.run(TAMPERED[how])
    state.run("UPDATE audit SET seq = -seq WHERE seq < 0")
    with pytest.raises(ConsistencyCheckFailed):
        verify(state, public, heads)
    state.close()
    given = ["--head", str(heads[-1])]
    assert main(["audit", "verify", "--data", str(folder), *given]) == 1


def test_a_log_that_was_written_anew_does_not_extend_old_heads(tmp_path: Path) -> None:
    """A node that starts over with its own keys has a valid log, but not the one it vouched for."""
    with VirtualNode("a", tmp_path / "n") as node:
        node.send([1]).get()
        client = node.connect()
        client.send([1]).get()
        heads, public = client.heads, node.node.keys.public
        client.verify()
        state = node.node.state
        state.run("DELETE FROM audit")
        for _ in range(5):
            node.node.audit.append("own")
        assert verify(state, public) == 5
        with pytest.raises(ConsistencyCheckFailed, match="does not extend"):
            verify(state, public, heads)
        with pytest.raises(ConsistencyCheckFailed, match="does not extend"):
            client.verify(heads[0])
