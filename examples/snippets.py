"""Seven short programs on data that one cannot see, as one would type them in a notebook.

They follow the introductory examples by which remote execution, private search, shared ownership
and Duets became known to data scientists, with NumPy instead of another tensor library. What has to
be typed differently is one line in each, and its comment says which.

Run all of them    python -m mpyc_core.examples.snippets
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mpyc_core as mpc
from mpyc_core.ml.layers import Linear, ReLU, Sequential

Array = NDArray[Any]
NAMES = ("bob", "alice", "theo")


def workers(stack: ExitStack, *names: str) -> list[mpc.VirtualNode]:
    """Nodes that end with a block."""
    return [stack.enter_context(mpc.VirtualNode(name)) for name in names]


def remote_execution() -> Array:
    """A worker, an array that lies there, an operation that runs there."""
    hospital = mpc.VirtualNode("May Clinic")  # no hook: nothing is patched
    x = hospital.send(np.array([1, 3, 4, 5]))  # the node sends, for an array has no such method
    y = x + x
    return y.get()


def diabetes_grid() -> mpc.Grid:
    """Three hospitals, each with a third of scikit-learn's diabetes data (442 patients)."""
    from sklearn.datasets import load_diabetes

    found = load_diabetes(scaled=False)
    names = [str(name) for name in found.feature_names]
    low, high = np.floor(found.data.min(0)), np.ceil(found.data.max(0))
    columns = [mpc.Column(*c) for c in zip(names, low.tolist(), high.tolist(), strict=True)]
    progression = [mpc.Column("progression", 0, 400)]
    nodes = [mpc.VirtualNode(name) for name in NAMES]
    parts = np.array_split(np.arange(len(found.data)), len(nodes))
    for node, rows in zip(nodes, parts, strict=True):
        made_up = np.array([(low + high) / 2, low, high])
        common: dict[str, Any] = {"group": "patients", "policy": mpc.Policy(epsilon=1.0)}
        common["description"] = "diabetes patients and their progression after one year"
        node.owner.load(
            "data",
            found.data[rows],
            tags=["#diabetes", "#data"],
            columns=columns,
            mock=made_up,
            **common,
        )
        node.owner.load(
            "target",
            found.target[rows],
            tags=["#diabetes", "#target"],
            columns=progression,
            **common,
        )
    return mpc.Grid(nodes)


def search_and_sample() -> tuple[int, str, Array]:
    """Find data sets by tags, read what they are, look at rows that somebody made up."""
    grid = diabetes_grid()  # instead of an address and a password: nodes, or their tickets
    diabetes_datasets = grid.search("#diabetes")
    dataset: Any = grid.search("#diabetes", "#data")[0]
    print(dataset.description)
    return len(diabetes_datasets), dataset.describe(), dataset.sample()


def noisy_get() -> tuple[str, str, float]:
    """The data itself does not come; a noisy mean does, for a price."""
    grid = diabetes_grid()
    dataset = grid.search("#diabetes", "#target", verbose=False)[0]
    try:
        dataset.get()
    except mpc.errors.PermissionDenied as error:  # its name here
        refused = str(error)
    try:
        dataset.get(epsilon=0.1)
    except mpc.errors.PermissionDenied as error:  # rows are no statistic: no noise makes them one
        advice = str(error)
    return refused, advice, float(dataset.mean().get(epsilon=0.1))


def shared_ownership() -> Array:
    """A number that three people own together; a fourth deals randomness and sees nothing."""
    with ExitStack() as stack:
        bob, alice, theo, openmined = workers(stack, *NAMES, "openmined")
        data = bob.send(np.array([1, 2, 3, 4, 5]))  # it lies at one of the three before
        x = data.share(bob, alice, theo, crypto_provider=openmined)
        y = x + x
        return y.reveal()  # get() of a shared value


