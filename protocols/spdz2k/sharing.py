"""Bringing an owner's values in and taking values out, at the parties.

Input       the owner knows a dealt [r] and tells all parties x - r; [x] = (x - r) + [r]. What it
            tells them is compared with all that is opened, so x is fixed: it is the same for all.
Output      [y] + [2^k r] is opened and verified, then read modulo 2^k. The dealt [2^k r] hides what
            is in the upper s bits of y, and, as its shares are uniform, the parties' shares of y.
To one      the same with the receiver's own dealt [r] added: what all parties open and verify says
            nothing to any of them, and the receiver subtracts r.

References: inputs and the online phase [CDESX18, section 4], outputs opened under 2^k r as in
[CDESX18, section 3.1].
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mpyc_core.bits import words
from mpyc_core.meta import Meta
from mpyc_core.protocols.additive.turn import Needs, cost_of
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.value import component_spec
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .kinds import PLANES, place_of
from .turn import Bits, Numbers, Turn, both, xor

Shape = tuple[int, ...]


def form_of(meta: Meta, wide: Ring) -> tuple[int, Shape]:
    """How a value is dealt: bits of the ring of shares and its shape, or planes."""
    if meta.kind == "bit":
        return PLANES, (1, words(meta.size))
    return wide.bits, meta.shape


def value_bytes(meta: Meta, wide: Ring) -> int:
    """Bytes of a share without its MAC."""
    spec = component_spec(meta, wide)
    return int(np.prod(spec.shape, dtype=np.int64)) * spec.dtype.itemsize


def owned(turn: Turn, i: int, form: int, shape: Shape, owner: int) -> tuple[Array, Array]:
    """The operation's i-th correlation, a value that its owner knows: share and MAC share."""
    dealt = turn.dealt(i).numbers(0)
    place = place_of(form, shape)
    return (dealt.value if turn.me == owner else np.zeros(shape, place.dtype)), dealt.mac


def input_needs(meta: Meta, wide: Ring, owner: int) -> Needs:
    """A value that the owner knows."""
    return [("spdz2k-owned", (*form_of(meta, wide), owner))]


def input_(
    turn: Turn, owner: int, x: Array | None, meta: Meta, wide: Ring
) -> Steps[Numbers | Bits]:
    """Share the owner's value.

    Cost        1 round; k + s bits an element from the owner to every other party
    Security    x - r is uniform modulo 2^(k+s). An owner that tells its peers different things is
                found when the digests of all opened values are compared
    """
    form, shape = form_of(meta, wide)
    mask, mac = owned(turn, 0, form, shape, owner)
    if turn.me != owner:
        received = yield Round(recv={owner: [Spec.of(mask)]})
        told = received[owner][0]
    elif x is None:
        raise RuntimeError("the owner's value is missing")
    else:
        told = x ^ mask if form == PLANES else wide.sub(wide.extend(x), mask)
        yield Round(send={p: [told] for p in turn.peers})  # hidden by r, which the owner knows
    turn.transcript.public(told)
    if form == PLANES:
        return turn.flip(Bits(mask, mac), told)
    return turn.plus(wide, Numbers(mask, mac), told)


def output_needs(meta: Meta, wide: Ring, to: int | None) -> Needs:
    """What hides the high bits and the shares; for one party, what hides the value."""
    form, shape = form_of(meta, wide)
    needs: list[tuple[str, tuple[object, ...]]] = [("spdz2k-lift", (form, shape))]
    if to is not None:
        needs.append(("spdz2k-owned", (form, shape, to)))
    return needs


def hide_high(turn: Turn, x: Numbers | Bits, wide: Ring) -> Numbers | Bits:
    """[x] + [2^k r], with the operation's first correlation; for bits a fresh sharing."""
    if isinstance(x, Bits):
        zero = turn.addressed.dealt(0).array(0)
        return Bits(x.value ^ zero, x.mac)
    return both(wide, x, turn.dealt(0).numbers(0))


def output(turn: Turn, x: Numbers | Bits, meta: Meta, wide: Ring, to: int | None) -> Steps[Array]:
    """Open a value, hidden from all but party `to` if that is not None; to be verified before use.

    Returns
    -------
    Array : the value, at the others of one receiver uniform words.

    Cost        1 round, k + s bits an element from every party to every other
    """
    hidden, mask = hide_high(turn, x, wide), None
    if to is not None:
        mask, mac = owned(turn, 1, *form_of(meta, wide), to)
        if isinstance(hidden, Bits):
            hidden = xor(hidden, Bits(mask, mac))
        else:
            hidden = both(wide, hidden, Numbers(mask, mac))
    # hidden by 2^k r (or a sharing of zero) but for what is opened; whole by the receiver's r
    (opened,) = yield from turn.reveal(wide, hidden)
    if mask is not None and turn.me == to:
        opened = opened ^ mask if isinstance(hidden, Bits) else wide.sub(opened, mask)
    return opened if isinstance(hidden, Bits) else meta.ring.residue(opened)


def input_cost(meta: Meta, wide: Ring, owner: int, n: int) -> Cost:
    """The value less its mask, from the owner to all others."""
    cost = cost_of(n, [0], input_needs(meta, wide, owner))
    size = (n - 1) * value_bytes(meta, wide)
    return replace(cost, sent=tuple(size if p == owner else 0 for p in range(n)))


def output_cost(meta: Meta, wide: Ring, to: int | None, n: int) -> Cost:
    """The value, from every party to every other."""
    return cost_of(n, [value_bytes(meta, wide)], output_needs(meta, wide, to))
