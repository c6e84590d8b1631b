"""`Table`: rows with named columns for people: text, HTML in notebooks, pandas where there is."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import import_module
from typing import Any

WIDEST = 60


class Table:
    """A small table of text.

    Parameters
    ----------
    columns : their names.
    rows : one cell for each column.
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self.columns = tuple(columns)
        self.rows = [tuple(str(cell) for cell in row) for row in rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        numbers = ["", *map(str, range(len(self.rows)))]
        lines = [
            (number, *(_one_line(cell) for cell in row))
            for number, row in zip(numbers, [self.columns, *self.rows], strict=True)
        ]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns) + 1)]
        text = ("  ".join(c.ljust(w) for c, w in zip(x, widths, strict=True)) for x in lines)
        return "\n".join(line.rstrip() for line in text)

    def _repr_html_(self) -> str:
        """Cells come from other people: nothing in them is markup."""
        head = "".join(f"<th>{escape(c)}</th>" for c in ("", *self.columns))
        body = "".join(
            f"<tr><th>{i}</th>{''.join(f'<td>{escape(c)}</td>' for c in row)}</tr>"
            for i, row in enumerate(self.rows)
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    @property
    def pandas(self) -> Any:
        """A pandas.DataFrame where pandas is installed, otherwise this table."""
        try:
            frames = import_module("pandas")
        except ImportError:
            return self
        return frames.DataFrame(self.rows, columns=list(self.columns))


def _one_line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= WIDEST else f"{flat[: WIDEST - 1]}…"
