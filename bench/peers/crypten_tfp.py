"""The tasks in CrypTen: two local processes, fixed point with 16 bits, triples made by party 0."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable
from typing import Any

from . import frame

PARTIES, MILLION = 2, 10**6
AHEAD = ", dealt ahead"
"""Rows of ours without the dealer's time, beside which the same figure stands."""
Tasks = dict[str, Callable[[], Any]]


class Absent(types.ModuleType):
    """Stands in for CrypTen's import of ONNX models, which recent versions of PyTorch break."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def imported() -> tuple[Any, Any]:
    """CrypTen and PyTorch."""
    sys.modules["crypten.nn.onnx_converter"] = Absent("crypten.nn.onnx_converter")
    import crypten
    import torch

    return crypten, torch


def tasks(crypten: Any, torch: Any) -> Tasks:
    """Calls on values that are shared already; results stay secret."""

    def secret(*shape: int) -> Any:
        return crypten.cryptensor(torch.randn(*shape))

    def whole(values: Any) -> Any:
        return crypten.cryptensor(values, precision=0)

    x, y = secret(MILLION), secret(MILLION)
    i, j = (whole(torch.randint(-99, 99, (MILLION,))) for _ in range(2))
    a, b = secret(1000, 1000), secret(1000, 1000)
    c, d = secret(128, 784), secret(784, 128)
    e, one = secret(10**4), whole(torch.ones(1, dtype=torch.int64))
    layers = [(secret(n, m), secret(m)) for n, m in ((784, 128), (128, 128), (128, 10))]
    images = secret(128, 784)

    def mlp(z: Any) -> Any:
        for weight, bias in layers[:-1]:
            z = (z.matmul(weight) + bias).relu()
        weight, bias = layers[-1]
        return z.matmul(weight) + bias

    return {
        "integer product, 1": lambda: one * one,
        "integer product, 10^6": lambda: i * j,
        "fixed-point product, 10^6": lambda: x * y,
        "x < y, 64-bit, 10^6": lambda: x < y,
        "ReLU, 64-bit, 10^6": lambda: x.relu(),
        "matmul 1000x1000x1000": lambda: a.matmul(b),
        "matmul 128x784x128": lambda: c.matmul(d),
        "exp, 10^4": lambda: e.exp(),
        "sigmoid, 10^4": lambda: e.sigmoid(),
        "reciprocal, 10^4": lambda: (e + 8).reciprocal(),
        "MLP inference, batch 1": lambda: mlp(images[:1]),
        "MLP inference, batch 128": lambda: mlp(images),
    }


def party(me: int, meeting: str, wanted: dict[str, Any], pipe: Any) -> None:
    """Run the wanted tasks at one party; the parent gets the medians."""
    os.environ |= {"RANK": str(me), "WORLD_SIZE": str(PARTIES), "RENDEZVOUS": f"file://{meeting}"}
    os.environ["DISTRIBUTED_BACKEND"] = "gloo"
    crypten, torch = imported()
    torch.set_num_threads(wanted["threads"])
    crypten.init()
    found = {}
    for name, task in tasks(crypten, torch).items():
        if name not in wanted["names"]:
            continue
        times = []
        for _ in range(1 + wanted["repeat"]):
            crypten.communicator.get().barrier()
            start = time.perf_counter()
            task()
            times.append(time.perf_counter() - start)
        found[name] = statistics.median(times[1:])
    pipe.send(found)


def medians(wanted: dict[str, Any]) -> dict[str, float]:
    """Seconds of every wanted task at the slower party."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    with tempfile.TemporaryDirectory() as folder:
        for me in range(PARTIES):
            mine, theirs = context.Pipe()
            given = (me, f"{folder}/meeting", wanted, theirs)
            processes.append(context.Process(target=party, args=given, daemon=True))
            processes[-1].start()
            theirs.close()  # so that the death of the party is noticed
            pipes.append(mine)
        found = [pipe.recv() for pipe in pipes]
        for process in processes:
            process.join(10)
    return {name: max(times[name] for times in found) for name in found[0]}


def main() -> None:
    """Measure and answer."""
    try:
        crypten, torch = imported()
    except ImportError:
        frame.missing(
            "CrypTen",
            "pip install torch numpy pyyaml omegaconf and, with --no-deps, crypten==0.4.1 in "
            "another Python 3.11, and --peer-python",
        )
    wanted = frame.wanted()
    plain = {name.removesuffix(AHEAD) for name in wanted["names"]}
    seconds = medians({**wanted, "names": sorted(plain)})
    found = {
        name: seconds[name.removesuffix(AHEAD)]
        for name in wanted["names"]
        if name.removesuffix(AHEAD) in seconds
    }
    note = (
        f"CrypTen {crypten.__version__} on PyTorch {torch.__version__}, {PARTIES} parties, 16 "
        "fraction bits, triples from party 0 within the time"
    )
    frame.report(note, found)


if __name__ == "__main__":
    main()
