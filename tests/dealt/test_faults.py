"""Dealers and parties that die, stall, come late, lie about themselves or come twice."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mpyc_core import errors
from mpyc_core.entropy import fresh_key
from mpyc_core.protocols.dealt.client import DealerClient
from mpyc_core.protocols.dealt.dealer import SessionDealer
from mpyc_core.transport.curve import Identity
from mpyc_core.transport.spoke import Spoke

from .conftest import DEALER, NAMES, QUICK, Office, in_threads
from .test_dealing import PROGRAM, draw, opened, square

GREETING = 64
"""Bytes of ZeroMQ's greeting; the other side answers it before it reads on."""


def at_all(clients: list[DealerClient], op: int) -> list[Any]:
    """What every party gets, or the error it gets, when it takes one want, then another."""

    def one(client: DealerClient) -> Any:
        client.bind(PROGRAM)
        client.draw(square(op))
        time.sleep(0.3)
        return client.draw(square(op + 1))

    return in_threads([lambda c=c: one(c) for c in clients])  # type: ignore[misc]


def test_a_dealer_that_stops_says_so(office: Office) -> None:
    """What it had dealt may still be used."""
    server = office.open()
    clients = office.session()
    for client in clients:
        client.bind(PROGRAM)
        client.expect(PROGRAM, [square(1)])
    time.sleep(0.2)
    server.stop()
    time.sleep(0.1)
    server.close()
    a, c = opened([client.draw(square(1)) for client in clients])
    np.testing.assert_array_equal(c, a * a)
    with pytest.raises(errors.PreprocessingExhausted, match="start it and all parties anew"):
        clients[0].draw(square(2))


def test_a_dealer_that_is_cut_off_is_named_by_every_party(office: Office) -> None:
    office.open()
    place, record, cut = _relay(office.servers[-1].address)
    clients = office.session(address=place)
    draw(clients, square(1))
    start = time.monotonic()
    cut()
    for error in at_all(clients, 2):
        assert isinstance(error, errors.PeerGone) and error.party == DEALER
    assert time.monotonic() - start < 3 and len(record) > 0


def _relay(target: str) -> tuple[str, bytearray, Callable[[], None]]:
    """A relay: where it listens, what was sent to it, and how to cut all its connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    record, ends = bytearray(), []

    def pipe(source: socket.socket, sink: socket.socket, keep: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                record.extend(data if keep else b"")
                sink.sendall(data)
        except OSError:
            pass

    def accept() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            host, port = target.removeprefix("tcp://").split(":")
            two = socket.create_connection((host, int(port)))
            ends.extend([one, two])
            for pair in ((one, two, True), (two, one, False)):
                threading.Thread(target=pipe, args=pair, daemon=True).start()

    def cut() -> None:
        listener.close()
        for end in [*ends[::2], *ends[1::2]]:  # the parties' ends first
            end.shutdown(socket.SHUT_RDWR)
        for end in ends:
            end.close()

    threading.Thread(target=accept, daemon=True).start()
    return f"tcp://127.0.0.1:{listener.getsockname()[1]}", record, cut


def test_a_dealer_that_stalls_is_late(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection answers heartbeats, but it does nothing any more."""
    server = office.open()
    clients = office.session()
    stalled = time.monotonic() + 2.5
    monkeypatch.setattr(server, "_post", lambda: time.sleep(max(0.0, stalled - time.monotonic())))
    clients[1].expect(PROGRAM, [square(1)])
    clients[2].expect(PROGRAM, [square(1)])
    clients[0].bind(PROGRAM)
    start = time.monotonic()
    with pytest.raises(errors.PeerTimeout, match="overloaded") as late:
        clients[0].draw(square(1))
    assert late.value.party == DEALER and time.monotonic() - start < 2


