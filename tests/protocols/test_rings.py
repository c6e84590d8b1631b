"""In which ring parties compute where none is asked for, and what is said of one there is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.cli.remote import read_cluster
from mpyc_core.errors import ConfigError
from mpyc_core.protocols.choice import default_ring
from mpyc_core.protocols.registry import protocols
from tests.processes import programs

CLUSTER = """
[parties.alice]
address = "tcp://127.0.0.1:7000"
[parties.bob]
address = "tcp://127.0.0.1:7001"
[parties.theo]
address = "tcp://127.0.0.1:7002"
[session]
protocol = "{protocol}"
{more}
"""


@pytest.mark.parametrize("name", sorted(protocols()))
def test_64_bits_where_there_are_else_the_most(name: str) -> None:
    chosen = protocols()[name]
    expected = 127 if name == "shamir" else 64
    assert default_ring(chosen) == expected and expected in chosen.rings


def test_shamir_computes_in_its_large_field() -> None:
    with mpc.simulate(3, protocol="shamir") as s:
        x = s.share([1.5, -2.25])
        assert (s.ring.name, s.f, x.meta.f) == ("GF(2^127-1)", 16, 16)
        np.testing.assert_allclose((x * x).reveal(), [2.25, 5.0625], atol=2**-15)
    with mpc.simulate(3, protocol="shamir", ring=61) as s:
        assert (s.ring.bits, s.f) == (61, 8)


@pytest.mark.processes
def test_processes_agree_on_the_ring_that_nobody_named() -> None:
    results = mpc.run(programs.ring_and_scale, 3, protocol="shamir")
    assert list(results.values()) == [[127, 16]] * 3
    with mpc.session(3, protocol="shamir") as s:
        assert (s.ring.bits, s.share(2.0).reveal().item()) == (127, 2.0)


def test_an_absent_ring_is_named_beside_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"'shamir'.*Z/2\^64.*GF\(2\^127-1\), GF\(2\^61-1\)"):
        mpc.simulate(3, protocol="shamir", ring=64)
    with pytest.raises(ConfigError, match=r"32, 64 or 128 bits, got 48; 61 and 127"):
        mpc.simulate(3, ring=48)


@pytest.mark.parametrize(
    ("protocol", "more", "ring", "f"),
    [
        ("replicated", "", "64", "16"),
        ("replicated", "ring = 64\nf = 16", "64", "16"),
        ("replicated", "ring = 32", "32", "8"),
        ("shamir", "", "127", "16"),
        ("shamir", "ring = 61\nf = 10", "61", "10"),
    ],
)
def test_parties_of_a_cluster_compare_numbers(
    tmp_path: Path, protocol: str, more: str, ring: str, f: str
) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text(CLUSTER.format(protocol=protocol, more=more))
    facts = read_cluster(path).facts
    assert (facts["ring"], facts["f"]) == (ring, f)


def test_a_cluster_file_with_an_absent_ring(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text(CLUSTER.format(protocol="replicated", more="ring = 48"))
    with pytest.raises(ConfigError, match=r"cluster\.toml: expected a ring of 32, 64 or 128"):
        read_cluster(path)
