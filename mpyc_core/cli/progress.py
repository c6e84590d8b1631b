"""Progress bars for long work: a moving bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[..., None]
LINES = 10
"""How many lines a bar becomes where there is no terminal."""


@contextmanager
def progress_bar(title: str, unit: str = "step") -> Iterator[Report]:
    """A bar to be called with step, total and, where it was opened, loss."""
    if not sys.stderr.isatty():
        yield _lines(title, unit)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(f"{{task.completed}}/{{task.total}} {unit}s{{task.fields[loss]}}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=None, loss="")

        def report(step: int, total: int, loss: float | None = None) -> None:
            shown = "" if loss is None else f", loss {loss:.3f}"
            progress.update(task, completed=step, total=total, loss=shown)

        yield report


def _lines(title: str, unit: str) -> Report:
    start = time.perf_counter()
    print(title, file=sys.stderr, flush=True)

    def report(step: int, total: int, loss: float | None = None) -> None:
        if step % max(1, total // LINES) and step != total:
            return
        shown = "" if loss is None else f"  loss {loss:.3f}"
        seconds = time.perf_counter() - start
        line = f"  {unit} {step:4d} of {total}{shown}  {seconds:.1f} s"
        print(line, file=sys.stderr, flush=True)

    return report
