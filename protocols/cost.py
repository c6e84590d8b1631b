"""Declared costs: what an operation sends and how many rounds it takes, before it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mpyc_core.bits import words


@dataclass(frozen=True)
class Cost:
    """Cost of one operation.

    Parameters
    ----------
    rounds : number of dependent communication rounds.
    sent : payload bytes that each party sends, in party order.
    dealt : bytes that a dealer sends to the parties, all together; no round waits for it.
    uses : how many correlations of each kind a dealer makes.

    `a >> b` runs one after the other: rounds add. `a | b` runs in the same rounds: the larger
    number of rounds counts. Bytes add in both.
    """

    rounds: int
    sent: tuple[int, ...]
    dealt: int = 0
    uses: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def free(cls, n: int) -> Cost:
        """The cost of a local operation of `n` parties."""
        return cls(0, (0,) * n)

    @classmethod
    def by_role(cls, rounds: int, sent: Sequence[int], first: int) -> Cost:
        """Costs given by role, where party `first` plays role 0, the next one role 1, ..."""
        n = len(sent)
        return cls(rounds, tuple(sent[(party - first) % n] for party in range(n)))

    @property
    def total(self) -> int:
        """Payload bytes summed over the parties."""
        return sum(self.sent)

    def __rshift__(self, then: Cost) -> Cost:
        return self._with(self.rounds + then.rounds, then)

    def __or__(self, other: Cost) -> Cost:
        return self._with(max(self.rounds, other.rounds), other)

    def _with(self, rounds: int, other: Cost) -> Cost:
        uses = dict(Counter(self.uses) + Counter(other.uses))
        return Cost(rounds, _add(self.sent, other.sent), self.dealt + other.dealt, uses)


def _add(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def plane_bytes(planes: int, size: int) -> int:
    """Bytes of `planes` packed bit planes over `size` elements: whole 64-bit words each."""
    return 8 * planes * words(size)