def encrypted_training(steps: int = 20) -> tuple[float, float]:
    """Model, data and target are shared; so is the loss, and so are the gradients."""
    with ExitStack() as stack:
        bob, alice, theo = workers(stack, *NAMES)
        rng = np.random.default_rng(1)
        rows = rng.normal(size=(32, 2))
        data, target = bob.send(rows), alice.send((rows @ [1.0, -2.0]).reshape(-1, 1))
        model = Sequential(Linear(2, 4, rng=rng), ReLU(), Linear(4, 1, rng=rng))

        encrypted_data = data.share(bob, alice, theo)
        encrypted_target = target.share(bob, alice, theo)
        encrypted_model = model.share(encrypted_data.backend)  # among the same nodes as the data
        losses = []
        for step in range(steps):
            encrypted_pred = encrypted_model(encrypted_data)
            encrypted_loss = ((encrypted_pred - encrypted_target) ** 2).sum()
            encrypted_loss.backward()
            if step in (0, steps - 1):
                losses.append(float(encrypted_loss.reveal()))
            for parameter in encrypted_model.parameters():
                gradient = parameter.tensor.grad
                if gradient is not None:
                    parameter.update(parameter.tensor.detach() - gradient * 0.004)
        return losses[0], losses[-1]


def nine_steps(folder: str | Path) -> Array:
    """A Duet: the owner's cells and the scientist's, here in one process."""
    folder = Path(folder)
    duet_owner = mpc.launch_duet("owner", folder=folder / "owner", verbose=False)  # 1, owner
    line = duet_owner.invite()
    duet = mpc.join_duet(line, identity=folder / "scientist.key")  # 2, scientist

    data = np.array([[0, 0], [0, 1]])  # 3, owner; tags are given when it is sent
    duet_owner.send(data, tags=["data"], searchable=True)  # 4, owner
    print(duet.store.pandas)  # 5, scientist
    data_ptr = duet.store["data"]  # by its tag
    sum_ptr = data_ptr.sum().item()  # 6, scientist

    def owner() -> None:
        while not len(duet_owner.requests):
            finished.wait(0.01)
        print(duet_owner.requests.pandas)  # 8, owner
        duet_owner.requests[0].accept()  # 9, owner

    finished = threading.Event()
    other = threading.Thread(target=owner)
    other.start()
    result = sum_ptr.get(  # 7, scientist: waits for the owner
        request_block=True, name="sum", reason="To see the result", timeout_secs=30
    )
    other.join()
    duet.close()
    duet_owner.close()
    return result


def federated_loader(data: Any, target: Any, batch_size: int) -> Iterator[tuple[Any, Any]]:
    """Pointers to batches, from one hospital after the other."""
    for rows, labels in zip(data.parts, target.parts, strict=True):
        for start in range(0, len(rows), batch_size):
            yield rows[start : start + batch_size], labels[start : start + batch_size]


def federated_learning(epochs: int = 8, batch_size: int = 64) -> Array:
    """The model goes to the data, the gradients come back, by a rule of each owner.

    Gradients tell much about the data behind them. The rule bounds how many numbers go out, not
    what they say: use `private_fit`, or shares, where that matters.
    """
    grid = diabetes_grid()
    for hospital in grid.nodes:
        hospital.owner.add_rule(  # type: ignore[attr-defined]
            ["index", "sub", "div", "add", "matmul", "transpose", "sum", "concatenate", "reshape"],
            max_elements=11,
            uses=500,
            elements=5500,
        )
    data: Any = grid.search("#diabetes", "#data", verbose=False).together()
    target: Any = grid.search("#diabetes", "#target", verbose=False).together()
    schema = data.parts[0].card.columns
    low, high = (np.array([getattr(c, end) for c in schema]) for end in ("lower", "upper"))
    data = (data - (low + high) / 2) / ((high - low) / 2)  # by the bounds of the card
    target = (target - 200) / 200
    model, bias = np.zeros(10), np.zeros(1)
    for _ in range(epochs):
        for x, y in federated_loader(data, target, batch_size):
            weights = x.location.send(model)  # model.send(data.location)
            error = x @ weights - y + bias
            slopes: Any = np.concatenate([x.T @ error, error.sum().reshape(1)])
            gradient = slopes / len(x)
            step = gradient.get(request_block=True, name="step", reason="one step of training")
            model, bias = model - 0.3 * step[:10], bias - 0.3 * step[10:]
    return np.concatenate([model, bias])


def main() -> None:
    """Run all of them."""
    print(remote_execution())
    print(search_and_sample()[2])
    print(noisy_get()[2])
    print(shared_ownership())
    print(encrypted_training())
    with tempfile.TemporaryDirectory() as folder:
        print(nine_steps(folder))
    print(federated_learning())


if __name__ == "__main__":
    main()
