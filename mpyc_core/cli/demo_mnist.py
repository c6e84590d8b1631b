"""The MNIST demo: encrypted inference of a network trained in plaintext, and encrypted training."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mpyc_core.examples import mnist

from .demo import Figures, Setting
from .local import run_program
from .progress import progress_bar

PLACE = "mpyc_core.examples.mnist"
AGREEMENT, POINTS_LOST = 99.9, 0.1
"""Inference: percent of labels equal to the fixed-point model's, and accuracy it may lose."""
TRAINED, POINTS_APART = 94.0, 1.0
"""A whole epoch: accuracy after it, and how far from plaintext it may be."""
LOSS_APART = 1.0
"""Some steps: percent that no loss may be further from that of plaintext."""

Results = dict[str, dict[str, Any]]


def find(data: Path | None) -> Path:
    """The folder with the files, or ConfigError saying what to put where."""
    folder = data or Path("data/mnist")
    for what in mnist.FILES:
        mnist.find_file(folder, what)
    return folder


def show(data: Path, setting: Setting, images: int, steps: int | None) -> dict[str, Figures]:
    """Run both parts, compare with plaintext, and print a table."""
    console = Console()
    console.print("training the model in plaintext, two epochs")
    model, _ = mnist.plaintext(data, epochs=2)
    parts = {
        "inference": _inference(data, setting, model, images),
        "training": _training(data, setting, images, steps),
    }
    console.print(_table(parts, setting))
    for name, part in parts.items():
        if not part["holds"]:
            console.print(f"[bold red]The encrypted {name} falls short of what this demo promises.")
    return parts


def _inference(data: Path, setting: Setting, model: Any, images: int) -> Figures:
    """Encrypted labels of test images, beside those of plaintext in float64 and fixed point."""
    answers = mnist.labels_of(data, "test")[:images]
    tests = mnist.images_of(data, "test")[:images]
    with tempfile.TemporaryDirectory() as temporary:
        weights = Path(temporary) / "weights.npz"
        mnist.save_weights(model, weights)
        args = {"data": str(data.resolve()), "weights": str(weights), "count": images}
        title = f"encrypted inference of {images} images, labels opened to the images' owner"
        results = _run("infer", setting, args, title, "image")
    labels = _of_owner(results)["labels"]
    plain = _percent(mnist.plain_labels(model, tests), answers)
    found = _percent(labels, answers)
    agree = _percent(labels, mnist.fixed_point_labels(model, tests))
    result = f"{found:.2f} % right, plaintext {plain:.2f} %; {agree:.2f} % as in fixed point"
    return _figures(results, result, agree >= AGREEMENT and found >= plain - POINTS_LOST)


def _training(data: Path, setting: Setting, images: int, steps: int | None) -> Figures:
    """Encrypted training beside the same in float64: by its losses, or by accuracy at its end."""
    args = {"data": str(data.resolve()), "steps": steps, "count": images}
    opened = "nothing is opened" if steps is None else "the loss of every step is opened"
    results = _run("learn", setting, args, f"encrypted training, {opened}", "step")
    twin, losses = mnist.plaintext(data, epochs=1, steps=steps)
    if steps is not None:
        mine = np.array(_of_owner(results)["losses"])
        apart = 100 * float(np.max(np.abs(mine / losses - 1)))
        result = f"loss {losses[0]:.3f} to {mine[-1]:.3f}, never more than {apart:.2f} % off"
        return _figures(results, result, apart <= LOSS_APART)
    answers = mnist.labels_of(data, "test")[:images]
    plain = _percent(mnist.plain_labels(twin, mnist.images_of(data, "test")[:images]), answers)
    found = _percent(_of_owner(results)["labels"], answers)
    result = f"{found:.2f} % right, plaintext {plain:.2f} %"
    return _figures(results, result, found >= TRAINED and abs(found - plain) <= POINTS_APART)


def _run(program: str, setting: Setting, args: dict[str, Any], title: str, unit: str) -> Results:
    with progress_bar(title, unit) as bar:
        return run_program(
            f"{PLACE}:{program}",
            mnist.PARTIES[: setting.parties],
            args=args,
            on_report=lambda name, facts: bar(**facts),
            **setting.options(),
        )


def _of_owner(results: Results) -> dict[str, Any]:
    """What the images' owner got."""
    return results[mnist.PARTIES[1]]


def _percent(found: Any, wanted: Any) -> float:
    return 100 * float(np.mean(np.asarray(found) == np.asarray(wanted)))


def _figures(results: Results, result: str, holds: bool) -> Figures:
    first = next(iter(results.values()))
    return {
        "seconds": first["seconds"],
        "rounds": first["rounds"],
        "sent": [r["bytes"] for r in results.values()],
        "dealt": sum(r["dealt"] for r in results.values()),
        "result": result,
        "holds": holds,
    }


def _table(parts: dict[str, Figures], setting: Setting) -> Table:
    among = f"{setting.protocol}, {setting.parties} parties"
    table = Table(title=f"784-128-128-10, ReLU, on MNIST ({among})")
    for column in ("", *parts):
        table.add_column(column, justify="left" if not column else "right")

    def add(what: str, cells: Iterable[str]) -> None:
        table.add_row(what, *cells)

    add("result", (p["result"].replace("; ", "\n").replace(", ", "\n") for p in parts.values()))
    add("time", (f"{p['seconds']:.1f} s" for p in parts.values()))
    add("rounds", (f"{p['rounds']:,}" for p in parts.values()))
    sent = (" / ".join(f"{b / 1e6:,.0f}" for b in p["sent"]) for p in parts.values())
    add("MB sent by each party", sent)
    if setting.provider is not None:
        add(f"MB from {setting.provider}", (f"{p['dealt'] / 1e6:,.0f}" for p in parts.values()))
    return table
