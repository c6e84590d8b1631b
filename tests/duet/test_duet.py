"""Duets: what both sides do and see, who else may not, and coming back."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import (
    AuthenticationFailed,
    ConfigError,
    Disconnected,
    PermissionDenied,
    RequestDenied,
    RequestTimeout,
)
from mpyc_core.grid.duet import Duet, JoinedDuet, join_duet, launch_duet
from mpyc_core.transport.curve import Identity

from .conftest import QUICK, join

TABLE = np.array([[0, 0], [0, 1]])


def answer(duet: mpc.Client, accept: bool = True) -> threading.Thread:
    """Answer the first request that comes, in a thread."""

    def work() -> None:
        while not len(duet.requests):
            time.sleep(0.01)
        first = duet.requests[0]
        first.accept() if accept else first.deny("not this one")

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_store_requests_and_chained_operations(duet: Duet, guest: JoinedDuet) -> None:
    duet.send(TABLE, tags=["data"], searchable=True)
    duet.send([5.0], tags=["hidden"])
    assert [x.tags for x in guest.store] == [("data",)]
    assert guest.store["data"].id == guest.store[0].id == guest.store[guest.store[0].id].id
    total = (guest.store["data"] * 2 + 1).sum()
    with pytest.raises(PermissionDenied):
        total.get()
    filed = total.request(name="sum", reason="To see the result")
    (row,) = duet.requests.table.rows
    assert row[:2] == ("sum", "To see the result")
    assert "mul(v0, v1)" in duet.requests[0].computation
    thread = answer(duet)
    assert filed.wait(20).item() == 6
    thread.join()
    assert filed.status == "used"
    assert [x.id for x in guest.requested] == [filed.id]
    with pytest.raises(PermissionDenied):
        total.get()  # one use


def test_denied_and_unanswered_are_told_apart(duet: Duet, guest: JoinedDuet) -> None:
    duet.send(TABLE, tags=["data"], searchable=True)
    x = guest.store["data"]
    with pytest.raises(RequestTimeout):
        x.sum().get(request_block=True, timeout_secs=0.05)
    duet.requests[0].deny()
    thread = answer(duet, accept=False)
    with pytest.raises(RequestDenied, match="not this one"):
        x.max().get(request_block=True, name="max", timeout_secs=20)
    thread.join()
    asked = x.min().request()
    guest._reconnect = None
    duet._server.close()
    with pytest.raises(Disconnected):
        asked.wait(20)


def test_guests_own_what_they_send(duet: Duet, guest: JoinedDuet) -> None:
    """Consent works in both directions, and for what is made of both sides' data."""
    duet.send([1.0, 2.0], tags=["mine"], searchable=True)
    guest.send([10.0, 20.0], tags=["theirs"], searchable=True)
    both = guest.store["mine"] + guest.store["theirs"]
    with pytest.raises(PermissionDenied):
        both.get()
    asked = both.request(reason="ours")
    assert len(guest.requests) == 0
    duet.requests[0].accept()
    assert asked.get().tolist() == [11.0, 22.0]
    own = duet.store["theirs"].sum()
    with pytest.raises(PermissionDenied):
        own.get()
    asked = own.request(reason="for me")
    guest.requests[0].accept()
    assert asked.get().item() == 30.0


def test_three_guests_and_leaked_ids(duet: Duet, guest: JoinedDuet) -> None:
    duet.send([3.0], tags=["hidden"])
    secret = duet.store["hidden"].id
    carol = join(duet, "carol")
    private = guest.send([4.0], tags=["private"])
    for other in (carol, join(duet, "dave")):
        for leaked in (secret, private.id):
            with pytest.raises(PermissionDenied):
                other.pointer(leaked)
            for command in (
                {"do": "run", "op": "negative", "inputs": [leaked], "params": {}},
                {"do": "delete", "target": leaked},
            ):
                with pytest.raises(PermissionDenied):
                    other.call(command)
            with pytest.raises(PermissionDenied):
                other.call({"do": "update", "target": leaked}, [np.zeros(1)])
        other.close()
    assert [name for name, _ in duet.guests.rows] == ["bob", "carol", "dave"]
    assert private.get().tolist() == [4.0]


def test_expelled_guests_can_do_nothing(duet: Duet, guest: JoinedDuet) -> None:
    duet.send([3.0], tags=["data"], searchable=True)
    x = guest.store["data"]
    duet.expel(guest.public)
    with pytest.raises(AuthenticationFailed):
        guest.store  # noqa: B018
    with pytest.raises(AuthenticationFailed):
        x.get()
    with pytest.raises(ConfigError):
        duet.expel(guest.public)


def test_the_store_says_when_a_tag_is_not_unique(duet: Duet) -> None:
    for _ in range(2):
        duet.send([1], tags=["twice"])
    with pytest.raises(ConfigError, match="2 objects"):
        duet.store["twice"]
    with pytest.raises(ConfigError, match="0 objects"):
        duet.store["never"]


