"""The tumour demo: encrypted training of three hospitals beside the same training in plaintext."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console
from rich.table import Table

from mpyc_core.examples import tumour

from .demo import Figures, Setting
from .local import run_program
from .progress import progress_bar

COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven")
PROGRAM = "mpyc_core.examples.tumour:main"
POINTS, LEAST = 1.0, 95.0
"""Accuracy: within so many points of plaintext, and at least so many percent."""


def show(setting: Setting, model: str, epochs: int) -> Figures:
    """Train, compare, and say what was opened to whom."""
    console = Console()
    hospitals = tumour.NAMES[: setting.parties]
    _explain(console, setting)
    args = {"model": model, "epochs": epochs}
    with progress_bar("encrypted training") as bar:
        results = run_program(
            PROGRAM,
            hospitals,
            args=args,
            on_report=lambda name, facts: bar(**facts),
            **setting.options(),
        )
    first = results[hospitals[0]]
    plain = tumour.plaintext(model=model, epochs=epochs, count=setting.parties)
    encrypted = 100 * first["correct"] / first["test rows"]
    console.print(_comparison(results, plain, encrypted, setting))
    console.print(_openings(first["openings"]))
    off = tumour.statistics_error(first["mean"], first["deviation"], setting.parties)
    console.print(f"Column statistics agree with plaintext within {100 * off:.3f} %.")
    good = abs(encrypted - plain["accuracy"]) <= POINTS and encrypted >= LEAST and off <= 0.01
    if not good:
        console.print("[bold red]The encrypted run falls short of what this demo promises.")
    costs = [result["cost"] for result in results.values()]
    return {
        "seconds": first["seconds"],
        "rounds": first["cost"]["rounds"],
        "sent": [cost["bytes"] for cost in costs],
        "dealt": sum(cost["dealt"] for cost in costs),
        "result": f"{encrypted:.1f} % right, plaintext {plain['accuracy']:.1f} %",
        "holds": good,
    }


def _explain(console: Console, setting: Setting) -> None:
    count = COUNTS[setting.parties]
    console.print(
        f"{count.capitalize()} hospitals, {count} processes on this machine, one classifier. "
        "Nobody sees another's rows, activations or gradients, and the weights stay shared.\n"
        "The loss is opened after every batch because this demo asks for it."
    )
    if setting.provider is not None:
        console.print(
            f"The crypto provider {setting.provider}, one more process, deals correlated "
            "randomness. It holds no share and sees no data."
        )
    table = Table(title="public schema: every column and its unit", show_header=False)
    for i in range(10):
        row = [tumour.SCHEMA[i + j] for j in (0, 10, 20)]
        table.add_row(*(text for c in row for text in (c.name, f"{c.unit:g}")))
    console.print(table)


def _comparison(
    results: dict[str, Any], plain: dict[str, Any], encrypted: float, setting: Setting
) -> Table:
    first = next(iter(results.values()))
    table = Table(title=f"same first weights, same batches ({setting.protocol})")
    for column in ("", "encrypted", "plaintext"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row("accuracy on the test rows", f"{encrypted:.1f} %", f"{plain['accuracy']:.1f} %")
    table.add_row("time", f"{first['seconds']:.1f} s", f"{plain['seconds']:.2f} s")
    table.add_row("rounds", f"{first['cost']['rounds']:,}", "")
    for name, result in results.items():
        table.add_row(f"sent by {name}", f"{result['cost']['bytes'] / 1e6:.1f} MB", "")
    if setting.provider is not None:
        dealt = sum(result["cost"]["dealt"] for result in results.values())
        table.add_row(f"dealt by {setting.provider}", f"{dealt / 1e6:.1f} MB", "")
    return table


def _openings(entries: list[list[str]]) -> Table:
    table = Table(title="everything that was opened")
    for column in ("why", "what", "to", "times"):
        table.add_column(column)
    counts = Counter((why, what, to) for what, to, why, _ in entries)
    for (why, what, to), times in counts.items():
        table.add_row(why, what, to, str(times))
    return table
