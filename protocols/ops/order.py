"""The largest and smallest element along an axis, where they stand, and sorting.

Which elements are compared never depends on the data. Comparisons look at the sign of differences,
which must not wrap: |x_i - x_j| < 2^(k-1) in units of the last place, or < 2^(bits-1) with `bits=`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mpyc_core.bits import ones, pack, unpack
from mpyc_core.errors import ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Public, Share
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from .axis import from_front, to_front
from .compare import as_bit, width
from .infer import axes_of, axis_of, numbers, reduced
from .pairs import at_once, take, winner, with_last

INTS = np.array([[3, -1, 4, 1, -5], [9, 2, -6, 9, 3], [-(2**28), 2**28, 0, 7, 7]])
FLOATS = np.array([[0.5, -0.25, 3.0], [3.0, 3.0, -7.5]])
ROW = np.array([5, -3, 8, 8, 0, 1, -9, 2, 8, 4, 100, -100, 6])


def _narrow(p: Protocol, hot: Share | None, keep: Share, level: int, n: int) -> Steps[Share]:
    """Marks of the winners so far, kept where the latest comparison keeps their group.

    Element e stands in group e >> level; `keep` says of every pair of groups whether the first
    one wins. The elements of an unpaired last group keep their marks.
    """
    group = np.arange(n) >> level
    paired = int(np.count_nonzero(group < 2 * keep.meta.shape[0]))
    first = group[:paired] % 2 == 0
    spread = take(p, keep, group[:paired] // 2)
    flips = np.broadcast_to(~first.reshape(-1, *[1] * (keep.meta.ndim - 1)), spread.meta.shape)
    mask = p.xor(spread, Public(spread.meta, pack(flips)[None]))
    rest = [] if hot is None else [take(p, hot, slice(paired, n))]
    if hot is None and paired < n:
        shape = (n - paired, *keep.meta.shape[1:])
        rest = [all_true(p, keep.meta.with_(shape=shape))]
    if hot is not None:
        mask = yield from p.and_(take(p, hot, slice(0, paired)), mask)
    if paired == n:
        return mask
    meta = keep.meta.with_(shape=(n, *keep.meta.shape[1:]))
    result: Share = p.reshape_like(lambda *a: np.concatenate(a), meta, mask, *rest)
    return result


def all_true(p: Protocol, meta: Meta) -> Share:
    """Bits that are all 1."""
    return p.embed(Public(as_bit(meta).with_(public=True), ones(meta.size)[None]))


def largest(p: Protocol, rows: Share, bits: int) -> Steps[Share]:
    """The largest element along the first axis, without marks: halves, which lie in one piece.

    Few elements are compared in pairs all at once; see `winner`.
    """
    if at_once(p, rows.meta):
        return (yield from winner(p, rows, bits))[0]
    while (m := rows.meta.shape[0]) > 1:
        left, right = take(p, rows, slice(0, m // 2)), take(p, rows, slice(m // 2, m // 2 * 2))
        above, _ = yield from p.relu(p.sub(left, right), bits)
        rows = with_last(p, p.add(right, above), rows)
    return rows


def champion(p: Protocol, rows: Share, bits: int) -> Steps[tuple[Share, Share]]:
    """The largest element along the first axis, and a one-hot mark of the first one that is.

    Protocol    a tree: neighbours l, r are compared, max(l - r, 0) + r goes on; the bit l >= r
                narrows the marks in the rounds of the next comparison
    Cost        ceil(log2 n) ReLUs of n/2, n/4, ... elements, plus one AND; 85 bytes at 64 bits for
                each comparison. Few elements are compared in pairs all at once; see `winner`
    """
    if at_once(p, rows.meta):
        return (yield from winner(p, rows, bits))
    n = rows.meta.shape[0]
    hot: Share | None = None
    pending: Steps[Share] | None = None
    level = 0
    while (m := rows.meta.shape[0]) > 1:
        left = take(p, rows, slice(0, m - m % 2, 2))
        right = take(p, rows, slice(1, m, 2))
        step = p.relu(p.sub(left, right), bits)
        if pending is None:
            above, keep = yield from step
        else:
            (above, keep), hot = yield from together(step, pending)
        rows = with_last(p, p.add(right, above), rows)
        pending = _narrow(p, hot, keep, level, n)
        level += 1
    if pending is None:
        return rows, all_true(p, rows.meta)
    return rows, (yield from pending)


def xor_rows(p: Protocol, bits: Share, groups: Sequence[Array]) -> Share:
    """For each group of rows of the first axis their exclusive or, as one plane; local."""
    n, *rest = bits.meta.shape
    meta = bits.meta.with_(shape=tuple(rest))

    def on_planes(part: Array) -> Array:
        rows = unpack(part[0], bits.meta.size).reshape(n, meta.size)
        return np.stack([pack(np.bitwise_xor.reduce(rows[g], axis=0)) for g in groups])

    result: Share = p.linear(on_planes, meta, bits)
    return result


def _position(p: Protocol, hot: Share) -> Steps[Share]:
    """Where the one-hot mark of the first axis stands.

    Protocol    bit b of the position is the exclusive or of the marks at places with bit b: local
    """
    n = hot.meta.shape[0]
    meta = hot.meta.with_(kind="int", f=0, shape=hot.meta.shape[1:])
    places = np.arange(n)
    digits = [np.flatnonzero(places >> b & 1) for b in range((n - 1).bit_length())]
    if not digits:
        return p.embed(p.constant(meta, 0))
    weights = meta.ring.reduce([1 << b for b in range(len(digits))])
    return (yield from p.compose(xor_rows(p, hot, digits), weights, meta))


# -- max and min ---------------------------------------------------------------------------
def _arg_infer(
    x: Meta, *, axis: int | None = None, keepdims: bool = False, bits: int | None = None
) -> Meta:
    numbers(x)
    width(x, bits)
    if 0 in x.shape:
        raise ShareError(f"no element is the largest of none: got shape {x.shape}")
    shape = reduced(x.shape, axes_of(x, axis), keepdims)
    return x.with_(kind="int", f=0, shape=shape)


def _max_infer(
    x: Meta, *, axis: int | None = None, keepdims: bool = False, bits: int | None = None
) -> tuple[Meta, Meta]:
    out = _arg_infer(x, axis=axis, keepdims=keepdims, bits=bits)
    return x.with_(shape=out.shape), as_bit(x)


def _first(x: Array, where: Any, axis: int | None) -> Array:
    """One-hot marks of the positions that argmax or argmin found."""
    if axis is None:
        return np.asarray(np.arange(x.size) == where).reshape(x.shape)
    places = np.arange(x.shape[axis]).reshape(-1, *[1] * (x.ndim - 1 - axis % x.ndim))
    return np.asarray(places == np.expand_dims(where, axis))


def _max_oracle(
    x: Array, axis: int | None = None, keepdims: bool = False, bits: int | None = None
) -> tuple[Array, Array]:
    return np.max(x, axis=axis, keepdims=keepdims), _first(x, np.argmax(x, axis=axis), axis)


def _min_oracle(
    x: Array, axis: int | None = None, keepdims: bool = False, bits: int | None = None
) -> tuple[Array, Array]:
    return np.min(x, axis=axis, keepdims=keepdims), _first(x, np.argmin(x, axis=axis), axis)


def _extreme_grad(
    ins: Any,
    outs: Any,
    grads: Any,
    axis: int | None = None,
    keepdims: bool = False,
    bits: int | None = None,
) -> list[Any]:
    """The gradient goes to the first extreme element."""
    kept = reduced(ins[0].shape, axes_of(ins[0].meta, axis), True)
    return [outs[1].select(grads[0].reshape(kept))]


_EXTREME_CASES = [
    Case((INTS,)),
    Case((INTS,), {"axis": 1}),
    Case((FLOATS,), {"axis": 0, "keepdims": True, "bits": 25}),
    Case((ROW,), {"axis": -1}),
    Case((np.array(7),)),
]
_ARG_CASES = [
    Case((INTS,)),
    Case((INTS,), {"axis": 0}),
    Case((FLOATS,), {"axis": -1, "keepdims": True}),
    Case((ROW,), {"axis": 0, "bits": 10}),
    Case((ROW[:1],)),
]


def _extreme(
    p: Protocol, x: Share, axis: int | None, keepdims: bool, bits: int | None
) -> Steps[tuple[Share, Share]]:
    best, hot = yield from champion(p, to_front(p, x, axis), width(x.meta, bits))
    shape = reduced(x.meta.shape, axes_of(x.meta, axis), keepdims)
    top = p.reshape_like(lambda a: a.reshape(shape), x.meta.with_(shape=shape), best)
    return top, from_front(p, hot, x.meta, axis)


@operation("max", infer=_max_infer, oracle=_max_oracle, grad=_extreme_grad, cases=_EXTREME_CASES)
def max_(
    p: Protocol,
    x: Share,
    *,
    axis: int | None = None,
    keepdims: bool = False,
    bits: int | None = None,
) -> Steps[tuple[Share, Share]]:
    """The largest element along an axis (of all when None), and the mark of the first such.

    Domain  differences below 2^(k-1), or in [-2^(bits-1), 2^(bits-1))
    Error   exact
    Cost    8 ceil(log2 n) + 1 rounds at 64 bits, 85 (n - 1) bytes for n elements (see `champion`);
            where few are compared among three parties, 9 + ceil(log2(n - 1)) rounds (see `winner`)
    """
    return (yield from _extreme(p, x, axis, keepdims, bits))


def _largest_infer(
    x: Meta,
    *,
    axis: int | None = None,
    keepdims: bool = False,
    bits: int | None = None,
    initial: int | None = None,
) -> Meta:
    if initial not in (None, 0):
        raise ShareError(f"expected 0 or None as the least result, got initial={initial}")
    return _max_infer(x, axis=axis, keepdims=keepdims, bits=bits)[0]


def _largest_oracle(
    x: Array,
    axis: int | None = None,
    keepdims: bool = False,
    bits: int | None = None,
    initial: int | None = None,
) -> Array:
    top = np.max(x, axis=axis, keepdims=keepdims)
    return np.asarray(top if initial is None else np.maximum(top, initial))


@operation(
    "largest",
    infer=_largest_infer,
    oracle=_largest_oracle,
    cases=[
        *_EXTREME_CASES,
        Case((INTS,), {"axis": 1, "initial": 0}),
        Case((FLOATS[::2],), {"axis": 0, "bits": 25, "initial": 0}),
    ],
)
def largest_(
    p: Protocol,
    x: Share,
    *,
    axis: int | None = None,
    keepdims: bool = False,
    bits: int | None = None,
    initial: int | None = None,
) -> Steps[Share]:
    """As `max` without the mark and its round: for inference, where no gradient needs it.

    Parameters
    ----------
    initial : 0 takes the largest of the elements and 0, which is ReLU of the largest; where all
        are compared at once, in the same rounds.
    """
    meta = _largest_infer(x.meta, axis=axis, keepdims=keepdims, bits=bits)
    rows, wide = to_front(p, x, axis), width(x.meta, bits)
    if initial is not None:
        one_more = rows.meta.with_(shape=(rows.meta.shape[0] + 1, *rows.meta.shape[1:]))
        if at_once(p, one_more):
            nothing = p.sub(take(p, rows, slice(0, 1)), take(p, rows, slice(0, 1)))
            rows = p.reshape_like(lambda *a: np.concatenate(a), one_more, rows, nothing)
            initial = None
    best = yield from largest(p, rows, wide)
    if initial is not None:
        best, _ = yield from p.relu(best, wide)
    result: Share = p.reshape_like(lambda a: a.reshape(meta.shape), meta, best)
    return result


@operation("min", infer=_max_infer, oracle=_min_oracle, grad=_extreme_grad, cases=_EXTREME_CASES)
def min_(
    p: Protocol,
    x: Share,
    *,
    axis: int | None = None,
    keepdims: bool = False,
    bits: int | None = None,
) -> Steps[tuple[Share, Share]]:
    """The smallest element along an axis: -max(-x); see `max`."""
    best, hot = yield from _extreme(p, p.neg(x), axis, keepdims, bits)
    return p.neg(best), hot


@operation(
    "argmax",
    infer=_arg_infer,
    oracle=lambda x, axis=None, keepdims=False, bits=None: np.argmax(
        x, axis=axis, keepdims=keepdims
    ),
    cases=_ARG_CASES,
)
def argmax(
    p: Protocol,
    x: Share,
    *,
    axis: int | None = None,
    keepdims: bool = False,
    bits: int | None = None,
) -> Steps[Share]:
    """Where the largest element stands, as integers; the first of equals. See `max`.

    Cost    as `max`, plus 2 rounds and 8 ceil(log2 n) + 16 bytes
    """
    meta = _arg_infer(x.meta, axis=axis, keepdims=keepdims)
    _, hot = yield from champion(p, to_front(p, x, axis), width(x.meta, bits))
    place = yield from _position(p, hot)
    result: Share = p.reshape_like(lambda a: a.reshape(meta.shape), meta, place)
    return result


@operation(
    "argmin",
    infer=_arg_infer,
    oracle=lambda x, axis=None, keepdims=False, bits=None: np.argmin(
        x, axis=axis, keepdims=keepdims
    ),
    cases=_ARG_CASES,
)
def argmin(
    p: Protocol,
    x: Share,
    *,
    axis: int | None = None,
    keepdims: bool = False,
    bits: int | None = None,
) -> Steps[Share]:
    """Where the smallest element stands, as integers; the first of equals. See `argmax`."""
    place: Share = yield from argmax(p, p.neg(x), axis=axis, keepdims=keepdims, bits=bits)
    return place


# -- sorting -------------------------------------------------------------------------------
def network(n: int) -> Iterator[Array]:
    """Batcher's merge exchange for any n: for each level the lower places i and the distance d.

    Yields arrays [i, i + d] of shape (2, comparators); comparators of a level are disjoint.
    Reference   [Bat68], as algorithm 5.2.2M of [Knu98]
    """
    top = 1 << max(0, (n - 1).bit_length() - 1)
    step = top if n > 1 else 0
    while step:
        reach, rest, distance = top, 0, step
        while True:
            low = np.arange(n - distance)
            low = low[low & step == rest]
            if low.size:
                yield np.stack([low, low + distance])
            if reach == step:
                break
            distance, reach, rest = reach - step, reach >> 1, step
        step >>= 1


def _sort_infer(x: Meta, *, axis: int = -1, bits: int | None = None) -> Meta:
    numbers(x)
    width(x, bits)
    axis_of(x, axis)
    return x


def _placed(rows: Array, values: Array, places: Array) -> Array:
    out = rows.copy()
    out[places] = values
    return out


@operation(
    "sort",
    infer=_sort_infer,
    oracle=lambda x, axis=-1, bits=None: np.sort(x, axis=axis),
    cases=[
        Case((ROW,)),
        Case((INTS,), {"axis": 0}),
        Case((FLOATS,), {"axis": 1, "bits": 25}),
        Case((np.arange(33)[::-1] % 17 - 8,), {"bits": 8}),
    ],
)
def sort(p: Protocol, x: Share, *, axis: int = -1, bits: int | None = None) -> Steps[Share]:
    """Sorted in ascending order along an axis, by a network that does not depend on the data.

    Protocol    merge exchange: l, r become l - max(l - r, 0), r + max(l - r, 0); a level at a time
    Domain      differences below 2^(k-1), or in [-2^(bits-1), 2^(bits-1))
    Error       exact
    Cost        t (t + 1) / 2 levels of one ReLU for n <= 2^t elements: 8 rounds and 85 bytes for
                each of at most n/2 comparisons at 64 bits
    Reference   [Bat68]
    """
    rows = to_front(p, x, axis)
    for low, high in network(rows.meta.shape[0]):
        left, right = take(p, rows, low), take(p, rows, high)
        above, _ = yield from p.relu(p.sub(left, right), width(x.meta, bits))
        places = np.concatenate([low, high])
        rows = p.linear(
            lambda a, lo, hi, places=places: _placed(a, np.concatenate([lo, hi]), places),
            rows.meta,
            rows,
            p.sub(left, above),
            p.add(right, above),
        )
    result: Share = from_front(p, rows, x.meta, axis)
    return result
