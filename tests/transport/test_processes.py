"""Real processes: killed, stopped, busy, orphaned."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpyc_core.errors import ConfigError, FrameError, PeerGone, PeerTimeout
from mpyc_core.transport.launch import LocalProcesses

pytestmark = pytest.mark.processes
CHILD = Path(__file__).with_name("party_child.py")
ARGV = [sys.executable, str(CHILD)]
NAMES = ("alice", "bob", "carol")
LIMITS = {"heartbeat": 0.3, "gone": 1.2, "progress": 1.2, "connect": 10.0}
OTHERS = {"alice", "bob"}


def gather(processes: LocalProcesses, names: set[str], timeout: float = 10) -> dict[str, Any]:
    """One message of each of these."""
    found: dict[str, Any] = {}
    while set(found) != names:
        name, message = processes.receive(timeout)
        assert name in names and name not in found
        found[name] = message
    return found


@pytest.fixture(params=["tcp"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalProcesses]:
    """Three connected processes."""
    with LocalProcesses(NAMES, argv=ARGV) as processes:
        for name in NAMES:
            place = "tcp://127.0.0.1:0" if request.param == "tcp" else f"ipc://{tmp_path}/{name}"
            processes.send(
                name, {"name": name, "names": list(NAMES), "limits": LIMITS, "address": place}
            )
        places = gather(processes, set(NAMES))
        for name in NAMES:
            processes.send(name, {"addresses": {n: m["address"] for n, m in places.items()}})
        for name in NAMES:
            processes.send(name, {"do": "exchange", "op": 0})
        assert gather(processes, set(NAMES)) == {
            "alice": {"sum": 3},
            "bob": {"sum": 2},
            "carol": {"sum": 1},
        }
        yield processes


@pytest.mark.parametrize(
    ("cluster", "how"),
    [("tcp", signal.SIGKILL), ("ipc", signal.SIGSTOP)],
    indirect=["cluster"],
)
def test_a_lost_party_is_named_by_all_others(cluster: LocalProcesses, how: signal.Signals) -> None:
    """Bob waits for alice, who waits for carol: both name carol."""
    cluster.send("alice", {"do": "wait for", "peer": 2, "op": 1})
    cluster.send("bob", {"do": "wait for", "peer": 0, "op": 1})
    time.sleep(0.2)
    start = time.time()
    os.kill(cluster.pids()["carol"], how)
    reports: dict[str, Any] = {}
    while set(reports) != OTHERS:
        try:
            name, message = cluster.receive(10)
        except PeerGone as gone:
            assert gone.party == "carol" and "signal 9" in gone.message
            continue
        reports[name] = message
    for report in reports.values():
        assert report["error"]["type"] == "PeerGone" and report["error"]["party"] == "carol"
        limit = 0.5 if how is signal.SIGKILL else LIMITS["gone"] + 0.5
        assert report["at"] - start < limit
    if how is signal.SIGSTOP:
        os.kill(cluster.pids()["carol"], signal.SIGKILL)


def test_a_computing_party_is_waited_for(cluster: LocalProcesses) -> None:
    """Carol computes for longer than `gone` and `progress`; then all goes on."""
    cluster.send("carol", {"do": "compute", "seconds": 1.8, "then tell": [0], "op": 1})
    cluster.send("alice", {"do": "wait for", "peer": 2, "op": 1})
    assert gather(cluster, {"alice", "carol"}) == {"alice": {}, "carol": {}}


def test_start_and_end_of_processes() -> None:
    with LocalProcesses(NAMES, env={"MPYC_TEST": "x"}, argv=ARGV) as processes:
        assert processes.alive() == dict.fromkeys(NAMES, True)
        processes.send("bob", {"die": True})
        with pytest.raises(
            PeerGone, match=r"bob ended with exit code 7.*\n.*my last words"
        ) as gone:
            processes.receive(10)
        assert gone.value.party == "bob"
        with pytest.raises(PeerGone):
            for _ in range(100):
                processes.send("bob", {})
        with pytest.raises(PeerTimeout):
            processes.receive(0.05)
        with pytest.raises(FrameError, match="plain data"):
            processes.send("alice", {"x": object()})
        pids = processes.pids()
        start = time.monotonic()
    assert time.monotonic() - start < 1
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(ConfigError, match="cannot start"):
        LocalProcesses(["alice"], argv=["/nonexistent/python"])


def test_a_child_that_will_not_end_is_made_to() -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('up', flush=True); time.sleep(60)"
    )
    processes = LocalProcesses(["alice"], argv=[sys.executable, "-c", stubborn])
    time.sleep(0.3)
    start = time.monotonic()
    processes.close()
    processes.close()
    assert 1 < time.monotonic() - start < 3
    assert processes.alive() == {"alice": False}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_orphans(how: signal.Signals) -> None:
    """The launcher is killed, or interrupted, while its children idle and wait."""
    launcher = (
        "import sys, time\n"
        "from mpyc_core.transport.launch import LocalProcesses\n"
        f"with LocalProcesses(['alice', 'bob'], argv={ARGV!r}) as p:\n"
        "    print(*p.pids().values(), flush=True)\n"
        "    p.receive(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", launcher], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 2
    time.sleep(0.3)
    os.kill(parent.pid, how)
    parent.communicate(timeout=10)
    deadline = time.monotonic() + 3
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    alive = [pid for pid in pids if Path(f"/proc/{pid}/stat").exists()]
    states = [Path(f"/proc/{pid}/stat").read_text().split()[2] for pid in alive]
    assert set(states) <= {"Z"}
