"""Honest parties against a corrupted one, each as far as its messages let it go."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from mpyc_core.errors import FrameError, MpcError, PeerTimeout, ProtocolAbort
from mpyc_core.protocols.dealt.local import GATE
from mpyc_core.protocols.refusal import going_on
from mpyc_core.transport.mesh import Array, Received, Round, Spec, Steps

from .kit import Cheater, Move


def duel(
    parties: Sequence[Steps[Any]],
    names: Sequence[str],
    cheater: Cheater,
    operation: int,
    name: str,
) -> list[Any]:
    """Run one operation against a cheater.

    Returns
    -------
    list : for each party its result, or the `MpcError` that stopped it.
    """
    return Duel(parties, names, cheater, operation, name).run()


class Duel:
    """One operation. An honest party goes on as soon as it has what it waits for.

    The cheater is rushing: it acts in a round when it has the honest parties' messages of that
    round. What it withholds is released when nobody can go on. A message that it took away is
    known to be missing at once, as a mesh finds after its time-out.
    """

    def __init__(
        self,
        parties: Sequence[Steps[Any]],
        names: Sequence[str],
        cheater: Cheater,
        operation: int,
        name: str,
    ) -> None:
        self._parties, self._names, self._cheater = parties, names, cheater
        self._operation, self._name = operation, name
        n = len(parties)
        self._liar = names.index(cheater.party)
        self._honest = [i for i in range(n) if i != self._liar]
        self._queues = {(i, j): deque[list[Array] | None]() for i in range(n) for j in range(n)}
        self._waiting: dict[int, Round] = {}
        """The round in which each running party waits."""
        self._ended: list[Any] = [None] * n
        self._held: deque[tuple[int, list[Array] | None, bool]] = deque()
        """Receiver, message, and whether it is the one that the cheater withholds."""
        self._heard: list[Received] = []
        """What honest parties said to the cheater since it withholds something."""
        self._round = -1

    def run(self) -> list[Any]:
        """Until all honest parties have ended."""
        for i in range(len(self._parties)):
            self._advance(i, None)
        while any(i in self._waiting for i in self._honest):
            if any([self._step(i) for i in self._honest]):
                continue
            if not (self._cheat(forced=False) or self._release() or self._cheat(forced=True)):
                raise RuntimeError("the honest parties wait for each other")
        if self._liar in self._waiting:
            self._finish()
        return self._ended

    def _finish(self) -> None:
        """Let the cheater end: no honest party hears it any more."""
        while self._liar in self._waiting:
            self._cheat(forced=True)

    # -- honest parties ---------------------------------------------------------------------
    def _step(self, i: int) -> bool:
        """Let an honest party go on if it can; whether it did, or ended."""
        if i not in self._waiting:
            return False
        mail: Received = {}
        lacking = [p for p in self._waiting[i].recv if not self._queues[p, i]]
        gone = [p for p in lacking if p not in self._waiting and not self._holds(p, i)]
        if gone:
            self._stop(i, self._gone(gone[0]))
            return True
        if lacking:
            return False
        for source, specs in self._waiting[i].recv.items():
            found = self._checked(source, i, specs)
            if isinstance(found, MpcError):
                self._stop(i, found)
                return True
            mail[source] = found
        self._advance(i, mail)
        return True

    def _holds(self, source: int, to: int) -> bool:
        """Whether the cheater withholds something from a party."""
        return source == self._liar and any(to == peer for peer, _, _ in self._held)

    def _checked(self, source: int, to: int, specs: list[Spec]) -> list[Array] | MpcError:
        """The next message of a party, checked as a mesh checks it."""
        sender, arrays = self._names[source], self._queues[source, to].popleft()
        if arrays is None:
            return PeerTimeout(f"{sender} sent nothing in time", party=sender)
        if len(arrays) != len(specs):
            what = f"{sender} sent {len(arrays)} arrays, expected {len(specs)}"
            return FrameError(what, party=sender)
        try:
            for spec, array in zip(specs, arrays, strict=True):
                spec.check(array, sender, "a round of the simulation")
        except FrameError as error:
            return error
        return arrays

    def _gone(self, source: int) -> MpcError:
        """What a party learns of a peer that ended: the first cause."""
        name, why = self._names[source], self._ended[source]
        if source == self._liar:
            return PeerTimeout(f"{name} sent nothing in time", party=name)
        if isinstance(why, MpcError):
            return type(why)(f"{name} stopped: {why.message}", party=why.party or name)
        return ProtocolAbort(f"{name} ended before the others", party=name)

    # -- the cheater ------------------------------------------------------------------------
    def _cheat(self, forced: bool) -> bool:
        """Let the cheater act and go on; if forced, with zeros for what is missing."""
        liar = self._liar
        if liar not in self._waiting:
            return False
        step = self._waiting[liar]
        if not forced and not all(self._queues[p, liar] for p in step.recv):
            return False
        heard = {p: self._overheard(p, specs) for p, specs in step.recv.items()}
        said = {p: arrays for p, arrays in heard.items() if arrays is not None}
        meant = set(step.send)
        move = Move(self._operation, self._name, self._round, step.send, said)
        self._cheater.act(move)
        for peer in meant | set(move.send):
            arrays = move.send.get(peer)
            message = None if arrays is None else [frozen(a) for a in arrays]
            late = message is not None and peer in move.late
            if late or any(peer == waits for waits, _, _ in self._held):
                self._held.append((peer, message, late))
            else:
                self._queues[liar, peer].append(message)
        silence = {p: [np.zeros(s.shape, s.dtype) for s in step.recv[p]] for p in step.recv}
        self._advance(liar, silence | said)
        return True

    def _overheard(self, source: int, specs: list[Spec]) -> list[Array] | None:
        """What a party says to the cheater; nothing if it has stopped."""
        queue = self._queues[source, self._liar]
        arrays = queue.popleft() if queue else None
        return arrays if arrays and [Spec.of(a) for a in arrays] == specs else None

    def _release(self) -> bool:
        """Send what is withheld, now that nobody can go on without it."""
        if not self._held:
            return False
        heard, self._heard = self._heard, []
        while self._held:
            peer, message, late = self._held.popleft()
            if late and message is not None:
                message = [frozen(a) for a in self._cheater.release(peer, message, heard)]
            self._queues[self._liar, peer].append(message)
        return True

    # -- both -------------------------------------------------------------------------------
    def _advance(self, i: int, mail: Received | None) -> None:
        """Let a party run to its next round; an honest one sends at once."""
        party, cheats = self._parties[i], i == self._liar
        self._waiting.pop(i, None)
        try:
            with going_on(GATE) if cheats else nullcontext():
                step = next(party) if mail is None else party.send(mail)
        except StopIteration as stop:
            self._ended[i] = stop.value
        except MpcError as error:
            self._ended[i] = error
        except Exception as error:
            if not cheats:
                raise
            self._ended[i] = ProtocolAbort(f"the cheater's own code fails: {error}")
        else:
            self._waiting[i] = step
            if cheats:
                self._round += 1
                return
            for peer, arrays in step.send.items():
                message = [frozen(a) for a in arrays]
                self._queues[i, peer].append(message)
                if peer == self._liar and self._held:
                    self._heard.append({i: message})

    def _stop(self, i: int, error: MpcError) -> None:
        del self._waiting[i]
        self._parties[i].close()
        self._ended[i] = error


def frozen(array: Array) -> Array:
    """A copy that nobody changes."""
    copy = np.array(array, copy=True)
    copy.flags.writeable = False
    return copy
