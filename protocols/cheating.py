"""The cheater's kit: one corrupted party that lies as it likes, in a simulation.

    cheat = Tamper("party1", message=12, how="flip")
    with mpc.simulate(3, protocol="replicated-active", cheat=cheat) as s:
        ...                      # raises what the honest parties raise
    cheat.outcomes               # what each honest party opened, and its error if it raised one

A cheater runs the protocol's own code and changes what it sends: `act` is called once a round, when
the messages of the honest parties to it are known (it is rushing), with all its own messages. An
array that is changed in place is a consistent lie: the cheater goes on with the changed value
itself. An array that is replaced is a lie to its receiver alone. A message may be taken away.

To write an attack, subclass `Cheater` and override `act`. Honest parties run separately: each ends
with its own outputs or its own error, and one that stops tells the others, who stop at the next
message they want of it. Only `mpc.simulate` takes a cheater.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConfigError, FrameError, MpcError, PeerTimeout, ProtocolAbort
from mpyc_core.transport.mesh import Array, Received, Round, Spec, Steps

How = Literal[
    "flip", "plus one", "plus 2^63", "random", "swap", "replay", "drop", "truncate", "late"
]
WAYS: tuple[How, ...] = get_args(How)
"""What `Tamper` can do to a message."""


@dataclass
class Move:
    """One round of the cheater, before it sends.

    Parameters
    ----------
    operation : sequence number of the operation.
    name : its name, such as "mul" or "open".
    round : round within it.
    send : the cheater's messages by receiver; change arrays in place, replace or delete them.
    received : what the honest parties send to the cheater in this very round.
    """

    operation: int
    name: str
    round: int
    send: dict[int, list[Array]]
    received: Received


@dataclass
class Outcome:
    """How an honest party ended: what it opened, in order, and the error that stopped it."""

    opened: list[Array] = field(default_factory=list)
    error: MpcError | None = None


class Cheater(ABC):
    """A corrupted party.

    Parameters
    ----------
    party : its name.
    """

    def __init__(self, party: str) -> None:
        self.party = party
        self.outcomes: dict[str, Outcome] = {}

    @abstractmethod
    def act(self, move: Move) -> None:
        """Change what is sent in this round."""


class Tamper(Cheater):
    """Changes message number `message` of those that the party sends, counted from 0.

    Parameters
    ----------
    how : one of `WAYS`. "swap" exchanges it with the message to the other peer of that round, or
        reverses it; "replay" sends an earlier message of the same form; "late" one round too late.
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
        if self.how in ("drop", "late"):
            del move.send[peer]
        elif self.how == "replay":
            form = tuple(Spec.of(a) for a in arrays)
            move.send[peer] = self._earlier.get(form, [np.zeros_like(a) for a in arrays])
        elif self.how == "swap":
            others = [p for p in move.send if p != peer]
            if others and [Spec.of(a) for a in arrays] == [
                Spec.of(a) for a in move.send[others[0]]
            ]:
                move.send[peer], move.send[others[0]] = move.send[others[0]], arrays
            else:
                move.send[peer] = [a.reshape(-1)[::-1].reshape(a.shape).copy() for a in arrays]
        else:
            chosen = _below(len(arrays))
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
        at = _below(words.size)
        if self.how == "flip":
            words[at] ^= words.dtype.type(1 << _below(8 * words.itemsize))
        else:
            change = 1 if self.how == "plus one" else 1 << (8 * words.itemsize - 1)
            with np.errstate(over="ignore"):
                words[at] += words.dtype.type(change)
        return result


