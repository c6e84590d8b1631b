"""Finding each other: settings that differ, parties that are missing, strangers, keys."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from mpyc_core.errors import AuthenticationFailed, ConfigError, FrameError, MpcError, PeerTimeout
from mpyc_core.transport.curve import Identity
from mpyc_core.transport.frame import NO_SESSION, Kind, pack_prefix
from mpyc_core.transport.handshake import Hello
from mpyc_core.transport.limits import Limits
from mpyc_core.transport.mesh import Round, Spec, Tag
from mpyc_core.transport.zmq import ZmqMesh

from .conftest import QUICK, in_threads, relay, unconnected

NAMES = ("alice", "bob", "carol")
SHORT = Limits(heartbeat=0.1, gone=0.5, progress=0.5, connect=0.6)
PATIENT = Limits(heartbeat=0.1, gone=0.5, progress=0.5, connect=1.2)
LOCAL = "tcp://127.0.0.1:0"


def meet(meshes: list[ZmqMesh], addresses: dict[str, str], facts: Any = None) -> list[Any]:
    """Connect all of them at once and close them; what each connect gave."""
    facts = facts or [{}] * len(meshes)
    try:
        return in_threads(
            [lambda m=m, f=f: m.connect(addresses, f) for m, f in zip(meshes, facts, strict=True)]
        )
    finally:
        for mesh in meshes:
            mesh.close()


@pytest.mark.parametrize("kind", ["tcp", "ipc"])
def test_session_ids_are_common_and_fresh(kind: str, tmp_path: Path) -> None:
    seen = set()
    for _ in range(2):
        meshes, addresses = unconnected(kind, NAMES, tmp_path, QUICK)
        assert meet(meshes, addresses) == [None] * 3
        assert len({mesh.session for mesh in meshes}) == 1 and len(meshes[0].session) == 32
        seen.add(meshes[0].session)
    assert len(seen) == 2


@pytest.mark.parametrize(("kind", "late"), [("tcp", 0), ("ipc", 2)])
def test_a_party_may_start_later(kind: str, late: int, tmp_path: Path) -> None:
    addresses = {name: f"ipc://{tmp_path}/{name}" for name in NAMES}
    if kind == "tcp":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        addresses = {name: f"tcp://127.0.0.1:{port + i}" for i, name in enumerate(NAMES)}
    meshes = [ZmqMesh(name, NAMES, limits=QUICK) for name in NAMES]

    def start(mesh: ZmqMesh) -> None:
        if mesh.me == late:
            time.sleep(0.7)
        mesh.bind(addresses[NAMES[mesh.me]])
        mesh.connect(addresses)

    results = in_threads([lambda mesh=mesh: start(mesh) for mesh in meshes])
    for mesh in meshes:
        mesh.close()
    assert results == [None] * 3


@pytest.mark.parametrize(
    "facts",
    [
        [{"ring": "64"}, {"ring": "32"}, {"ring": "64"}],
        [{"ring": "64"}, {}, {"ring": "64"}],
    ],
)
def test_differing_facts_are_named_everywhere(facts: Any, tmp_path: Path) -> None:
    meshes, addresses = unconnected("tcp", NAMES, tmp_path, QUICK)
    for raised in meet(meshes, addresses, facts):
        assert isinstance(raised, ConfigError)
        assert "ring" in raised.message and "'64'" in raised.message
        assert ("'32'" if len(facts[1]) else "'absent'") in raised.message
        assert "bob" in raised.message


def test_differing_lists_of_parties(tmp_path: Path) -> None:
    meshes = [
        ZmqMesh("alice", NAMES[:2], limits=SHORT),
        ZmqMesh("bob", ("alice", "bob", "dave"), limits=SHORT),
    ]
    addresses = {"alice": meshes[0].bind(LOCAL), "bob": meshes[1].bind(LOCAL), "dave": LOCAL}
    for raised in meet(meshes, addresses):
        assert isinstance(raised, ConfigError)
        assert "parties" in raised.message and "dave" in raised.message


@pytest.mark.parametrize("missing", [0, 2])
def test_missing_party_is_named_with_its_address(missing: int, tmp_path: Path) -> None:
    meshes, addresses = unconnected("tcp", NAMES, tmp_path, SHORT)
    meshes.pop(missing).close()
    start = time.monotonic()
    for raised in meet(meshes, addresses):
        assert isinstance(raised, PeerTimeout) and raised.party == NAMES[missing]
        if missing == 0:
            assert addresses["alice"] in raised.message
    assert time.monotonic() - start < 3


def test_swapped_addresses(tmp_path: Path) -> None:
    meshes, addresses = unconnected("tcp", NAMES, tmp_path, SHORT)
    wrong = {**addresses, "alice": addresses["bob"], "bob": addresses["alice"]}
    results = in_threads(
        [
            lambda: meshes[0].connect(addresses),
            lambda: meshes[1].connect(addresses),
            lambda: meshes[2].connect(wrong),
        ]
    )
    for mesh in meshes:
        mesh.close()
    assert all(isinstance(raised, ConfigError | PeerTimeout) for raised in results)
    assert "expected" in results[2].message and "answered" in results[2].message


def test_strangers_do_not_disturb(tmp_path: Path) -> None:
    """Garbage and hellos of unknown or taken names come before the real peers and during."""
    meshes, addresses = unconnected("tcp", NAMES, tmp_path, QUICK)
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.linger = 0
        stranger.connect(addresses["alice"])
        hello = pack_prefix(Kind.HELLO, 1, 0, NO_SESSION)
        stranger.send(hello + Hello.make(NAMES, "mallory", bytes(32), {}).pack())
        stranger.send(hello + Hello.make(NAMES, "alice", bytes(32), {}).pack())
        for body in (b"", b"[]", b"{", b'{"name": 5}', b"[" * 100_000):
            stranger.send(hello + body)
        stranger.send_multipart([b"a", b"b", b"c"])
        stranger.send(pack_prefix(Kind.READY, 1, 1, NO_SESSION))
        time.sleep(0.1)
        results = in_threads([lambda mesh=mesh: mesh.connect(addresses) for mesh in meshes])
        assert results == [None] * 3
        stranger.send(hello)
        a = np.arange(3, dtype=np.uint64)
        got = in_threads(
            [
                lambda m=m: m.exchange(
                    Tag(1, 0), Round({(m.me + 1) % 3: [a]}, {(m.me + 2) % 3: [Spec.of(a)]})
                )
                for m in meshes
            ]
        )
        assert all((next(iter(g.values()))[0] == a).all() for g in got)
        assert stranger.poll(1000)
    for mesh in meshes:
        mesh.close()


def test_addresses_that_cannot_be_bound(tmp_path: Path) -> None:
    with socket.socket() as taken, ZmqMesh("alice", NAMES) as mesh:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        for address in (busy, "tcp://alice:port", "udp://x:1", "alice:7000", "ipc://"):
            with pytest.raises(ConfigError) as raised:
                mesh.bind(address)
            assert address in raised.value.message
        with ZmqMesh("bob", NAMES) as other:
            place = other.bind(f"ipc://{tmp_path}/bob")
            with pytest.raises(ConfigError, match="in use"):
                mesh.bind(place)


def test_names_must_differ_and_include_the_party() -> None:
    for name, names in (("dave", NAMES), ("alice", ("alice", "alice"))):
        with pytest.raises(ConfigError, match="names"):
            ZmqMesh(name, names)


def test_reachable_addresses_need_keys() -> None:
    with ZmqMesh("alice", NAMES, limits=SHORT) as mesh:
        for address in ("tcp://0.0.0.0:0", "tcp://*:0", "tcp://192.0.2.1:7000"):
            with pytest.raises(ConfigError, match="mpyc_core keys"):
                mesh.bind(address)
    with ZmqMesh("bob", NAMES, limits=SHORT) as mesh:
        mesh.bind(LOCAL)
        with pytest.raises(ConfigError, match="mpyc_core keys"):
            mesh.connect({"alice": "tcp://192.0.2.1:7000"})
        with pytest.raises(ConfigError, match="no address of alice"):
            mesh.connect({})


class Cast:
    """Three parties with keys."""

    def __init__(self) -> None:
        self.identities = {name: Identity.fresh() for name in NAMES}
        self.keys = {name: identity.public for name, identity in self.identities.items()}

    def meshes(self, **changes: Any) -> tuple[list[ZmqMesh], dict[str, str]]:
        """Meshes where some parties hold other identities or other public keys."""
        meshes = []
        for name in NAMES:
            identity, keys = changes.get(name, (self.identities[name], self.keys))
            meshes.append(ZmqMesh(name, NAMES, limits=PATIENT, identity=identity, keys=keys))
        return meshes, {m.names[m.me]: m.bind(LOCAL) for m in meshes}


def test_keys_work_and_do_not_show() -> None:
    cast = Cast()
    meshes, addresses = cast.meshes()
    a = np.arange(400_000, dtype=np.uint64)

    def program(mesh: ZmqMesh) -> Any:
        mesh.connect(addresses)
        peers = [i for i in range(3) if i != mesh.me]
        got = mesh.exchange(
            Tag(1, 0), Round({p: [a] for p in peers}, {p: [Spec.of(a)] for p in peers})
        )
        mesh.settle()
        return [bool((got[p][0] == a).all()) for p in peers]

    try:
        assert in_threads([lambda m=m: program(m) for m in meshes]) == [[True, True]] * 3
    finally:
        for mesh in meshes:
            mesh.close()
    identity = cast.identities["alice"]
    assert identity.secret not in repr(identity) + str(vars(meshes[0]))


@pytest.mark.parametrize(("liar", "keyless"), [(0, False), (2, False), (2, True)])
def test_wrong_secret_key(liar: int, keyless: bool) -> None:
    """Carol (or alice) holds a key that the others do not know her by, or none."""
    cast = Cast()
    name = NAMES[liar]
    own = (None, None) if keyless else (Identity.fresh(), cast.keys)
    meshes, addresses = cast.meshes(**{name: own})
    results = meet(meshes, addresses)
    assert all(isinstance(raised, AuthenticationFailed | PeerTimeout) for raised in results)
    assert any(isinstance(raised, AuthenticationFailed) for raised in results)
    for index, raised in enumerate(results):
        if index != liar:
            assert raised.party == name


def test_wrong_public_key_of_a_peer() -> None:
    cast = Cast()
    wrong = {**cast.keys, "alice": Identity.fresh().public}
    meshes, addresses = cast.meshes(carol=(cast.identities["carol"], wrong))
    results = meet(meshes, addresses)
    assert isinstance(results[2], AuthenticationFailed) and results[2].party == "alice"


def test_known_key_under_another_name() -> None:
    """Bob's key does not make him carol."""
    cast = Cast()
    meshes, addresses = cast.meshes(carol=(cast.identities["bob"], cast.keys))
    results = meet([meshes[0], meshes[2]], addresses)
    meshes[1].close()
    assert isinstance(results[1], AuthenticationFailed)
    assert isinstance(results[0], MpcError) and "carol" in results[0].message


