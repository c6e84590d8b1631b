"""Join codes: used once, for a while, by whom they were given to, with nobody in between."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import AuthenticationFailed, ConfigError, MpcError
from mpyc_core.grid.duet import Duet, JoinedDuet, join_duet, launch_duet
from mpyc_core.grid.duetcode import Code, proof
from mpyc_core.grid.node import Node
from mpyc_core.grid.remote import RemoteLink
from mpyc_core.grid.server import NodeServer
from mpyc_core.transport.curve import Identity
from mpyc_core.transport.limits import Limits

from .conftest import QUICK

SHORT = Limits(heartbeat=0.3, gone=1.0, connect=2.0)


def enter(code: str | Code) -> JoinedDuet:
    return join_duet(str(code), name="eve", identity=Identity.fresh(), limits=SHORT)


def test_a_code_is_read_as_it_was_written() -> None:
    code = Code("tcp://10.0.0.7:7000", Identity.fresh().public, fresh_key(16))
    assert Code.parse(str(code)) == code
    assert len(set(str(code)) - set(str(code).strip())) == 0 and " " not in str(code)


@pytest.mark.parametrize("cut", [1, 5, 64, 65])
def test_a_code_that_was_cut_is_refused_without_being_shown(cut: int) -> None:
    text = str(Code("tcp://10.0.0.7:7000", Identity.fresh().public, fresh_key(16)))
    with pytest.raises(ConfigError) as caught:
        Code.parse(text[:-cut])
    assert text[30:50] not in str(caught.value)


def test_a_code_works_once(duet: Duet) -> None:
    code = duet.invite()
    enter(code).close()
    with pytest.raises(AuthenticationFailed):
        enter(code)
    assert len(duet.guests.rows) == 1


def test_a_code_expires(duet: Duet) -> None:
    code = duet.invite(minutes=0.001)
    other = duet.invite()  # the door is open for others
    time.sleep(0.1)
    with pytest.raises(AuthenticationFailed):
        enter(code)
    enter(other).close()


def test_without_an_open_code_strangers_cannot_connect(duet: Duet) -> None:
    code = Code(duet.address, duet.node.keys.identity.public, fresh_key(16))
    with pytest.raises(AuthenticationFailed):
        enter(code)


def test_a_wrong_secret_burns_no_code(duet: Duet) -> None:
    code = duet.invite()
    for wrong in (fresh_key(16), bytes(16)):
        with pytest.raises(AuthenticationFailed):
            enter(replace(Code.parse(code), secret=wrong))
    assert duet.guests.rows == []
    enter(code).close()


def test_strangers_can_do_nothing_but_join(duet: Duet) -> None:
    duet.send([1.0], tags=["data"], searchable=True)
    duet.invite()
    link = RemoteLink(duet.address, duet.node.keys.identity.public, Identity.fresh(), QUICK)
    for header in (
        {"do": "hello"},
        {"do": "search", "tags": []},
        {"do": "mine"},
        {"do": "put", "tags": [], "description": "", "searchable": False},
        {"do": None},
        {},
    ):
        with pytest.raises(AuthenticationFailed):
            link.submit(header).result()
    for strange in (b"", bytes(31), "x" * 32, None, 5):
        with pytest.raises(MpcError):
            link.submit({"do": "join", "name": "eve", "proof": strange}).result()
    link.close()
    assert duet.guests.rows == []


def test_proofs_are_bound_to_sides_and_keys() -> None:
    secret, a, b, c = fresh_key(16), *(Identity.fresh().public for _ in range(3))
    proofs = {
        proof(side, s, x, y)  # type: ignore[arg-type]
        for side in ("guest", "host")
        for s in (secret, fresh_key(16))
        for x, y in ((a, b), (b, a), (a, c), (c, b))
    }
    assert len(proofs) == 16


# -- in between ---------------------------------------------------------------------------------
class Relay(Node):
    """Sits between guest and host with keys of its own, and passes on what it gets.

    Parameters
    ----------
    code : of the host, whose secret it does not know.
    """

    def __init__(self, code: Code) -> None:
        super().__init__("relay")
        self.seen: list[bytes] = []
        self.said: list[str] = []
        self.behind = RemoteLink(code.address, code.key, self.keys.identity, QUICK)
        self.server = NodeServer(self, "tcp://127.0.0.1:0", lambda key: True).start()
        self.answer: bytes | None = None

    def handle(self, visit: Any, number: int, header: Mapping[str, Any], arrays: Any) -> Any:
        if header.get("do") == "join":
            self.seen.append(header["proof"])
            try:
                return self.behind.submit(dict(header), arrays).result()
            except AuthenticationFailed as error:
                self.said.append(error.message)
                if self.answer is None:
                    raise
                return {"receipt": self.answer}, []
        return super().handle(visit, number, header, arrays)

    def close(self) -> None:
        self.server.close()
        self.behind.close()
        super().close()


@pytest.fixture
def relay(duet: Duet) -> Iterator[Relay]:
    found = Relay(Code.parse(duet.invite()))
    yield found
    found.close()


def test_a_relay_with_another_key_is_not_spoken_to(duet: Duet, relay: Relay) -> None:
    """The code names the host's key; who has another at the address gets not even a proof."""
    code = Code.parse(duet.invite())
    with pytest.raises(MpcError):
        enter(replace(code, address=relay.server.address))
    assert relay.seen == []


@pytest.mark.parametrize("lie", [None, "random", "reflect"])
def test_a_relay_that_swaps_keys_is_detected(duet: Duet, relay: Relay, lie: str | None) -> None:
    """Even where the key in the code was swapped, both sides find out, and nobody has joined."""
    code = Code.parse(duet.invite())
    swapped = replace(code, address=relay.server.address, key=relay.keys.identity.public)
    if lie == "random":
        relay.answer = fresh_key(32)
    if lie == "reflect":
        relay.answer = proof("guest", code.secret, relay.keys.identity.public, "x" * 40)
    with pytest.raises(AuthenticationFailed):
        enter(swapped)
    assert len(relay.seen) == len(relay.said) == 1
    assert duet.guests.rows == []
    enter(code).close()  # the code was not used up


def test_a_proof_that_was_seen_is_of_no_use_to_another_key(duet: Duet) -> None:
    code, guest = Code.parse(duet.invite()), Identity.fresh()
    seen = proof("guest", code.secret, code.key, guest.public)
    link = RemoteLink(code.address, code.key, Identity.fresh(), QUICK)
    with pytest.raises(AuthenticationFailed):
        link.submit({"do": "join", "name": "eve", "proof": seen}).result()
    link.close()


def test_secrets_are_nowhere_to_be_seen(duet: Duet, tmp_path: Path) -> None:
    code = Code.parse(duet.invite())
    enter(code).close()
    shown = [repr(duet), repr(code), repr(duet.node.guests), duet.ticket, repr(duet.log)]
    raw = b"".join(p.read_bytes() for p in (tmp_path / "ada").iterdir() if p.is_file())
    assert not any(code.secret.hex() in x or str(code)[-22:] in x for x in shown)
    assert code.secret not in raw
    assert [e["event"] for e in duet.log] == ["invited", "joined"]


def test_every_address_of_a_machine_is_none_for_guests(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reach"):
        launch_duet("ada", folder=tmp_path, address="tcp://0.0.0.0:0", verbose=False)
    reach = "tcp://192.0.2.1:7000"
    options: dict[str, Any] = {"address": "tcp://0.0.0.0:0", "reach": reach, "verbose": False}
    with launch_duet("ada", folder=tmp_path, **options) as duet:
        assert Code.parse(duet.invite()).address == reach
