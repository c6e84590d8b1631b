"""Budgets and releases in the node's own tables: what `privacy` keeps, kept durably.

A transaction here joins the node's: the charge, an approval's use and the entry in the audit log
are written together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mpyc_core.privacy.budget import Charge, Release, State, Transaction
from mpyc_core.privacy.price import Price

from . import state as tables
from .canonical import decode, encode


class Accounts:
    """Accounts and records of releases; the store of a ledger."""

    def __init__(self, state: tables.State) -> None:
        self._state = state

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Exclusive, durable when the outermost block ends, undone when it raises."""
        with self._state.transaction():
            yield _Tables(self._state)

    def limits(self) -> dict[str, tuple[Price, Price]]:
        """(budget, spent) of every account that has a budget, but for those of people."""
        rows = self._state.rows(
            "SELECT * FROM accounts WHERE epsilon IS NOT NULL AND name NOT LIKE 'subject:%' "
            "ORDER BY name"
        )
        return {
            name: (Price(int(epsilon), int(delta)), Price(int(spent), int(spent_delta)))
            for name, epsilon, delta, spent, spent_delta in rows
        }


class _Tables:
    """One transaction's view."""

    def __init__(self, state: tables.State) -> None:
        self._state = state

    def _account(self, account: str) -> tuple[Any, ...]:
        found = self._state.row("SELECT * FROM accounts WHERE name = ?", account)
        return found or (account, None, None, "0", "0")

    def limit(self, account: str) -> Price | None:
        _, epsilon, delta, _, _ = self._account(account)
        return None if epsilon is None else Price(int(epsilon), int(delta))

    def spent(self, account: str) -> Price:
        _, _, _, epsilon, delta = self._account(account)
        return Price(int(epsilon), int(delta))

    def set_limit(self, account: str, limit: Price) -> None:
        _, _, _, epsilon, delta = self._account(account)
        self._write(account, str(limit.nano_epsilon), str(limit.atto_delta), epsilon, delta)

    def set_spent(self, account: str, spent: Price) -> None:
        _, epsilon, delta, _, _ = self._account(account)
        self._write(account, epsilon, delta, str(spent.nano_epsilon), str(spent.atto_delta))

    def _write(self, *row: str | None) -> None:
        self._state.run("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?)", *row)

    def release(self, key: str) -> Release | None:
        found = self._state.row("SELECT key, state, body FROM releases WHERE key = ?", key)
        return None if found is None else self._release(*found)

    def _release(self, key: str, state: str, body: bytes) -> Release:
        fingerprint, charges = decode(body)
        owed = tuple(Charge(account, Price(e, d)) for account, e, d in charges)
        result = self._state.blob(f"release {key}")
        return Release(key, fingerprint, owed, State(state), result)

    def put(self, release: Release) -> None:
        charges = [[c.account, c.price.nano_epsilon, c.price.atto_delta] for c in release.charges]
        body = encode([release.fingerprint, charges])
        known = self._state.row("SELECT state FROM releases WHERE key = ?", release.key)
        self._state.run(
            "INSERT OR REPLACE INTO releases VALUES (?, ?, ?)", release.key, release.state, body
        )
        drawn = release.result is not None and (known is None or known[0] == State.RESERVED)
        if drawn and release.result is not None:
            self._state.put_blob(f"release {release.key}", release.result)

    def in_state(self, state: State) -> Sequence[Release]:
        rows = self._state.rows("SELECT key, state, body FROM releases WHERE state = ?", state)
        return [self._release(*row) for row in rows]
