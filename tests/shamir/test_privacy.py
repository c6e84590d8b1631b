"""What t parties see together says nothing about the secrets, for every coalition of t parties.

All elements have the same secrets, shared by constant polynomials, so that nothing but the masks of
the primitive itself hides them. Of each coalition's view (what it received,
and the blocks that its keys give) three things are tested:

1. numbers: no linear relation over GF(p) among the columns received, those known, and the constant
   1, except among what is known. A relation would give a combination that is the same for all
   elements: a secret, or a mask that was used twice;
2. bits: the same over GF(2), for all planes received and known;
3. numbers received, and the king's masked value, have one distribution whatever the secrets.

Mistakes made on purpose must fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from mpyc_core.bits import unpack
from mpyc_core.field import F61, F127, PrimeField
from mpyc_core.meta import Meta
from mpyc_core.protocols.masks import Masks
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.shamir import Shamir, king, truncate
from mpyc_core.protocols.value import Public, Share
from mpyc_core.transport.mesh import Array, Steps

from ..parties import Parties
from ..privacy.tape import Tape, tape

__all__ = ["tape"]

ALPHA = 1e-9
SIZE = 64 * 40
"""Elements: more than there are planes in a view, so that ranks over GF(2) mean something."""
ROWS = 160
"""Elements that linear relations over GF(p) are looked for in."""
EXTREMES = ((0, 0), (-(2**50), 3 * 2**40 + 5))

Body = Callable[[Protocol, Share, Share], Steps[Any]]


@dataclass(frozen=True)
class Scene:
    """A primitive on two shared numbers."""

    name: str
    body: Body
    field: PrimeField = F127


def _product(shift: int) -> Body:
    return lambda p, x, y: p.product("mul", x, y, x.meta, shift, {})


def _bit_then(finish: str) -> Body:
    def body(p: Protocol, x: Share, y: Share) -> Steps[Any]:
        sign = yield from p.msb(x, 9)
        if finish == "select":
            return (yield from p.select(sign, y))
        return (yield from p.compose(sign, x.meta.ring.full(1, 5), x.meta))

    return body


SCENES = [
    Scene("mul", _product(0)),
    Scene("mul-61", _product(0), F61),
    Scene("mul-truncate", _product(16)),
    Scene("truncate", lambda p, x, y: p.truncate(x, 16)),
    Scene("msb", lambda p, x, y: p.msb(x, 16)),
    Scene("msb-61", lambda p, x, y: p.msb(x, 60), F61),
    Scene("is_zero", lambda p, x, y: p.is_zero(x, 16)),
    Scene("decompose", lambda p, x, y: p.decompose(x, 9)),
    Scene("compose", _bit_then("compose")),
    Scene("select", _bit_then("select")),
    Scene("relu", lambda p, x, y: p.relu(x, 9)),
]


@dataclass
class View:
    """Numbers as columns of integers, bits as rows of zeros and ones."""

    received: list[Array]
    known: list[Array]
    received_bits: list[Array]
    known_bits: list[Array]


def play(tape: Tape, n: int, scene: Scene, secrets: tuple[int, int]) -> Parties:
    """Run a scene in a new session."""
    tape.drawn.clear()
    tape.holders.clear()
    parties = Parties(Shamir, n)
    tape.drawn.clear()
    meta = Meta((SIZE,), "int", scene.field)
    values = [Public(meta, scene.field.full(SIZE, v)) for v in secrets]
    x, y = ([p.embed(v) for p in parties.protocols] for v in values)
    parties.run(lambda p: scene.body(p, x[p.me], y[p.me]))
    return parties


def view(tape: Tape, parties: Parties, field: PrimeField, who: Any) -> View:
    """What a coalition sees."""
    found = View([], [], [], [])
    sent = [s.words for s in parties.sent if s.receiver in who and s.sender not in who]
    blocks = [b for (key, *_), b in tape.drawn.items() if tape.holders[key] & set(who)]
    for arrays, columns, rows in (
        (sent, found.received, found.received_bits),
        (blocks, found.known, found.known_bits),
    ):
        for array in arrays:
            if len(array) == 1:
                elements = integers(field.uniform(array))
                columns += list(elements.reshape(-1, SIZE))
            else:
                planes = array.reshape(-1, SIZE // 64)
                rows += [unpack(np.ascontiguousarray(row), SIZE) for row in planes]
    return found


def integers(x: Array) -> Array:
    if x.dtype.fields:
        return np.asarray(x["lo"].astype(object) + x["hi"].astype(object) * 2**64, object)
    return x.astype(object)


def rank(rows: list[Array], p: int) -> int:
    """Rank over GF(p) of vectors of integers."""
    left = [np.array([int(v) % p for v in row], object) for row in rows]
    found = 0
    while left:
        pivot = left.pop()
        places = np.flatnonzero(pivot != 0)
        if places.size:
            found += 1
            at = places[0]
            pivot = pivot * pow(int(pivot[at]), -1, p) % p
            left = [(row - row[at] * pivot) % p for row in left]
    return found


def rank_of_bits(rows: list[Array]) -> int:
    """Rank over GF(2) of vectors of zeros and ones."""
    left = [int.from_bytes(np.packbits(row).tobytes(), "big") for row in rows]
    found = 0
    while left:
        pivot = left.pop()
        if pivot:
            found += 1
            top = pivot.bit_length() - 1
            left = [row ^ pivot if row >> top & 1 else row for row in left]
    return found


def leaks(seen: View, p: int) -> list[str]:
    """Linear relations between what was received and what is known."""
    found = []
    one = np.ones(SIZE, object)
    base = [v[:ROWS] for v in (one, *seen.known)]
    if rank([*base, *(v[:ROWS] for v in seen.received)], p) != rank(base, p) + len(seen.received):
        found.append("a linear relation among numbers")
    bits = [np.ones(SIZE, np.uint8), *seen.known_bits]
    if rank_of_bits([*bits, *seen.received_bits]) != rank_of_bits(bits) + len(seen.received_bits):
        found.append("a linear relation among bits")
    return found


def differ(a: list[Array], b: list[Array], bits: int) -> list[str]:
    """Columns of two views whose highest and lowest bytes have another distribution."""
    found, limit = [], ALPHA / max(1, 4 * len(a))
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        for s in (0, bits - 8, bits - 16):
            u, v = (np.bincount((c >> s & 255).astype(np.int64), minlength=256) for c in (x, y))
            statistic = np.sum((u - v) ** 2 / np.maximum(u + v, 1))
            freedom = max(1, np.count_nonzero(u + v) - 1)
            if chi2.sf(statistic, freedom) < limit:
                found.append(f"column {i}, bits from {s} on")
    return found


def alarms(tape: Tape, n: int, scene: Scene, coalitions: list[Any]) -> list[str]:
    """Everything that is wrong with the views of some coalitions."""
    found, first = [], {}
    p = scene.field.modulus
    for k, secrets in enumerate(EXTREMES):
        king_sees: list[Array] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(king, "to_king", _listening(king_sees))
            patch.setattr(truncate, "to_king", king.to_king)
            parties = play(tape, n, scene, secrets)
        for who in coalitions:
            seen = view(tape, parties, scene.field, who)
            found += [f"{who}: {what}" for what in leaks(seen, p)]
            columns = [*seen.received, *king_sees]
            if k:
                same = differ(first[who], columns, scene.field.bits)
                found += [f"{who}: {what} of two secrets" for what in same]
            first[who] = columns
    return found


def _listening(heard: list[Array]) -> Callable[..., Steps[Any]]:
    """`to_king`, with the masked value written down."""
    original = king.to_king

    def to_king(*args: Any) -> Steps[Any]:
        c = yield from original(*args)
        if c is not None:
            heard.append(integers(c)[0])
        return c

    return to_king


def coalitions(n: int) -> list[Any]:
    return list(combinations(range(n), (n - 1) // 2))


@pytest.mark.parametrize(
    ("n", "scene"),
    [
        pytest.param(n, s, id=f"{n}-{s.name}")
        for n in (3, 5)
        for s in SCENES
        if n == 3 or s.name in ("mul", "mul-truncate", "msb", "select")
    ],
)
def test_t_parties_learn_nothing(n: int, scene: Scene, tape: Tape) -> None:
    assert alarms(tape, n, scene, coalitions(n)[:: n - 2]) == []


def test_three_of_seven_learn_nothing(tape: Tape) -> None:
    assert alarms(tape, 7, SCENES[0], coalitions(7)[::5]) == []


def test_more_than_t_parties_learn_the_secret(tape: Tape) -> None:
    """The tests look where secrets would be."""
    assert alarms(tape, 3, SCENES[0], [(0, 1)])


def one_for_all_elements(tape: Tape, patch: pytest.MonkeyPatch) -> None:
    tape.weaken = lambda block: np.broadcast_to(block.reshape(-1)[:1], block.shape)


def absent(tape: Tape, patch: pytest.MonkeyPatch) -> None:
    tape.weaken = np.zeros_like


def one_for_two_buffers(tape: Tape, patch: pytest.MonkeyPatch) -> None:
    take = Masks._take

    def first(self: Any, peer: int, purpose: Any, buffer: int) -> Any:
        stream = take(self, peer, purpose, buffer)
        words = stream.words

        class Same:
            def words(self, op: int, _: int, *rest: Any) -> Array:
                return np.asarray(words(op, 1, *rest))

        return Same()

    patch.setattr(Masks, "_take", first)


def too_short(tape: Tape, patch: pytest.MonkeyPatch) -> None:
    original = king._ranged

    def short(ring: Any, words: Array, n: int) -> Array:
        masked = original(ring, words, n)
        masked["hi"] = 0
        masked["lo"] &= np.uint64(2**48 - 1)
        return masked

    patch.setattr(king, "_ranged", short)


MISTAKES = [
    (one_for_all_elements, "mul"),
    (one_for_all_elements, "msb"),
    (absent, "mul"),
    (absent, "truncate"),
    (one_for_two_buffers, "select"),
    (one_for_two_buffers, "msb"),
    (too_short, "truncate"),
    (too_short, "mul-truncate"),
    (too_short, "msb"),
]


@pytest.mark.parametrize(("mistake", "name"), MISTAKES, ids=lambda m: getattr(m, "__name__", m))
def test_mistakes_are_found(mistake: Any, name: str, tape: Tape) -> None:
    (scene,) = (s for s in SCENES if s.name == name)
    with pytest.MonkeyPatch.context() as patch:
        mistake(tape, patch)
        assert alarms(tape, 3, scene, coalitions(3))
