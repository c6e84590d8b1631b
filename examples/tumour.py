"""Three hospitals train one tumour classifier on data none of them may show.

Each hospital has its part of the Wisconsin breast-cancer data (569 tumours, 30 measurements; it
comes with scikit-learn). Together they
    1. standardise: means and variances are computed on shares and opened, nothing else,
    2. share their rows, train by encrypted mini-batch SGD, and keep the weights shared,
    3. predict the test rows; only hospital 0 learns the predictions and how many are right.

Run all three here          python -m mpyc_core demo tumour
With another protocol       python -m mpyc_core demo tumour --protocol additive --parties 2
One hospital per machine    python -m mpyc_core party --name may-clinic --config cluster.toml \
                                examples/tumour.py
From a notebook             each hospital adds --serve; then
                            train(mpc.session(connect="cluster.toml"))

`train` is written once: `context` is a `Party` in a program and a `Session` in a notebook.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpyc_core.errors import EncodingError
from mpyc_core.ml.layers import Linear, Module, ReLU, Sequential
from mpyc_core.ml.losses import BCEWithLogits
from mpyc_core.ml.optim import SGD
from mpyc_core.ml.plaintext import fit as plain_fit
from mpyc_core.ml.training import fit

NAMES = ("may-clinic", "st-thomas", "charite", "karolinska", "hotel-dieu", "hygeia", "soroka")
HOSPITALS = NAMES[:3]
SPLIT_SEED, INIT_SEED, ORDER_SEED = 0, 2, 3
"""Public seeds: which rows belong to whom, the first weights, the order of batches."""
BATCH_SIZE, LEARNING_RATE, MOMENTUM = 32, 0.05, 0.9
SUM_BITS = 32
"""Fraction bits of sums and sums of squares."""
LEAST_VARIANCE = 2**10
"""A variance below this many units in the last place says too little about its column."""

Progress = Callable[[int, int, float | None], None]
Array = NDArray[np.float64]
Arrays = tuple[Array, Array]


class Column(NamedTuple):
    """A column of the public schema: its name, and a power of ten that brings it near 1."""

    name: str
    unit: float


MEASUREMENTS = {
    "radius": (10.0, 1.0, 10.0),
    "texture": (10.0, 1.0, 10.0),
    "perimeter": (100.0, 1.0, 100.0),
    "area": (1000.0, 100.0, 1000.0),
    "smoothness": (0.1, 0.01, 0.1),
    "compactness": (0.1, 0.01, 0.1),
    "concavity": (0.1, 0.1, 0.1),
    "concave points": (0.1, 0.01, 0.1),
    "symmetry": (0.1, 0.01, 0.1),
    "fractal dimension": (0.1, 0.01, 0.1),
}
SCHEMA = [
    Column(f"{kind} {name}", units[i])
    for i, kind in enumerate(("mean", "error of", "worst"))
    for name, units in MEASUREMENTS.items()
]
UNITS = np.array([column.unit for column in SCHEMA])


def hospital_rows(index: int, test: bool, count: int = len(HOSPITALS)) -> Arrays:
    """(rows, labels) of one hospital of `count`: every third patient where there are three.

    A fifth of them is held out for the test.

    Labels are 1 for benign tumours and 0 for malignant ones.
    """
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(data.target))[index::count]
    held_out = len(order) // 5
    chosen = order[:held_out] if test else order[held_out:]
    return data.data[chosen], data.target[chosen].astype(float)


def offer(party: Any) -> None:
    """What this hospital brings: sums of its columns, and its rows in public units."""
    index, count = party.index(party.name), len(party.names)
    rows, labels = hospital_rows(index, False, count)
    scaled = rows / UNITS
    party.offer("sums", np.stack([scaled.sum(0), (scaled**2).sum(0)]), f=SUM_BITS)
    party.offer("rows", scaled)
    party.offer("labels", labels[:, None])
    rows, labels = hospital_rows(index, True, count)
    party.offer("test rows", rows / UNITS)
    party.offer("test labels", labels.astype(int)[:, None])
    party.on_open = Allowance()


class Allowance:
    """The hospitals' policy in served sessions: what a driver may have opened, and how often.

    Two vectors of column statistics, one number per batch (the loss) and bits go out; tables never
    do. It trusts an authenticated driver to ask for what `train` asks: a quota bounds what another
    one could learn, it does not tell a mean from a row.
    """

    def __init__(self) -> None:
        self.vectors, self.numbers = 2, 2000

    def __call__(self, meta: Any, to: str) -> bool:
        if meta.kind == "bit":
            return True
        if meta.size == 1 and self.numbers:
            self.numbers -= 1
            return True
        if meta.shape == (len(SCHEMA),) and self.vectors:
            self.vectors -= 1
            return True
        return False


def together(context: Any, name: str, width: int) -> Any:
    """All hospitals' arrays of one name, one below the other."""
    parts = [context.input(name, owner=owner, shape=(None, width)) for owner in context.names]
    return np.concatenate(parts)


