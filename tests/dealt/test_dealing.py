"""What a dealer deals is right, comes in order, stays within its window, and is never mixed up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mpyc_core.errors import FrameError, PreprocessingExhausted, ProgramMismatch
from mpyc_core.protocols.dealt.client import DealerClient
from mpyc_core.protocols.dealt.correlation import correlation
from mpyc_core.protocols.dealt.dealer import Ledger, Rules, SessionDealer
from mpyc_core.protocols.dealt.want import Want, encode_wants

from .conftest import NAMES, Office, in_threads

PROGRAM = b"p" * 16


def square(op: int, size: int = 5) -> Want:
    return Want("square", op, 0, (64, (size,)))


def draw(clients: Sequence[DealerClient], want: Want, program: bytes = PROGRAM) -> list[Any]:
    """Every party's shares, drawn at the same time."""

    def one(client: DealerClient) -> Any:
        client.bind(program)
        return client.draw(want)

    found = in_threads([lambda c=c: one(c) for c in clients])  # type: ignore[misc]
    for error in found:
        if isinstance(error, Exception):
            raise error
    return found


def opened(shares: list[Any]) -> list[Any]:
    """Sums of all parties' shares, array by array."""
    return [
        np.sum(np.stack(parts), axis=0, dtype=parts[0].dtype) for parts in zip(*shares, strict=True)
    ]


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("size", [3, 300_000])
def test_squares_are_squares(office: Office, n: int, size: int) -> None:
    """Small corrections come in one message, large ones in pieces."""
    names = ("alice", "bob", "theo", "dave", "erin")[:n]
    office.open(names)
    clients = office.session(names)
    for op in (1, 2):
        a, c = opened(draw(clients, square(op, size)))
        np.testing.assert_array_equal(c, a * a)
        assert len(np.unique(a)) == size
    assert clients[0].received == 2 * 8 * size and clients[1].received == 0


def test_announced_ahead_it_is_there_before_it_is_wanted(office: Office) -> None:
    office.open()
    clients = office.session()
    wants = [square(op, 1000) for op in range(1, 50)]
    for client in clients:
        client.expect(PROGRAM, wants)
    time.sleep(0.5)
    start = time.perf_counter()
    for want in wants:
        a, c = opened([_bound(client).draw(want) for client in clients])
        np.testing.assert_array_equal(c, a * a)
    assert time.perf_counter() - start < 1


def _bound(client: DealerClient) -> DealerClient:
    client.bind(PROGRAM)
    return client


def test_the_window_bounds_what_is_under_way(office: Office) -> None:
    """With ten times the window announced, only a window of it is dealt until some is taken."""
    server = office.open(rules=Rules(window=80_000))
    clients = office.session()
    wants = [square(op, 1000) for op in range(1, 101)]
    for client in clients:
        client.expect(PROGRAM, wants)
    time.sleep(0.3)
    (session,) = server._sessions.values()
    assert session.dealer is not None and session.dealer.dealt == 80_000
    for want in wants:
        a, c = opened([_bound(client).draw(want) for client in clients])
        np.testing.assert_array_equal(c, a * a)
    assert session.dealer.dealt == 800_000


def test_a_party_that_is_faster_waits_for_the_others_room() -> None:
    """Party 0 is sent corrections; while it holds much, what party 1 waits for is not dealt."""
    dealer = SessionDealer(("alice", "bob"), b"s" * 32, Rules(window=10_000))
    wants = [square(op, 1000) for op in range(1, 5)]
    for party in (0, 1):
        dealer.announce(party, PROGRAM, wants)
    assert dealer.claim() is not None and dealer.claim() is None
    dealer.need(1, 1)
    assert dealer.claim() is None
    dealer.taken(0, 6000)  # a part of the window may be taken and not reported yet
    assert dealer.claim() is not None
    dealer.need(1, 2)
    assert dealer.claim() is None
    dealer.need(0, 2)  # both wait: what is under way is used later than what is waited for
    assert dealer.claim() is not None and dealer.claim() is None


def test_who_waits_for_a_late_one_gets_it_in_spite_of_the_window(office: Office) -> None:
    office.open(rules=Rules(window=8_000))
    clients = office.session()
    wants = [square(op, 1000) for op in range(1, 21)]
    for client in clients:
        client.expect(PROGRAM, wants)
    for want in reversed(wants):
        a, c = opened([_bound(client).draw(want) for client in clients])
        np.testing.assert_array_equal(c, a * a)


