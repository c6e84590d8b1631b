"""The simulation: the gate for lessons, with the oracle beside the protocol and recorded views."""

from __future__ import annotations

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core import errors


def test_debug_names_the_operation_that_left_the_range() -> None:
    with mpc.simulate(3, debug=True) as s:
        x = s.share([2.0**20, 1.0])
        with pytest.raises(errors.ConsistencyCheckFailed, match=r"mul at .*test_simulation"):
            x * x * x  # 2^60 does not fit beside 16 fraction bits


def test_debug_checks_the_promise_of_bits() -> None:
    with mpc.simulate(3, debug=True) as s:
        x = s.share([1000, -1])
        with pytest.raises(errors.ConsistencyCheckFailed, match="lt"):
            x.lt(0, bits=8)


def test_debug_agrees_inside_the_range() -> None:
    with mpc.simulate(3, debug=True) as s:
        x = s.share(np.linspace(-100, 100, 50))
        y = (x * x - 3.0).relu()
        np.testing.assert_allclose(y.reveal(), np.maximum(x.reveal() ** 2 - 3, 0), atol=1e-2)


def test_a_view_holds_what_one_party_received() -> None:
    with mpc.simulate(["ann", "ben", "cy"], record=True) as s:
        x = s.share(np.arange(5), owner="ann")
        before = len(s.view("cy"))
        x * x
        new = s.view("cy")[before:]
        assert [(m.name, m.sender, m.arrays[0].shape) for m in new] == [("mul", "ben", (5,))]


def test_views_need_recording() -> None:
    with mpc.simulate(3) as s, pytest.raises(errors.ConfigError, match="record"):
        s.view("party0")


def test_an_owner_shares_by_the_protocol() -> None:
    with mpc.simulate(3) as s:
        s.offer("party1", "rows", np.ones((4, 2)))
        rows = s.input("rows", owner="party1", shape=(None, 2))
        assert rows.shape == (4, 2)
        np.testing.assert_array_equal(rows.sum(axis=0).reveal(), [4.0, 4.0])
        with pytest.raises(errors.ShapeMismatch):
            s.input("rows", owner="party1", shape=(None, 3))
        with pytest.raises(errors.ConfigError):
            s.input("rows", owner="party2")


def test_operands_of_two_sessions_do_not_mix() -> None:
    one, other = mpc.simulate(3), mpc.simulate(3)
    with one, other, pytest.raises(errors.ShareError, match="another session"):
        one.share([1]) + other.share([1])


@pytest.mark.parametrize("ring", [32, 64])
def test_rings_and_scales(ring: int) -> None:
    with mpc.simulate(3, ring=ring, f=6) as s:
        np.testing.assert_array_equal((s.share([1.5]) * 2).reveal(), [3.0])
    with pytest.raises(errors.ConfigError, match="32, 64 or 128"):
        mpc.simulate(3, ring=40)


def test_two_sessions_have_unrelated_shares() -> None:
    def components() -> np.ndarray:  # type: ignore[type-arg]
        with mpc.simulate(3) as s:
            x = s.share(np.zeros(64, np.int64))
            return np.asarray(s.evaluators[0].values[x._ref.id].parts[0])

    assert not np.any(components() == components())


@pytest.mark.parametrize("protocol", ["replicated", "additive", "shamir", "replicated-active"])
def test_a_view_says_what_hides_every_message(protocol: str) -> None:
    """Also what a coalition receives from outside, and what the dealer sends."""
    with mpc.simulate(3, protocol=protocol, record=True) as s:
        x = s.share(np.array([1.5, -2.0]), owner="party0")
        (x * x).relu().reveal(to="party1")
        alone, both = s.view(party=1), s.view(party=(0, 1))
        assert {m.receiver for m in alone} == {"party1"} and alone.members == ("party1",)
        assert {m.sender for m in both} <= {"party2", "the dealer"}
        assert any(m.sender == "the dealer" for m in both) == (protocol == "additive")
        assert all(len(m.why) == len(m.arrays) for m in both)
        assert all("caller" not in why for m in (*alone, *both) for why in m.why)
        said = [bool(why) for m in alone for why in m.why]
        assert np.mean(said) == 1 or protocol == "replicated-active"
        assert len(alone.bits()) == 8 * sum(a.nbytes for a in alone.arrays)
        table = str(alone)
        assert "what hides it" in table and "the opened value" in table
        assert ("may be corrupted" in str(both)) == (protocol != "additive")
        with pytest.raises(errors.ConfigError, match="no party"):
            s.view(party=3)


def test_rounds_carry_no_notes_unless_recorded() -> None:
    from mpyc_core.transport.mesh import Round

    assert Round(send={1: [np.zeros(1)]}).why(1) == [""]  # hidden by nothing: a test
