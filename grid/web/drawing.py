"""Computations as pictures: boxes in layers, inputs above what is made of them, as plain numbers.

A step stands one layer below its lowest input, an input right above what needs it first; within a
layer boxes are ordered by where their inputs stand, and layers are centred. The template writes the
picture as SVG, and escapes the text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

LINE = re.compile(r"(v\d+) = (.*)  # (\w+ \(.*\))")
NAME = re.compile(r"v\d+")
WIDTH, HEIGHT, ACROSS, DOWN, EDGE = 190, 46, 24, 40, 12
LONGEST = 26
MAX_BOXES = 120


@dataclass(frozen=True)
class Box:
    """One step of a computation.

    Parameters
    ----------
    label, about : what it does; its type and shape.
    kind : "leaf" or "step" or "result".
    x, y : the upper left corner.
    """

    label: str
    about: str
    kind: str
    x: int
    y: int


@dataclass(frozen=True)
class Picture:
    """Boxes, and lines (x1, y1, x2, y2) between them; `skipped` steps are not drawn."""

    boxes: tuple[Box, ...]
    lines: tuple[tuple[int, int, int, int], ...]
    width: int
    height: int
    skipped: int


def draw(computation: str) -> Picture:
    """The picture of a computation as `graph.describe` writes it."""
    steps = [m.groups() for m in map(LINE.fullmatch, computation.split("\n")) if m]
    skipped = max(0, len(steps) - MAX_BOXES)
    layers: dict[str, int] = {}
    below: dict[str, list[str]] = {}
    texts: dict[str, tuple[str, str]] = {}
    for name, text, about in steps[skipped:]:
        op, mark, rest = text.partition("(")
        is_step = bool(mark) and op.replace("_", "").replace(" ", "").isalnum() and "'" not in op
        below[name] = [v for v in NAME.findall(rest) if v in layers] if is_step else []
        layers[name] = 1 + max((layers[v] for v in below[name]), default=-1)
        texts[name] = (_label(op, rest, is_step) if is_step else _short(text), about)
    for name in [n for n, inputs in below.items() if not inputs]:
        layers[name] = max(0, min((layers[n] - 1 for n in below if name in below[n]), default=0))
    return _place(layers, below, texts, skipped)


def _label(op: str, rest: str, is_step: bool) -> str:
    """An operation with its parameters, without the operands, which the lines show."""
    given = [p for p in rest.removesuffix(")").split(", ") if not NAME.fullmatch(p)]
    shown = ", ".join(p for p in given if not p.endswith(("=None", "=False")))
    return _short(f"{op} {shown}".strip())


def _middle(places: list[int]) -> float:
    """Where what is made of these belongs; inputs come last."""
    return sum(places) / len(places) if places else math.inf


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _place(
    layers: dict[str, int],
    below: dict[str, list[str]],
    texts: dict[str, tuple[str, str]],
    skipped: int,
) -> Picture:
    rows: dict[int, list[str]] = {}
    for name, layer in layers.items():
        rows.setdefault(layer, []).append(name)
    place: dict[str, tuple[int, int]] = {}
    widest = max((len(row) for row in rows.values()), default=0)
    for layer in sorted(rows):
        rows[layer].sort(key=lambda n: _middle([place[v][0] for v in below[n]]))
        start = EDGE + (widest - len(rows[layer])) * (WIDTH + ACROSS) // 2
        for i, name in enumerate(rows[layer]):
            place[name] = (start + i * (WIDTH + ACROSS), EDGE + layer * (HEIGHT + DOWN))
    used = {v for names in below.values() for v in names}
    boxes = [
        Box(
            *texts[name],
            "result" if name not in used else "step" if below[name] else "leaf",
            *place[name],
        )
        for name in layers
    ]
    lines = [
        (
            place[v][0] + WIDTH // 2,
            place[v][1] + HEIGHT,
            place[name][0] + WIDTH // 2,
            place[name][1],
        )
        for name in layers
        for v in dict.fromkeys(below[name])
    ]
    return Picture(
        tuple(boxes),
        tuple(lines),
        2 * EDGE + max(0, widest * (WIDTH + ACROSS) - ACROSS),
        2 * EDGE + max(0, len(rows) * (HEIGHT + DOWN) - DOWN),
        skipped,
    )
