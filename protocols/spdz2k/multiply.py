"""Beaver products of authenticated numbers: the MAC of the product is linear in what is dealt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpyc_core.kernels.verified import recombine
from mpyc_core.meta import Meta
from mpyc_core.protocols.additive import multiply as additive
from mpyc_core.protocols.additive.turn import Needs, cost_of
from mpyc_core.protocols.bilinear import BILINEAR, doubles
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.dealt.want import Facts
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Steps

from .claim import AXES, Claim
from .truncate import lifted, round_down
from .turn import Authentic, Numbers, Product, Turn, both, minus, times

Params = Mapping[str, Any]


def product_needs(
    n: int,
    kind: str,
    x: Meta,
    y: Meta,
    meta: Meta,
    wide: Ring,
    shift: int,
    params: Params,
    same: bool,
) -> Needs:
    """A triple, or a square where both operands are one value; with the mask of a truncation."""
    bits = wide.bits
    if kind == "mul" and same:
        if shift:
            return [("spdz2k-rounded-square", (bits, meta.shape, shift))]
        return [("spdz2k-square", (bits, meta.shape))]
    given = tuple((name, additive.plain_facts(value)) for name, value in sorted(params.items()))
    facts: Facts = (bits, kind, x.shape, y.shape, meta.shape, given)
    if shift == 0:
        return [("spdz2k-triple", facts)]
    doubled = n == 2 and doubles(kind, meta.ring, shift)
    return [("spdz2k-doubled-triple" if doubled else "spdz2k-rounded-triple", (facts, shift))]


def product(
    turn: Turn,
    kind: str,
    x: Numbers,
    y: Numbers,
    small: Ring,
    wide: Ring,
    shift: int,
    params: Params,
    same: bool,
) -> Steps[Numbers]:
    """[z] = [x * y] for any bilinear product, with `shift` fraction bits dropped.

    Protocol    1. take [a], [b], [c = a * b] with their MACs
                2. open d = x - a and e = y - b modulo 2^(k+s)
                3. [z] = [c] + d * [b] + [a] * e + d * e, and the same of the MACs, where the public
                d * e has the MAC share alpha_i * d * e
                With a truncation c = a * b + R, so that 3. gives [z + R], which is opened (see
                `truncate`); of products of matrices the MAC is left out then, see `_masked`. Where
                x and y are one value: [z] = [c] + d * (2 [a] + d).
    Cost        1 round, 2 with a truncation; to each other party the elements of x and y (of x
                alone for a square), and those of the result with a truncation, of k + s bits each
    Security    malicious, n - 1 corruptions: d, e and z + R are uniform because a, b and R are.
                Who sends a wrong share of d changes z by a multiple of y, and is found by the check
                before anything that depends on z is shown; z has a right MAC for what it is
    Error       exact modulo 2^k; with a truncation that of `truncate`, for |z| < 2^(k-3) if doubled
    Reference   [CDESX18, section 4]; with one element opened for a truncation as in [EGKRS20]
    """
    square = kind == "mul" and same
    dealt = turn.dealt(0)
    hidden: Numbers | Product
    if shift and kind in AXES:
        twice = turn.n == 2 and doubles(kind, small, shift)
        hidden = yield from _masked(turn, dealt, kind, wide, x, y, params, twice)
        shift += twice
    else:
        if square:
            z = yield from _square(turn, dealt, wide, x)
        else:
            z = yield from _beaver(turn, dealt, kind, wide, x, y, params)
        if shift == 0:
            return z
        hidden = lifted(turn, wide, z, shift)
    u, m = (2, 3) if square else (3, 4)
    (opened,) = yield from turn.reveal(wide, hidden)  # z + R: hidden by R
    return round_down(turn, wide, opened, dealt.numbers(u), dealt.numbers(m), shift)


def _beaver(
    turn: Turn, dealt: Authentic, kind: str, wide: Ring, x: Numbers, y: Numbers, params: Params
) -> Steps[Numbers]:
    """The product; it carries R if it is to be truncated."""
    a, b, c = (dealt.numbers(j) for j in range(3))
    # hidden by a and b, uniform modulo 2^(k+s)
    d, e = yield from turn.reveal(wide, minus(wide, x, a), minus(wide, y, b))
    if kind == "mul" and x.value.shape == y.value.shape:
        one = wide.full((), int(turn.first))
        keys = Numbers(one, turn.keys.alpha(wide))
        return Numbers(*(recombine(wide, c[i], a[i], b[i], d, e, keys[i]) for i in (0, 1)))
    apply = BILINEAR[kind]
    right = turn.plus(wide, b, e)  # d * b + d * e, the MAC of e included

    def recombined(c_: Array, right_: Array, a_: Array) -> Array:
        return wide.add(c_, wide.add(apply(wide, d, right_, params), apply(wide, a_, e, params)))

    return Numbers(*map(recombined, c, right, a))


def _masked(
    turn: Turn,
    dealt: Authentic,
    kind: str,
    wide: Ring,
    x: Numbers,
    y: Numbers,
    params: Params,
    twice: bool,
) -> Steps[Product]:
    """What is to be opened of a product of matrices: x * y + R, or between two 2 x * y + R.

    Its MAC is not computed; the check makes of it what it needs (`claim.py`). Between two parties
    the product of d + 2 a_i and e + 2 b_i serves for two: the sum of both is
    2 x * y + 2 (a_0 - a_1)(b_0 - b_1), and the rest is in R, as in `additive.multiply._doubled`.
    """
    a, b, c = (dealt.numbers(j) for j in range(3))
    # hidden by a and b, uniform modulo 2^(k+s)
    d, e = yield from turn.reveal(wide, minus(wide, x, a), minus(wide, y, b))
    apply = BILINEAR[kind]
    if twice:
        left, right = (wide.add(o, wide.add(p, p)) for o, p in ((d, a.value), (e, b.value)))
        value = apply(wide, left, right, params)
    else:
        right = wide.add(b.value, e) if turn.first else b.value
        value = wide.add(apply(wide, d, right, params), apply(wide, a.value, e, params))
    value, mac = lifted(turn, wide, Numbers(wide.add(value, c.value), c.mac), 1)
    key = turn.keys.alpha(wide)

    def claim(rest: Array) -> Claim:
        return Claim(wide, kind, params, d, e, a.mac, b.mac, rest, key, twice)

    return Product(value, mac, claim)


def _square(turn: Turn, dealt: Authentic, wide: Ring, x: Numbers) -> Steps[Numbers]:
    """The same for x * x, of one opening."""
    a, c = dealt.numbers(0), dealt.numbers(1)
    (d,) = yield from turn.reveal(wide, minus(wide, x, a))  # hidden by a
    return both(wide, c, times(wide, d, turn.plus(wide, both(wide, a, a), d)))


def product_cost(
    n: int,
    kind: str,
    x: Meta,
    y: Meta,
    meta: Meta,
    wide: Ring,
    shift: int,
    params: Params,
    same: bool,
) -> Cost:
    """The operands, and the result where it is truncated, from every party to every other."""
    size = x.size if kind == "mul" and same else x.size + y.size
    messages = [size * wide.bytes]
    if shift:
        messages.append(meta.size * wide.bytes)
    return cost_of(n, messages, product_needs(n, kind, x, y, meta, wide, shift, params, same))
