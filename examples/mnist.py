"""A 784-128-128-10 network on real handwritten digits: encrypted inference, encrypted training.

Inference   the model's owner shares weights, the images' owner shares images, a third party helps;
            labels are computed on shares and opened to the images' owner alone.
Training    the images' owner shares images and labels, weights start from public random numbers
            and stay shared; SGD on softmax cross-entropy, one epoch or some steps of it.
"""

from __future__ import annotations

import gzip
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mpyc_core as mpc
from mpyc_core.errors import ConfigError
from mpyc_core.ml.layers import Linear, Module, ReLU, Sequential
from mpyc_core.ml.losses import CrossEntropy
from mpyc_core.ml.optim import SGD
from mpyc_core.ml.plaintext import fit as plain_fit
from mpyc_core.ml.training import fit

PARTIES = ("model-owner", "image-owner", "helper", "helper2", "helper3", "helper4", "helper5")
"""The first two bring data; how many helpers there are is up to the protocol."""
SIZES = (784, 128, 128, 10)
INIT_SEED, ORDER_SEED = 2, 3
BATCH, RATE, CALM_RATE = 128, 0.3, 0.1
"""An epoch is quickest at the first rate. Its first steps magnify rounding errors a hundredfold, so
that losses compared step by step are those of the second."""
AT_ONCE = 250
"""Images that are classified together."""
FILES = {
    "train images": "train-images-idx3-ubyte",
    "train labels": "train-labels-idx1-ubyte",
    "test images": "t10k-images-idx3-ubyte",
    "test labels": "t10k-labels-idx1-ubyte",
}

Array = NDArray[Any]
Progress = Callable[[int, int, float | None], None]


def find_file(folder: Path, what: str) -> Path:
    """The file of one part of the data, gzipped or not.

    Raises
    ------
    ConfigError : it is not there; says what to put where.
    """
    name = FILES[what]
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise ConfigError(
        f"no {what} in {folder}: put the MNIST files {', '.join(FILES.values())} there, as IDX, "
        "gzipped (.gz) or not, and pass the folder as --data (or DATA= with make)"
    )


def read_idx(path: Path) -> Array:
    """An IDX file of bytes as an array.

    Raises
    ------
    ConfigError : the file is not IDX, or cut short.
    """
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if len(data) < 4 or data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise ConfigError(f"{path} is not an IDX file of bytes; download it again")
    shape = np.frombuffer(data, ">u4", data[3], 4).astype(int)
    body = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3])
    if body.size != shape.prod():
        raise ConfigError(f"{path} holds {body.size} bytes, its header says {shape.prod()}")
    return body.reshape(shape)


def images_of(folder: Path, part: str) -> Array:
    """Images as rows of 784 numbers in [0, 1]."""
    images = read_idx(find_file(folder, f"{part} images"))
    return images.reshape(len(images), -1) / 255.0


def labels_of(folder: Path, part: str) -> Array:
    """Labels 0 to 9."""
    return read_idx(find_file(folder, f"{part} labels")).astype(np.int64)


def network() -> Module:
    """The classifier, with public first weights."""
    rng = np.random.default_rng(INIT_SEED)
    layers: list[Module] = []
    for inputs, outputs in itertools.pairwise(SIZES):
        layers += [Linear(inputs, outputs, rng=rng), ReLU()]
    return Sequential(*layers[:-1])


def rate_of(steps: int | None) -> float:
    """The learning rate of an epoch, or of so many steps."""
    return RATE if steps is None else CALM_RATE


def training_data(folder: Path, steps: int | None = None) -> tuple[Array, Array]:
    """Images and one-hot labels for so many steps, or for an epoch."""
    images, labels = images_of(folder, "train"), labels_of(folder, "train")
    rows = slice(None if steps is None else steps * BATCH)
    return images[rows], np.eye(10)[labels[rows]]


