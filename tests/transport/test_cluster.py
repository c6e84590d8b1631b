"""Cluster files and key files."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mpyc_core.errors import ConfigError
from mpyc_core.transport.cluster import generate_keys, load_cluster, parse_cluster
from mpyc_core.transport.curve import load_identity
from mpyc_core.transport.limits import Limits

KEY = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
GOOD = f"""
[parties.alice]
address = "tcp://alice.example:7000"
public_key = "{KEY}"
control = "tcp://alice.example:7001"
bind = "tcp://0.0.0.0:7000"

[parties.bob]
address = "tcp://10.0.0.2:7000"
public_key = "{KEY}"

[session]
protocol = "additive"
ring = 32
f = 8

[session.limits]
progress = 30
max_message = 1000000

[drivers.notebook]
public_key = "{KEY}"
"""


def test_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text(GOOD)
    cluster = load_cluster(path)
    assert cluster.names == ("alice", "bob")
    assert (cluster.protocol, cluster.ring, cluster.f) == ("additive", 32, 8)
    assert cluster.limits == Limits(progress=30, max_message=1_000_000)
    assert cluster.addresses["bob"] == "tcp://10.0.0.2:7000"
    assert cluster.controls == {"alice": "tcp://alice.example:7001"}
    assert cluster.party("alice").listens_at == "tcp://0.0.0.0:7000"
    assert cluster.party("alice").control_at == "tcp://alice.example:7001"
    assert cluster.party("bob").listens_at == "tcp://10.0.0.2:7000"
    assert cluster.keys == {"alice": KEY, "bob": KEY} and cluster.drivers == {"notebook": KEY}
    assert cluster.facts == {
        "protocol": "additive",
        "ring": "32",
        "f": "8",
        "crypto provider": "none",
    }
    with pytest.raises(ConfigError, match=r"'carol'.*alice, bob"):
        cluster.party("carol")


def test_local_addresses_need_no_keys() -> None:
    cluster = parse_cluster(
        '[parties.a]\naddress = "tcp://127.0.0.1:1"\n[parties.b]\naddress = "ipc:///x/b"\n'
        '[session]\nprotocol = "additive"'
    )
    assert cluster.keys == {} and cluster.f is None and cluster.ring is None
    assert (cluster.facts["ring"], cluster.facts["f"]) == ("default", "default")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[session]", "[sessions]", r"\[sessions\] is unknown"),
        ('protocol = "additive"', "", r"\[session\] protocol: expected a text, got nothing"),
        ("ring = 32", 'ring = "32"', r"\[session\] ring: expected a whole number, got '32'"),
        ("ring = 32", "rings = 32", r"\[session\] rings is unknown; expected one of protocol"),
        ("progress = 30", "progress = -1", r"\[session.limits\].*progress is -1"),
        ("progress = 30", "progres = 1", r"\[session.limits\] progres is unknown"),
        ("progress = 30", 'progress = "1"', r"progress: expected a number"),
        ("tcp://10.0.0.2:7000", "10.0.0.2:7000", r"\[parties.bob\] address: expected an address"),
        (f'public_key = "{KEY}"', "", r"\[parties.alice\] public_key: expected"),
        (KEY, KEY[:-1], r"\[parties.alice\] public_key is not a key"),
        (KEY, "~" * 40, r"\[parties.alice\] public_key is not a key"),
        ("[drivers.notebook]", "[drivers.notebook]\nkey = 1", r"\[drivers.notebook\] key"),
        ("[parties.bob]", "[parties.bob", "not TOML"),
    ],
)
def test_mistakes_are_named(old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        parse_cluster(GOOD.replace(old, new, 1), "my.toml")
    assert "my.toml" in raised.value.message


DEALER = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
WITH_DEALER = f"""{GOOD}
[dealer]
name = "openmined"
address = "tcp://openmined.example:7010"
public_key = "{DEALER}"
bind = "tcp://0.0.0.0:7010"
"""


def test_a_dealer() -> None:
    cluster = parse_cluster(WITH_DEALER)
    assert cluster.dealer is not None
    assert (cluster.dealer.name, cluster.dealer.public_key) == ("openmined", DEALER)
    assert cluster.dealer.listens_at == "tcp://0.0.0.0:7010"
    assert cluster.names == ("alice", "bob") and DEALER not in cluster.keys.values()
    assert cluster.facts["crypto provider"] == f"openmined {DEALER}"
    assert parse_cluster(GOOD).dealer is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"openmined"', '"alice"', r"\[dealer\] name is that of party 'alice'"),
        (DEALER, KEY, r"\[dealer\] public_key is that of party 'alice'"),
        ("openmined.example:7010", "10.0.0.2:7000", r"\[dealer\] address is that of party 'bob'"),
        (f'public_key = "{DEALER}"', "", r"\[dealer\] public_key: expected the dealer's"),
        (DEALER, DEALER[:-1], r"\[dealer\] public_key is not a key"),
        ('name = "openmined"', "", r"\[dealer\] name: expected a text"),
        ('name = "openmined"', 'nam = "x"', r"\[dealer\] nam is unknown"),
    ],
)
def test_mistakes_about_the_dealer_are_named(old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_cluster(WITH_DEALER.replace(old, new, 1))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load_cluster(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"\[parties.NAME\] is missing"):
        parse_cluster('[session]\nprotocol = "additive"')
    with pytest.raises(ConfigError, match=r"none\.key"):
        load_identity(tmp_path / "none.key")


def test_secret_keys_stay_secret(tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    public = generate_keys(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    identity = load_identity(path)
    assert identity.public == public and identity.secret == path.read_text().strip()
    assert identity.secret not in repr(identity)
    with pytest.raises(ConfigError, match="exist"):
        generate_keys(path)
    assert load_identity(path) == identity
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_identity(path)
    path.chmod(0o600)
    path.write_text("not a key")
    with pytest.raises(ConfigError, match="not a key") as raised:
        load_identity(path)
    assert identity.secret not in raised.value.message


@pytest.mark.parametrize(
    "bad", [{"progress": 0}, {"gone": 1.5}, {"linger": "x"}, {"connect": True}]
)
def test_limits_make_sense(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Limits(**bad)  # type: ignore[arg-type]
