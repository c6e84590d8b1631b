"""Measures every protocol on three models and writes docs/protocols-table.md.

Run by hand: python docs/protocols_table.py > docs/protocols-table.md
All parties play in one process (`mpc.simulate`), so that rounds and bytes are exact and times are
those of all parties together, without a network. `--images`, `--steps` and `--epochs` set how much
is run; the page says what was.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import mpyc_core as mpc
from mpyc_core.examples import mnist, tumour
from mpyc_core.ml.losses import CrossEntropy
from mpyc_core.ml.optim import SGD
from mpyc_core.ml.plaintext import fit as plain_fit
from mpyc_core.ml.training import fit
from mpyc_core.protocols.choice import default_ring
from mpyc_core.protocols.registry import get_protocol, protocols

HEADER = """# Protocols side by side

Made by `python docs/protocols_table.py`; a test checks that every protocol is in it. All parties
play in one process: rounds and bytes are those of the protocol, exactly; seconds are those of all
parties together on one machine, without a network, and only their ratios say something, the
less the busier the machine. Titles say how much was run; the demos run more by default. The images
are synthetic, of MNIST's shape; `python -m mpyc_core demo mnist --protocol ...` takes the real files.
The committed tables come from two runs of the script on a busy machine.
"""
COLUMNS = "| protocol | parties | seconds | rounds | MB per party | MB from the dealer | result |"


def secure() -> list[str]:
    """Every protocol that comes with the library and keeps secrets."""
    return [name for name in protocols() if name != "plain"]


def parties(name: str) -> int:
    """Three, or what the protocol can."""
    return next(n for n in (3, 2, 4, 5) if get_protocol(name).supports(n))


def simulation(name: str) -> mpc.Simulation:
    """A session of that protocol over its own ring."""
    cls = get_protocol(name)
    return mpc.simulate(parties(name), protocol=name, ring=default_ring(cls))


def row(name: str, s: mpc.Simulation, start: float, result: str) -> str:
    """One line of a table."""
    cost, seconds = s.cost(), time.perf_counter() - start
    sent = max(cost["bytes"].values()) / 1e6
    dealt = f"{cost['dealt'] / 1e6:,.2f}" if s.providers else "none"
    n = len(s.names)
    return (
        f"| {name} | {n} | {seconds:.1f} | {cost['rounds']:,} | {sent:,.2f} | {dealt} | {result} |"
    )


def train_tumours(name: str, epochs: int) -> str:
    """The tumour demo's training and test, on standardised rows."""
    (rows, labels), (tests, answers) = tumour.pooled(False), tumour.pooled(True)
    mean, deviation = rows.mean(0), rows.std(0)
    plain = tumour.plaintext(epochs=epochs)["accuracy"]
    with simulation(name) as s:
        start = time.perf_counter()
        model = tumour.network("mlp").share(s, public=True)
        x, y = s.share((rows - mean) / deviation), s.share(labels[:, None])
        fit(
            model,
            x,
            y,
            loss=tumour.BCEWithLogits(),
            optimiser=SGD(model.parameters(), lr=tumour.LEARNING_RATE, momentum=tumour.MOMENTUM),
            epochs=epochs,
            batch_size=tumour.BATCH_SIZE,
            rng=np.random.default_rng(tumour.ORDER_SEED),
        )
        benign = (model(s.share((tests - mean) / deviation)) > 0).reveal()
        found = 100 * float(np.mean(benign[:, 0] == answers))
        return row(name, s, start, f"{found:.1f} % right, plaintext {plain:.1f} %")


def pictures(count: int) -> tuple[Any, Any]:
    """Images of 784 numbers with labels that a network can learn; costs do not depend on them."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 10, count)
    shapes = rng.random((10, 784)) < 0.2
    return np.clip(shapes[labels] * 0.8 + rng.random((count, 784)) * 0.2, 0, 1), labels


def infer(name: str, images: int) -> str:
    """784-128-128-10, ReLU: labels of images."""
    x, _ = pictures(images)
    model = mnist.network()
    expected = mnist.fixed_point_labels(model, x)
    with simulation(name) as s:
        start = time.perf_counter()
        found = mnist.classify(model.share(s), s.share(x)).reveal()
        same = 100 * float(np.mean(found == expected))
        return row(name, s, start, f"{same:.1f} % of labels as in fixed-point plaintext")


def train(name: str, steps: int, batch: int) -> str:
    """The same network: steps of SGD, whose loss is compared with that of plaintext."""
    x, labels = pictures(steps * batch)
    y = np.eye(10)[labels]
    options = {"epochs": 1, "batch_size": batch}
    twin = mnist.network()
    losses: list[float] = []
    plain_fit(twin, x, y, loss=CrossEntropy(), lr=0.1, rng=np.random.default_rng(3), **options)
    with simulation(name) as s:
        start = time.perf_counter()
        model = mnist.network().share(s, public=True)
        fit(
            model,
            s.share(x),
            s.share(y),
            loss=CrossEntropy(),
            optimiser=SGD(model.parameters(), lr=0.1),
            rng=np.random.default_rng(3),
            reveal_loss=True,
            progress=lambda step, total, loss: losses.append(float(loss or 0)),
            **options,
        )
        mine = {k: np.asarray(v.reveal()) for k, v in model.state_dict().items()}
        other = mnist.network()
        other.load_state_dict(mine)
        apart = 100 * abs(loss_of(other, x, y) / loss_of(twin, x, y) - 1)
        return row(
            name, s, start, f"loss {losses[-1]:.3f} at the end; {apart:.2f} % from plaintext"
        )


def loss_of(model: Any, x: Any, y: Any) -> float:
    """Mean cross-entropy of a plaintext model."""
    scores = np.asarray(model(x))
    scores = scores - scores.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(scores).sum(1)) - (scores * y).sum(1)))


def main() -> None:
    """Print the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=1000)
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--epochs", type=int, default=10)
    options.add_argument("--protocols", nargs="*", default=secure())
    o = options.parse_args()
    few = min(o.images, 100)
    for name in o.protocols:  # kernels compile before the clock starts
        infer(name, 4)
        train(name, 1, 4)
    print(HEADER)
    tables = (
        (f"Tumour classifier, {o.epochs} epoch(s)", lambda p: train_tumours(p, o.epochs)),
        (
            f"784-128-128-10, labels of {o.images} images ({few} under shamir)",
            lambda p: infer(p, few if p == "shamir" else o.images),
        ),
        (
            f"The same network, {o.steps} training steps of {o.batch} images",
            lambda p: train(p, o.steps, o.batch),
        ),
    )
    for title, measure in tables:
        print(f"## {title}\n\n{COLUMNS}\n|---|---|---|---|---|---|---|", flush=True)
        for name in o.protocols:
            print(measure(name), flush=True)
        print()


if __name__ == "__main__":
    main()
