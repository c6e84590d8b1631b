"""Budgets over time: what was left after every release, read from the audit log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT, SIDE, MAX_BARS = 720, 150, 52, 48


@dataclass(frozen=True)
class Bar:
    """What was left of a budget at one time; x, y, width and height in the picture."""

    x: float
    y: float
    width: float
    height: float
    when: float
    left: float


@dataclass(frozen=True)
class Account:
    """A budget with its history.

    Parameters
    ----------
    budget, spent : epsilon.
    bars : oldest first, the last is now.
    """

    name: str
    budget: float
    spent: float
    bars: tuple[Bar, ...]

    width, height = WIDTH, HEIGHT

    @property
    def left(self) -> float:
        """What is left."""
        return max(0.0, self.budget - self.spent)

    @property
    def title(self) -> str:
        """The name for people."""
        return self.name.removeprefix("dataset:")

    @property
    def marks(self) -> list[tuple[float, str]]:
        """Lines across the picture: all, half and nothing of the budget."""
        return [(HEIGHT * (1 - part), f"{self.budget * part:.3g}") for part in (1.0, 0.5, 0.0)]


def accounts(
    limits: Mapping[str, tuple[float, float]], entries: Iterable[Mapping[str, Any]]
) -> list[Account]:
    """Every account with a budget.

    Parameters
    ----------
    limits : {account: (epsilon in all, epsilon spent)}, as they are now.
    entries : of the audit log, oldest first.
    """
    charges: dict[str, list[tuple[float, float]]] = {name: [] for name in limits}
    for entry in entries:
        for account, epsilon, _ in entry.get("charges", ()):
            if account in charges and epsilon > 0:
                charges[account].append((float(entry["time"]), float(epsilon)))
    return [_account(name, *limits[name], charges[name]) for name in sorted(limits)]


def _account(name: str, budget: float, spent: float, charges: list[tuple[float, float]]) -> Account:
    """Backwards from what is spent now, so that the last bar is true whatever the log says."""
    after, points = spent, []
    for when, epsilon in reversed(charges[-MAX_BARS:]):
        points.append((when, max(0.0, budget - after)))
        after -= epsilon
    points.reverse()
    if not points:
        points = [(0.0, max(0.0, budget - spent))]
    width = (WIDTH - SIDE) / max(12, len(points))
    highest = max(budget, 1e-12)
    bars = [
        Bar(
            SIDE + i * width,
            HEIGHT * (1 - left / highest),
            width * 0.8,
            HEIGHT * left / highest,
            when,
            left,
        )
        for i, (when, left) in enumerate(points)
    ]
    return Account(name, budget, spent, tuple(bars))