def test_keys_are_needed_for_every_peer() -> None:
    cast = Cast()
    with pytest.raises(ConfigError, match="carol"):
        ZmqMesh("alice", NAMES, identity=cast.identities["alice"], keys={"bob": cast.keys["bob"]})


@pytest.mark.parametrize("encrypted", [False, True])
def test_what_a_tap_on_the_wire_sees(encrypted: bool) -> None:
    cast = Cast()
    if encrypted:
        meshes, addresses = cast.meshes()
    else:
        meshes = [ZmqMesh(name, NAMES, limits=SHORT) for name in NAMES]
        addresses = {m.names[m.me]: m.bind(LOCAL) for m in meshes}
    addresses["alice"], record = relay(addresses["alice"])
    marker = np.frombuffer(b"patient 4711 has a tumour" * 1000, np.uint8)

    def program(mesh: ZmqMesh) -> None:
        mesh.connect(addresses)
        if mesh.me == 1:
            mesh.send(0, [marker], Tag(1, 0))
        if mesh.me == 0:
            mesh.recv(1, [Spec.of(marker)], Tag(1, 0))

    assert in_threads([lambda m=m: program(m) for m in meshes]) == [None] * 3
    for mesh in meshes:
        mesh.close()
    assert len(record) > marker.nbytes
    assert (b"tumour" in record) != encrypted and (b"carol" in record) != encrypted


