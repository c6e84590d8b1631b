"""Marks the time in which a party computes, so that its peers are patient."""

from __future__ import annotations

from contextlib import AbstractContextManager


class Busy(AbstractContextManager[None]):
    """A context manager that may be entered again while it is entered."""

    def __init__(self) -> None:
        self.depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1

    def __bool__(self) -> bool:
        return self.depth > 0