class Adder(Cheater):
    """Adds the same number to messages of an operation: a wrong local product, a wrong pair.

    Parameters
    ----------
    name, round : which operation and which of its rounds; every time it comes.
    arrays : which arrays of a message; in a product of a verified protocol the first is the
        value, the second its MAC.
    error : what is added to every element, modulo the word.
    consistent : whether the cheater believes its own lie; else it tells its peers different things.
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
    ) -> None:
        super().__init__(party)
        self.name, self.round, self.arrays = name, round, tuple(arrays)
        self.error, self.consistent = error, consistent

    def act(self, move: Move) -> None:
        if (move.name, move.round) != (self.name, self.round):
            return
        for arrays in move.send.values():
            for i in self.arrays:
                target = arrays[i] if self.consistent else arrays[i].copy()
                words = target["lo"] if target.dtype.names else target
                with np.errstate(over="ignore"):
                    words += words.dtype.type(self.error % (1 << 8 * words.itemsize))
                arrays[i] = target


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


def duel(
    parties: Sequence[Steps[Any]],
    names: Sequence[str],
    cheater: Cheater,
    operation: int,
    name: str,
) -> list[Any]:
    """Run one operation in lock step against a cheater.

    Returns
    -------
    list : for each party its result, or the `MpcError` that stopped it.
    """
    corrupted = names.index(cheater.party)
    running, ended = dict(enumerate(parties)), [None] * len(parties)
    inbox: dict[int, Received | None] = dict.fromkeys(running)
    index = 0
    while running:
        steps = _advance(running, inbox, ended)
        received = {i: _honest_mail(i, steps, corrupted, ended, names) for i in steps}
        if corrupted in steps:
            mail = received[corrupted]
            move = Move(operation, name, index, steps[corrupted].send, _readable(mail))
            cheater.act(move)
        inbox = {}
        for i, step in steps.items():
            mail = received[i]
            if i != corrupted:
                mail = _with_lies(i, step, steps.get(corrupted), corrupted, mail, names)
            if isinstance(mail, MpcError):
                running.pop(i).close()
                ended[i] = mail  # type: ignore[call-overload]
            else:
                inbox[i] = mail
        index += 1
    return ended


def _advance(
    running: dict[int, Steps[Any]], inbox: dict[int, Received | None], ended: list[Any]
) -> dict[int, Round]:
    """Every running party's next round; results and errors are noted."""
    steps = {}
    for i, party in list(running.items()):
        mail = inbox[i]
        try:
            steps[i] = next(party) if mail is None else party.send(mail)
        except StopIteration as stop:
            ended[i] = stop.value
            del running[i]
        except MpcError as error:
            ended[i] = error
            del running[i]
    return steps


def _honest_mail(
    to: int, steps: dict[int, Round], corrupted: int, ended: list[Any], names: Sequence[str]
) -> Received | MpcError:
    """What the honest parties send to party `to`, or why it has to stop."""
    mail: Received = {}
    for source, specs in steps[to].recv.items():
        if source == corrupted:
            continue
        if source not in steps:
            return _stopped(names[source], ended[source])
        arrays = steps[source].send.get(to)
        if arrays is None or [Spec.of(a) for a in arrays] != specs:
            return FrameError(f"{names[source]} does not send what {names[to]} expects")
        mail[source] = [_frozen(a) for a in arrays]
    return mail


def _stopped(name: str, why: object) -> MpcError:
    """What a party learns of a peer that stopped: the first cause."""
    if isinstance(why, MpcError):
        return type(why)(f"{name} stopped: {why.message}", party=why.party or name)
    return ProtocolAbort(f"{name} ended before the others", party=name)


def _with_lies(
    to: int,
    step: Round,
    cheater: Round | None,
    corrupted: int,
    mail: Received | MpcError,
    names: Sequence[str],
) -> Received | MpcError:
    """The same with what the cheater sends, checked as a mesh checks it."""
    if isinstance(mail, MpcError) or corrupted not in step.recv:
        return mail
    liar, specs = names[corrupted], step.recv[corrupted]
    arrays = None if cheater is None else cheater.send.get(to)
    if arrays is None:
        return PeerTimeout(f"{liar} sent nothing in time", party=liar)
    if len(arrays) != len(specs):
        return FrameError(f"{liar} sent {len(arrays)} arrays, expected {len(specs)}", party=liar)
    try:
        for spec, array in zip(specs, arrays, strict=True):
            spec.check(array, liar, "a round of the simulation")
    except FrameError as error:
        return error
    return {**mail, corrupted: [_frozen(a) for a in arrays]}


def _below(n: int) -> int:
    """A random number below n."""
    return int.from_bytes(fresh_key(16), "big") % n


def _readable(mail: Received | MpcError) -> Received:
    return {} if isinstance(mail, MpcError) else mail


def _frozen(array: Array) -> Array:
    copy = np.array(array, copy=True)
    copy.flags.writeable = False
    return copy
