"""Beaver products: the operands are opened under masks whose product the dealer knew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpyc_core.kernels.dealt import add_pad, doubled, hide, recombine, square_up, total
from mpyc_core.meta import Meta
from mpyc_core.protocols.bilinear import BILINEAR, doubles
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.dealt.want import Facts
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Steps

from .truncate import raised, round_down
from .turn import Dealt, Needs, Turn, cost_of

Params = Mapping[str, Any]


def plain_facts(value: Any) -> Any:
    """Parameters as facts: tuples of integers."""
    if isinstance(value, (list, tuple)):
        return tuple(plain_facts(item) for item in value)
    return int(value)


def product_needs(
    n: int, kind: str, x: Meta, y: Meta, meta: Meta, shift: int, params: Params, same: bool
) -> Needs:
    """A triple, or a square where both operands are one value; with the mask of a truncation."""
    k = meta.ring.bits
    if kind == "mul" and same:
        return (
            [("square", (k, meta.shape))]
            if shift == 0
            else [("rounded-square", (k, meta.shape, shift))]
        )
    given = tuple((name, plain_facts(value)) for name, value in sorted(params.items()))
    facts: Facts = (k, kind, x.shape, y.shape, meta.shape, given)
    if shift == 0:
        return [("triple", facts)]
    rounded = "doubled-triple" if n == 2 and doubles(kind, meta.ring, shift) else "rounded-triple"
    return [(rounded, (facts, shift))]


def product(
    turn: Turn, kind: str, x: Share, y: Share, meta: Meta, shift: int, params: Params
) -> Steps[Share]:
    """[z] = [x * y] for any bilinear product, with `shift` fraction bits dropped.

    Protocol    1. take [a], [b], [c = a * b]    2. open d = x - a and e = y - b
                3. [z] = [c] + d * [b] + [a] * e + d * e
                With a truncation c = a * b + r, so that 3. gives [z + r], which is opened (see
                `truncate`). Where x and y are one value: [z] = [c] + d * (2 [a] + d). For products
                of matrices and the like between two parties see `_doubled`.
    Cost        1 round, 2 with a truncation; to each other party the elements of x and y (of x
                alone for a square), and those of the result with a truncation
    Security    semi-honest, n - 1 corruptions: d, e and z + r are uniform because a, b and r are
    Error       exact modulo 2^k; with a truncation that of `truncate`, for |z| < 2^(k-3) if doubled
    Reference   [Bea91, section 2]; the truncation mask inside the triple is as in [EGKRS20]
    """
    square = kind == "mul" and x is y
    dealt = turn.dealt(0)
    if turn.n == 2 and doubles(kind, meta.ring, shift):
        mine, shift = (yield from _doubled(turn, dealt, kind, x, y, meta, params)), shift + 1
    elif square:
        mine = yield from _square(turn, dealt, x, shift)
    else:
        mine = yield from _beaver(turn, dealt, kind, x, y, meta, shift, params)
    if shift == 0:
        return Share(meta, (mine,))
    u, v = (2, 3) if square else (3, 4)
    (others,) = yield from turn.swap([mine])  # z + r: hidden by this party's own part of r
    result = round_down(turn, mine, others, dealt.pad(u), dealt.array(v), shift)
    return Share(meta, (result,))


def _beaver(
    turn: Turn,
    dealt: Dealt,
    kind: str,
    x: Share,
    y: Share,
    meta: Meta,
    shift: int,
    params: Params,
) -> Steps[Array]:
    """This party's part of the product; it carries r if it is to be truncated."""
    (xi,), (yi,), ring = x.parts, y.parts, meta.ring
    d, e = hide(xi, dealt.pad(0)), hide(yi, dealt.pad(1))
    ds, es = yield from turn.swap([d, e])  # hidden by a and b, this party's own parts
    lift = raised(turn, ring, shift)
    if kind == "mul":
        return recombine(turn.first, dealt.pad(2), xi, yi, (d, e), (ds, es), meta.shape, lift)
    apply, dd, ee = BILINEAR[kind], total(d, ds), total(e, es)
    left, right = ring.sub(xi, d), ring.sub(yi, e)  # a and b
    if turn.first:
        right = ring.add(right, ee)
    z = ring.add(apply(ring, dd, right, params), apply(ring, left, ee, params))
    return add_pad(z, dealt.pad(2), lift)


def _doubled(
    turn: Turn, dealt: Dealt, kind: str, x: Share, y: Share, meta: Meta, params: Params
) -> Steps[Array]:
    """This party's part of 2 x * y + r, by one product where `_beaver` takes two.

    With d and e opened, party i computes (d + 2 a_i)(e + 2 b_i) + c_i. The sum of both is

        2 d e + 2 d b + 2 a e + 4 (a_0 b_0 + a_1 b_1) + c  =  2 x y + 2 (a_0 - a_1)(b_0 - b_1) + c

    and the dealer takes the last two terms as r: uniform, as c is. To drop one bit more undoes the
    doubling, which costs a bit of range. This decomposition is the library's own.
    """
    (xi,), (yi,), ring = x.parts, y.parts, meta.ring
    d, e = hide(xi, dealt.pad(0)), hide(yi, dealt.pad(1))
    (ds,), (es,) = yield from turn.swap([d, e])  # hidden by a and b, this party's own parts
    # d + 2 a_i = 2 x_i - d_i + d_j
    z = BILINEAR[kind](ring, doubled(xi, d, ds), doubled(yi, e, es), params)
    return add_pad(z, dealt.pad(2), raised(turn, ring, 1))


def _square(turn: Turn, dealt: Dealt, x: Share, shift: int) -> Steps[Array]:
    """The same for x * x, of one opening."""
    (xi,), ring = x.parts, x.meta.ring
    d = hide(xi, dealt.pad(0))
    (ds,) = yield from turn.swap([d])  # hidden by a, this party's own part
    return square_up(turn.first, dealt.pad(1), xi, d, ds, raised(turn, ring, shift))


def product_cost(
    n: int, kind: str, x: Meta, y: Meta, meta: Meta, shift: int, params: Params, same: bool
) -> Cost:
    """The operands, and the result where it is truncated, from every party to every other."""
    size = x.size if kind == "mul" and same else x.size + y.size
    messages = [size * meta.ring.bytes]
    if shift:
        messages.append(meta.size * meta.ring.bytes)
    return cost_of(n, messages, product_needs(n, kind, x, y, meta, shift, params, same))
