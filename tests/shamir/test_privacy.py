"""What t parties see together says nothing about the secrets, for every coalition of t parties.

All elements have the same secrets, shared by constant polynomials, so that nothing but the masks of
the primitive itself hides them. Of each coalition's view (what it received,
and the blocks that its keys give) three things are tested:

1. numbers: no linear relation over GF(p) among the columns received, those known, and the constant
   1, except among what is known. A relation would give a combination that is the same for all
   elements: a secret, or a mask that was used twice;
2. bits: the same over GF(2), for all planes received and known;
3. numbers received and the king's masked value have one distribution whatever the secrets, and
   bytes of it are uniform: the lowest, and over the small field the highest.

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

from mpyc_core.bits import pack, unpack
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

WIDTHS = {3: 16, 5: 8, 7: 2}
"""Bits compared or dropped, by the number of parties: a view has fewer planes than elements."""

Body = Callable[[Protocol, Share, Share, int], Steps[Any]]


@dataclass(frozen=True)
class Scene:
    """A primitive on two shared numbers, and on so many bits of them."""

    name: str
    body: Body
    field: PrimeField = F127


def _product(truncates: bool) -> Body:
    return lambda p, x, y, w: p.product("mul", x, y, x.meta, w * truncates, {})


def _often(p: Protocol, x: Share, y: Share, w: int) -> Steps[Any]:
    """Products until roles come again."""
    for _ in range(p.n):
        yield from p.product("mul", x, y, x.meta, 0, {})
    return (yield from p.product("mul", x, x, x.meta, 0, {}))


def _bit_then(finish: str) -> Body:
    def body(p: Protocol, x: Share, y: Share, w: int) -> Steps[Any]:
        sign = yield from p.msb(x, w)
        if finish == "select":
            return (yield from p.select(sign, y))
        return (yield from p.compose(sign, x.meta.ring.full(1, 5), x.meta))

    return body


SCENES = [
    Scene("mul", _product(False)),
    Scene("mul-often", _often),
    Scene("mul-61", _product(False), F61),
    Scene("mul-truncate", _product(True)),
    Scene("truncate", lambda p, x, y, w: p.truncate(x, w)),
    Scene("msb", lambda p, x, y, w: p.msb(x, w)),
    Scene("msb-61", lambda p, x, y, w: p.msb(x, 60), F61),
    Scene("is_zero", lambda p, x, y, w: p.is_zero(x, w)),
    Scene("decompose", lambda p, x, y, w: p.decompose(x, w)),
    Scene("compose", _bit_then("compose")),
    Scene("select", _bit_then("select")),
    Scene("relu", lambda p, x, y, w: p.relu(x, w)),
]
BY_NAME = {scene.name: scene for scene in SCENES}
MAIN = {
    3: tuple(BY_NAME),
    5: ("mul", "mul-truncate", "truncate", "msb", "select", "relu"),
    7: ("mul", "mul-truncate", "msb", "relu"),
}
"""What so many parties run."""


@dataclass
class View:
    """Columns of field elements, and rows of bits as zeros and ones."""

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
    parties.run(lambda p: scene.body(p, x[p.me], y[p.me], WIDTHS[n]))
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
                columns += list(field.uniform(array).reshape(-1, SIZE))
            else:
                planes = array.reshape(-1, SIZE // 64)
                rows += [unpack(np.ascontiguousarray(row), SIZE) for row in planes]
    return found


def integers(x: Array) -> Array:
    if x.dtype.fields:
        return np.asarray(x["lo"].astype(object) + x["hi"].astype(object) * 2**64, object)
    return x.astype(object)


def related_numbers(field: PrimeField, base: list[Array], more: list[Array]) -> bool:
    """Whether a row of `more` is a linear combination over GF(p) of others of both."""
    left = np.stack([*base, *more])
    for i, pivot in enumerate(left):
        places = np.flatnonzero(pivot != field.full((), 0))
        if not places.size:
            if i >= len(base):
                return True
            continue
        at, rest = places[0], left[i + 1 :]
        inverse = pow(int(integers(pivot[at : at + 1])[0]), -1, field.modulus)
        times = field.mul(rest[:, at : at + 1].copy(), field.full((1, 1), inverse))
        rest[...] = field.sub(rest, field.mul(times, pivot[None]))
    return False


def related_bits(base: list[Array], more: list[Array]) -> bool:
    """Whether a row of `more` is a sum over GF(2) of others of both, by elimination."""
    left = np.stack([pack(row) for row in (*base, *more)])
    for i, pivot in enumerate(left):
        words = np.flatnonzero(pivot)
        if not words.size:
            if i >= len(base):
                return True
            continue
        word = words[0]
        lowest = pivot[word] & (~pivot[word] + np.uint64(1))
        rest = left[i + 1 :]
        rest[(rest[:, word] & lowest) != 0] ^= pivot
    return False


def leaks(seen: View, field: PrimeField) -> list[str]:
    """Linear relations between what was received and what is known."""
    found = []
    known = [field.full(SIZE, 1), *seen.known]
    if related_numbers(field, *([v[:ROWS] for v in rows] for rows in (known, seen.received))):
        found.append("a linear relation among numbers")
    if related_bits([np.ones(SIZE, np.uint8), *seen.known_bits], seen.received_bits):
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


def uneven(columns: list[Array], field: PrimeField) -> list[str]:
    """Columns whose lowest byte is not uniform; over the small field the highest, too."""
    found, limit = [], ALPHA / max(1, 2 * len(columns))
    for i, x in enumerate(columns):
        for s in (0, field.bits - 8) if field is F61 else (0,):
            counts = np.bincount((x >> s & 255).astype(np.int64), minlength=256)
            if chi2.sf(np.sum((counts - SIZE / 256) ** 2) / (SIZE / 256), 255) < limit:
                found.append(f"column {i}, bits from {s} on")
    return found


def alarms(tape: Tape, n: int, scene: Scene, coalitions: list[Any]) -> list[str]:
    """Everything that is wrong with the views of some coalitions."""
    found, first = [], {}
    for k, secrets in enumerate(EXTREMES):
        king_sees: list[Array] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(king, "to_king", _listening(king_sees))
            patch.setattr(truncate, "to_king", king.to_king)
            parties = play(tape, n, scene, secrets)
        for who in coalitions:
            seen = view(tape, parties, scene.field, who)
            if k or n == 3:
                found += [f"{who}: {what}" for what in leaks(seen, scene.field)]
            columns = [*map(integers, seen.received), *king_sees]
            found += [f"{who}: {what}" for what in uneven(columns, scene.field)]
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
        for n, names in MAIN.items()
        for s in map(BY_NAME.__getitem__, names)
    ],
)
def test_t_parties_learn_nothing(n: int, scene: Scene, tape: Tape) -> None:
    assert alarms(tape, n, scene, coalitions(n)) == []


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


def one_for_two_operations(tape: Tape, patch: pytest.MonkeyPatch) -> None:
    tape.operation = lambda op: 1


def without_top_bit(tape: Tape, patch: pytest.MonkeyPatch) -> None:
    """Of the 61 that count; the words above are folded onto the lowest bits."""
    tape.weaken = lambda block: block & np.uint64(2**60 - 1)


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
    (one_for_two_operations, "mul-often"),
    (without_top_bit, "mul-61"),
    (without_top_bit, "msb-61"),
    (too_short, "truncate"),
    (too_short, "mul-truncate"),
    (too_short, "msb"),
]


@pytest.mark.parametrize(("mistake", "name"), MISTAKES, ids=lambda m: getattr(m, "__name__", m))
def test_mistakes_are_found(mistake: Any, name: str, tape: Tape) -> None:
    with pytest.MonkeyPatch.context() as patch:
        mistake(tape, patch)
        assert alarms(tape, 3, BY_NAME[name], coalitions(3))


@pytest.mark.parametrize("n", [3, 5, 7])
@pytest.mark.parametrize("field", [F127, F61], ids=lambda f: f.name)
def test_an_opening_says_the_value_alone(n: int, field: PrimeField) -> None:
    """All shares of an opened 5 follow from t uniform numbers and 5, however it was made."""
    t, meta = (n - 1) // 2, Meta((SIZE,), "int", field)
    parties = Parties(Shamir, n)
    for summands in ((0, 5), (2**59, 5 - 2**59)):
        pair = [parties.deal(field.from_int(np.full(SIZE, v)), meta) for v in summands]
        z = [p.add(pair[0][p.me], pair[1][p.me]) for p in parties.protocols]
        parties.run(lambda p, z=z: p.open(z[p.me], None))
        shown = {sent.sender: sent.words.reshape(-1) for sent in parties.sent}
        assert len(shown) == n
        assert uneven([integers(x) for x in shown.values()], field) == []
        constant, columns = [field.full(ROWS, 1)], [shown[p][:ROWS] for p in range(n)]
        for who in coalitions(n):
            assert not related_numbers(field, constant, [columns[i] for i in who])
        for who in combinations(range(n), t + 1):
            assert related_numbers(field, constant, [columns[i] for i in who])
