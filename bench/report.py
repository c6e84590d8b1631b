"""Rows of measurements, as a table, JSON, CSV or LaTeX."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

LATEX = str.maketrans({"^": r"\^{}", "%": r"\%", "_": r"\_", "<": "$<$"})
"""Characters of names that LaTeX would take as commands, or print as others."""


@dataclass(frozen=True)
class Row:
    """One measurement.

    Parameters
    ----------
    name : what was done.
    figure, unit : the result.
    limit : what the hardware allows in the same unit; None where no limit was measured.
    limit_is : what that limit is.
    rounds : communication rounds; None for local work.
    sent : payload bytes that each party sent.
    runs : timed runs behind the figure, a median.
    dealt : payload bytes that a dealer sent to all parties.
    """

    name: str
    figure: float
    unit: str
    limit: float | None = None
    limit_is: str = ""
    rounds: int | None = None
    sent: tuple[int, ...] = ()
    runs: int = 1
    dealt: int = 0

    @property
    def ratio(self) -> float | None:
        """How much of the limit is reached: 1 is all of it."""
        if self.limit is None:
            return None
        slow = self.unit.endswith("s") and not self.unit.endswith("/s")
        return self.limit / self.figure if slow else self.figure / self.limit


def machine() -> dict[str, Any]:
    """Where the rows were measured."""
    import numpy as np

    from mpyc_core import __version__
    from mpyc_core.parallel import cores

    model = ""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else ""
    return {
        "cpu": model or platform.processor(),
        "cores": cores(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "mpyc-core": __version__,
    }


def show(title: str, rows: Sequence[Row]) -> None:
    """Print a table."""
    table = Table(title=title)
    for column in (
        "",
        "figure",
        "limit",
        "of it",
        "rounds",
        "MB sent by each party",
        "dealt",
        "runs",
    ):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    for row in rows:
        limit = "" if row.limit is None else f"{row.limit:.4g} {row.limit_is}"
        sent = " / ".join(f"{b / 1e6:.3g}" for b in row.sent)
        table.add_row(
            row.name,
            f"{row.figure:.4g} {row.unit}",
            limit,
            "" if row.ratio is None else f"{100 * row.ratio:.0f} %",
            "" if row.rounds is None else str(row.rounds),
            sent,
            f"{row.dealt / 1e6:.3g}" if row.dealt else "",
            str(row.runs),
        )
    _print(table)


def show_versus(peer: str, note: str, ours: Sequence[Row], theirs: Mapping[str, float]) -> None:
    """Print our rows beside the seconds of a peer, and by how much we are faster or slower."""
    table = Table(title=note)
    for column in ("", "ours", peer, "ours is"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    for row in ours:
        if row.name in theirs:
            other = 1e3 * theirs[row.name]
            table.add_row(
                row.name, f"{row.figure:.4g} ms", f"{other:.4g} ms", _faster(row.figure, other)
            )
    _print(table)


def _faster(ours: float, theirs: float) -> str:
    """How two times compare, in words."""
    if ours <= theirs:
        return f"{theirs / ours:.3g} x faster"
    return f"{ours / theirs:.3g} x slower"


def _print(table: Table) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    console.print(table)


def write_json(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows and the machine."""
    data = {"machine": machine(), "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(data, indent=1) + "\n")


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows, one line each."""
    names = [field.name for field in fields(Row)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([getattr(row, name) for name in names] for row in rows)


def write_latex(path: Path, rows: Sequence[Row]) -> None:
    """Write a tabular for a paper."""
    lines = [r"\begin{tabular}{lrrr}", r"operation & figure & rounds & MB per party \\ \hline"]
    for row in rows:
        sent = f"{max(row.sent) / 1e6:.3g}" if row.sent else ""
        rounds = "" if row.rounds is None else str(row.rounds)
        name = row.name.translate(LATEX)
        lines.append(rf"{name} & {row.figure:.4g} {row.unit} & {rounds} & {sent} \\")
    path.write_text("\n".join([*lines, r"\end{tabular}", ""]))
