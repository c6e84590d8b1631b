"""Values that a client brings and takes: it holds no share, no MAC key, and trusts no single party.

In. The client shares x additively over Z/2^(k+s), and with it t = y * x for a uniform y, and y
itself; it gives all parties the same digests of the shares of y. The parties first share their
parts of x and t as inputs of their own (`admit`): what they say is fixed then. Only now each tells
its part of y, which the digests bind it to, and [t] - y * [x], which must be 0, is noted for the
next check; it is never opened. Who changed its part of x by d and of t by d' did so without knowing
y, so it is found unless y * d - d' and the check are 0 by chance: for d that is not 0 modulo 2^k
with probability below 2^(-s + 2 log2(s+3)). y * d - d' does not depend on x. For bits
t = y * (words of x) over GF(2^128), and the probability is 3 / 2^128.

Out. The dealer commits to the shares of a mask r, to all parties. They open [x] + [r] among
themselves, verified as any output. Each tells the client x + r, its part of r modulo 2^k and the
commitments. The client wants the same of all parties, of which one is honest, and the parts of r
to be what the commitments say; then x = (x + r) - r. A lie is always found, whatever x is.

References: for inputs and outputs of clients by products with secret keys [DDNNT16]; that y is told
after the parties are bound, and the dealer's commitments, are this library's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from mpyc_core import limbs
from mpyc_core.bits import words
from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConsistencyCheckFailed, ShapeMismatch
from mpyc_core.meta import Meta
from mpyc_core.prg import Stream
from mpyc_core.protocols.additive.turn import Needs, cost_of
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.refusal import refuse
from mpyc_core.protocols.value import Share, component_spec
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .kinds import DIGEST, FIELD, OCTET, PLANES, commitment, shown_share
from .sharing import form_of, hide_high, owned, value_bytes
from .turn import Bits, Numbers, Turn, both, minus, times, xor

KEY = 16
"""Bytes of y."""
PRIVATE = KEY + DIGEST
"""Bytes of a party's part of y and of the blind in its digest."""


# -- in ---------------------------------------------------------------------------------------
def deal(x: Array, meta: Meta, wide: Ring, n: int) -> list[tuple[Array, ...]]:
    """A client's sharing: parts of x and of t, a part of y with its blind, digests of all parts."""
    stream = Stream(fresh_key(16))
    keys = [np.frombuffer(fresh_key(KEY), np.uint64) for _ in range(n)]
    spec, tag = component_spec(meta, wide), _tag_spec(meta, wide)
    xs = [stream.words(0, i, spec.shape, spec.dtype) for i in range(1, n)]
    ts = [stream.words(1, i, tag.shape, tag.dtype) for i in range(1, n)]
    if meta.kind == "bit":
        t = _word_products(x[0], np.bitwise_xor.reduce(keys))
        xs.insert(0, np.bitwise_xor.reduce([x, *xs]))
        ts.insert(0, np.bitwise_xor.reduce([t, *ts]))
    else:
        whole = wide.extend(x)
        key = _number_key(keys, wide)
        t = limbs.mul(whole, key) if wide.bits == 128 else wide.mul(whole, key)
        xs.insert(0, _less(wide, whole, xs))
        ts.insert(0, _less(wide, t, ts))
    private = [key.tobytes() + fresh_key(DIGEST) for key in keys]
    digests = np.concatenate([_digest(i, told) for i, told in enumerate(private)])
    told = [np.frombuffer(part, OCTET) for part in private]
    return [(xs[i], ts[i], told[i], digests) for i in range(n)]


def specs(meta: Meta, wide: Ring, n: int) -> list[Spec]:
    """What a client gives one party."""
    value = component_spec(meta, wide)
    return [value, _tag_spec(meta, wide), Spec(OCTET, (PRIVATE,)), Spec(OCTET, (n * DIGEST,))]


def _tag_spec(meta: Meta, wide: Ring) -> Spec:
    if meta.kind == "bit":
        return Spec(np.dtype(np.uint64), (words(meta.size), 2))
    return component_spec(meta, wide)


def admit_needs(meta: Meta, wide: Ring, n: int) -> Needs:
    """For each party its parts of x and of t, as inputs of its own."""
    form, shape = form_of(meta, wide)
    tag = (FIELD, _tag_spec(meta, wide).shape) if form == PLANES else (form, shape)
    needs: list[tuple[str, tuple[object, ...]]] = []
    for owner in range(n):
        needs += [("spdz2k-owned", (form, shape, owner)), ("spdz2k-owned", (*tag, owner))]
    return needs