def plaintext(folder: Path, epochs: int, steps: int | None = None) -> tuple[Module, list[float]]:
    """The same network trained in NumPy float64: for inference, and to compare with.

    Returns the model, and the loss of every step.
    """
    images, targets = training_data(folder, steps)
    model = network()
    losses = plain_fit(
        model,
        images,
        targets,
        loss=CrossEntropy(),
        lr=rate_of(steps),
        epochs=epochs,
        batch_size=BATCH,
        rng=np.random.default_rng(ORDER_SEED),
    )
    return model, losses


def save_weights(model: Module, path: Path) -> None:
    """Write a plaintext model's weights where its owner's party will read them."""
    arrays: dict[str, Any] = {name: np.asarray(w) for name, w in model.state_dict().items()}
    np.savez(path, allow_pickle=False, **arrays)


def plain_labels(model: Module, images: Array) -> Array:
    """Labels by the plaintext model in float64."""
    return np.argmax(model(images), axis=1)


def fixed_point_labels(model: Module, images: Array) -> Array:
    """Labels by the plaintext model in the numbers of the protocol: the fixed-point oracle."""
    with mpc.simulate(1, protocol="plain") as session:
        return np.asarray(classify(model.share(session), session.share(images)).reveal())


def classify(model: Module, images: Any, progress: Progress | None = None) -> Any:
    """Secret labels of secret images."""
    found = []
    for start in range(0, len(images), AT_ONCE):
        found.append(model(images[start : start + AT_ONCE]).argmax(axis=1))
        if progress is not None:
            progress(min(start + AT_ONCE, len(images)), len(images), None)
    return np.concatenate(found)


def infer(party: Any, data: str, weights: str, count: int) -> dict[str, Any]:
    """Classify the first `count` test images; labels are opened to the images' owner."""
    model_owner, image_owner = party.names[:2]
    images = None
    if party.name == image_owner:
        images = images_of(Path(data), "test")[:count]
    model = network()
    if party.name == model_owner:
        with np.load(weights, allow_pickle=False) as state:
            model.load_state_dict(dict(state))
    model = model.share(party, owner=model_owner)
    secret = party.share(images, owner=image_owner)
    start, before = time.perf_counter(), party.cost()
    labels = classify(model, secret, _progress(party))
    opened = labels.reveal(to=image_owner, why="labels of the test images")
    return {"labels": opened, **_spent(party, start, before)}


def _spent(party: Any, start: float, before: dict[str, Any]) -> dict[str, Any]:
    """Time, rounds and bytes since `start`."""
    after = party.cost()
    spent = {key: after[key] - before[key] for key in ("rounds", "bytes", "dealt")}
    return {"seconds": time.perf_counter() - start, **spent}


def learn(
    party: Any,
    data: str,
    steps: int | None = None,
    count: int | None = None,
) -> dict[str, Any]:
    """Train on secret images and labels.

    A whole epoch opens nothing; afterwards the first `count` test images are classified. With
    `steps`, training ends after so many, and the loss of each is opened, to be compared.
    """
    owner = party.names[1]
    images = targets = None
    if party.name == owner:
        images, targets = training_data(Path(data), steps)
    x, y = party.share(images, owner=owner), party.share(targets, owner=owner)
    model = network().share(party, public=True)
    start, before = time.perf_counter(), party.cost()
    losses = fit(
        model,
        x,
        y,
        loss=CrossEntropy(),
        optimiser=SGD(model.parameters(), lr=rate_of(steps)),
        epochs=1,
        batch_size=BATCH,
        rng=np.random.default_rng(ORDER_SEED),
        reveal_loss=steps is not None,
        progress=_progress(party),
    )
    spent = _spent(party, start, before)
    if steps is not None:
        return {"losses": losses, **spent}
    tests = images_of(Path(data), "test")[:count] if party.name == owner else None
    labels = classify(model, party.share(tests, owner=owner))
    return {"labels": labels.reveal(to=owner, why="labels of the test images"), **spent}


def _progress(party: Any) -> Progress | None:
    """The first party says how far the work is."""
    if party.me != 0:
        return None
    return lambda step, total, loss: party.tell(step=step, total=total, loss=loss)