HOSTILE = {
    "garbage": [b"garbage"],
    "empty": [b""],
    "too many parts": [b"x", b"y", b"z"],
}


@pytest.mark.parametrize("what", [*HOSTILE, "replay", "piece", "piece of nothing", "hello"])
def test_a_peer_that_breaks_the_protocol(what: str, tmp_path: Path) -> None:
    meshes, addresses = unconnected("tcp", NAMES[:2], tmp_path, QUICK)
    assert in_threads([lambda m=m: m.connect(addresses) for m in meshes]) == [None, None]
    alice, bob = meshes
    link, session = bob._links[0], bob.session[:16]

    def head(kind: int, body: bytes = b"") -> bytes:
        return pack_prefix(kind, 1, link.sent + 1, session) + body

    messages: dict[str, list[bytes]] = {
        **HOSTILE,
        "piece": [head(Kind.PIECE, bytes(16)), b"12345678"],
        "piece of nothing": [head(Kind.PIECE, bytes(16))],
        "hello": [head(Kind.HELLO, Hello.make(NAMES, "bob", bytes(32), {}).pack())],
    }
    spec = [Spec(np.dtype("u8"), (2,))]
    if what == "replay":
        bob.send(0, [np.zeros(2, np.uint64)], Tag(1, 0))
        link.sent -= 1
        bob.send(0, [np.zeros(2, np.uint64)], Tag(2, 0))
        alice.recv(1, spec, Tag(1, 0))
    else:
        bob._wire.send_parts(link.route, messages[what])
    with pytest.raises(FrameError) as raised:
        alice.recv(1, spec, Tag(2, 0))
    assert raised.value.party == "bob"
    with pytest.raises(FrameError):
        alice.send(1, [np.zeros(1, np.uint64)], Tag(3, 0))
    for mesh in meshes:
        mesh.close()
