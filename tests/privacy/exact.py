"""An exact argument that a view is uniform: every message has a pad of its own.

Replace one block by another, run again, and see which messages change, and how. A block is a pad of
a message if the receiver lacks its key and the message changes exactly as the block does, element
by element (+, - or XOR). A view is uniform and independent of everything else when its messages can
be ordered so that each has a pad on which no earlier message depends: given all other randomness,
the map from the pads to the messages is then triangular, so a bijection.

That a message does not depend on a block is concluded from its not changing when the block was
replaced by random ones; for the ring and bit functions here a dependence would show at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ..parties import Sent
from .tape import Address, Tape, other_key
from .wide import minus, xor

ROUNDS = 2
"""How many random blocks are tried in the place of each."""


@dataclass
class Relation:
    """What the messages have to do with one block."""

    changes: list[bool]
    """Whether each message depends on the block."""
    pads: list[bool]
    """Whether each message changes exactly as the block does."""


def relations(tape: Tape, run: Callable[[], Sequence[Sent]]) -> dict[Address, Relation]:
    """Replace every block that `run` draws, and see what becomes of its messages."""
    tape.drawn.clear()
    base = list(run())
    found = {}
    for address in list(tape.drawn):
        relation = Relation([False] * len(base), [True] * len(base))
        for _ in range(ROUNDS):
            other = other_key()
            tape.replaced = address, other
            changed = list(run())
            tape.replaced = None
            for i, (before, after) in enumerate(zip(base, changed, strict=True)):
                moved = bool(np.any(before.words != after.words))
                relation.changes[i] |= moved
                relation.pads[i] &= moved and _moves_with(
                    tape, address, other, before.words, after.words
                )
        found[address] = relation
    return found


def _moves_with(
    tape: Tape, address: Address, other: bytes, before: np.ndarray, after: np.ndarray
) -> bool:
    """after - before is plus or minus what the block changed by, or their XORs are equal."""
    with np.errstate(over="ignore"):
        change, flip = tape.difference(address, other, before)
        return any(
            np.array_equal(mine, theirs)
            for mine, theirs in (
                (minus(after, before), change),
                (minus(before, after), change),
                (xor(after, before), flip),
            )
        )


def unprotected(
    tape: Tape,
    messages: Sequence[Sent],
    found: dict[Address, Relation],
    coalition: Collection[int],
) -> list[Sent]:
    """The messages to a coalition that have no pad of their own; none if its view is uniform.

    Takes away, as long as there is one, a message with a pad that changes no other one left.
    """
    once = {  # what a coalition gets twice tells it no more than once
        (message.place, message.sender, message.words.tobytes()): i
        for i, message in enumerate(messages)
        if message.receiver in coalition and message.sender not in coalition
    }
    left = set(once.values())
    lacking = [
        relation for (key, *_), relation in found.items() if tape.holders[key].isdisjoint(coalition)
    ]
    while True:
        last = next(
            (
                i
                for i in left
                for relation in lacking
                if relation.pads[i] and not any(relation.changes[j] for j in left - {i})
            ),
            None,
        )
        if last is None:
            return [messages[i] for i in sorted(left)]
        left.remove(last)
