"""Statistical tests of a view: uniform, and unrelated to everything that the party knows.

All tests of the whole suite together raise a false alarm with probability at most `SUITE_ALPHA`:
each view gets an equal part of it, which is divided by the number of tests made on that view.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, kstwobign, norm

from mpyc_core.bits import ones, pack, words
from mpyc_core.transport.mesh import Array

from .wide import single

SUITE_ALPHA = 1e-6
VIEWS = 2000
"""More views than the suite looks at."""

P = tuple[str, Array]
"""What was tested, and p-values."""


@dataclass(frozen=True)
class View:
    """What a party received and what else it knows, for `n` independent elements."""

    n: int
    received: list[Array]
    own: list[Array]


def alarms(view: View, other: View | None = None) -> list[str]:
    """The tests that fail on a view; `other` is the same view of other secrets."""
    tests = list(_tests(view))
    if other is not None:
        tests += list(_same(view, other))
    count = max(1, sum(p.size for _, p in tests))
    limit = SUITE_ALPHA / VIEWS / count
    return [f"{what}: p = {p.min():.1e} < {limit:.1e}" for what, p in tests if p.min() < limit]


def _tests(view: View) -> Iterator[P]:
    received, own = _columns(view.received, view.n), _columns(view.own, view.n)
    for i, x in enumerate(received):
        yield f"bytes of column {i}", _bytes(x)
        yield f"distribution of column {i}", _kolmogorov(x)
        yield f"neighbours in column {i}", _pair(x[1:], x[:-1])
        for j, y in enumerate([*received[:i], *own]):
            yield f"column {i} with column {j}", _pair(x, y)
    for i, planes in enumerate(_planes(view.received, view.n)):
        yield f"places in the words of planes {i}", _places(planes)
    bits = _bits(view.received, view.n)
    if len(bits):
        yield "bits and pairs of bits", _correlations(bits, _bits(view.own, view.n), view.n)


def _same(view: View, other: View) -> Iterator[P]:
    """Two views have one distribution."""
    for i, (x, y) in enumerate(
        zip(_columns(view.received, view.n), _columns(other.received, other.n), strict=True)
    ):
        a, b = _counts(x), _counts(y)
        statistic = np.sum((a - b) ** 2 / np.maximum(a + b, 1), axis=1)
        yield f"column {i} of two secrets", chi2.sf(statistic, 255)


def _columns(arrays: list[Array], n: int) -> list[Array]:
    """Every array of numbers as columns of one word per element."""
    found: list[Array] = []
    for array in single(arrays):
        if n in array.shape:
            rows = np.moveaxis(array, array.shape.index(n), 0).reshape(n, -1).T
            found += [np.ascontiguousarray(row) for row in rows]
    return found


def _planes(arrays: list[Array], n: int) -> list[Array]:
    """The arrays of packed bits, each of shape (planes, words)."""
    return [
        array.reshape(-1, words(n))
        for array in single(arrays)
        if n not in array.shape and array.shape[-1:] == (words(n),)
    ]


def _places(planes: Array) -> Array:
    """How often each of the 64 bits of a word is one, over all full words."""
    full = planes[:, :-1].reshape(-1)
    set_ = np.array([np.sum(full >> np.uint64(i) & np.uint64(1)) for i in range(64)])
    return 2 * norm.sf(np.abs(2.0 * set_ - full.size) / np.sqrt(full.size))


def _counts(x: Array, shifts: Sequence[int] | None = None) -> Array:
    """How often each value occurs in each byte of the words: shape (bytes, 256)."""
    width = 8 * x.itemsize
    return np.array(
        [
            np.bincount((x >> x.dtype.type(s)).astype(np.uint8), minlength=256)
            for s in (range(0, width, 8) if shifts is None else shifts)
        ]
    )


def _bytes(x: Array, shifts: Sequence[int] | None = None) -> Array:
    """Chi-square of the bytes against the uniform distribution."""
    expected = x.size / 256
    return chi2.sf(np.sum((_counts(x, shifts) - expected) ** 2, axis=1) / expected, 255)


def _pair(x: Array, y: Array) -> Array:
    """Lowest and highest byte of the difference and of the XOR, in the narrower of the words."""
    dtype = min(x.dtype, y.dtype, key=lambda d: d.itemsize)
    x, y = x.astype(dtype), y.astype(dtype)
    ends = sorted({0, 8 * dtype.itemsize - 8})
    return np.concatenate([_bytes(x - y, ends), _bytes(x ^ y, ends)])


def _kolmogorov(x: Array) -> Array:
    """Kolmogorov-Smirnov of the words against the uniform distribution."""
    fractions = np.sort(x).astype(np.float64) / 2.0 ** (8 * x.itemsize)
    steps = np.arange(x.size + 1) / x.size
    distance = max(np.max(steps[1:] - fractions), np.max(fractions - steps[:-1]))
    return np.array([kstwobign.sf(distance * np.sqrt(x.size))])


def _bits(arrays: list[Array], n: int) -> Array:
    """Bit planes as they are, of numbers the lowest, middle and highest bit; packed, cut to n."""
    rows = [plane for planes in _planes(arrays, n) for plane in planes & ones(n)]
    for x in _columns(arrays, n):
        width = 8 * x.itemsize
        rows += [pack(x >> x.dtype.type(i) & x.dtype.type(1)) for i in (0, width // 2, width - 1)]
    return np.array(rows, np.uint64).reshape(len(rows), words(n))


def _correlations(received: Array, own: Array, n: int) -> Array:
    """The balance of each received bit, and of its XOR with every other bit of the view."""
    others = np.concatenate([np.zeros((1, words(n)), np.uint64), own, received])
    found = []
    for i, plane in enumerate(received):
        differ = np.bitwise_count(plane ^ others[: 1 + len(own) + i]).sum(axis=1, dtype=np.int64)
        found.append(2 * norm.sf(np.abs(2.0 * differ - n) / np.sqrt(n)))
    return np.concatenate(found)
