"""What a crypto provider does in one session, without sockets: it deals what all parties want.

Every party announces its wants in program order. The dealer takes the next announcement of each,
and deals when they are equal: parties that run different programs are found out here. It learns
kinds, shapes and counts of correlations and a hash of the program; no data, no share, no opened
value ever reaches it.

An operation's correlations are dealt once. The seeds are fresh in every session and the session's
id holds a nonce of the dealer, so nothing of one session can occur in another.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import NamedTuple

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import FrameError, PreprocessingExhausted, ProgramMismatch
from mpyc_core.transport.mesh import Array

from .correlation import correlation
from .source import SEED_BYTES, Source
from .want import Want

NONCE_BYTES = 32
HOARD = 4
"""A party with more than this part of the window under way is waited for."""
REMEMBERED = 1 << 16
"""Correlations that are remembered one by one as dealt; all older operations are refused."""


class Rules(NamedTuple):
    """Limits of one session at the dealer.

    Parameters
    ----------
    window : bytes of corrections that may be under way, dealt and not yet taken, unless all that
        hold much of it wait for more.
    ahead : wants that a party may have announced before the others did.
    quota : bytes of corrections in all; None for no limit.
    """

    window: int = 1 << 28
    ahead: int = 1 << 16
    quota: int | None = None


class Claim(NamedTuple):
    """A want that is now being dealt, and its number in the session."""

    number: int
    program: bytes
    want: Want


def dealer_session(session: bytes, nonce: bytes) -> bytes:
    """The id under which keys are derived: of the parties' session and the dealer's own nonce."""
    return hashlib.sha256(b"mpyc-core dealer session 1" + session + nonce).digest()


class Ledger:
    """Remembers what was issued, in bounded memory: an address is never issued twice."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._issued: OrderedDict[tuple[int, int], None] = OrderedDict()
        self._remembered = remembered
        self._oldest = 0

    def issue(self, want: Want) -> None:
        """Note a want as dealt.

        Raises
        ------
        FrameError : it was dealt before, or is so old that this cannot be told.
        """
        address = (want.op, want.buffer)
        if address in self._issued or want.op < self._oldest:
            raise FrameError(f"{want} was dealt before; start all parties anew")
        self._issued[address] = None
        if len(self._issued) > self._remembered:
            (op, _), _ = self._issued.popitem(last=False)
            self._oldest = max(self._oldest, op + 1)


class SessionDealer:
    """Deals for the parties of one session.

    Parameters
    ----------
    names : the parties, in order.
    session : the parties' session id.
    """

    def __init__(self, names: Sequence[str], session: bytes, rules: Rules | None = None) -> None:
        self.names = tuple(names)
        self.rules = rules or Rules()
        self.nonce = fresh_key(NONCE_BYTES)
        self.seeds = [fresh_key(SEED_BYTES) for _ in self.names]
        self.dealt = 0
        """Bytes of corrections so far."""
        self._session = dealer_session(session, self.nonce)
        self._sources = [Source(seed, self._session, i) for i, seed in enumerate(self.seeds)]
        self._queues: list[deque[tuple[bytes, Want]]] = [deque() for _ in self.names]
        self._announced = [0] * len(self.names)
        self._agreed: deque[tuple[bytes, Want]] = deque()
        self._ledger = Ledger()
        self._next = 0
        self._needs = [-1] * len(self.names)
        self._under_way = [0] * len(self.names)

    def announce(self, party: int, program: bytes, wants: Sequence[Want]) -> None:
        """Take a party's announcement; what all parties have announced will be dealt.

        Raises
        ------
        ProgramMismatch : parties want different things, at the same place of their programs.
        FrameError : a want cannot be dealt, was dealt before, or the party is too far ahead.
        """
        queue = self._queues[party]
        if len(queue) + len(wants) > self.rules.ahead:
            raise FrameError(
                f"{self.names[party]} announced over {self.rules.ahead} correlations more than "
                "the other parties; all parties must run the same program",
                party=self.names[party],
            )
        queue.extend((program, want) for want in wants)
        self._announced[party] += len(wants)
        while all(self._queues):
            self._agree([queue.popleft() for queue in self._queues])

    def _agree(self, heads: list[tuple[bytes, Want]]) -> None:
        """Compare the next announcement of every party."""
        first = heads[0]
        for name, head in zip(self.names, heads, strict=True):
            if head != first:
                what = "programs differ" if head[1] == first[1] else f"wants {head[1]}"
                raise ProgramMismatch(
                    f"{name} {what} where {self.names[0]} wants {first[1]}; run the same program "
                    "with the same protocol, parameters and shapes at all parties",
                    party=name,
                )
        program, want = first
        correlation(want.kind).check(want)
        self._ledger.issue(want)
        self._agreed.append((program, want))

    def need(self, party: int, number: int) -> None:
        """A party waits for this number: deal up to it even if much is under way (`_pressed`)."""
        self._needs[party] = max(self._needs[party], number)

    def taken(self, party: int, nbytes: int) -> None:
        """A party has used so many bytes of corrections.

        Raises
        ------
        FrameError : more than it was sent.
        """
        if not 0 <= nbytes <= self._under_way[party]:
            raise FrameError(
                f"{self.names[party]} took {nbytes} bytes of corrections, was sent "
                f"{self._under_way[party]}",
                party=self.names[party],
            )
        self._under_way[party] -= nbytes

    def silent(self, number: int) -> list[int]:
        """The parties that have not announced this number yet."""
        return [i for i, count in enumerate(self._announced) if count <= number]

    def claim(self) -> Claim | None:
        """The next want to deal; None when there is none, or too much is under way.

        Raises
        ------
        PreprocessingExhausted : the session's quota does not cover it.
        """
        if not self._agreed:
            return None
        program, want = self._agreed[0]
        sizes = {
            party: sum(spec.dtype.itemsize * _size(spec.shape) for spec in specs)
            for party, specs in correlation(want.kind).specs(want, len(self.names)).items()
        }
        total, waiting = sum(sizes.values()), sum(self._under_way)
        if waiting and waiting + total > self.rules.window and not self._pressed():
            return None
        if self.rules.quota is not None and self.dealt + total > self.rules.quota:
            raise PreprocessingExhausted(
                f"the session asked for more than the {self.rules.quota} bytes of corrections that "
                f"the dealer gives a session, {want} would be the next; let the dealer raise its "
                "quota, or do the work in several sessions"
            )
        self._agreed.popleft()
        claim = Claim(self._next, program, want)
        self._next += 1
        self.dealt += total
        for party, size in sizes.items():
            self._under_way[party] += size
        return claim

    def _pressed(self) -> bool:
        """Whether a party waits for the next want, and no other makes room without it.

        What was dealt piles up at a party that is slower than the others. It goes on without the
        next want, for it holds earlier ones and the others have sent what it needs to use them.
        """
        waits = [number >= self._next for number in self._needs]
        hoards = (size > self.rules.window // HOARD for size in self._under_way)
        return any(waits) and all(w for w, much in zip(waits, hoards, strict=True) if much)

    def deal(self, claim: Claim) -> dict[int, list[Array]]:
        """The corrections of a want, by party; called for each claim once, by one thread."""
        kind = correlation(claim.want.kind)
        if not kind.specs(claim.want, len(self.names)):
            return {}
        for source in self._sources:
            source.bind(claim.program)
        return kind.corrections(self._sources, claim.want)

    def erase(self) -> None:
        """Forget seeds and announcements."""
        self.seeds.clear()
        self._sources.clear()
        self._agreed.clear()
        for queue in self._queues:
            queue.clear()


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
