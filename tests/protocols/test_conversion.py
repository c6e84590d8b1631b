"""Values that change protocols: exact, at the declared cost, hidden on the way, never mixed."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core import errors
from mpyc_core.protocols.additive.protocol import Additive
from mpyc_core.protocols.cheating import Adder
from mpyc_core.protocols.registry import get_protocol, protocols
from mpyc_core.protocols.security import Security, weakest
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

NAMES = [name for name, cls in protocols().items() if cls.supports(3) and name != "additive-fss"]
PAIRS = [
    (a, b)
    for a in NAMES
    for b in NAMES
    if a != b and not get_protocol(a).needs_dealer & get_protocol(b).needs_dealer
]
VALUES = (
    np.array([0, 1, -1, 2**40 + 3, 2**62 - 1, -(2**62)]),
    np.array([1.5, -2.25, 0.0, 2.0**30, -(2.0**30)]),
    np.array([True, False, True, True, False]),
)


def simulation(protocol: str, **options: Any) -> mpc.Simulation:
    ring = 64 if 64 in get_protocol(protocol).rings else 127
    return mpc.simulate(3, protocol=protocol, ring=ring, **options)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_there_and_back_at_the_declared_cost(a: str, b: str) -> None:
    with simulation(a) as s:
        s.share([0]).to(b)  # sets the protocol up
        for value in VALUES:
            x = s.share(value)
            declared = s.declared_cost("convert", [x.ref], protocol=b)
            sent, rounds, dealt = [c.payload for c in s.counters], s.counters[0].rounds, s.dealt
            y = x.to(b)
            now = tuple(c.payload - before for c, before in zip(s.counters, sent, strict=True))
            assert (now, s.counters[0].rounds - rounds) == (declared.sent, declared.rounds)
            assert s.dealt - dealt == declared.dealt
            np.testing.assert_array_equal(y.reveal(), value)
            np.testing.assert_array_equal(y.to(a).reveal(), value)
            assert y.security == y.to(a).security  # what was lost does not come back


def test_computing_between_protocols() -> None:
    with mpc.simulate(3, debug=True) as s:
        x, y = s.share([1.5, -2.0, 0.25]), s.share([2.0, 3.0, -4.0])
        product = x.to("additive") * y.to("additive")
        both = x.to("shamir").relu().to("replicated") + product.to("replicated")
        np.testing.assert_allclose(both.reveal(), [4.5, -6.0, -0.75], atol=2**-14)
        assert (x.to("shamir") > 0).to("additive").to_number().reveal().tolist() == [1, 0, 1]
        np.testing.assert_array_equal(x.to(ring=32).reveal(), [1.5, -2.0, 0.25])
        assert x.to("replicated").ref is x.ref


@pytest.mark.parametrize("protocol", ["additive", "shamir"])
def test_mixed_operands_are_refused(protocol: str) -> None:
    with mpc.simulate(3) as s:
        x = s.share([1.0, 2.0])
        y = x.to(protocol)
        for mixed in (lambda: x + y, lambda: y * x, lambda: np.stack([x, y])):
            with pytest.raises(errors.ShareError, match=r"\.to\(protocol"):
                mixed()
        assert (x + 1).reveal().tolist() == [2.0, 3.0]  # the session goes on
        with pytest.raises(errors.ConfigError, match="runs with"):
            mpc.simulate(2, protocol="additive").share([1]).to("replicated")
        x.requires_grad = True
        with pytest.raises(errors.ShareError, match="detach"):
            (x * 2).to(protocol)


def test_security_is_the_weaker_of_both() -> None:
    strong = Security("malicious", "unanimous", 2, 3, 40, 128, not_covered=("x",))
    weak = Security("semi-honest", "none", 1, 3, None, 128, "honest, non-colluding", ("y",))
    assert weakest(strong, weak) == Security(
        "semi-honest", "none", 1, 3, 40, 128, "honest, non-colluding", ("x", "y")
    )
    assert set(weakest(weak, strong).not_covered) == {"x", "y"}
    assert strong.withstands(weak) and not weak.withstands(strong)
    unverified = weakest(strong, strong)
    assert (unverified.adversary, unverified.abort) == ("semi-honest", "none")
    assert "changes protocols" in unverified.not_covered[-1]
    with mpc.simulate(3, protocol="replicated-active") as s:
        x = s.share([1])
        assert x.security.adversary == "malicious"
        there = x.to("replicated")
        assert there.security.adversary == "semi-honest"
        assert (there.to("replicated-active") + x).security.adversary == "semi-honest"


@pytest.mark.parametrize("round_", range(10))
def test_another_ring_stays_verified(round_: int) -> None:
    """Whatever a party sends while the ring changes, nobody opens another value under the label."""
    cheat = Adder("party1", "convert", round_, error=1)
    with (
        suppress(errors.ProtocolAbort),
        mpc.simulate(3, protocol="replicated-active", cheat=cheat) as s,
    ):
        x = s.share(np.array([1000, -7, 3]), owner="party0").to(ring=32)
        assert x.security.adversary == "malicious"
        x.reveal()
    want = np.array([1000, -7, 3], np.int32).view(np.uint32)
    for outcome in cheat.outcomes.values():
        assert all(np.array_equal(found, want) for found in outcome.opened)


def bias(messages: list[Array]) -> float:
    """By how many standard deviations the commonest bit of a message is off 1/2; 64-bit words."""
    worst = 0.0
    for array in messages:
        words = np.ascontiguousarray(array).reshape(-1).view(np.uint64)
        bits = np.unpackbits(words.view(np.uint8).reshape(-1, 8), axis=1)
        worst = max(worst, float(np.max(np.abs(bits.mean(0) - 0.5)) * 2 * np.sqrt(len(words))))
    return worst


def seen(source: str, target: str, value: int) -> list[Array]:
    """All messages of a conversion of a value whose old shares are constants."""
    with simulation(source, record=True) as s:
        s.share([0]).to(target)
        x = s.public(np.full(8192, value))
        before = {name: len(s.view(name)) for name in s.names}
        x.to(target)
        return [a for n in s.names for m in list(s.view(n))[before[n] :] for a in m.arrays]


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize(
    ("source", "target"),
    [("additive", "replicated"), ("replicated", "additive"), ("replicated-active", "replicated")],
)
def test_messages_are_uniform(source: str, target: str, value: int) -> None:
    """Over Z/2^64 every bit of every message is a fair coin, whatever the value."""
    assert bias(seen(source, target, value)) < 6.5


def test_a_conversion_that_reuses_shares_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Terms sent as they are, without a mask of the new sharing."""

    def naked(self: Any, owner: int, x: Array | None, meta: Any) -> Steps[Share]:
        self.fresh_op()
        zero = np.zeros(meta.shape, np.uint64)
        peer = (owner + 1) % 3
        if self.me == owner and x is not None:
            yield Round(send={peer: [x]})
            return Share(meta, (zero,))
        if self.me == peer:
            got = yield Round(recv={owner: [Spec.of(zero)]})
            return Share(meta, (got[owner][0],))
        yield Round()
        return Share(meta, (zero,))

    monkeypatch.setattr(Additive, "input", naked)
    assert bias(seen("replicated", "additive", 0)) > 20


def convert_all(party: Any) -> Any:
    x = party.share([1.5, -2.0], owner="party1")
    y = (x * x).to("shamir")
    back = (y + y).to("replicated")
    try:
        x.to("plain")
    except errors.PermissionDenied as error:
        return back.reveal(), str(error)
    return None


@pytest.mark.processes
@pytest.mark.timeout(180)
def test_programs_and_sessions() -> None:
    for value, refusal in mpc.run(convert_all).values():
        np.testing.assert_array_equal(value, [4.5, 8.0])
        assert "keeps no secrets" in refusal
    with mpc.session(3, protocol="replicated") as s:
        x = s.share([1.5, -2.0])
        assert x.to("shamir").to("replicated").reveal().tolist() == [1.5, -2.0]
        assert x.to("shamir").reveal().tolist() == [1.5, -2.0]
        for name, reason in (("plain", "promises less"), ("additive", "promises less")):
            with pytest.raises((errors.PermissionDenied, errors.ConfigError), match=reason):
                x.to(name)
        assert x.reveal().tolist() == [1.5, -2.0]