def statistics(context: Any, count: int) -> Arrays:
    """(mean, standard deviation) of every column in its unit, from shared sums.

    Opened: 30 means and 30 variances (the roots are taken in public). The number of rows is public.

    Raises
    ------
    EncodingError : a column hardly varies in its unit; choose a smaller one.
    """
    sums = sum(context.input("sums", owner=owner, shape=(2, 30)) for owner in context.names)
    total = sums[0].reveal(why="column means, times the public number of rows")
    mean = total / count
    rest = (sums[1] - total * mean).reveal(why="column variances, times the number of rows")
    variance = rest / count
    for column, value in zip(SCHEMA, variance, strict=True):
        if value * 2**SUM_BITS < LEAST_VARIANCE:
            raise EncodingError(
                f"column {column.name!r} has variance {value:.3g} in units of {column.unit:g}, "
                f"below {LEAST_VARIANCE} units in the last place; give it a smaller unit in SCHEMA"
            )
    return mean, np.sqrt(variance)


def network(model: str) -> Module:
    """The classifier, with public first weights."""
    rng = np.random.default_rng(INIT_SEED)
    if model == "logistic":
        return Sequential(Linear(30, 1, rng=rng))
    return Sequential(Linear(30, 16, rng=rng), ReLU(), Linear(16, 1, rng=rng))


def train(
    context: Any,
    model: str = "mlp",
    epochs: int = 10,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = LEARNING_RATE,
    reveal_loss: bool = True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Standardise, train and test on the shared data of all hospitals.

    Parameters
    ----------
    context : a `Party`, or a `Session` with servers that ran `offer`.
    reveal_loss : open the loss after every batch, to watch the training; a choice of the demo.
    """
    start = time.perf_counter()
    rows, labels = together(context, "rows", 30), together(context, "labels", 1)
    mean, deviation = statistics(context, len(rows))
    classifier = network(model).share(context, public=True)
    fit(
        classifier,
        (rows - mean) * (1 / deviation),
        labels,
        loss=BCEWithLogits(),
        optimiser=SGD(classifier.parameters(), lr=learning_rate, momentum=MOMENTUM),
        epochs=epochs,
        batch_size=batch_size,
        rng=np.random.default_rng(ORDER_SEED),
        reveal_loss=reveal_loss,
        progress=progress,
    )
    tests = (together(context, "test rows", 30) - mean) * (1 / deviation)
    benign = classifier(tests) > 0
    right = (benign.to_number() == together(context, "test labels", 1)).to_number().sum()
    first = context.names[0]
    predictions = benign.reveal(to=first, why="predictions on the test rows")
    correct = right.reveal(to=first, why="how many predictions are right")
    return {
        "mean": mean,
        "deviation": deviation,
        "train rows": rows.shape[0],
        "test rows": tests.shape[0],
        "predictions": predictions,
        "correct": None if correct is None else int(correct),
        "seconds": time.perf_counter() - start,
        "cost": context.cost(),
        "openings": [list(vars(entry).values()) for entry in context.openings()],
    }


def plaintext(
    model: str = "mlp", epochs: int = 10, count: int = len(HOSPITALS), **options: Any
) -> dict[str, Any]:
    """The same training on pooled data in float64: what the demo compares with.

    Returns accuracy in percent, seconds, and the predictions in the same order of rows.
    """
    start = time.perf_counter()
    (rows, labels), (tests, answers) = pooled(False, count), pooled(True, count)
    mean, deviation = rows.mean(0), rows.std(0)
    classifier = network(model)
    plain_fit(
        classifier,
        (rows - mean) / deviation,
        labels[:, None],
        loss=BCEWithLogits(),
        lr=options.get("learning_rate", LEARNING_RATE),
        momentum=MOMENTUM,
        epochs=epochs,
        batch_size=options.get("batch_size", BATCH_SIZE),
        rng=np.random.default_rng(ORDER_SEED),
    )
    predictions = classifier((tests - mean) / deviation) > 0
    return {
        "accuracy": 100 * float(np.mean(predictions[:, 0] == answers)),
        "seconds": time.perf_counter() - start,
        "predictions": predictions,
    }


def pooled(test: bool, count: int = len(HOSPITALS)) -> Arrays:
    """All hospitals' rows in one place: for the comparison only."""
    parts = [hospital_rows(i, test, count) for i in range(count)]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def statistics_error(mean: Array, deviation: Array, count: int = len(HOSPITALS)) -> float:
    """Largest relative error of the opened statistics, over all columns."""
    rows = pooled(False, count)[0] / UNITS
    return float(
        max(np.max(np.abs(mean / rows.mean(0) - 1)), np.max(np.abs(deviation / rows.std(0) - 1)))
    )


def main(party: Any, **options: Any) -> dict[str, Any]:
    """The program of one hospital: offer its data, then train with the others."""
    offer(party)

    def progress(step: int, total: int, loss: float | None) -> None:
        party.tell(step=step, total=total, loss=loss)

    return train(party, progress=progress if party.me == 0 else None, **options)
