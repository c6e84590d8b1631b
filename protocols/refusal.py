"""Where a verified protocol stops at what a peer did.

Every check of a verified protocol ends here if it finds something. A simulation lets its corrupted
party go on instead (`mpyc_core.protocols.cheating`): who cheats does not stop at its own checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mpyc_core.errors import ConfigError, ProtocolAbort

from .dealt.local import GATE

_deaf: ContextVar[bool] = ContextVar("deaf", default=False)


def refuse(kind: type[ProtocolAbort], message: str) -> None:
    """Raise what a check has found."""
    if not _deaf.get():
        raise kind(message)


@contextmanager
def going_on(gate: object) -> Iterator[None]:
    """Let the party that runs meanwhile go on when its checks fail; for simulations alone.

    Raises
    ------
    ConfigError : opened anywhere but in a simulation.
    """
    if gate is not GATE:
        raise ConfigError(
            "only the corrupted party of mpc.simulate goes on when its checks fail; pass cheat=..."
        )
    token = _deaf.set(True)
    try:
        yield
    finally:
        _deaf.reset(token)
