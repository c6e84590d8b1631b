"""What openings say beyond the opened value, and what a client's sharing says: nothing."""

from __future__ import annotations

import numpy as np
import pytest

from mpyc_core.bits import ones
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import get_protocol
from mpyc_core.protocols.replicated import sharing
from mpyc_core.protocols.value import Public, Share
from mpyc_core.ring import Z64
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from ..parties import Parties, Sent
from .exact import relations, unprotected
from .statistics import View, alarms
from .tape import Tape, Watched
from .test_statistical import SECURE, N, from_outside, smallest

META = Meta((N,), "int", Z64)
COUNTS = (3, 5)
"""Between two parties the other's share follows from one's own and the value: no test is left."""
CLIENT = -1
"""A receiver that holds no key."""


def filled(value: int, n: int = N) -> Array:
    return np.full(n, value % (1 << 64), np.uint64)


def one_sum(parties: Parties, x: int) -> list[Share]:
    """x + (5 - x): the shares of 5 made of other summands."""
    pair = [parties.deal(filled(v), META) for v in (x, 5 - x)]
    return [p.add(pair[0][p.me], pair[1][p.me]) for p in parties.protocols]


def opened_views(tape: Tape, protocol: str, n: int, x: int) -> list[View]:
    tape.drawn.clear()
    tape.holders.clear()
    parties = Parties(get_protocol(protocol), n)
    z = one_sum(parties, x)
    parties.run(lambda p: p.open(z[p.me], None))
    return [
        View(
            N,
            from_outside(parties.sent, c),
            [array for i in c for array in (*tape.known_to(i), *z[i].parts)],
        )
        for c in parties.coalitions()
    ]


@pytest.mark.parametrize(
    ("protocol", "n"),
    [
        (name, n)
        for name in SECURE
        for n in COUNTS
        if get_protocol(name).supports(n) and (n == 3 or not get_protocol(name).verifies)
    ],
)
def test_an_opening_says_the_value_alone(protocol: str, n: int, tape: Tape) -> None:
    """5 opened as 0 + 5 and as 2^62 + (5 - 2^62): one distribution."""
    for view, other in zip(
        opened_views(tape, protocol, n, 0), opened_views(tape, protocol, n, 1 << 62), strict=True
    ):
        assert alarms(view, other) == []


def test_what_an_opening_sends_follows_from_the_value() -> None:
    parties = Parties(get_protocol("replicated"), 3)
    x = np.arange(100, dtype=np.uint64)
    meta = META.with_(shape=x.shape)
    shares = parties.deal(x, meta)
    for to in (None, 0, 1, 2):
        parties.run(lambda p, to=to: p.open(shares[p.me], to))
        assert {s.receiver for s in parties.sent} == ({0, 1, 2} if to is None else {to})
        for sent in parties.sent:
            mine, known = shares[sent.receiver].parts
            np.testing.assert_array_equal(sent.words, x - mine - known)


def client_view(protocol: str, x: int, embedded: bool) -> View:
    """What a client is sent when the same shares are opened to it twice."""
    parties = Parties(get_protocol(protocol), smallest(protocol))
    shares = (
        [p.embed(Public(META, filled(5))) for p in parties.protocols]
        if embedded
        else one_sum(parties, x)
    )
    parts: list[Array] = []
    for _ in range(2):
        shown = parties.run(lambda p: p.for_client(shares[p.me]))
        with np.errstate(over="ignore"):
            sent = [p.to_client(s) for p, s in zip(parties.protocols, shown, strict=True)]
        # where two parties show every component, to be compared, one copy of each is looked at
        parts += [part[0] if part.shape != filled(0).shape else part for part in sent]
    return View(N, parts[:-1], [])


