"""Bringing values in and taking them out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from mpyc_core.bits import ones
from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConsistencyCheckFailed
from mpyc_core.meta import Meta
from mpyc_core.prg import Stream
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.value import Public, Share
from mpyc_core.transport.mesh import Array, Round, Steps

from .reconstruct import TooManyErrors, decode
from .space import Bits, Space, parts_of, space_of, vector
from .turn import Deal, Turn, deal_cost, threshold


def input_(turn: Turn, owner: int, x: Array | None, meta: Meta) -> Steps[Share]:
    """The owner deals its value.

    Cost        1 round, n - 1 - t elements from the owner
    """
    space = space_of(meta, turn.n)
    secret = None if x is None else lifted(space, x)
    size = width(meta)
    (mine,) = yield from turn.deal(Deal(owner, space, size, secret))
    return Share(meta, parts_of(space.total(mine[None]), meta))


def input_cost(n: int, meta: Meta, owner: int) -> Cost:
    """One vector to each receiver."""
    return deal_cost(space_of(meta, n), n, width(meta), [owner])


def width(meta: Meta, planes: int = 1) -> int:
    """Length of the vector of a value."""
    return planes * ((meta.size + 63) // 64) if meta.kind == "bit" else meta.size


def lifted(space: Space, x: Array) -> Array:
    """Cleartext (numbers, or packed planes of bits) as a vector of field elements."""
    flat = np.ascontiguousarray(x).reshape(1, -1)
    if not isinstance(space, Bits):
        return flat
    return np.concatenate([flat, np.zeros((space.height - 1, flat.shape[1]), np.uint64)])


def embed(n: int, x: Public) -> Share:
    """A public value as a share: the constant polynomial."""
    if x.meta.kind != "bit":
        return Share(x.meta, (x.value,))
    rest = [np.zeros_like(x.value) for _ in range(space_of(x.meta, n).height - 1)]
    return Share(x.meta, (x.value, *rest))


def open_(turn: Turn, x: Share, to: int | None) -> Steps[Array | None]:
    """Everyone who is to know the value gets all n shares, and looks for wrong ones.

    Cost        1 round, one element from every party to each receiver
    Security    a fresh or combined sharing is uniform but for its value at 0, which is opened
    Error       up to n - 1 - t wrong shares are noticed; up to (n - 1 - t) / 2 are corrected, and
                their senders named in a warning
    Raises      ConsistencyCheckFailed: more shares are wrong than can be corrected
    """
    space, mine = space_of(x.meta, turn.n), vector(x.parts, x.meta)
    receiving = [p for p in range(turn.n) if to is None or to == p]
    others = [p for p in range(turn.n) if p != turn.me]
    step = Round()
    for peer in receiving:
        if peer != turn.me:
            step.send[peer] = [mine]  # the value at 0 is what is opened; the rest is uniform
    if turn.me in receiving:
        step.recv = {peer: [space.spec(mine.shape[1])] for peer in others}
    received = yield step
    if turn.me not in receiving:
        return None
    rows = [mine if p == turn.me else received[p][0] for p in range(turn.n)]
    return cleartext(reconstructed(space, space.join(rows).reshape(turn.n, *mine.shape)), x.meta)


def open_cost(n: int, meta: Meta, planes: int, to: int | None) -> Cost:
    """A vector to every receiver but oneself."""
    each = space_of(meta, n).bytes(width(meta, planes))
    if to is None:
        return Cost(1, ((n - 1) * each,) * n)
    return Cost(1, tuple(0 if p == to else each for p in range(n)))


def cleartext(x: Array, meta: Meta) -> Array:
    """An opened vector as numbers, or packed planes of bits."""
    if meta.kind != "bit":
        return x.reshape(meta.shape)
    end = ones(meta.size)
    return x[0].reshape(-1, end.size) & end if end.size else x[0].reshape(1, 0)


def reconstructed(space: Space, rows: Array) -> Array:
    """The secrets of n shares, shape (n, height, N), checked against each other.

    Raises
    ------
    ConsistencyCheckFailed : more shares are wrong than can be corrected.
    """
    n = len(rows)
    faulty: set[int] = set()
    while True:
        good = tuple(p for p in range(n) if p not in faulty)
        found = space.apply(checking(space, n, good), space.join([rows[p] for p in good]))
        secrets, rest = found[: space.height], found[space.height :]
        wrong = np.flatnonzero(_differs(rest).any(axis=0))
        if not wrong.size:
            break
        faulty |= _faulty(space, rows[:, :, wrong[0]], faulty)
    if faulty:
        parties = ", ".join(f"party {p}" for p in sorted(faulty))
        warnings.warn(
            f"{parties} sent wrong shares of an opened value; they were corrected", stacklevel=3
        )
    return secrets


@cache
def checking(space: Space, n: int, parties: tuple[int, ...]) -> Array:
    """The secret from the first t + 1 of these parties' shares; and how far others are off."""
    known = threshold(n) + 1
    points = [p + 1 for p in parties[:known]]
    scalars = space.scalars
    rows = [scalars.lagrange(points, 0) + [0] * (len(parties) - known)]
    for k, p in enumerate(parties[known:]):
        rest = [0] * (len(parties) - known)
        rest[k] = scalars.sub(0, 1)
        rows.append(scalars.lagrange(points, p + 1) + rest)
    return space.matrix(rows)


