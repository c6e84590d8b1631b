"""Budgets: who has how much left, and the states of a release that is paid for.

An account belongs to a data set or to a person, never to whoever asks: a second login does not
double anything. A release goes through

    RESERVED -> DRAWN -> COMMITTED -> DELIVERED          VOID, LOST

    RESERVED    the price is durably spent on every account; nothing is known yet
    DRAWN       noise was drawn and the noisy bytes are stored
    COMMITTED   every owner agreed that it may go out
    DELIVERED   it went out; asking again gives the same bytes at no charge
    VOID        given up before noise was drawn, by the one who reserved: the price came back
    LOST        found RESERVED after a restart: noise may have been drawn, so the price stays

Noise is drawn at most once for a release: the right to draw is a ticket in memory, which does not
survive a crash. This file is logic alone. Where records live is the business of a `Store`, whose
transactions are exclusive and durable when they end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from mpyc_core.errors import BudgetExceeded, ConfigError, PermissionDenied

from .price import Price


class State(StrEnum):
    """Where a release stands."""

    RESERVED = "reserved"
    DRAWN = "drawn"
    COMMITTED = "committed"
    DELIVERED = "delivered"
    VOID = "void"
    LOST = "lost"


@dataclass(frozen=True)
class Charge:
    """A price on one account."""

    account: str
    price: Price


@dataclass(frozen=True)
class Release:
    """A record of a release.

    Parameters
    ----------
    key : its id, chosen by the node.
    fingerprint : hash of all that was asked for: graph, versions, parameters, requester.
    charges : what it costs, one entry per account.
    state : see the module.
    result : the noisy bytes, once they are drawn.
    """

    key: str
    fingerprint: bytes
    charges: tuple[Charge, ...]
    state: State
    result: bytes | None = None


class Transaction(Protocol):
    """What a store offers while nobody else can read or write it."""

    def limit(self, account: str) -> Price | None:
        """The budget of an account; None if there is no such account."""

    def spent(self, account: str) -> Price:
        """What an account has spent or reserved."""

    def set_limit(self, account: str, limit: Price) -> None:
        """Open an account, or change its budget."""

    def set_spent(self, account: str, spent: Price) -> None:
        """Write what an account has spent."""

    def release(self, key: str) -> Release | None:
        """The record of a release."""

    def put(self, release: Release) -> None:
        """Write the record of a release."""

    def in_state(self, state: State) -> Sequence[Release]:
        """All releases in a state."""


class Store(Protocol):
    """Where accounts and releases live."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """An exclusive transaction: durable when the block ends, undone when it raises."""


def dataset_account(dataset: str) -> str:
    """The account of a data set."""
    return f"dataset:{dataset}"


def subject_account(subject: str) -> str:
    """The account of a person, whatever data set the person is in."""
    return f"subject:{subject}"


@dataclass(frozen=True)
class Ticket:
    """The right to draw the noise of one release, held in memory by who reserved it."""

    key: str
    secret: object


class Ledger:
    """Spends budgets, release by release.

    Parameters
    ----------
    store : keeps accounts and records.

    A new ledger on a store that was used before first marks as lost what was reserved and never
    drawn: nobody can tell whether its noise was drawn, so the price stays.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tickets: dict[str, Ticket] = {}
        with store.transaction() as t:
            for release in t.in_state(State.RESERVED):
                t.put(replace(release, state=State.LOST))

    # -- accounts -------------------------------------------------------------------------------
    def open_account(self, account: str, limit: Price) -> None:
        """Give an account its budget; what it spent stays spent."""
        with self._store.transaction() as t:
            t.set_limit(account, limit)

    def spent(self, account: str) -> Price:
        """What an account has spent or reserved."""
        with self._store.transaction() as t:
            return t.spent(account)

    def remaining(self, account: str) -> Price:
        """What an account has left.

        Raises
        ------
        ConfigError : no such account.
        """
        with self._store.transaction() as t:
            return _limit(t, account).minus(t.spent(account))

    # -- releases -------------------------------------------------------------------------------
    def reserve(self, key: str, fingerprint: bytes, charges: Iterable[Charge]) -> Ticket | None:
        """Spend the price on all accounts, or on none.

        Returns
        -------
        Ticket : to draw with; None if the release was drawn before: `deliver` gives its bytes.

        Raises
        ------
        BudgetExceeded : an account has too little left; nothing was spent.
        PermissionDenied : the id belongs to another release, or to one that is under way or gone.
        ConfigError : no such account, or no charge at all.
        """
        wanted = _merged(charges)
        with self._store.transaction() as t:
            known = t.release(key)
            if known is not None:
                _check_known(known, fingerprint)
                return None
            for charge in wanted:
                _check(t, charge)
            for charge in wanted:
                t.set_spent(charge.account, t.spent(charge.account) + charge.price)
            t.put(Release(key, fingerprint, wanted, State.RESERVED))
        ticket = self._tickets[key] = Ticket(key, object())
        return ticket

    def draw(self, ticket: Ticket, noisy: Callable[[], bytes]) -> None:
        """Draw the noise, once, and store the noisy bytes before anyone sees them.

        Raises
        ------
        PermissionDenied : the ticket was used, given back, or is of an earlier process.
        """
        self._spend_ticket(ticket)
        try:
            result = noisy()
        except BaseException:  # how far it came is unknown: the price stays
            self._move(ticket.key, State.LOST)
            raise
        self._move(ticket.key, State.DRAWN, result)

    def _move(self, key: str, state: State, result: bytes | None = None) -> None:
        with self._store.transaction() as t:
            release = _in_state(t, key, State.RESERVED)
            t.put(replace(release, state=state, result=result))

    def void(self, ticket: Ticket) -> None:
        """Give up a release of which no noise was drawn; the price comes back."""
        self._spend_ticket(ticket)
        with self._store.transaction() as t:
            release = _in_state(t, ticket.key, State.RESERVED)
            for charge in release.charges:
                t.set_spent(charge.account, t.spent(charge.account).minus(charge.price))
            t.put(replace(release, state=State.VOID))

    def commit(self, key: str) -> None:
        """Every owner agreed; asking twice is the same as once."""
        with self._store.transaction() as t:
            release = _in_state(t, key, State.DRAWN, State.COMMITTED, State.DELIVERED)
            if release.state is State.DRAWN:
                t.put(replace(release, state=State.COMMITTED))

    def deliver(self, key: str) -> bytes:
        """The stored bytes; the same every time, charged once."""
        with self._store.transaction() as t:
            release = _in_state(t, key, State.COMMITTED, State.DELIVERED)
            if release.state is State.COMMITTED:
                t.put(replace(release, state=State.DELIVERED))
        if release.result is None:
            raise PermissionDenied(f"release {key} has no result; the store was changed outside")
        return release.result

    def state(self, key: str) -> State | None:
        """Where a release stands; None if there is none of that id."""
        with self._store.transaction() as t:
            release = t.release(key)
        return None if release is None else release.state

    def _spend_ticket(self, ticket: Ticket) -> None:
        if self._tickets.pop(ticket.key, None) is not ticket:
            raise PermissionDenied(
                f"release {ticket.key} cannot be drawn or voided with this ticket: it was used, or "
                "the node was restarted; make a new request"
            )


