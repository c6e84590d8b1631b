"""The MNIST demo: encrypted inference of a network trained in plaintext, and encrypted training."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mpyc_core.examples import mnist

from .demo import Setting
from .local import run_program
from .progress import training_bar

PLACE = "mpyc_core.examples.mnist"
AGREEMENT, POINTS_LOST = 99.9, 0.1
"""Inference: percent of labels equal to the fixed-point model's, and accuracy it may lose."""
TRAINED, POINTS_APART = 94.0, 1.0
"""Training: accuracy after an epoch, and how far from plaintext it may be."""


def find(data: Path | None) -> Path:
    """The folder with the files, or ConfigError saying what to put where."""
    folder = data or Path("data/mnist")
    for what in mnist.FILES:
        mnist.find_file(folder, what)
    return folder


def show(data: Path, setting: Setting, images: int, steps: int | None) -> int:
    """Run both parts, compare with plaintext, print a table; 0 when every claim holds."""
    console = Console()
    parties = mnist.PARTIES[: setting.parties]
    folder = str(data.resolve())
    answers = mnist.labels_of(data, "test")
    console.print("training the model in plaintext, two epochs")
    model = mnist.plaintext(data, epochs=2)
    float_labels = mnist.plain_labels(model, mnist.images_of(data, "test")[:images])
    fixed_labels = mnist.fixed_point_labels(model, mnist.images_of(data, "test")[:images])
    console.print(f"encrypted inference of {images} images, labels opened to the images' owner")
    with tempfile.TemporaryDirectory() as temporary:
        weights = Path(temporary) / "weights.npz"
        mnist.save_weights(model, weights)
        args = {"data": folder, "weights": str(weights), "count": images}
        inference = run_program(f"{PLACE}:infer", parties, args=args, **setting.options())
    args = {"data": folder, "steps": steps, "count": images}
    with training_bar("encrypted training, nothing is opened") as bar:
        training = run_program(
            f"{PLACE}:learn",
            parties,
            args=args,
            on_report=lambda name, facts: bar(**facts),
            **setting.options(),
        )
    twin = mnist.plaintext(data, epochs=1, steps=steps, rate=mnist.RATE)
    twin_labels = mnist.plain_labels(twin, mnist.images_of(data, "test")[:images])

    labels = inference[parties[1]]["labels"]
    trained = training[parties[1]]["labels"]
    figures = {
        "agreement": _percent(labels, fixed_labels),
        "inference": _percent(labels, answers[:images]),
        "plain inference": _percent(float_labels, answers[:images]),
        "training": _percent(trained, answers[:images]),
        "plain training": _percent(twin_labels, answers[:images]),
    }
    console.print(_table(figures, inference, training, setting))
    holds = (
        figures["agreement"] >= AGREEMENT
        and figures["inference"] >= figures["plain inference"] - POINTS_LOST
        and (steps is not None or figures["training"] >= TRAINED)
        and abs(figures["training"] - figures["plain training"]) <= POINTS_APART
    )
    if not holds:
        console.print("[bold red]The encrypted runs fall short of what this demo promises.")
    return 0 if holds else 1


def _percent(found: Any, wanted: Any) -> float:
    return 100 * float(np.mean(np.asarray(found) == np.asarray(wanted)))


def _table(figures: dict[str, float], inference: Any, training: Any, setting: Setting) -> Table:
    among = f"{setting.protocol}, {setting.parties} parties"
    table = Table(title=f"784-128-128-10, ReLU, on MNIST ({among})")
    for column in ("", "encrypted", "plaintext"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row(
        "inference: test accuracy",
        f"{figures['inference']:.2f} %",
        f"{figures['plain inference']:.2f} %",
    )
    table.add_row("inference: labels as in fixed-point plaintext", f"{figures['agreement']:.2f} %")
    table.add_row(
        "training: test accuracy after it",
        f"{figures['training']:.2f} %",
        f"{figures['plain training']:.2f} %",
    )
    for what, results in (("inference", inference), ("training", training)):
        first = next(iter(results.values()))
        sent = " / ".join(f"{r['bytes'] / 1e6:.0f}" for r in results.values())
        table.add_row(f"{what}: time", f"{first['seconds']:.1f} s")
        table.add_row(f"{what}: rounds", f"{first['rounds']:,}")
        table.add_row(f"{what}: MB sent by each party", sent)
        if setting.provider is not None:
            dealt = sum(r["dealt"] for r in results.values())
            table.add_row(f"{what}: MB from {setting.provider}", f"{dealt / 1e6:.0f}")
    return table
