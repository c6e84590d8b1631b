"""Every alteration of one message."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConfigError
from mpyc_core.transport.mesh import Array, Spec

from .kit import Cheater, Move

How = Literal[
    "flip", "plus one", "plus 2^63", "random", "swap", "replay", "drop", "truncate", "late"
]
WAYS: tuple[How, ...] = get_args(How)
"""What `Tamper` can do to a message."""


class Tamper(Cheater):
    """Changes message number `message` of those that the party sends, counted from 0.

    Parameters
    ----------
    how : one of `WAYS`. "swap" exchanges it with the message to the other peer of that round, or
        reverses it; "replay" sends an earlier message of the same form; "late" withholds it until
        the other parties have said all that they say without it; "drop" for good.
    consistent : whether the cheater goes on with what it sent, where that is a value of its own.
    """

    def __init__(
        self, party: str, message: int, how: How = "flip", *, consistent: bool = False
    ) -> None:
        super().__init__(party)
        if how not in WAYS:
            raise ConfigError(f"expected one of {', '.join(WAYS)}, got {how!r}")
        self.message, self.how, self.consistent = message, how, consistent
        self.sent = 0
        self.target = ""
        """What was changed: operation, round and receiver."""
        self._earlier: dict[tuple[Spec, ...], list[Array]] = {}

    def act(self, move: Move) -> None:
        for peer in sorted(move.send):
            if self.sent == self.message:
                self.target = f"{move.name}, round {move.round}, to party {peer}"
                self._change(move, peer)
            self.sent += 1
        for arrays in move.send.values():
            self._earlier[tuple(Spec.of(a) for a in arrays)] = [a.copy() for a in arrays]

    def _change(self, move: Move, peer: int) -> None:
        arrays = move.send[peer]
        if self.how == "drop":
            del move.send[peer]
        elif self.how == "late":
            move.late.add(peer)
        elif self.how == "replay":
            form = tuple(Spec.of(a) for a in arrays)
            move.send[peer] = self._earlier.get(form, [np.zeros_like(a) for a in arrays])
        elif self.how == "swap":
            _swap(move, peer)
        else:
            chosen = below(len(arrays))
            arrays[chosen] = self._changed(arrays[chosen])

    def _changed(self, array: Array) -> Array:
        if self.how == "truncate":
            return array.reshape(-1)[:-1].copy()
        result = array if self.consistent and array.flags.writeable else array.copy()
        octets = result.reshape(-1).view(np.uint8)
        if octets.size == 0:
            return result
        if self.how == "random":
            octets[:] = np.frombuffer(fresh_key(octets.size), np.uint8)
            return result
        words = octets.view(np.uint64) if octets.size % 8 == 0 else octets
        at = below(words.size)
        if self.how == "flip":
            words[at] ^= words.dtype.type(1 << below(8 * words.itemsize))
        else:
            change = 1 if self.how == "plus one" else 1 << (8 * words.itemsize - 1)
            with np.errstate(over="ignore"):
                words[at] += words.dtype.type(change)
        return result


def _swap(move: Move, peer: int) -> None:
    arrays = move.send[peer]
    form = [Spec.of(a) for a in arrays]
    others = [p for p in move.send if p != peer and [Spec.of(a) for a in move.send[p]] == form]
    if others:
        move.send[peer], move.send[others[0]] = move.send[others[0]], arrays
    else:
        move.send[peer] = [a.reshape(-1)[::-1].reshape(a.shape).copy() for a in arrays]


def below(n: int) -> int:
    """A random number below n."""
    return int.from_bytes(fresh_key(16), "big") % n
