"""Views: what a party or a coalition received, as data for statistics and as a table for lessons.

Protocols state beside every send which mask hides it; the table shows that comment.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FrameType

import numpy as np
from rich.console import Console
from rich.table import Table

from mpyc_core.transport.mesh import Array

COMMENT = re.compile(r"(?:^|\s)#\s(.*)$")
REASON = re.compile(r"hid|mask|uniform|determined|keys|public|zero|blind|likewise|commit|digest")
ABOVE = re.compile(r"\bcaller\b|\blikewise\b")
UNSAID = "not stated beside the send"


@dataclass(frozen=True)
class Message:
    """One message of a view: who sent what to whom, in which operation and round.

    Parameters
    ----------
    arrays : what was sent.
    why : for each array, what hides it, as the protocol says beside the send.
    """

    op: int
    name: str
    round: int
    sender: str
    receiver: str
    arrays: tuple[Array, ...]
    why: tuple[str, ...] = ()


class View(list[Message]):
    """What a coalition received from outside, in order; `print` shows a table.

    Parameters
    ----------
    members : the coalition.
    withstands : how many corrupted parties the protocol withstands.
    """

    def __init__(
        self, messages: Sequence[Message], members: tuple[str, ...], withstands: int
    ) -> None:
        super().__init__(messages)
        self.members = members
        self.withstands = withstands

    @property
    def arrays(self) -> list[Array]:
        """All arrays, in order."""
        return [array for message in self for array in message.arrays]

    def bits(self) -> Array:
        """All received bits as zeros and ones, in order."""
        octets = [np.ascontiguousarray(a).reshape(-1).view(np.uint8) for a in self.arrays]
        return np.unpackbits(np.concatenate([np.zeros(0, np.uint8), *octets]))

    def table(self) -> Table:
        """Round, operation, who sent what, what hides it, what it could mean."""
        too_many = len(self.members) > self.withstands
        title = f"what {', '.join(self.members)} received"
        if too_many:
            title += f": more than the {self.withstands} that may be corrupted"
        table = Table(title=title)
        for column in ("operation", "round", "from", "to", "what", "bytes", "what hides it"):
            table.add_column(column)
        table.add_column("what it could mean")
        for m in self:
            reasons = m.why or (UNSAID,) * len(m.arrays)
            for array, why in zip(m.arrays, reasons, strict=True):
                meaning = _meaning(m.name, array, why, too_many)
                what = f"{_dtype(array)} {array.shape}"
                size = str(array.nbytes)
                place = (f"{m.op} {m.name}", str(m.round), m.sender, m.receiver)
                table.add_row(*place, what, size, why or UNSAID, meaning)
        return table

    def __rich__(self) -> Table:
        return self.table()

    def __str__(self) -> str:
        console = Console(width=150, color_system=None)
        with console.capture() as captured:
            console.print(self.table())
        return captured.get()


def _dtype(array: Array) -> str:
    return "u128" if array.dtype.fields else array.dtype.name


def _meaning(name: str, array: Array, why: str, too_many: bool) -> str:
    if name == "setup":
        return "a key, or part of one: masks in common with the sender"
    if "public" in why:
        return "public anyway"
    if name in ("open", "to_client"):
        return "the opened value, and no more"
    if too_many:
        return "these parties may know the mask, and what is below it"
    bits = np.unpackbits(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    share = f"{100 * bits.mean():.0f} % of its bits are 1" if bits.size else "it is empty"
    return f"nothing without the mask ({share})"


def reason() -> str:
    """What stands beside the send that is being made: a comment in a function on the way to it."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.endswith((".protocols.evaluator", ".protocols.simulation")):
            break
        if not module.startswith("mpyc_core.transport"):
            found = _nearest(frame)
            if found and not ABOVE.search(found):
                return found
        frame = frame.f_back
    return ""


def _nearest(frame: FrameType) -> str:
    comments = _comments(frame.f_code)
    return min(comments, key=lambda c: abs(c[0] - frame.f_lineno))[1] if comments else ""


@lru_cache(maxsize=4096)
def _comments(code: CodeType) -> tuple[tuple[int, str], ...]:
    """Comments of a function that speak of masks, by line."""
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError):
        return ()
    found = ((first + i, COMMENT.search(line)) for i, line in enumerate(lines))
    return tuple((at, m.group(1)) for at, m in found if m and REASON.search(m.group(1)))