def admit(turn: Turn, x: Share, wide: Ring) -> Steps[Numbers | Bits]:
    """Take in what a client dealt; see above.

    Cost        2 rounds; parts of x and t and 80 bytes from every party to every other
    Raises      ConsistencyCheckFailed: the client's digests differ, or a party lies about y
    """
    part, tag, private, digests = x.parts
    form, shape = form_of(x.meta, wide)
    tag_form = FIELD if form == PLANES else form
    masks = [
        (owned(turn, 2 * p, form, shape, p), owned(turn, 2 * p + 1, tag_form, tag.shape, p))
        for p in range(turn.n)
    ]
    mine = masks[turn.me]
    # hidden by values that this party knows; the digests are public
    told = [_minus(form, wide, part, mine[0][0]), _minus(form, wide, tag, mine[1][0]), digests]
    received = yield Round(
        send={p: told for p in turn.peers}, recv={p: [Spec.of(a) for a in told] for p in turn.peers}
    )
    said = [told if p == turn.me else received[p] for p in range(turn.n)]
    for p, (_, _, theirs) in enumerate(said):
        if not np.array_equal(theirs, digests):
            refuse(
                ConsistencyCheckFailed,
                f"input: the client told party {p} other digests than this party, or party {p} "
                "deviates from the protocol",
            )
    key = yield from _tell_key(turn, private, digests, form, wide)
    values = [_told(turn, wide, form, m[0], s[0]) for m, s in zip(masks, said, strict=True)]
    tags = [_told(turn, wide, tag_form, m[1], s[1]) for m, s in zip(masks, said, strict=True)]
    return _noted(turn, wide, values, tags, key)


def _tell_key(turn: Turn, private: Array, digests: Array, form: int, wide: Ring) -> Steps[Array]:
    """y, told by all parties now that they are bound to their parts of x and t."""
    received = yield Round(
        send={p: [private] for p in turn.peers},  # public from here on
        recv={p: [Spec(OCTET, (PRIVATE,))] for p in turn.peers},
    )
    keys = []
    for p in range(turn.n):
        told = (private if p == turn.me else received[p][0]).tobytes()
        if not np.array_equal(_digest(p, told), digests[p * DIGEST : (p + 1) * DIGEST]):
            refuse(
                ConsistencyCheckFailed,
                f"input: what party {p} says of the client's key is not what the client gave it",
            )
        keys.append(np.frombuffer(told[:KEY], np.uint64))
    return np.asarray(np.bitwise_xor.reduce(keys) if form == PLANES else _number_key(keys, wide))


def _told(
    turn: Turn, wide: Ring, form: int, mask: tuple[Array, Array], told: Array
) -> Numbers | Bits:
    """(x - r) + [r]; for field elements the share is left out."""
    turn.transcript.public(told)
    if form == FIELD:
        return Bits(mask[0], mask[1] ^ _scaled(told, turn.keys.field))
    if form == PLANES:
        return turn.flip(Bits(*mask), told)
    return turn.plus(wide, Numbers(*mask), told)


def _noted(
    turn: Turn, wide: Ring, values: list[Numbers | Bits], tags: list[Numbers | Bits], key: Array
) -> Numbers | Bits:
    """[x] as the sum of all parts; that t = y * x is noted for the next check."""
    total, tag = values[0], tags[0]
    for more, another in zip(values[1:], tags[1:], strict=True):
        if isinstance(total, Bits):
            total, tag = xor(total, more), Bits(tag.value, tag.mac ^ another.mac)  # type: ignore[arg-type]
        else:
            total, tag = both(wide, total, more), both(wide, tag, another)  # type: ignore[arg-type]
    if isinstance(total, Bits):
        from mpyc_core.kernels.tags import fold

        folded = np.empty((*total.value.shape, 2), np.uint64)
        fold(np.zeros_like(total.value), np.ascontiguousarray(total.mac), turn.keys.bits, folded)
        turn.transcript.zero_field(tag.mac ^ _scaled(folded[0], key))
        return total
    turn.transcript.zero_number(wide, minus(wide, tag, times(wide, key, total)).mac)  # type: ignore[arg-type]
    return total


def admit_cost(meta: Meta, wide: Ring, n: int) -> Cost:
    """Parts of x and t and the digests, then the parts of y."""
    tag = _tag_spec(meta, wide)
    tag_bytes = int(np.prod(tag.shape, dtype=np.int64)) * tag.dtype.itemsize
    first = value_bytes(meta, wide) + tag_bytes + n * DIGEST
    return cost_of(n, [first, PRIVATE], admit_needs(meta, wide, n))


def _digest(party: int, private: bytes) -> Array:
    found = hashlib.sha256(b"mpyc-core spdz2k client key" + party.to_bytes(4, "little") + private)
    return np.frombuffer(found.digest(), OCTET)


def _number_key(keys: Sequence[Array], wide: Ring) -> Array:
    return wide.reduce(sum(int.from_bytes(key.tobytes(), "little") for key in keys))