def test_tables_show_no_values_and_no_markup(duet: Duet, guest: JoinedDuet) -> None:
    duet.send([987654.25], tags=["data"], searchable=True)
    guest.store["data"].sum().request(name="<script>alert(1)</script>", reason="a & b\nc")
    shown = duet.requests.table._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "a &amp; b" in shown
    for text in (repr(guest.store), guest.store._repr_html_(), repr(duet.requests.table), shown):
        assert "987654" not in text
    assert repr(duet.requests.table).count("\n") == 1
    assert duet.requests.pandas is not None


# -- coming back --------------------------------------------------------------------------------
def test_a_guest_comes_back_with_its_key(duet: Duet, guest: JoinedDuet) -> None:
    me, code = Identity.fresh(), duet.invite()
    first = join_duet(code, name="carol", identity=me, limits=QUICK)
    key = first.send([1, 2], tags=["kept"]).id
    first.close()
    for line in (code, duet.ticket):
        with join_duet(line, identity=me, limits=QUICK) as again:
            assert again.pointer(key).get().tolist() == [1, 2]
    with pytest.raises(AuthenticationFailed):
        join_duet(code, identity=Identity.fresh(), limits=QUICK)


def test_the_host_comes_back_with_all_it_had(tmp_path: Path) -> None:
    """Closed and launched again: store, requests, budget and guests; an open guest reconnects."""
    folder, column = tmp_path / "ada", [mpc.Column("x", 0.0, 10.0)]
    duet = launch_duet("ada", folder=folder, verbose=False)
    with join(duet) as guest:
        duet.load("x", np.arange(10.0), tags=["x"], columns=column, policy=mpc.Policy(epsilon=1.0))
        guest.store["x"].mean().get(epsilon=0.75)
        asked = guest.store["x"].sum().request(reason="r")
        ticket = duet.ticket
        duet.close()
        again = launch_duet("ada", folder=folder, verbose=False)
        assert again.ticket == ticket
        assert guest.store["x"].budget["spent"][0] == pytest.approx(0.75)  # reconnects by itself
        again.requests[0].accept()
        assert asked.wait(20).item() == 45.0
        again.close()


def test_a_guest_waits_out_a_long_silence(tmp_path: Path) -> None:
    """A question that finds nobody ends after one attempt; a later one finds the host again."""
    folder = tmp_path / "ada"
    duet = launch_duet("ada", folder=folder, verbose=False)
    with join(duet) as guest:
        duet.send([1, 2], tags=["x"], searchable=True)
        assert len(guest.store) == 1
        duet.close()
        for _ in range(2):
            start = time.monotonic()
            with pytest.raises(Disconnected):
                guest.store  # noqa: B018
            assert time.monotonic() - start < 2 * QUICK.connect
        again = launch_duet("ada", folder=folder, verbose=False)
        assert guest.store["x"].shape == (2,)
        assert guest.store["x"].sum().request(reason="r").status == "pending"
        again.close()


def test_one_folder_is_one_duet(duet: Duet, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another process"):
        launch_duet("ada", folder=tmp_path / "ada", verbose=False)


@pytest.mark.parametrize("name", ["../up", "a/b", "", " ", "x" * 200, ".hidden"])
def test_names_are_no_paths(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    if name:
        with pytest.raises(ConfigError):
            launch_duet(name, verbose=False)
    assert list(tmp_path.iterdir()) == []


HOST = """
import sys, time
import mpyc_core as mpc

duet = mpc.launch_duet("ada", folder=sys.argv[1])
if not len(duet.store):
    duet.send([[0, 0], [0, 1]], tags=["data"], searchable=True)
while True:
    if sys.argv[2] == "accept":
        for asked in duet.requests:
            asked.accept()
    time.sleep(0.02)
"""


class Host:
    """The launching side in a process of its own."""

    def __init__(self, folder: Path, does: str) -> None:
        command = [sys.executable, "-c", HOST, str(folder), does]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        lines = iter(self.process.stdout.readline, "")
        self.code = next(x for x in lines if "join_duet" in x).split("'")[1]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.mark.processes
def test_two_processes_and_a_killed_host(tmp_path: Path) -> None:
    """By the line that was printed; killed while a request waits, the host comes back to it."""
    host = Host(tmp_path / "ada", "wait")
    guest = mpc.join_duet(host.code, name="bob", identity=tmp_path / "bob.key", limits=QUICK)
    total = guest.store["data"].sum()
    asked = total.request(name="sum", reason="To see the result")
    host.kill()
    again = Host(tmp_path / "ada", "accept")
    try:
        assert asked.wait(30).item() == 1
        fresh = mpc.join_duet(host.code, identity=tmp_path / "bob.key", limits=QUICK)
        assert [x.id for x in fresh.requested] == [asked.id]
        fresh.close()
        guest.verify()
    finally:
        guest.close()
        again.kill()