def _merged(charges: Iterable[Charge]) -> tuple[Charge, ...]:
    """One charge per account, by name."""
    total: dict[str, Price] = {}
    for charge in charges:
        total[charge.account] = total.get(charge.account, Price()) + charge.price
    if not total:
        raise ConfigError("a release charges at least one account, got none")
    return tuple(Charge(account, total[account]) for account in sorted(total))


def _limit(t: Transaction, account: str) -> Price:
    limit = t.limit(account)
    if limit is None:
        raise ConfigError(f"no account {account!r}; its owner opens it with a budget first")
    return limit


def _check(t: Transaction, charge: Charge) -> None:
    limit, spent = _limit(t, charge.account), t.spent(charge.account)
    if not limit.covers(spent + charge.price):
        raise BudgetExceeded(
            f"{charge.account} has {limit.minus(spent)} left, the release costs {charge.price}; "
            "ask for more noise (a smaller epsilon), or ask the owner for a larger budget"
        )


def _check_known(release: Release, fingerprint: bytes) -> None:
    """Pass if a release was drawn already and is the same; else say why not."""
    if release.fingerprint != fingerprint:
        raise PermissionDenied(
            f"release {release.key} was another computation; ask for this one under a new id"
        )
    if release.state in (State.RESERVED, State.VOID, State.LOST):
        raise PermissionDenied(
            f"release {release.key} is {release.state}; its noise is not drawn a second time. "
            "Make a new request"
        )


def _in_state(t: Transaction, key: str, *states: State) -> Release:
    release = t.release(key)
    if release is None:
        raise PermissionDenied(f"no release {key}")
    if release.state not in states:
        raise PermissionDenied(f"release {key} is {release.state}, expected {' or '.join(states)}")
    return release
