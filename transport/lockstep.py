"""Running all parties in one thread, and several operations in one round.

`lockstep` is the driver of tests, lessons and `simulate`: it steps every party's generator to its
next round, hands the messages over, and goes on. `together` merges independent operations of one
party, so that they share rounds and frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import ProgramMismatch

from .mesh import Array, Counters, Received, Round, Steps, T, Tag, payload_bytes

Observer = Callable[[Tag, int, int, list[Array]], list[Array]]
"""Sees (tag, sender, receiver, arrays) of every message and returns what is delivered."""
Listener = Callable[[Tag, int, int, list[Array], list[str]], None]
"""Is told of every message, with the note of each array (see `Round.why`)."""


def _frozen(array: Array) -> Array:
    copy = np.array(array, copy=True)
    copy.flags.writeable = False
    return copy


def lockstep(
    parties: Sequence[Steps[T]],
    *,
    names: Sequence[str],
    counters: Sequence[Counters],
    op: int = 0,
    name: str = "",
    observer: Observer | None = None,
    listener: Listener | None = None,
) -> list[T]:
    """Run one operation at all parties in lock step.

    Parameters
    ----------
    parties : one generator per party, in party order.
    counters : one per party; book what each sends.
    observer : sees, and may replace, each message on its way.
    listener : is told of each message as it was sent.

    Returns
    -------
    list : each party's result.

    Raises
    ------
    ProgramMismatch : parties do not agree on the number of rounds or on who sends to whom.
    FrameError : a message is not what its receiver expects.
    """
    n = len(parties)
    results: list[Any] = [None] * n
    inbox: list[Received | None] = [None] * n
    index = 0
    while rounds := _advance(
        parties, inbox, results, names, f"{name or 'operation'}, round {index}"
    ):
        tag = Tag(op, index, 0, name=name)
        for i, step in enumerate(rounds):
            counters[i].add(tag, payload_bytes(step.send), 0)
        inbox = [_deliver(tag, rounds, i, names, observer) for i in range(n)]
        if listener is not None:
            _tell(tag, rounds, listener)
        index += 1
    return results


def _tell(tag: Tag, rounds: Sequence[Round], listener: Listener) -> None:
    for to in range(len(rounds)):
        for source, step in enumerate(rounds):
            if to in step.send:
                arrays = [_frozen(a) for a in step.send[to]]
                listener(tag, source, to, arrays, step.why(to))


def _advance(
    parties: Sequence[Steps[Any]],
    inbox: Sequence[Received | None],
    results: list[Any],
    names: Sequence[str],
    where: str,
) -> list[Round]:
    """Every party's next round; none when all have ended, each with its result noted."""
    rounds: list[Round] = []
    ended: list[str] = []
    for i, (party, received) in enumerate(zip(parties, inbox, strict=True)):
        try:
            rounds.append(next(party) if received is None else party.send(received))
        except StopIteration as stop:
            results[i] = stop.value
            ended.append(names[i])
    if rounds and ended:
        raise ProgramMismatch(
            f"{', '.join(ended)} ended before {where}, which the others run; all parties must "
            "run the same program"
        )
    return rounds


def _deliver(
    tag: Tag, rounds: Sequence[Round], to: int, names: Sequence[str], observer: Observer | None
) -> Received:
    """Hand party `to` what its peers sent it in this round, checked."""
    received: Received = {}
    for source, step in enumerate(rounds):
        sent, expected = step.send.get(to), rounds[to].recv.get(source)
        if sent is None and expected is None:
            continue
        if sent is None or expected is None or len(sent) != len(expected):
            raise ProgramMismatch(
                f"in {tag} {names[source]} sends {0 if sent is None else len(sent)} arrays and "
                f"{names[to]} expects {0 if expected is None else len(expected)}"
            )
        arrays = [_frozen(a) for a in sent]
        if observer is not None:
            arrays = observer(tag, source, to, arrays)
        for spec, array in zip(expected, arrays, strict=True):
            spec.check(array, names[source], str(tag))
        received[source] = arrays
    return received


def together(*operations: Steps[Any]) -> Steps[list[Any]]:
    """Run independent operations of one party in the same rounds; results in argument order.

    Round r of the whole is round r of every operation that is still running, merged into one frame
    a peer. Operations step in argument order, the same at every party.
    """
    results: list[Any] = [None] * len(operations)
    inbox: dict[int, Received | None] = dict.fromkeys(range(len(operations)))
    while inbox:
        steps: dict[int, Round] = {}
        for k, received in list(inbox.items()):
            try:
                op = operations[k]
                steps[k] = next(op) if received is None else op.send(received)
            except StopIteration as stop:
                results[k] = stop.value
                del inbox[k]
        if not steps:
            break
        arrived = yield _merge(list(steps.values()))
        cursor: dict[int, int] = dict.fromkeys(arrived, 0)
        for k, step in steps.items():
            mine: Received = {}
            for peer, specs in step.recv.items():
                start = cursor[peer]
                cursor[peer] = start + len(specs)
                mine[peer] = arrived[peer][start : cursor[peer]]
            inbox[k] = mine
    return results


def _merge(steps: Sequence[Round]) -> Round:
    """One round that sends and expects what all of `steps` do, in order."""
    merged = Round()
    for step in steps:
        for peer, arrays in step.send.items():
            merged.send.setdefault(peer, []).extend(arrays)
            if step.note or step.notes:
                merged.notes.setdefault(peer, []).extend(step.why(peer))
        for peer, specs in step.recv.items():
            merged.recv.setdefault(peer, []).extend(specs)
    return merged
