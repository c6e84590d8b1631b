"""What every attack is made of: a corrupted party, its moves, and how the honest parties ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from mpyc_core.errors import MpcError
from mpyc_core.transport.mesh import Array, Received


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
    late : receivers whose message of this round is to be withheld; see `Cheater.release`.
    """

    operation: int
    name: str
    round: int
    send: dict[int, list[Array]]
    received: Received
    late: set[int] = field(default_factory=set)


@dataclass
class Outcome:
    """How an honest party ended: what it opened, in order, and the error that stopped it."""

    opened: list[Array] = field(default_factory=list)
    error: MpcError | None = None


class Cheater(ABC):
    """A corrupted party.

    It runs the protocol's own code, and goes on when a check of its own fails: only honest parties
    stop. Where honest parties have stopped and say nothing any more, it hears zeros.

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

    def release(self, peer: int, arrays: list[Array], heard: Sequence[Received]) -> list[Array]:
        """What a withheld message is, now that the honest parties cannot go on without it.

        Parameters
        ----------
        arrays : as it was to be.
        heard : all that honest parties have said to the cheater since.
        """
        del peer, heard
        return arrays

    def keep(self, name: str, parts: list[Array]) -> list[Array]:
        """This party's share of a result of an operation, with which it goes on."""
        del name
        return parts