def _differs(x: Array) -> Array:
    return np.asarray((x["lo"] | x["hi"]) != 0 if x.dtype.fields else x != 0)


def _faulty(space: Space, column: Array, known: set[int]) -> set[int]:
    """Whose shares in one column, shape (n, height), are wrong, by decoding it."""
    n = len(column)
    t, most = threshold(n), (n - threshold(n) - 1) // 2
    found: set[int] = set()
    for bit in range(64 if isinstance(space, Bits) else 1):
        values = [_scalar(space, share, bit) for share in column]
        try:
            _, errors = decode(space.scalars, range(1, n + 1), values, t)
        except TooManyErrors:
            errors = list(range(n))
        found.update(errors)
    if len(found | known) > most:
        raise ConsistencyCheckFailed(
            f"the shares of an opened value contradict each other, and more than {most} of {n} are "
            "wrong, which is too many to say whose; a party or its memory is faulty"
        )
    return found


def _scalar(space: Space, share: Array, bit: int) -> int:
    if isinstance(space, Bits):
        return sum((int(word) >> bit & 1) << c for c, word in enumerate(share))
    element: Any = share[0]
    value = int(element["lo"]) + (int(element["hi"]) << 64) if share.dtype.fields else int(element)
    return value % space.scalars.order


def deal(x: Array, meta: Meta, n: int) -> list[tuple[Array, ...]]:
    """Share a client's value by polynomials whose other coefficients come from a fresh key.

    Security    t shares are uniform
    """
    space, t = space_of(meta, n), threshold(n)
    secret = lifted(space, x)
    planes = len(x) if meta.kind == "bit" else 1
    uniform = Stream(fresh_key(16)).words(0, 0, (t * space.height, secret.shape[1]), space.dtype)
    scalars = space.scalars
    powers = []
    for p in range(1, n + 1):
        row = [1]
        for _ in range(t):
            row.append(scalars.mul(row[-1], p))
        powers.append(row)
    values = space.apply(space.matrix(powers), space.join([secret, uniform]))
    return [parts_of(v, meta, planes) for v in values.reshape(n, space.height, -1)]


def to_client(turn: Turn, x: Share) -> Array:
    """What a client is sent: of numbers the share; of bits one plane each, whose XOR is the bit.

    Security    shares of one polynomial, uniform but for its value at 0; of bits, the terms of the
                secret are masked by a sharing of zero, of which every pair of parties knows a part
    """
    if x.meta.kind != "bit":
        return x.parts[0]
    term = own_bits(turn, x, list(range(turn.t + 1)))
    plane = np.zeros_like(x.parts[0]) if term is None else term.reshape(x.parts[0].shape)
    buffer = turn.buffer()
    for peer in range(turn.n):
        if peer != turn.me:
            plane = plane ^ turn.plane(peer, buffer, plane.shape)
    return plane


def own_bits(turn: Turn, b: Share, parties: list[int]) -> Array | None:
    """This party's bits e_i with b = XOR of e_i over t + 1 parties, in a row; None at others.

    The secret is a sum of l_i * s_i over GF(2^m). It is 0 or 1, so that its coefficient of x^0 is
    the XOR of theirs.
    """
    if turn.me not in parties:
        return None
    space = space_of(b.meta, turn.n)
    weight = turn.opening_weights(space, parties)[parties.index(turn.me)]
    return space.scaled(weight, vector(b.parts, b.meta))[0]


def summand(n: int, me: int, x: Share) -> Array | None:
    """This party's term of the secret, which t + 1 shares determine; None at the others."""
    known = threshold(n) + 1
    if me >= known:
        return None
    space = space_of(x.meta, n)
    weight = space.scalars.lagrange(range(1, known + 1), 0)[me]
    return space.scaled(weight, vector(x.parts, x.meta))[0].reshape(x.parts[0].shape)


def from_parties(parts: Sequence[Array], meta: Meta) -> Array:
    """Put together, at a client, what it was sent; wrong shares of numbers are noticed."""
    if meta.kind == "bit":
        planes = np.bitwise_xor.reduce(np.stack(list(parts)), axis=0)
        return np.asarray(planes & ones(meta.size))
    rows = np.stack([np.ascontiguousarray(part).reshape(1, -1) for part in parts])
    return cleartext(reconstructed(space_of(meta, len(parts)), rows), meta)