def _less(wide: Ring, x: Array, parts: Sequence[Array]) -> Array:
    for part in parts:
        x = wide.sub(x, part)
    return x


def _minus(form: int, wide: Ring, x: Array, y: Array) -> Array:
    return x ^ y if form in (PLANES, FIELD) else wide.sub(x, y)


def _word_products(words_: Array, key: Array) -> Array:
    """Words of bits, as field elements, times a key; without kernels, for a driver."""
    out, factor = np.zeros((words_.size, 2), np.uint64), int.from_bytes(key.tobytes(), "little")
    for j in range(64):
        chosen = np.uint64(0) - (words_ >> np.uint64(j) & np.uint64(1))
        out ^= chosen[:, None] & np.array([factor & (1 << 64) - 1, factor >> 64], np.uint64)
        factor <<= 1
        factor ^= (factor >> 128) * ((1 << 128) | 0x87)
    return out


def _scaled(x: Array, factor: Array) -> Array:
    from mpyc_core.kernels.tags import scale

    out = np.empty_like(x)
    scale(np.ascontiguousarray(x), np.ascontiguousarray(factor), out)
    return out


# -- out --------------------------------------------------------------------------------------
def reveal_needs(meta: Meta, wide: Ring) -> Needs:
    """What hides the high bits and the shares, and a mask with commitments."""
    form, shape = form_of(meta, wide)
    return [("spdz2k-lift", (form, shape)), ("spdz2k-for-client", (form, shape))]


def unsealed(parts: Sequence[Array], meta: Meta, wide: Ring) -> Array:
    """The value, at the client.

    Raises
    ------
    ConsistencyCheckFailed : parties do not say the same, or lie about their part of the mask.
    """
    n, form = len(parts), form_of(meta, wide)[0]
    spec = component_spec(meta)
    size = int(np.prod(spec.shape, dtype=np.int64)) * spec.dtype.itemsize
    if any(part.shape != (2 * size + DIGEST + n * DIGEST,) for part in parts):
        raise ShapeMismatch("opening to a client: a party sent something of another size")
    ends = (size, 2 * size, 2 * size + DIGEST)
    split = [np.split(np.ascontiguousarray(part), ends) for part in parts]
    opened, _, _, digests = split[0]
    total = opened.view(spec.dtype).reshape(spec.shape)
    for i, (value, share, blind, theirs) in enumerate(split):
        if not (np.array_equal(value, opened) and np.array_equal(theirs, digests)):
            raise ConsistencyCheckFailed(
                f"opening to a client: parties 0 and {i} say different things; one of them "
                "deviates from the protocol, nothing was shown"
            )
        numbers = share.view(spec.dtype).reshape(spec.shape)
        if not np.array_equal(
            commitment(i, numbers, blind), digests[i * DIGEST : (i + 1) * DIGEST]
        ):
            raise ConsistencyCheckFailed(
                f"opening to a client: party {i} lies about its part of the mask; nothing was shown"
            )
        total = total ^ numbers if form == PLANES else meta.ring.sub(total, numbers)
    return total


def seal(turn: Turn, x: Numbers | Bits, meta: Meta, wide: Ring) -> Steps[Array]:
    """Open x + r among the parties, and give what this one tells the client once it is verified.

    Cost        1 round, k + s bits an element from every party to every other
    """
    form, _ = form_of(meta, wide)
    hidden = hide_high(turn, x, wide)
    own, tags, blind, digests = turn.mask_for_client(1)
    if isinstance(hidden, Bits):
        masked: Numbers | Bits = xor(hidden, Bits(own, tags))
    else:
        masked = both(wide, hidden, Numbers(own, tags))
    (opened,) = yield from turn.reveal(wide, masked)  # hidden by r
    shown = opened if form == PLANES else meta.ring.residue(opened)
    told = [shown, shown_share(form, own), blind, digests]
    return np.concatenate([np.ascontiguousarray(t).reshape(-1).view(OCTET) for t in told])


def seal_cost(meta: Meta, wide: Ring, n: int) -> Cost:
    """The masked value, from every party to every other."""
    return cost_of(n, [value_bytes(meta, wide)], reveal_needs(meta, wide))


def from_parties(parts: Sequence[Array], meta: Meta, wide: Ring) -> Array:
    """The value that all parties told a client; shares themselves are added up in simulations.

    Raises
    ------
    ConsistencyCheckFailed, ShapeMismatch : what parties said is wrong; see `unsealed`.
    """
    if any(part.dtype == OCTET for part in parts):
        return unsealed(parts, meta, wide)
    if meta.kind == "bit":
        return np.asarray(np.bitwise_xor.reduce(parts))
    total = parts[0]
    for part in parts[1:]:
        total = wide.add(total, part)
    return meta.ring.residue(total)
