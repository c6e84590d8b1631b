"""Sessions: a driver and three party processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core import errors
from mpyc_core.protocols.command import Command, to_wire
from mpyc_core.protocols.session import Session

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with mpc.session(["ann", "ben", "cy"]) as s:
        yield s


def test_the_first_snippet(session: Session) -> None:
    x = session.share(np.array([1, 2, 3, 4, 5]))
    np.testing.assert_array_equal((x * x + 1).relu().reveal(), [2, 5, 10, 17, 26])
    w, b = np.array([[0.5], [-1.0]]), 0.25
    z = session.share(np.array([[1.0, 2.0], [3.0, -4.0]]))
    np.testing.assert_allclose((z @ w + b).relu().reveal(), [[0.0], [5.75]], atol=2**-14)


def test_only_reveal_waits(session: Session) -> None:
    x = session.share(np.ones(10**5))
    session.wait()
    start = time.perf_counter()
    for _ in range(20):
        x = x * 1.5 - 0.5
    asked = time.perf_counter() - start
    x.reveal()
    assert asked < time.perf_counter() - start


def test_errors_at_the_calling_line_leave_the_session_as_it_was(session: Session) -> None:
    x = session.share([1.0, 2.0])
    with pytest.raises(errors.ShapeMismatch):
        x @ session.share(np.ones((3, 2)))
    with pytest.raises(errors.EncodingError):
        session.share([float("inf")])
    with pytest.raises(OverflowError):
        session.share([2**63])
    np.testing.assert_array_equal(x.reveal(), [1.0, 2.0])


def test_an_offer_that_is_not_there_is_refused_by_all(session: Session) -> None:
    with pytest.raises(errors.ConfigError, match="ben"):
        session.input("rows", owner="ben")
    assert session.share([7]).reveal() == [7]


def test_openings_and_cost_are_listed(session: Session) -> None:
    before = session.cost()
    session.share([3]).reveal(why="because")
    (last,) = session.openings()[-1:]
    assert last.why == "because" and last.to == "the driver" and __file__ in last.where
    x = session.share(np.arange(100))
    (x * x).reveal()
    after = session.cost()
    sent = [after["bytes"][name] - before["bytes"][name] for name in session.names]
    assert sent == [800, 800, 800]
    assert after["rounds"] - before["rounds"] == 1


def test_values_are_freed_with_the_next_command(session: Session) -> None:
    x = session.share(np.zeros(10))
    for _ in range(50):
        x = x + 1.0
    np.testing.assert_array_equal(x.reveal(), np.full(10, 50.0))
    assert len(session.dropped) < 50


def test_a_closed_session_says_so() -> None:
    s = mpc.session(3)
    x = s.share([1])
    s.close()
    with pytest.raises(errors.SessionClosed):
        x + 1
    s.close()


def test_a_killed_party_ends_the_session_by_name() -> None:
    with mpc.session(["ann", "ben", "cy"]) as s:
        x = s.share(np.ones(1000))
        x.reveal()
        os.kill(s.pids["ben"], signal.SIGKILL)
        start = time.monotonic()
        with pytest.raises(errors.MpcError, match="ben"):
            (x * x).reveal()
        assert time.monotonic() - start < 15
        with pytest.raises(errors.MpcError, match="ben"):
            x.reveal()


def test_a_driver_that_lies_is_noticed_by_the_parties() -> None:
    with mpc.session(["ann", "ben", "cy"]) as s:
        x = s.share(np.array([5, 6]))
        x.reveal()
        honest = Command("mul", (x._ref.id, x._ref.id), (1001,), {})
        lie = Command("matmul", (x._ref.id, x._ref.id), (1001,), {})
        for name in s.names:
            header = to_wire(lie if name == "cy" else honest, [])
            s._channel.send(name, {"do": "run", "commands": [header], "free": []})
            s._waiting[name].append("")
        with pytest.raises(errors.ProgramMismatch):
            for _ in range(3):
                x.reveal()


COMMAND = {"op": "index", "inputs": [1], "outputs": [9], "params": {"key": 3}, "where": ""}


@pytest.mark.parametrize(
    "header",
    [
        {"do": "shell"},
        {"do": "run"},
        {"do": "run", "commands": [COMMAND]},
        {"do": "run", "commands": [{**COMMAND, "op": "open"}]},
        {"do": "run", "commands": [{**COMMAND, "op": "no_such"}, 5]},
        {"do": "put", "id": 1, "meta": [[2], "int", 64, 0, False, []]},
        {"do": "open", "id": 77, "to": None},
    ],
)
def test_malformed_requests_end_the_session_with_an_error(header: dict[str, object]) -> None:
    with mpc.session(3) as s:
        s.share([1, 2]).reveal()
        for name in s.names:
            s._channel.send(name, {**header, "free": []})
            s._waiting[name].append("")
        with pytest.raises(errors.MpcError):
            s.wait()
