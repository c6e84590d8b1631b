"""A party's local work in comparisons, without a wire, on one thread; the limit is AES."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core import dcf, parallel
from mpyc_core.bits import words
from mpyc_core.kernels.streams import KernelStream
from mpyc_core.memory import keep_freed_memory
from mpyc_core.meta import Meta
from mpyc_core.prg import BLOCK_BYTES, Stream
from mpyc_core.protocols.masks import PairKeys
from mpyc_core.protocols.replicated import carry
from mpyc_core.protocols.replicated.turn import Turn
from mpyc_core.protocols.value import Share
from mpyc_core.ring import Z64

from .report import Row
from .timing import median

Array = npt.NDArray[Any]

VALUES, KEYS = 10**6, 1 << 16
BITS = 64


def rows(values: int = VALUES, keys: int = KEYS) -> list[Row]:
    """The sign by a tree of three parties, and by keys that a dealer made.

    Freed memory is kept from here on, as party processes keep it.
    """
    keep_freed_memory()
    with one_thread():
        stream, masks = KernelStream(bytes(16)), np.empty(2 * VALUES, np.uint64)
        block = median(lambda: stream.fill(1, 1, masks))[0] / VALUES
        return [sign(values, block), *comparison(keys, block)]


@contextmanager
def one_thread() -> Iterator[None]:
    """Kernels use one thread inside."""
    used = parallel.threads()
    parallel.set_threads(1)
    try:
        yield
    finally:
        parallel.set_threads(used)


def sign(size: int, block: float) -> Row:
    """[x < 0] by the carry tree of `replicated`: the mean over the three roles.

    All of the operation but the wire: the sharing of bits, six levels and their masks, of which a
    party needs two words for a word that it sends in a level.
    """
    planes = sum(2 * pairs - 1 for pairs, _ in carry.levels(BITS))
    shared = (BITS - 1) / 3  # planes of the sharing of bits, masked at two of three
    blocks = 2 * (planes + shared) * 8 * words(size) / BLOCK_BYTES
    parts = [_elements(size, i) for i in range(3)]
    spent, runs = median(lambda: _three_parties(parts))
    name = f"sign of {size} values, replicated, one thread"
    return Row(name, 1e9 * spent / 3 / size, "ns", 1e9 * block * blocks / size, "AES", runs=runs)


def _three_parties(parts: list[Array]) -> None:
    """The operation at three parties in turn."""
    keys = [PairKeys(bytes(32), b"bench", (i,)) for i in range(3)]
    meta, steps = Meta(parts[0].shape, "int", Z64), []
    for me in range(3):
        after, before = (me + 1) % 3, (me + 2) % 3
        turn = Turn(me, 0, {after: keys[me], before: keys[before]})
        steps.append(carry.msb(turn, Share(meta, (parts[me], parts[before])), BITS))
    rounds = [_step(step, None) for step in steps]
    while None not in rounds:
        came = [{p: r.send[me] for p, r in enumerate(rounds) if me in r.send} for me in range(3)]
        rounds = [_step(step, received) for step, received in zip(steps, came, strict=True)]


def _step(step: Any, received: Any) -> Any:
    """The next round of a party, None at the end."""
    try:
        return step.send(received)
    except StopIteration:
        return None


def comparison(size: int, block: float) -> list[Row]:
    """Distributed comparison functions: a party's evaluation and the dealer's keys.

    Keys are made once and read from memory. A party's limit is 56 levels and a leaf; the dealer
    needs two blocks of either party a level.
    """
    bits = BITS - 1
    roots = tuple(np.stack([_elements(size, 2 * i), _elements(size, 2 * i + 1)]) for i in (0, 1))
    alpha, x = (_elements(size, i) >> np.uint64(1) for i in (4, 5))
    made, runs_made = median(lambda: dcf.generate(alpha, roots, bits))
    levels, leaf = dcf.generate(alpha, roots, bits)
    spent, runs = median(lambda: dcf.evaluate(0, bits, roots[0], levels, leaf, x))
    limit, name = 1e9 * block * (dcf.depth(bits) + 1), f"{size} comparisons of 64 bits by keys"
    return [
        Row(f"{name}, one thread", 1e9 * spent / size, "ns", limit, "AES", runs=runs),
        Row(f"keys of {name}", 1e9 * made / size, "ns", 4 * limit, "AES", runs=runs_made),
    ]


def _elements(size: int, buffer: int) -> Array:
    return Stream(bytes(16)).words(1, buffer, size)
