"""A crypto provider as a process: with local parties, in a cluster, killed, late and mistaken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core import errors
from mpyc_core.cli import local
from mpyc_core.transport.cluster import generate_keys
from mpyc_core.transport.launch import LocalProcesses

from .test_cluster import _ports
from .test_programs import _gone

pytestmark = pytest.mark.processes
HERE = Path(__file__).parent / "programs.py"
NAMES = ("bob", "alice", "theo")
DEALER = "openmined"


def test_the_flagship_and_a_dealer_that_dies() -> None:
    """Results are right, the cost names the dealer's bytes; killed, the dealer is named in time."""
    with mpc.session(parties=NAMES, protocol="additive", crypto_provider=DEALER) as s:
        x = s.share([1.5, -2.0, 3.0])
        np.testing.assert_allclose((x * x + 1).relu().reveal(), [3.25, 5.0, 10.0], atol=2**-14)
        z = s.share(np.arange(300_000))
        np.testing.assert_array_equal((z * 2 - z).reveal(), np.arange(300_000))
        before = s.cost()["dealt"]
        (z * z).reveal()
        assert s.cost()["dealt"] - before == 8 * 300_000
        assert f"dealer: {DEALER}, honest" in str(s.security)
        pids = dict(s.pids)
        assert set(pids) == {*NAMES, DEALER}
        os.kill(pids[DEALER], signal.SIGKILL)
        start = time.monotonic()
        with pytest.raises(errors.PeerGone) as gone:
            (x * x).reveal()
        assert gone.value.party == DEALER and time.monotonic() - start < 5
    assert _gone(list(pids.values()), 5)


