"""Budgets: what is charged, when, and that nothing is drawn or charged twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import pytest

from mpyc_core.errors import BudgetExceeded, ConfigError, PermissionDenied
from mpyc_core.privacy.budget import (
    Charge,
    Ledger,
    State,
    Transaction,
    dataset_account,
    subject_account,
)
from mpyc_core.privacy.memory import MemoryStore
from mpyc_core.privacy.price import Price

D = dataset_account("diabetes")


def ledger(epsilon: str = "1", store: MemoryStore | None = None) -> Ledger:
    found = Ledger(store or MemoryStore())
    found.open_account(D, Price.limit(epsilon, "1e-5"))
    return found


def charge(epsilon: str, account: str = D, delta: str = "0") -> list[Charge]:
    return [Charge(account, Price.of(epsilon, delta))]


# -- prices ------------------------------------------------------------------------------------
def test_prices_round_up_and_budgets_down() -> None:
    assert Price.of("0.1") == Price(100_000_000)
    assert Price.of(0.1) == Price(100_000_000)
    assert Price.of(Fraction(1, 3)) == Price(333_333_334)
    assert Price.limit(Fraction(1, 3)) == Price(333_333_333)
    assert Price.of(0, Fraction(1, 10**19)) == Price(0, 1)
    assert Price.of("0.1") * 10 == Price.limit("1")


@pytest.mark.parametrize("epsilon", [-1, "nan", float("nan"), float("inf"), "ten"])
def test_prices_are_numbers_of_0_or_more(epsilon: Any) -> None:
    with pytest.raises(ConfigError):
        Price.of(epsilon)


# -- one release -------------------------------------------------------------------------------
def test_a_release_goes_through_its_states() -> None:
    book = ledger()
    ticket = book.reserve("r", b"graph", charge("0.25"))
    assert ticket is not None
    assert (book.state("r"), book.remaining(D)) == (State.RESERVED, Price.of("0.75", "1e-5"))
    book.draw(ticket, lambda: b"noisy")
    assert book.state("r") is State.DRAWN
    with pytest.raises(PermissionDenied, match="drawn"):
        book.deliver("r")
    book.commit("r")
    assert book.deliver("r") == b"noisy"
    assert book.state("r") is State.DELIVERED
    assert book.spent(D) == Price.of("0.25")


def test_a_retry_gets_the_stored_bytes_at_no_charge() -> None:
    book = ledger()
    drawn: list[int] = []

    def noisy() -> bytes:
        drawn.append(1)
        return b"noise %d" % len(drawn)

    for _ in range(3):
        ticket = book.reserve("r", b"graph", charge("0.5"))
        if ticket is not None:
            book.draw(ticket, noisy)
        book.commit("r")
        assert book.deliver("r") == b"noise 1"
    assert len(drawn) == 1
    assert book.spent(D) == Price.of("0.5")


def test_an_id_is_one_computation() -> None:
    book = ledger()
    ticket = book.reserve("r", b"graph", charge("0.1"))
    assert ticket is not None
    with pytest.raises(PermissionDenied, match="another computation"):
        book.reserve("r", b"other graph", charge("0.1"))
    with pytest.raises(PermissionDenied, match="reserved"):
        book.reserve("r", b"graph", charge("0.1"))
    assert book.spent(D) == Price.of("0.1")


def test_what_was_not_drawn_can_be_given_back_once() -> None:
    book = ledger()
    ticket = book.reserve("r", b"graph", charge("0.9"))
    assert ticket is not None
    book.void(ticket)
    assert book.spent(D) == Price()
    for again in (lambda: book.void(ticket), lambda: book.draw(ticket, lambda: b"x")):
        with pytest.raises(PermissionDenied, match="ticket"):
            again()
    with pytest.raises(PermissionDenied, match="void"):
        book.reserve("r", b"graph", charge("0.9"))


def test_what_was_drawn_cannot_be_given_back() -> None:
    book = ledger()
    ticket = book.reserve("r", b"graph", charge("0.9"))
    assert ticket is not None
    book.draw(ticket, lambda: b"noisy")
    with pytest.raises(PermissionDenied):
        book.void(ticket)
    with pytest.raises(PermissionDenied):
        book.draw(ticket, lambda: b"other noise")
    assert book.spent(D) == Price.of("0.9")


def test_a_failure_while_drawing_keeps_the_price() -> None:
    book = ledger()
    ticket = book.reserve("r", b"graph", charge("0.9"))
    assert ticket is not None

    def fails() -> bytes:
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        book.draw(ticket, fails)
    assert (book.state("r"), book.spent(D)) == (State.LOST, Price.of("0.9"))


# -- limits ------------------------------------------------------------------------------------
def test_ten_tenths_are_one_and_no_more() -> None:
    book = ledger("1")
    for i in range(10):
        assert book.reserve(f"r{i}", b"g", charge("0.1")) is not None
    with pytest.raises(BudgetExceeded, match="diabetes has epsilon 0"):
        book.reserve("r10", b"g", charge("0.000000001"))
    assert book.state("r10") is None


def test_delta_is_a_budget_too() -> None:
    book = ledger("1")
    book.reserve("r", b"g", charge("0.1", delta="9e-6"))
    with pytest.raises(BudgetExceeded):
        book.reserve("s", b"g", charge("0.1", delta="2e-6"))


def test_several_accounts_are_charged_together_or_not_at_all() -> None:
    book = ledger("1")
    ann = subject_account("ann")
    book.open_account(ann, Price.limit("0.3"))
    both = [*charge("0.2"), *charge("0.2", ann)]
    assert book.reserve("r", b"g", both) is not None
    with pytest.raises(BudgetExceeded, match="subject:ann"):
        book.reserve("s", b"g", both)
    assert (book.spent(D), book.spent(ann)) == (Price.of("0.2"), Price.of("0.2"))


def test_one_account_named_twice_pays_twice() -> None:
    book = ledger("1")
    with pytest.raises(BudgetExceeded):
        book.reserve("r", b"g", charge("0.6") + charge("0.6"))
    book.reserve("s", b"g", charge("0.3") + charge("0.3"))
    assert book.spent(D) == Price.of("0.6")


def test_unknown_accounts_and_free_releases_are_refused() -> None:
    book = ledger()
    with pytest.raises(ConfigError, match="no account"):
        book.reserve("r", b"g", charge("0.1", dataset_account("other")))
    with pytest.raises(ConfigError, match="at least one account"):
        book.reserve("r", b"g", [])


def test_a_hundred_at_once_spend_what_there_is() -> None:
    book = ledger("1")
    start = threading.Barrier(20)

    def spend(i: int) -> bool:
        if i < 20:
            start.wait()
        try:
            return book.reserve(f"r{i}", b"g", charge("0.03")) is not None
        except BudgetExceeded:
            return False

    with ThreadPoolExecutor(20) as pool:
        granted = sum(pool.map(spend, range(100)))
    assert granted == 33
    assert book.spent(D) == Price.of("0.99")


def test_a_hundred_retries_of_one_release_draw_once() -> None:
    book = ledger("1")
    drawn: list[int] = []

    def attempt(_: int) -> None:
        try:
            ticket = book.reserve("r", b"g", charge("0.5"))
        except PermissionDenied:
            return  # another one is drawing
        if ticket is not None:
            book.draw(ticket, lambda: bytes(drawn.append(1) or 1))  # type: ignore[func-returns-value]

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(attempt, range(100)))
    assert len(drawn) == 1
    assert book.spent(D) == Price.of("0.5")


# -- crashes -----------------------------------------------------------------------------------
class Crash(BaseException):
    """The process ends here."""


class Crashing(MemoryStore):
    """A store whose process dies at the end of a transaction, before or after it is durable."""

    def __init__(self) -> None:
        super().__init__()
        self.left = -1
        self.durable = True

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        self.left -= 1
        dies = self.left == 0
        with super().transaction() as t:
            yield t
            if dies and not self.durable:
                raise Crash
        if dies:
            raise Crash


def whole(book: Ledger) -> bytes:
    ticket = book.reserve("r", b"g", charge("0.4"))
    if ticket is not None:
        book.draw(ticket, lambda: b"noisy")
    book.commit("r")
    return book.deliver("r")


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("at", range(1, 5))
def test_after_a_crash_nothing_released_is_unpaid(at: int, durable: bool) -> None:
    """Charged and not released is possible; released and not charged is not."""
    store = Crashing()
    book = ledger("1", store)
    store.left, store.durable = at, durable
    with pytest.raises(Crash):
        whole(book)
    before = book_state(store)
    again = Ledger(store)  # a restart
    state, spent = again.state("r"), again.spent(D)
    assert (spent == Price.of("0.4")) == (state is not None)
    if before is State.RESERVED:
        assert state is State.LOST
        with pytest.raises(PermissionDenied, match="lost"):
            whole(again)
    elif before is not None:
        assert whole(again) == b"noisy"  # what was drawn comes out as it was
    assert again.spent(D) == spent


def book_state(store: MemoryStore) -> State | None:
    found = store._tables.releases.get("r")
    return None if found is None else found.state


def test_a_ticket_does_not_survive_a_restart() -> None:
    store = MemoryStore()
    ticket = ledger("1", store).reserve("r", b"g", charge("0.4"))
    assert ticket is not None
    again = Ledger(store)
    for use in (lambda: again.draw(ticket, lambda: b"x"), lambda: again.void(ticket)):
        with pytest.raises(PermissionDenied, match="restarted"):
            use()
    assert again.spent(D) == Price.of("0.4")


def test_transactions_that_raise_are_undone() -> None:
    store = MemoryStore()
    with pytest.raises(ValueError, match="no"), store.transaction() as t:
        t.set_limit("a", Price(5))
        raise ValueError("no")
    with store.transaction() as t:
        assert t.limit("a") is None
        found: Sequence[Any] = t.in_state(State.RESERVED)
        assert found == []
