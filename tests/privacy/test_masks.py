"""Masks: addressed once, keyed apart by purpose, pair, session and program."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mpyc_core.prg import Stream
from mpyc_core.protocols import masks
from mpyc_core.protocols.masks import Masks, PairKeys, Purpose
from mpyc_core.protocols.registry import get_protocol
from mpyc_core.ring import Z64

from ..parties import Parties
from .scenarios import SCENARIOS, Play, Scenario
from .statistics import View, alarms

SEED, SESSION, HOLDERS = bytes(range(32)), b"s" * 32, (0, 1)
PURPOSES: list[Purpose] = ["zero", "input", "truncate", "bits", "convert", "open"]
N = 100_000


def block(
    seed: bytes = SEED,
    session: bytes = SESSION,
    holders: tuple[int, int] = HOLDERS,
    program: bytes = bytes(16),
    purpose: Purpose = "zero",
    op: int = 1,
    buffer: int = 0,
) -> np.ndarray:
    keys = PairKeys(seed, session, holders)
    keys.bind(program)
    return Masks(op, {1: keys}).ring(1, purpose, buffer, Z64, (N,))


def test_an_address_is_taken_once() -> None:
    short = np.dtype(np.uint16)
    takes = [
        lambda m: m.ring(1, "truncate", 3, Z64, (5,)),
        lambda m: m.words(1, "truncate", 3, (1,)),
        lambda m: m.small(1, "truncate", 3, short, (5,)),
    ]
    for first in takes:
        for second in takes:
            once = Masks(1, {1: PairKeys(SEED, SESSION, HOLDERS)})
            first(once)
            with pytest.raises(RuntimeError, match="taken twice in operation 1"):
                second(once)


def test_another_peer_purpose_or_buffer_is_another_address() -> None:
    keys = {peer: PairKeys(SEED, SESSION, (0, peer)) for peer in (1, 2)}
    one = Masks(1, keys)
    found = [one.words(1, "bits", 0, 4), one.words(2, "bits", 0, 4)]
    found += [one.words(1, "zero", 0, 4), one.words(1, "bits", 1, 4)]
    found += [Masks(2, keys).words(1, "bits", 0, 4)]
    assert len({block.tobytes() for block in found}) == len(found)


def test_blocks_of_different_keys_and_places_are_unrelated() -> None:
    """Purposes, sessions, seeds, pairs, programs, operations, buffers: pairwise independent."""
    blocks = [block(purpose=purpose) for purpose in PURPOSES]
    blocks += [
        block(session=b"t" * 32),
        block(seed=bytes(reversed(SEED))),
        block(holders=(0, 2)),
        block(program=b"p" * 16),
        block(op=2),
        block(buffer=1),
    ]
    assert alarms(View(N, blocks, [])) == []
    assert not any(np.array_equal(a[:8], b[8:16]) for a, b in combinations(blocks, 2))


def test_holders_agree() -> None:
    np.testing.assert_array_equal(block(), block())


def test_unknown_peers_have_no_masks() -> None:
    with pytest.raises(KeyError):
        Masks(1, {1: PairKeys(SEED, SESSION, HOLDERS)}).words(2, "bits", 0, 1)


def test_representations_hide_keys() -> None:
    keys = PairKeys(SEED, SESSION, HOLDERS)
    text = repr(keys) + repr(keys.stream("zero")) + repr(Masks(1, {1: keys}))
    assert SEED.hex() not in text
    assert repr(SEED)[2:10] not in text
    assert keys.stream("zero").words(1, 0, 1).tobytes().hex() not in text


def test_sessions_of_one_program_have_unrelated_keys() -> None:
    """New sessions draw new seeds: the first masked words never come again."""
    scenario = next(s for s in SCENARIOS if s.name == "input")
    seen = set()
    for _ in range(5):
        parties = Parties(get_protocol("replicated"), 3)
        Play(parties, scenario, 0, 8).run()
        seen |= {sent.words.tobytes() for sent in parties.sent}
    assert len(seen) == 10


@pytest.mark.parametrize("n", [5, 1000])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_messages_do_not_depend_on_how_masks_are_made(
    scenario: Scenario, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels that make masks while they use them send what streams of OpenSSL's words give."""
    parties = Parties(get_protocol("replicated"), 3)
    play = Play(parties, scenario, 1, n)
    play.run()
    as_made = parties.sent
    monkeypatch.setattr(masks, "stream", Stream, raising=False)
    for p in parties.protocols:
        p.bind(b"another program.")  # forget the streams
        p.bind(bytes(16))
    play.run()
    assert len(parties.sent) == len(as_made)
    for mine, theirs in zip(parties.sent, as_made, strict=True):
        np.testing.assert_array_equal(mine.words, theirs.words)
