"""How often weakened checks fail, and that it says nothing about a secret."""

from __future__ import annotations

import pytest
from scipy.stats import binom, fisher_exact

from mpyc_core.errors import MacCheckFailed
from mpyc_core.meta import Meta
from mpyc_core.protocols.replicated_active import ReplicatedActive
from mpyc_core.protocols.value import Share
from mpyc_core.ring import Z64, Z128
from mpyc_core.transport.lockstep import lockstep
from mpyc_core.transport.mesh import Array

from ..parties import Parties

S = 8
BOUND = 2 * 2.0**-S + 2.0**-65
"""2^-(K-k+1) + 2 * 2^-s. The best attack attains 2 * 2^-s - 2^-2s of it."""
SURE = 1e-6
"""How rarely chance alone may fail a test."""
RUNS = 800
META = Meta((1,), "int", Z64)
TOP = Z128.full(1, 1 << 127)


@pytest.fixture(scope="module")
def parties() -> Parties:
    made = Parties(ReplicatedActive, 3)
    for p in made.protocols:
        p.weaken(S)
    return made


def wrong(parties: Parties, share: list[Share], party: int, at: int, error: Array) -> list[Share]:
    """The same with an error in what party `party` and the next one hold, value (0) or MAC (2)."""
    made = []
    for p, x in zip(parties.protocols, share, strict=True):
        parts = list(x.parts)
        if p.me == party:
            parts[at] = Z128.add(parts[at], error)
        if (p.me - 1) % 3 == party:
            parts[at + 1] = Z128.add(parts[at + 1], error)
        made.append(Share(x.meta, tuple(parts)))
    return made


def wrong_mac(parties: Parties, share: list[Share], party: int) -> list[Share]:
    """A MAC that is wrong by 2^127, the lightest error."""
    return wrong(parties, share, party, 2, TOP)


def passed(parties: Parties) -> bool:
    """Whether a check of what is in the ledgers passes."""
    try:
        lockstep(
            [p.before_open() for p in parties.protocols],
            names=parties.names,
            counters=parties.counters,
        )
    except MacCheckFailed:
        return False
    return True


def note(parties: Parties, shares: list[Share]) -> None:
    """Put values with their MACs into the ledgers, as a product does."""
    for p, share in zip(parties.protocols, shares, strict=True):
        value, mac = share.parts[:2], share.parts[2:]
        p.ledger.product(128, (value[0], value[1]), (mac[0], mac[1]))


def dealt(parties: Parties, value: int) -> list[Share]:
    """A checked share."""
    made = parties.deal(Z64.from_int([value]), META)
    assert passed(parties)
    return made


def attack(parties: Parties, x: list[Share], y: list[Share]) -> bool:
    """x has a wrong MAC, and x * y is computed: its MAC is wrong by 2^127 * y."""
    note(parties, x)
    parties.run(lambda p: p.product("mul", x[p.me], y[p.me], META, 0, {}))
    return passed(parties)


def below(hits: int, runs: int) -> bool:
    """Whether so many hits are not too many for the bound: else they had a chance below SURE."""
    return bool(binom.sf(hits - 1, runs, BOUND) > SURE)


def above(hits: int, runs: int) -> bool:
    """Whether so few hits would have a chance below 5 % if the rate were 1/16 of the bound."""
    return bool(binom.sf(hits - 1, runs, BOUND / 16) < 0.05)


@pytest.mark.timeout(300)
def test_best_attack_succeeds_as_rarely_as_stated(parties: Parties) -> None:
    """The lightest error passes if all combinations miss it, or all rows of the matrix hide it."""
    hits = []
    x = wrong_mac(parties, dealt(parties, 5), 0)
    for secret in (0, 1):
        y = dealt(parties, secret)
        hits.append(sum(attack(parties, x, y) for _ in range(RUNS)))
        print(f"y = {secret}: {hits[-1]} of {RUNS} passed, bound {BOUND * RUNS:.0f}")
    assert below(sum(hits), 2 * RUNS)
    assert above(sum(hits), 2 * RUNS)
    table = [[found, RUNS - found] for found in hits]
    assert fisher_exact(table).pvalue > 1e-6, "whether a run stops depends on y"


@pytest.mark.timeout(300)
def test_a_wrong_value_is_found(parties: Parties) -> None:
    x = wrong(parties, dealt(parties, 7), 1, 0, Z128.full(1, 1 << 63))
    hits = 0
    for _ in range(RUNS):
        note(parties, x)
        hits += passed(parties)
    print(f"{hits} of {RUNS} wrong values passed, bound {BOUND * RUNS:.0f}")
    assert below(hits, RUNS)


def test_whole_checks_find_everything() -> None:
    parties = Parties(ReplicatedActive, 3)
    x = wrong_mac(parties, dealt(parties, 5), 0)
    for secret in (0, 1):
        y = dealt(parties, secret)
        assert not any(attack(parties, x, y) for _ in range(100))