@pytest.mark.parametrize("protocol", [p for p in SECURE if p != "spdz2k"])  # see tests/spdz2k
def test_a_client_learns_the_value_alone(protocol: str) -> None:
    """Two openings of one value: all parts but the last are independent, however it was shared."""
    view = client_view(protocol, 0, False)
    for other in (client_view(protocol, 1 << 62, False), client_view(protocol, 0, True)):
        view_1, other_1 = (
            View(N, _without_sum(v.received, smallest(protocol)), []) for v in (view, other)
        )
        assert alarms(view_1, other_1) == []
        assert alarms(other_1) == []


def _without_sum(parts: list[Array], n: int) -> list[Array]:
    """The parts of two openings but for the last of each, which follow from the value."""
    return [*parts[: n - 1], *parts[n:]]


@pytest.mark.parametrize("last", range(3))
@pytest.mark.parametrize("kind", ["int", "bit"])
def test_every_part_for_a_client_has_a_pad(kind: str, last: int, tape: Tape) -> None:
    """All but one of each opening, which follows from the value and the others."""
    parties = Parties(get_protocol("replicated"), 3)
    meta = Meta((5,), kind, Z64)
    value = np.arange(5, dtype=np.uint64) if kind == "int" else np.array([[21]], np.uint64)
    shares = parties.deal(value, meta)
    start = parties.position

    def parts() -> list[Sent]:
        parties.rewind(start)
        made = [(turn, p.me, p.to_client(shares[p.me])) for turn in range(2) for p in all_]
        return [Sent((turn, 0, 0), me, CLIENT, part) for turn, me, part in made if me != last]

    all_ = parties.protocols
    assert unprotected(tape, parts(), relations(tape, parts), {CLIENT}) == []


@pytest.mark.parametrize("kind", ["int", "bit"])
def test_every_dealt_component_has_a_pad(
    kind: str, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client's sharing: what one party gets is uniform."""
    tape.now = ()
    monkeypatch.setattr(sharing, "Stream", lambda key: Watched(key, tape))
    monkeypatch.setattr(sharing, "fresh_key", lambda n: bytes(n))
    meta = Meta((5,), kind, Z64)
    value = np.arange(5, dtype=np.uint64) if kind == "int" else np.array([[21]], np.uint64)

    def dealt() -> list[Sent]:
        shares = sharing.deal(value, meta)
        return [
            Sent((0, 0, k), CLIENT, i, c) for i, s in enumerate(shares) for k, c in enumerate(s)
        ]

    found = relations(tape, dealt)
    assert [unprotected(tape, dealt(), found, {party}) for party in range(3)] == [[], [], []]


def test_two_dealings_have_different_masks() -> None:
    value = np.zeros(5, np.uint64)
    first, second = (sharing.deal(value, META.with_(shape=(5,))) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert not np.array_equal(a, b)


def _padding(secret: int, start: int) -> Array:
    """Opened words beyond the 70 elements, after a program on bits made of numbers."""

    def program(p: Protocol, x: Share) -> Steps[Array | None]:
        negative = yield from p.msb(x, 20)
        zero = yield from p.is_zero(x, 20)
        _, keep = yield from p.relu(x, 20)
        low = yield from p.decompose(x, 3)
        both = yield from p.and_(p.not_(negative), p.xor(keep, p.not_(zero)))
        everything = p.stack_planes(negative, zero, keep, both, low)
        opened = yield from together(*(p.open(p.planes(everything, i), None) for i in range(7)))
        return np.concatenate(opened)

    parties = Parties(get_protocol("replicated"), 3)
    parties.turn_to(start)
    x = parties.deal(filled(secret, 70), META.with_(shape=(70,)))
    opened = parties.run(lambda p: program(p, x[p.me]))[0]
    return opened & ~ones(70)


def test_padding_bits_of_planes_say_nothing() -> None:
    """Beyond the last element, opened words hold what the program makes of nothing, always."""
    expected = _padding(0, 0)
    for secret in (0, 1, -1, 12345, -(1 << 19)):
        for start in range(3):
            np.testing.assert_array_equal(_padding(secret, start), expected)
