"""Parties of a cluster file, each started on its own as on machines of their own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core import errors
from mpyc_core.transport.cluster import generate_keys

pytestmark = pytest.mark.processes
PROGRAM = Path(__file__).parent / "programs.py"
NAMES = ("ann", "ben", "cy")
SERVED = """
import numpy as np

def offer(party):
    party.offer("rows", np.arange(6.0).reshape(3, 2) + party.me)
    if party.name != "cy":
        party.on_open = lambda meta, to: meta.size <= 2
"""


def _ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _cluster(folder: Path, keys: bool) -> Path:
    """A cluster file on loopback, with keys for parties and a driver if asked."""
    ports = _ports(6)
    lines = ['[session]\nprotocol = "replicated"', "[session.limits]\nconnect = 8"]
    for i, name in enumerate(NAMES):
        lines.append(f'[parties.{name}]\naddress = "tcp://127.0.0.1:{ports[i]}"')
        lines.append(f'control = "tcp://127.0.0.1:{ports[i + 3]}"')
        if keys:
            lines.append(f'public_key = "{generate_keys(folder / f"{name}.key")}"')
    if keys:
        lines.append(f'[drivers.desk]\npublic_key = "{generate_keys(folder / "desk.key")}"')
    path = folder / "cluster.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _start(name: str, config: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mpyc_core", "party", "--name", name, "--config", str(config)]
    pipe = subprocess.PIPE
    return subprocess.Popen([*command, *more], stdout=pipe, stderr=pipe, text=True)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Path]:
    """Three servers with keys, and the cluster file."""
    config = _cluster(tmp_path, keys=True)
    program = tmp_path / "served.py"
    program.write_text(SERVED)
    running = [_start(name, config, "--serve", str(program)) for name in NAMES]
    yield config
    for process in running:
        process.kill()
        process.communicate()


def test_three_shells_run_one_program_with_keys(tmp_path: Path) -> None:
    config = _cluster(tmp_path, keys=True)
    running = [_start(name, config, f"{PROGRAM}:product") for name in NAMES]
    results = [process.communicate(timeout=50) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], results
    assert all("4.5" in out for out, _ in results)
    assert "True, False,  True" in results[2][0] and "True" not in results[0][0]


def test_a_missing_party_is_named(tmp_path: Path) -> None:
    config = _cluster(tmp_path, keys=False)
    running = [_start(name, config, f"{PROGRAM}:product") for name in NAMES[:2]]
    results = [process.communicate(timeout=50) for process in running]
    assert [process.returncode for process in running] == [1, 1]
    assert all("cy" in err and "PeerTimeout" in err for _, err in results)


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    config = _cluster(tmp_path, keys=False)
    with socket.socket() as taken:
        address = config.read_text().split("[parties.ann]")[1].split('"')[1]
        taken.bind(("127.0.0.1", int(address.rpartition(":")[2])))
        taken.listen()
        process = _start("ann", config, f"{PROGRAM}:product")
        _, err = process.communicate(timeout=50)
    assert process.returncode == 2 and address in err


def _session(config: Path) -> object:
    """A session, once the servers are up."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return mpc.session(connect=str(config))
        except errors.PeerTimeout:
            if time.monotonic() > deadline:
                raise


def test_owners_decide_what_a_connected_driver_may_open(servers: Path) -> None:
    for _ in range(2):  # servers take one session after the other
        with _session(servers) as s:  # type: ignore[attr-defined]
            rows = s.input("rows", owner="ann", shape=(None, 2))
            both = rows + s.input("rows", owner="ben", shape=(3, 2))
            np.testing.assert_allclose(both.sum(axis=0).reveal(), [15.0, 21.0])
            with pytest.raises(errors.RequestDenied, match="ann"):
                both.reveal()
            with pytest.raises(errors.RequestDenied, match="cy"):
                s.input("rows", owner="cy").sum().reveal()
            with pytest.raises(errors.RequestDenied, match="cy"):
                (s.input("rows", owner="cy").sum() + s.share(1.0)).reveal(to="ben")
            np.testing.assert_array_equal((s.share([1, 2]) * 3).reveal(), [3, 6])
            assert both.sum().reveal(to="ben") is None
            assert [entry.to for entry in s.openings()] == ["the driver", "the driver", "ben"]