def test_a_dealer_that_computes_is_waited_for(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.open()
    deal = SessionDealer.deal

    def slowly(self: SessionDealer, claim: Any) -> Any:
        time.sleep(2 * QUICK.progress)
        return deal(self, claim)

    monkeypatch.setattr(SessionDealer, "deal", slowly)
    a, c = opened(draw(office.session(), square(1)))
    np.testing.assert_array_equal(c, a * a)


def test_a_party_that_announces_nothing_is_late_unless_it_computes(office: Office) -> None:
    office.open()
    busy = [False]

    class Busy:
        def __bool__(self) -> bool:
            return busy[0]

    clients = office.session(busy=Busy())
    busy[0] = True

    def later() -> None:
        time.sleep(2 * QUICK.progress)
        clients[1].expect(PROGRAM, [square(1)])

    clients[2].expect(PROGRAM, [square(1)])
    clients[0].bind(PROGRAM)
    assert in_threads([lambda: len(clients[0].draw(square(1))), later]) == [2, None]
    busy[0] = False
    clients[2].expect(PROGRAM, [square(2)])
    with pytest.raises(errors.PeerTimeout) as late:
        clients[0].draw(square(2))
    assert late.value.party == "bob" and "bob announced nothing" in late.value.message


def test_a_party_that_is_lost_ends_the_session_and_what_was_unused_dies(office: Office) -> None:
    """It is killed after corrections were dealt ahead; the others must not use them."""
    server = office.open()
    key = fresh_key(32)
    place, _, cut = _relay(server.address)
    clients = [office.client(n, address=place if n == "theo" else None) for n in NAMES]
    in_threads([lambda i=i, c=c: c.setup(key, i, 3) for i, c in enumerate(clients)])  # type: ignore[misc]
    for client in clients:
        client.bind(PROGRAM)
        client.expect(PROGRAM, [square(op) for op in range(1, 9)])
    clients[0].draw(square(1))
    cut()
    time.sleep(0.3)
    for client in clients[:2]:
        with pytest.raises(errors.PeerGone) as gone:
            client.draw(square(2))
        assert gone.value.party == "theo"
    assert not server._sessions
    again = office.client("theo")
    with pytest.raises(errors.SessionClosed, match="cannot be taken up again"):
        again.setup(key, 2, 3)
    one, two = opened(draw(office.session(), square(1)))  # the dealer serves on
    np.testing.assert_array_equal(two, one * one)


def test_a_party_that_aborts_gives_the_others_its_reason(office: Office) -> None:
    office.open()
    clients = office.session()
    clients[1].abort(errors.EncodingError("a number does not fit", party="bob"))
    clients[1].close()
    for error in at_all([clients[0], clients[2]], 1):
        assert isinstance(error, errors.EncodingError) and error.party == "bob"


def test_more_than_was_dealt(office: Office) -> None:
    """One party has left in order; another wants what it never announced."""
    office.open()
    clients = office.session()
    draw(clients, square(1))
    clients[2].close()
    clients[1].expect(PROGRAM, [square(2)])
    with pytest.raises(errors.PreprocessingExhausted, match="theo has left") as exhausted:
        clients[0].draw(square(2))
    assert "same program" in exhausted.value.message


@pytest.mark.parametrize(
    ("names", "dealer", "words"),
    [
        (("alice", "bob"), DEALER, "deals for 3 parties"),
        (("bob", "alice", "theo"), DEALER, "deals for 3 parties"),
        (NAMES, "closedmined", "expects the crypto provider 'closedmined'"),
    ],
)
def test_a_dealer_of_others_refuses(
    office: Office, names: tuple[str, ...], dealer: str, words: str
) -> None:
    office.open()
    client = office.client("alice", names, dealer=dealer)
    with pytest.raises(errors.ConfigError, match=words) as refused:
        client.setup(fresh_key(32), names.index("alice"), len(names))
    assert refused.value.party == DEALER


def test_a_party_may_not_deal(office: Office) -> None:
    with pytest.raises(errors.ConfigError, match="hold no share"):
        office.open((DEALER, "bob"))
    office.open()
    with pytest.raises(errors.ConfigError, match="hold no share"):
        office.client("alice", dealer="bob")


def test_who_is_missing_is_named(office: Office) -> None:
    office.open()
    key = fresh_key(32)
    limits = replace(QUICK, connect=0.8)
    clients = [office.client(name, limits=limits) for name in NAMES[:2]]
    found = in_threads([lambda i=i, c=c: c.setup(key, i, 3) for i, c in enumerate(clients)])  # type: ignore[misc]
    assert {type(error) for error in found} <= {errors.PeerTimeout, errors.PeerGone}
    assert any(isinstance(e, errors.PeerTimeout) and e.party == "theo" for e in found)
    with pytest.raises(errors.PeerTimeout, match="did not answer") as late:
        office.client("alice", address="tcp://127.0.0.1:9", limits=limits).setup(key, 0, 3)
    assert late.value.party == DEALER


def test_nobody_sits_in_a_seat_that_is_taken(office: Office) -> None:
    office.open()
    key = fresh_key(32)
    clients = office.session(session=key)
    with pytest.raises(errors.ConfigError, match="in this session already"):
        office.client("bob").setup(key, 1, 3)
    a, c = opened(draw(clients, square(1)))
    np.testing.assert_array_equal(c, a * a)


def test_keys(office: Office) -> None:
    """With keys, nobody else enters, nobody else deals, and nobody goes by another's name."""
    ids = {name: Identity.fresh() for name in (*NAMES, DEALER, "eve")}
    keys = {name: ids[name].public for name in NAMES}
    server = office.open(identity=ids[DEALER], keys=keys)

    def client(name: str, as_: str, key: str = ids[DEALER].public) -> DealerClient:
        return office.client(name, identity=ids[as_], key=key)

    session = fresh_key(32)
    clients = [client(name, name) for name in NAMES]
    in_threads([lambda i=i, c=c: c.setup(session, i, 3) for i, c in enumerate(clients)])  # type: ignore[misc]
    a, c = opened(draw(clients, square(1)))
    np.testing.assert_array_equal(c, a * a)
    wrong = [client("alice", "eve"), client("alice", "alice", ids["eve"].public)]
    for one in wrong:
        with pytest.raises((errors.AuthenticationFailed, errors.PeerTimeout)) as refused:
            one.setup(fresh_key(32), 0, 3)
        assert refused.value.party == DEALER
    with pytest.raises(errors.AuthenticationFailed):
        client("alice", "bob").setup(fresh_key(32), 0, 3)
    assert len(server._sessions) == 1


def test_addresses_that_others_reach_need_keys(office: Office) -> None:
    with pytest.raises(errors.ConfigError, match="no keys"):
        office.open(address="tcp://0.0.0.0:0")


def test_replayed_bytes_of_an_old_session_are_refused(office: Office) -> None:
    """Everything that alice ever sent is sent again, while her session lives and after it."""
    server = office.open()
    key = fresh_key(32)
    place, record, _ = _relay(server.address)
    clients = [office.client(n, address=place if n == "alice" else None) for n in NAMES]
    in_threads([lambda i=i, c=c: c.setup(key, i, 3) for i, c in enumerate(clients)])  # type: ignore[misc]
    draw(clients, square(1))
    time.sleep(0.2)
    sent = bytes(record)
    for alive in (True, False):
        answer = _replay(server.address, sent)
        assert b"seed" not in answer and b"error" in answer
        assert len(server._sessions) == int(alive)
        for client in clients:
            client.close()
        time.sleep(0.3)


def _replay(address: str, data: bytes) -> bytes:
    host, port = address.removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.settimeout(0.7)
        for part in (data[:10], data[10:GREETING], data[GREETING:]):
            line.sendall(part)
            time.sleep(0.1)
        answer = bytearray()
        try:
            while piece := line.recv(1 << 16):
                answer += piece
        except (TimeoutError, ConnectionError):
            pass
    return bytes(answer)


@pytest.mark.parametrize(
    "header",
    [
        {"do": "expect", "program": b"p" * 16, "wants": b"\xc1"},
        {"do": "expect", "program": b"p", "wants": b"\x90"},
        {"do": "expect"},
        {"do": "need", "number": -1},
        {"do": "taken", "bytes": 1 << 40},
        {"do": "abort"},
        {"do": "abort", "error": {"message": 3}},
        {"do": "nonsense"},
        {},
    ],
)
def test_malformed_messages_end_the_session_and_no_more(
    office: Office, header: dict[str, Any]
) -> None:
    office.open()
    clients, others = office.session(), office.session()
    assert clients[1]._spoke is not None
    clients[1]._spoke.send(header)
    for error in at_all(clients, 1):
        assert isinstance(error, errors.FrameError)
    a, c = opened(draw(others, square(1)))
    np.testing.assert_array_equal(c, a * a)


def test_strangers_are_refused(office: Office) -> None:
    server = office.open()
    for hello in ({}, {"role": "party", "version": 99}, {"role": 3, "parties": {}}):
        with (
            Spoke("alice", DEALER, server.address, hello=hello, limits=QUICK) as spoke,
            pytest.raises(errors.FrameError, match="same release"),
        ):
            spoke.receive(2)


@pytest.mark.parametrize("how", ["dtype", "shape", "count", "number"])
def test_a_dealer_that_sends_something_else(
    office: Office, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.open()
    deal = SessionDealer.deal

    def otherwise(self: SessionDealer, claim: Any) -> Any:
        ((c,),) = deal(self, claim).values()
        made = {"dtype": [c.astype(np.uint32)], "shape": [c[:-1]], "count": [c, c], "number": [c]}
        return {0: made[how], **({} if how != "number" else {1: [c]})}

    monkeypatch.setattr(SessionDealer, "deal", otherwise)
    clients = office.session()
    found = at_all(clients, 1)
    wrong = found[1] if how == "number" else found[0]
    assert isinstance(wrong, errors.FrameError) and wrong.party == DEALER
