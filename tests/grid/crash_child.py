"""Processes that ask their own node for a noisy value and are killed, each at its stage.

Usage: crash_child.py FOLDER TOKEN; the node of each stage is in a folder of that name.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpyc_core.grid.audit import AuditLog
from mpyc_core.grid.keys import own_identity
from mpyc_core.grid.virtual import VirtualNode
from mpyc_core.privacy.budget import Ledger


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: type, name: str) -> None:
    """Die instead of doing it."""
    setattr(owner, name, lambda *_: die())


def after(owner: type, name: str) -> None:
    """Die right after it."""
    original = getattr(owner, name)

    def wrapped(*args: Any) -> None:
        original(*args)
        die()

    setattr(owner, name, wrapped)


def within_log(event: str) -> None:
    """Die inside the transaction that writes this entry of the log."""
    original = AuditLog.append

    def append(self: AuditLog, what: str, **facts: Any) -> Any:
        found = original(self, what, **facts)
        if what == event:
            die()
        return found

    AuditLog.append = append  # type: ignore[method-assign]


def while_drawing() -> None:
    """Die when the noise is drawn and before it is stored."""
    original = Ledger.draw

    def draw(self: Ledger, ticket: Any, noisy: Callable[[], bytes]) -> None:
        def drawn() -> bytes:
            noisy()
            die()
            return b""

        original(self, ticket, drawn)

    Ledger.draw = draw  # type: ignore[method-assign]


STAGES: dict[str, Callable[[], None]] = {
    "reserving": lambda: within_log("reserved"),
    "reserved": lambda: before(Ledger, "draw"),
    "drawing": while_drawing,
    "drawn": lambda: after(Ledger, "draw"),
    "committing": lambda: within_log("committed"),
    "committed": lambda: before(Ledger, "deliver"),
    "delivered": lambda: after(Ledger, "deliver"),
}


def crash(folder: Path, stage: str, token: str) -> None:
    """Ask for a noisy value, and die on the way."""
    with VirtualNode("a", folder) as node:
        client = node.connect(own_identity(folder / "client.key"))
        x = client.pointer(client.store[0].id).mean()
        x.wait()
        STAGES[stage]()
        ask = {"target": x.id, "epsilon": 0.5, "delta": None, "error": None}
        client.take("release", ask, token)


if __name__ == "__main__":
    root, token = Path(sys.argv[1]), sys.argv[2]
    for stage in STAGES:  # every stage in a process of its own, which need not import anything
        child = os.fork()
        if not child:
            crash(root / stage, stage, token)
            os._exit(3)
        print(stage, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
