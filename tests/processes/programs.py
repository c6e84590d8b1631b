"""Programs that the process tests start at every party."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import numpy as np


def product(party: Any, factor: int = 2) -> dict[str, Any]:
    """Share at the second party, compute, open to all and to the last."""
    x = party.share(np.array([1.5, -2.0, 3.0]) if party.me == 1 else None, owner=party.names[1])
    y = (x * x * factor).relu()
    last = party.names[-1]
    return {"all": y.reveal(), "last": (x > 0).reveal(to=last), "cost": party.cost()["rounds"]}


def different(party: Any) -> Any:
    """The last party runs another program."""
    x = party.share([1, 2, 3] if party.me == 0 else None)
    y = x * x if party.me < party.mesh.n - 1 else x + x
    return (y * x).reveal()


def other_constant(party: Any) -> Any:
    """The parties disagree on a public constant only."""
    x = party.share([1, 2, 3] if party.me == 0 else None)
    return ((x + party.me) * x).reveal()


def fails(party: Any) -> Any:
    """The second party raises an error of its own, with private data in its text."""
    x = party.share([1, 2, 3] if party.me == 0 else None)
    if party.me == 1:
        raise ValueError("the private number is 4711")
    return (x * x).reveal()


def dies(party: Any) -> Any:
    """The second party is killed in mid-run."""
    x = party.share([1, 2, 3] if party.me == 0 else None)
    if party.me == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return (x * x).reveal()


def wrong_shape(party: Any) -> Any:
    """An owner's array is not what the others expect."""
    return party.share(np.zeros((2, 3)) if party.me == 0 else None, shape=(None, 4)).reveal()


def not_a_number(party: Any) -> Any:
    """An owner's data cannot be represented."""
    return party.share([1.0, float("nan")] if party.me == 0 else None).reveal()


def sleeps(party: Any) -> None:
    """Every party waits, to be interrupted."""
    party.share([1] if party.me == 0 else None)
    time.sleep(60)


def training_memory(party: Any) -> dict[str, int]:
    """Bytes of the tensors of a training step, and the peak of traced memory during it."""
    import tracemalloc

    from mpyc_core.ml.layers import Linear, ReLU, Sequential
    from mpyc_core.ml.losses import CrossEntropy
    from mpyc_core.ml.optim import SGD

    rng = np.random.default_rng(1)
    model = Sequential(Linear(784, 128, rng=rng), ReLU(), Linear(128, 10, rng=rng)).share(party)
    x = party.share(rng.random((128, 784)) if party.me == 0 else None)
    y = party.share(np.eye(10)[rng.integers(0, 10, 128)] if party.me == 0 else None)
    optimiser = SGD(model.parameters(), lr=0.1)

    def step() -> None:
        CrossEntropy()(model(x), y, value=False).backward(len(x))
        optimiser.step(1 / len(x))

    step()
    values = party.evaluator.values.values()
    tensors = sum(part.nbytes for value in values for part in value.parts)
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"tensors": tensors, "peak": tensors + peak}


def many_products(party: Any, steps: int = 4000, victim: str = "") -> Any:
    """Products for half a minute; a victim ends itself in the middle, as a crash would."""
    x = party.share(np.full(1000, 0.5) if party.me == 0 else None)
    for step in range(steps):
        if step == 40:
            party.tell(step=step, total=steps)
            if party.name == victim:
                os.kill(os.getpid(), signal.SIGKILL)
        x = x * x + 0.25
    return x.sum().reveal()


def ring_and_scale(party: Any) -> list[int]:
    """What a party computes in when nobody has named it."""
    return [party.ring.bits, party.f]
