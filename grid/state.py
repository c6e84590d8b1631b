"""A node's durable state: one SQLite file, written before a reply is sent.

Write-ahead log, synchronous FULL: when a transaction ends it is on the disk. Transactions are
exclusive and may be nested in one thread; the outermost decides, so that what belongs together
(an approval's use, a charge, an entry of the audit log) is written together or not at all.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mpyc_core.errors import ConfigError

VERSION = 2
PIECE = 1 << 24
SCHEMA = """
CREATE TABLE facts (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE blobs (id TEXT, part INTEGER, data BLOB NOT NULL, PRIMARY KEY (id, part));
CREATE TABLE cards (id TEXT PRIMARY KEY, version TEXT NOT NULL, body BLOB NOT NULL,
    signature BLOB NOT NULL, terms BLOB NOT NULL);
CREATE TABLE objects (id TEXT PRIMARY KEY, version TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE requests (id TEXT PRIMARY KEY, requester TEXT NOT NULL, created REAL NOT NULL,
    body BLOB NOT NULL);
CREATE TABLE answers (request TEXT, owner TEXT, status TEXT NOT NULL, body BLOB NOT NULL,
    uses INTEGER NOT NULL, PRIMARY KEY (request, owner));
CREATE TABLE handlers (id TEXT PRIMARY KEY, owner TEXT NOT NULL, body BLOB NOT NULL,
    used INTEGER NOT NULL, spent INTEGER NOT NULL, elements INTEGER NOT NULL);
CREATE TABLE accounts (name TEXT PRIMARY KEY, epsilon TEXT, delta TEXT,
    spent_epsilon TEXT NOT NULL DEFAULT '0', spent_delta TEXT NOT NULL DEFAULT '0');
CREATE TABLE releases (key TEXT PRIMARY KEY, state TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX releases_by_state ON releases (state);
CREATE TABLE audit (seq INTEGER PRIMARY KEY, body BLOB NOT NULL, head BLOB NOT NULL,
    signature BLOB NOT NULL);
"""


class State:
    """The tables of one node.

    Parameters
    ----------
    folder : where the file `state.db` lives; None keeps everything in memory.
    read_only : look at it, also while a node uses it.

    Raises
    ------
    ConfigError : another process uses the folder, or the file is of another version.
    """

    def __init__(self, folder: Path | None, read_only: bool = False) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._guard = None if read_only else _claim(folder)
        self._db = sqlite3.connect(
            ":memory:" if folder is None else folder / "state.db",
            isolation_level=None,
            check_same_thread=False,
        )
        if read_only:
            self._db.execute("PRAGMA query_only=ON")
            return
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        with self.transaction():
            self._prepare(str(folder))

    def _prepare(self, where: str) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version={VERSION}")
        elif version != VERSION:
            raise ConfigError(f"the state in {where} is of version {version}, expected {VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Durable when the outermost block ends; undone when one raises out of it."""
        with self._lock:
            if self._depth:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            else:
                self._db.execute("COMMIT")
            finally:
                self._depth = 0

    def run(self, statement: str, *values: Any) -> int:
        """Change rows; returns how many. Values are always passed beside the statement."""
        with self._lock:
            return self._db.execute(statement, values).rowcount

    def row(self, statement: str, *values: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        with self._lock:
            found: tuple[Any, ...] | None = self._db.execute(statement, values).fetchone()
        return found

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows."""
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    # -- facts and blobs ------------------------------------------------------------------------
    def fact(self, key: str) -> bytes | None:
        """One named value."""
        found = self.row("SELECT value FROM facts WHERE key = ?", key)
        return None if found is None else found[0]

    def set_fact(self, key: str, value: bytes) -> None:
        """Write one named value."""
        self.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", key, value)

    def put_blob(self, key: str, data: bytes | memoryview) -> None:
        """Keep bytes under an id, in pieces."""
        view = memoryview(data)
        with self.transaction():
            self.drop_blob(key)
            for part, start in enumerate(range(0, max(1, len(view)), PIECE)):
                piece = bytes(view[start : start + PIECE])
                self.run("INSERT INTO blobs VALUES (?, ?, ?)", key, part, piece)

    def blob(self, key: str) -> bytes | None:
        """The bytes of an id; None if there are none."""
        parts = self.rows("SELECT data FROM blobs WHERE id = ? ORDER BY part", key)
        return b"".join(part for (part,) in parts) if parts else None

    def drop_blob(self, key: str) -> None:
        """Forget the bytes of an id."""
        self.run("DELETE FROM blobs WHERE id = ?", key)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        with self._lock:
            self._db.close()
            if self._guard is not None:
                os.close(self._guard)
                self._guard = None


def _claim(folder: Path | None) -> int | None:
    """Keep other processes away: two nodes on one folder would each spend the same budget."""
    if folder is None:
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    guard = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(guard)
        raise ConfigError(f"another process runs the node in {folder}; stop it first") from None
    return guard


def placeholders(values: Sequence[Any]) -> str:
    """As many question marks as there are values."""
    return ", ".join("?" * len(values))
