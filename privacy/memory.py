"""`MemoryStore`: budgets and releases in this process, for lessons and tests."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from .budget import Release, State, Transaction
from .price import Price


@dataclass
class _Tables:
    limits: dict[str, Price] = field(default_factory=dict)
    spends: dict[str, Price] = field(default_factory=dict)
    releases: dict[str, Release] = field(default_factory=dict)

    def limit(self, account: str) -> Price | None:
        return self.limits.get(account)

    def spent(self, account: str) -> Price:
        return self.spends.get(account, Price())

    def set_limit(self, account: str, limit: Price) -> None:
        self.limits[account] = limit

    def set_spent(self, account: str, spent: Price) -> None:
        self.spends[account] = spent

    def release(self, key: str) -> Release | None:
        return self.releases.get(key)

    def put(self, release: Release) -> None:
        self.releases[release.key] = release

    def in_state(self, state: State) -> Sequence[Release]:
        return [r for r in self.releases.values() if r.state is state]


class MemoryStore:
    """Accounts and releases in dictionaries; they end with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables = _Tables()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One at a time; what a block that raises wrote is undone."""
        with self._lock:
            tables = copy.deepcopy(self._tables)
            yield tables
            self._tables = tables
