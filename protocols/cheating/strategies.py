"""Attacks with a plan: wrong products, two-faced inputs, wrong pairs, moving last."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mpyc_core.transport.mesh import Array, Received, Spec

from .kit import Cheater, Move


class Adder(Cheater):
    """Adds the same number to messages of an operation.

    Parameters
    ----------
    name, round : which operation and which of its rounds; every time it comes.
    arrays : which arrays of a message; in a product of `replicated-active` the first is the value,
        the second its MAC; in one of `spdz2k` they are the two masked factors.
    error : what is added to every element, modulo the word.
    consistent : whether the cheater believes its own lie; else it goes on with the truth.
    peer : the only party that is lied to; None for all alike.
    """

    def __init__(
        self,
        party: str,
        name: str,
        round: int = 0,
        *,
        arrays: Sequence[int] = (0,),
        error: int = 1,
        consistent: bool = True,
        peer: int | None = None,
    ) -> None:
        super().__init__(party)
        self.name, self.round, self.arrays = name, round, tuple(arrays)
        self.error, self.consistent, self.peer = error, consistent, peer

    def act(self, move: Move) -> None:
        if (move.name, move.round) != (self.name, self.round):
            return
        changed: dict[int, Array] = {}
        for peer, arrays in move.send.items():
            if self.peer not in (None, peer):
                continue
            for i in self.arrays:
                key = id(arrays[i])
                if key not in changed:  # one array may go to several peers
                    own = self.consistent and arrays[i].flags.writeable
                    changed[key] = plus(arrays[i] if own else arrays[i].copy(), self.error)
                arrays[i] = changed[key]


class WrongProduct(Adder):
    """A wrong local product: what the party sends for a multiplication is off by `error`."""

    def __init__(self, party: str, error: int = 1, *, consistent: bool = True) -> None:
        super().__init__(party, "mul", error=error, consistent=consistent)


class TwoFaced(Adder):
    """An owner that tells one peer another input than the others."""

    def __init__(self, party: str, peer: int, error: int = 1) -> None:
        super().__init__(party, "input", error=error, consistent=False, peer=peer)


class WrongShare(Cheater):
    """Goes on with a wrong share of what an operation gives, as if a dealt pair were another one.

    Parameters
    ----------
    name : the operation: "mul" of fixed-point numbers ends with a truncation.
    part : which part of the share: 0 is the value, in `spdz2k` 1 is its MAC.
    error : what is added to every element, modulo the word.
    """

    def __init__(self, party: str, name: str, *, part: int = 0, error: int = 1) -> None:
        super().__init__(party)
        self.name, self.part, self.error = name, part, error

    def act(self, move: Move) -> None:
        del move  # all that is sent follows from the share

    def keep(self, name: str, parts: list[Array]) -> list[Array]:
        if name != self.name:
            return parts
        changed = plus(parts[self.part].copy(), self.error)
        return [*parts[: self.part], changed, *parts[self.part + 1 :]]


class LastMover(Cheater):
    """Chooses in every round of an operation after it saw what the others sent.

    Parameters
    ----------
    answer : `answer(move, peer, own array, array that came from the peer in this round)` is sent
        instead of an array of which the peer sent one of the same form.
    """

    def __init__(
        self, party: str, name: str, answer: Callable[[Move, int, Array, Array], Array]
    ) -> None:
        super().__init__(party)
        self.name, self.answer = name, answer

    def act(self, move: Move) -> None:
        if move.name != self.name:
            return
        for peer, arrays in move.send.items():
            for i, theirs in enumerate(move.received.get(peer, [])[: len(arrays)]):
                if Spec.of(theirs) == Spec.of(arrays[i]):
                    arrays[i] = np.array(self.answer(move, peer, arrays[i], theirs), copy=True)


class Waiter(Cheater):
    """Withholds a message until the others have said all that they say without it, then answers.

    Parameters
    ----------
    name, round : of the operation and round of the message.
    peer : who waits for it.
    answer : `answer(arrays, heard)` is sent instead of the message `arrays`; `heard` is what came
        meanwhile, oldest first.
    """

    def __init__(
        self,
        party: str,
        name: str,
        round: int,
        peer: int,
        answer: Callable[[list[Array], Sequence[Received]], list[Array]],
    ) -> None:
        super().__init__(party)
        self.name, self.round, self.peer, self.answer = name, round, peer, answer

    def act(self, move: Move) -> None:
        if (move.name, move.round) == (self.name, self.round) and self.peer in move.send:
            move.late.add(self.peer)

    def release(self, peer: int, arrays: list[Array], heard: Sequence[Received]) -> list[Array]:
        return self.answer(arrays, heard)


def plus(array: Array, error: int) -> Array:
    """The array, with a number added to the (low) word of every element in place."""
    words = array["lo"] if array.dtype.names else array
    with np.errstate(over="ignore"):
        words += words.dtype.type(error % (1 << 8 * words.itemsize))
    return array
