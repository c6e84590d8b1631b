"""The largest of few elements: all pairs are compared at once, which takes the fewest rounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpyc_core.bits import pack
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.value import Public, Share
from mpyc_core.transport.mesh import Steps


def take(p: Protocol, x: Any, rows: Any) -> Any:
    """Some rows of the first axis."""
    count = len(range(*rows.indices(x.meta.shape[0]))) if isinstance(rows, slice) else len(rows)
    return p.reshape_like(lambda a: a[rows], x.meta.with_(shape=(count, *x.meta.shape[1:])), x)


def with_last(p: Protocol, winners: Share, rows: Share) -> Share:
    """The winners of pairs, and the last of an odd number of rows."""
    m = rows.meta.shape[0]
    if m % 2 == 0:
        return winners
    meta = rows.meta.with_(shape=(m // 2 + 1, *rows.meta.shape[1:]))
    last = take(p, rows, slice(m - 1, m))
    result: Share = p.reshape_like(lambda *a: np.concatenate(a), meta, winners, last)
    return result


def at_once(p: Protocol, meta: Meta) -> bool:
    """Whether all pairs along the first axis are so few that fewer rounds are worth comparing them.

    Two elements are one comparison either way.
    """
    n = meta.shape[0]
    return n > 2 and (n - 1) * meta.size <= 2 * p.pairs_at_once


def winner(p: Protocol, rows: Share, bits: int) -> Steps[tuple[Share, Share]]:
    """The largest element along the first axis, and a one-hot mark of the first one that is.

    Protocol    every element is compared with every other one; the first that loses to none is
                marked, and selected
    Cost        one comparison of n (n - 1) / 2 elements, ceil(log2(n - 1)) rounds of ANDs, 2 rounds
                of a selection: 13 rounds for n = 10, where a tree takes 32
    """
    n, *rest = rows.meta.shape
    first, second = np.triu_indices(n, 1)
    lost = yield from p.msb(p.sub(take(p, rows, first), take(p, rows, second)), bits)
    pair = np.zeros((n, n), np.int64)
    pair[first, second] = pair[second, first] = np.arange(len(first))
    others = np.stack([np.delete(np.arange(n), i) for i in range(n)], axis=1)  # (n - 1, n)
    own = np.arange(n)
    meta = lost.meta.with_(shape=(n - 1, n, *rest))
    wins = p.reshape_like(lambda a: a[pair[own, others]], meta, lost)
    earlier = (own < others).reshape(n - 1, n, *[1] * len(rest))  # wins unless the other is larger
    hot = p.xor(wins, Public(meta, pack(np.broadcast_to(earlier, meta.shape))[None]))
    while (m := hot.meta.shape[0]) > 1:
        left, right = take(p, hot, slice(0, m // 2)), take(p, hot, slice(m // 2, m // 2 * 2))
        hot = with_last(p, (yield from p.and_(left, right)), hot)
    hot = Share(hot.meta.with_(shape=rows.meta.shape), hot.parts)
    chosen = yield from p.select(hot, rows)
    ring, top = p.ring(rows), rows.meta.with_(shape=(1, *rest))
    return p.linear(lambda a: ring.sum(a, 0, keepdims=True), top, chosen), hot