@pytest.mark.parametrize("victim", [DEALER, "alice"])
def test_whoever_is_killed_in_mid_run_is_named(
    victim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller gets the cause, in time, and no process stays."""
    pids: dict[str, int] = {}
    killed = []

    class Watched(LocalProcesses):
        def __init__(self, names: Sequence[str], *args: Any) -> None:
            super().__init__(names, *args)
            pids.update(self.pids())

    def on_report(name: str, facts: dict[str, Any]) -> None:
        if not killed:
            killed.append(time.monotonic())
            if victim == DEALER:
                os.kill(pids[victim], signal.SIGKILL)

    monkeypatch.setattr(local, "LocalProcesses", Watched)
    with pytest.raises(errors.PeerGone) as gone:
        local.run_program(
            f"{HERE}:many_products",
            NAMES,
            protocol="additive",
            crypto_provider=DEALER,
            args={"victim": victim, "steps": 4000},
            on_report=on_report,
        )
    assert gone.value.party == victim and time.monotonic() - killed[0] < 10
    assert len(pids) == 4 and _gone(list(pids.values()), 5)


def test_a_function_of_a_notebook_has_a_dealer_too() -> None:
    def program(party: Any) -> Any:
        x = party.share([3, 4] if party.me == 0 else None)
        return (x * x).reveal().tolist(), party.cost()["dealt"]

    with pytest.warns(UserWarning, match="threads"):
        results = mpc.run(program, 2, protocol="additive", crypto_provider=DEALER)
    assert results == {"party0": ([9, 16], 16), "party1": ([9, 16], 0)}


@pytest.mark.parametrize(
    ("protocol", "provider", "words"),
    [
        ("additive", None, r"crypto_provider=.*mpc dealer"),
        ("replicated", DEALER, r"needs no crypto provider.*leave crypto_provider out"),
        ("additive", "alice", r"hold no share"),
        ("additive", "", r"needs a name"),
    ],
)
def test_who_may_deal(protocol: str, provider: str | None, words: str) -> None:
    with pytest.raises(errors.ConfigError, match=words):
        mpc.session(NAMES, protocol=protocol, crypto_provider=provider)
    with pytest.raises(errors.ConfigError, match=words):
        mpc.run(f"{HERE}:product", NAMES, protocol=protocol, crypto_provider=provider)


# -- clusters ---------------------------------------------------------------------------------
def _cluster(folder: Path, names: tuple[str, ...] = ("ann", "ben"), kind: str = "tcp") -> Path:
    """A cluster file with a dealer: keys and loopback, or sockets in a folder."""
    ports = iter(_ports(len(names) + 1))
    lines = ['[session]\nprotocol = "additive"', "[session.limits]\nconnect = 8"]
    for table in (*(f"parties.{name}" for name in names), "dealer"):
        name = table.rpartition(".")[2] if table != "dealer" else DEALER
        lines.append(f"[{table}]")
        if table == "dealer":
            lines.append(f'name = "{DEALER}"')
        if kind == "tcp":
            key = folder / f"{name}.key"
            public = generate_keys(key) if not key.exists() else ""
            lines.append(f'address = "tcp://127.0.0.1:{next(ports)}"\npublic_key = "{public}"')
        else:
            lines.append(f'address = "ipc://{folder}/{name}"')
    path = folder / "cluster.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _start(command: str, name: str, config: Path, *more: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    words = [sys.executable, "-m", "mpyc_core", command, "--name", name, "--config", str(config)]
    return subprocess.Popen([*words, *more], stdout=pipe, stderr=pipe, text=True)


def _party(name: str, config: Path, program: str, *more: str) -> subprocess.Popen[str]:
    return _start("party", name, config, f"{HERE}:{program}", *more)


@pytest.fixture
def dealing(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A cluster file whose dealer runs."""
    kind = getattr(request, "param", "tcp")
    config = _cluster(tmp_path, kind=kind)
    dealer = _start("dealer", DEALER, config)
    yield config
    dealer.send_signal(signal.SIGTERM)
    _, errors_ = dealer.communicate(timeout=10)
    assert dealer.returncode == 0 and "dealing for ann, ben" in errors_
    assert [path.name for path in tmp_path.iterdir() if path.is_socket()] == []


def _outcomes(*parties: subprocess.Popen[str]) -> list[str]:
    return ["\n".join(party.communicate(timeout=40)) for party in parties]


@pytest.mark.parametrize("dealing", ["tcp", "ipc"], indirect=True)
def test_a_cluster_with_a_dealer(dealing: Path) -> None:
    """Parties with keys over TCP, or on one machine over sockets in the file system."""
    ran = _outcomes(*(_party(name, dealing, "product") for name in ("ann", "ben")))
    for text in ran:
        assert "4.5" in text and "Error" not in text


def test_a_party_that_is_killed_and_started_again(dealing: Path) -> None:
    """Its session is over at the dealer too; the next one, all anew, runs."""
    more = ("--arg", "steps=4000", "--arg", "victim=ben")
    first = _party("ann", dealing, "many_products", *more)
    killed = _party("ben", dealing, "many_products", *more)
    killed.communicate(timeout=40)
    assert killed.returncode == -signal.SIGKILL
    (text,) = _outcomes(first)
    assert first.returncode == 1 and "PeerGone: ben" in text
    ran = _outcomes(*(_party(name, dealing, "product") for name in ("ann", "ben")))
    assert all("4.5" in text and "Error" not in text for text in ran)


def test_a_dealer_that_is_not_there_or_somebody_else(tmp_path: Path) -> None:
    config = _cluster(tmp_path)
    text = config.read_text()
    for text_, words in (
        (_outcomes(*(_party(n, config, "product") for n in ("ann", "ben"))), "PeerTimeout"),
        (_with_wrong_dealer(config, text), "AuthenticationFailed"),
    ):
        for said in text_:
            assert words in said and DEALER in said


def _with_wrong_dealer(config: Path, text: str) -> list[str]:
    """The parties have another key of the dealer than the dealer that runs."""
    mine = config.parent / "own" / "cluster.toml"
    mine.parent.mkdir()
    fresh = generate_keys(mine.parent / f"{DEALER}.key")
    head, _, tail = text.rpartition('public_key = "')
    mine.write_text(f'{head}public_key = "{fresh}{tail[40:]}')
    dealer = _start("dealer", DEALER, mine)
    try:
        return _outcomes(*(_party(n, config, "product") for n in ("ann", "ben")))
    finally:
        dealer.terminate()
        dealer.communicate(timeout=10)


@pytest.mark.parametrize(
    ("name", "words"), [("closedmined", "names the dealer 'openmined'"), ("ann", "names the deal")]
)
def test_a_dealer_with_a_wrong_name(tmp_path: Path, name: str, words: str) -> None:
    done = _start("dealer", name, _cluster(tmp_path))
    _, said = done.communicate(timeout=20)
    assert done.returncode == 2 and words in said