def test_two_sessions_at_once_are_not_mixed(office: Office) -> None:
    office.open()
    first, second = office.session(), office.session()
    one, other = opened(draw(first, square(1))), opened(draw(second, square(1)))
    for a, c in (one, other):
        np.testing.assert_array_equal(c, a * a)
    assert not np.any(one[0] == other[0])
    second[1].close()
    second[0].close()
    a, c = opened(draw(first, square(2)))
    np.testing.assert_array_equal(c, a * a)


def test_programs_have_randomness_of_their_own(office: Office) -> None:
    office.open()
    clients = office.session()
    a, _ = opened(draw(clients, square(1)))
    b, _ = opened(draw(clients, square(2), b"q" * 16))
    assert not np.any(a == b)


@pytest.mark.parametrize(
    "theirs", [square(1, 6), Want("truncation", 1, 0, (64, 16, (5,))), square(2)]
)
def test_parties_that_want_different_things(office: Office, theirs: Want) -> None:
    """Mixed programs or protocols end the session at the dealer and at every party."""
    office.open()
    clients = office.session()

    def one(i: int) -> Any:
        client = _bound(clients[i])
        client.draw(square(1) if i != 1 else theirs)
        time.sleep(0.5)
        return client.draw(square(9))

    for error in in_threads([lambda i=i: one(i) for i in range(3)]):  # type: ignore[misc]
        assert isinstance(error, ProgramMismatch) and error.party == "bob"
        assert "same program" in error.message
    assert any("ProgramMismatch" in line for line in office.lines)


def test_nothing_is_dealt_twice() -> None:
    dealer = SessionDealer(NAMES, bytes(32))
    for party in range(3):
        dealer.announce(party, PROGRAM, [square(4)])
    for party in range(2):
        dealer.announce(party, b"q" * 16, [square(4)])
    with pytest.raises(FrameError, match="dealt before"):
        dealer.announce(2, b"q" * 16, [square(4)])


def test_the_ledger_forgets_without_dealing_twice() -> None:
    ledger = Ledger(remembered=10)
    for op in range(100):
        ledger.issue(square(op))
    for op in (0, 50, 89, 95, 99):
        with pytest.raises(FrameError, match="dealt before"):
            ledger.issue(square(op))
    ledger.issue(square(100))


def test_seeds_and_corrections_of_two_sessions_of_one_id_differ() -> None:
    """Even if parties came with an old session id, nothing would repeat."""
    one, two = SessionDealer(NAMES, bytes(32)), SessionDealer(NAMES, bytes(32))
    assert one.nonce != two.nonce and not set(one.seeds) & set(two.seeds)


def test_a_quota_leaves_what_was_dealt_and_refuses_more(office: Office) -> None:
    office.open(rules=Rules(quota=100))
    clients = office.session()
    for client in clients:
        client.expect(PROGRAM, [square(op) for op in range(1, 5)])
    time.sleep(0.3)
    for op in (1, 2):
        a, c = opened([_bound(client).draw(square(op)) for client in clients])
        np.testing.assert_array_equal(c, a * a)
    with pytest.raises(PreprocessingExhausted, match="quota"):
        clients[0].draw(square(3))


@pytest.mark.parametrize(
    "facts", [(64,), (64, (-1,)), (7, (5,)), (64, (1 << 40,)), ("x", (5,)), (64, ("a",))]
)
def test_impossible_wants_are_refused(office: Office, facts: Any) -> None:
    office.open()
    clients = office.session()
    want = Want("square", 1, 0, facts)
    for client in clients:
        assert client._spoke is not None
        client._spoke.send({"do": "expect", "program": PROGRAM, "wants": encode_wants([want])})
    for client in clients:
        with pytest.raises(FrameError):
            _bound(client).draw(square(2))
            time.sleep(0.3)
            client.draw(square(3))


def test_specs_of_corrections_are_what_is_sent(office: Office) -> None:
    """The declared bytes are those that a party takes."""
    office.open()
    clients = office.session()
    for op, (kind, facts) in enumerate(
        [
            ("triple", (64, "matmul", (3, 4), (4, 2), (3, 2), ())),
            ("square", (32, (7,))),
            ("and-triple", (3, 2)),
        ],
        1,
    ):
        want = Want(kind, op, 0, facts)
        before = clients[0].received
        draw(clients, want)
        assert clients[0].received - before == correlation(kind).dealt_bytes(want, 3)
