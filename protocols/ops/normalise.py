"""The leading one of a secret number, and powers of two by its position.

With the position i of the highest set bit, x * 2^(m - 1 - i) lies in [2^(m-1), 2^m): there a short
iteration or polynomial suffices for a function of x on its whole range. Positions are written
i = 8 * row + column - offset: marks of rows and columns are exclusive ors of the position's marks,
so 16 bits become numbers instead of 64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.value import Share
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from .lookup import ring_array, xor_planes

COLUMNS = 8


def _levels(width: int, first_wanted: int) -> list[tuple[list[int], list[int]]]:
    """(targets, sources) of a parallel prefix, without what no position >= first_wanted needs."""
    levels, step = [], 1
    while step < width:
        targets = [i for i in range(width) if i & step]
        levels.append((targets, [(i & ~(2 * step - 1)) + step - 1 for i in targets]))
        step *= 2
    wanted = set(range(max(0, first_wanted), width))
    live: list[tuple[list[int], list[int]]] = []
    for targets, sources in reversed(levels):
        kept = [(t, s) for t, s in zip(targets, sources, strict=True) if t in wanted]
        wanted |= {s for _, s in kept}
        if kept:
            live.append(([t for t, _ in kept], [s for _, s in kept]))
    return live[::-1]


def leading_one(p: Protocol, b: Share, count: int, keep: int) -> Steps[Share]:
    """Marks of the highest set bit among `count` planes, lowest first.

    Protocol    prefix-OR from the top; a mark is where the prefix changes
    Parameters
    ----------
    keep : only the marks of the lowest `keep` planes are computed; all are 0 if the highest set
        bit stands above them.

    Returns
    -------
    Share of keep + 1 planes: the marks, then whether any bit at all is set.

    Cost        ceil(log2 count) rounds, at most count / 2 ANDs each
    """
    prefix = p.planes(b, np.arange(count)[::-1])
    for targets, sources in _levels(count, count - keep - 1):
        new, old = p.planes(prefix, targets), p.planes(prefix, sources)
        met = yield from p.and_(new, old)
        prefix = p.linear(
            lambda a, u, targets=targets: _replaced(a, targets, u),
            prefix.meta,
            prefix,
            p.xor(p.xor(new, old), met),
        )

    def changes(part: Array) -> Array:
        before = np.concatenate([np.zeros_like(part[:1]), part[:-1]])
        return np.concatenate([(part ^ before)[::-1][:keep], part[-1:]])

    result: Share = p.linear(changes, prefix.meta, prefix)
    return result


def _replaced(planes: Array, where: Sequence[int], new: Array) -> Array:
    out = planes.copy()
    out[where] = new
    return out


def _grid(count: int, top: int) -> Iterator[tuple[int, int, int]]:
    """(position, row, column) of positions below `count` when the last row ends with `top` - 1."""
    offset = -top % COLUMNS
    for i in range(count):
        yield i, *divmod(i + offset, COLUMNS)


def by_position(
    p: Protocol,
    marks: Share,
    count: int,
    top: int,
    row_values: Sequence[int],
    column_values: Sequence[int],
    meta: Meta,
    shift: int = 0,
) -> Steps[Share]:
    """row_values[row] * column_values[column] / 2^shift at the marked position, 0 without a mark.

    Parameters
    ----------
    count : number of marks, at most `top`.
    top : positions that the grid of 8 columns holds; its last place is position top - 1.

    Cost        3 rounds, 5 with a shift; 8 (rows + columns) + 56 bytes
    """
    grid = list(_grid(count, top))
    rows = sorted({row for _, row, _ in grid})
    columns = sorted({column for _, _, column in grid})
    row_marks = xor_planes(p, marks, [[i for i, r, _ in grid if r == row] for row in rows])
    column_marks = xor_planes(p, marks, [[i for i, _, c in grid if c == col] for col in columns])
    row, column = yield from together(
        p.compose(row_marks, ring_array(meta, [row_values[r] for r in rows]), meta),
        p.compose(column_marks, ring_array(meta, [column_values[c] for c in columns]), meta),
    )
    return (yield from p.product("mul", row, column, meta, shift, {}))


def position_bits(p: Protocol, marks: Share, count: int, top: int) -> Share:
    """The marked position plus the grid's offset, as binary planes; local."""
    offset = -top % COLUMNS
    width = (top + offset - 1).bit_length()
    groups = [[i for i in range(count) if (i + offset) >> b & 1] for b in range(width)]
    return xor_planes(p, marks, groups)


def down_from(top: int) -> tuple[list[int], list[int]]:
    """Row and column values whose product is 2^(top - 1 - i) at position i."""
    rows = (top + COLUMNS - 1) // COLUMNS
    row_values = [1 << COLUMNS * (rows - 1 - j) for j in range(rows)]
    return row_values, [1 << COLUMNS - 1 - c for c in range(COLUMNS)]
