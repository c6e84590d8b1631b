"""The tasks in PyTorch on plaintext: what the protection costs."""

from __future__ import annotations

from typing import Any

from . import frame

MILLION = 10**6


def operations(torch: Any) -> frame.Tasks:
    """Operations on float32 and int64 tensors."""
    x, y = torch.randn(2, MILLION)
    i, j = torch.randint(-99, 99, (2, MILLION))
    a, b = torch.randn(2, 1000, 1000)
    c, d = torch.randn(128, 784), torch.randn(784, 128)
    e, one = torch.randn(10**4), torch.ones(1, dtype=torch.int64)
    return {
        "integer product, 1": lambda: one * one,
        "integer product, 10^6": lambda: i * j,
        "fixed-point product, 10^6": lambda: x * y,
        "x < y, 64-bit, 10^6": lambda: x < y,
        "x < y, 32-bit, 10^6": lambda: x < y,
        "ReLU, 64-bit, 10^6": lambda: torch.relu(x),
        "ReLU, 32-bit, 10^6": lambda: torch.relu(x),
        "matmul 1000x1000x1000": lambda: a @ b,
        "matmul 128x784x128": lambda: c @ d,
        "exp, 10^4": lambda: torch.exp(e),
        "sigmoid, 10^4": lambda: torch.sigmoid(e),
        "reciprocal, 10^4": lambda: torch.reciprocal(e + 8),
    }


def models(torch: Any) -> frame.Tasks:
    """The MLP and LeNet, the training step with autograd."""
    nn = torch.nn
    linear, relu = nn.Linear, nn.ReLU
    mlp = nn.Sequential(linear(784, 128), relu(), linear(128, 128), relu(), linear(128, 10))
    lenet = nn.Sequential(
        *(nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), relu()),
        *(nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), relu(), nn.Flatten()),
        *(linear(800, 500), relu(), linear(500, 10)),
    )
    x, images = torch.rand(128, 784), torch.rand(64, 1, 28, 28)
    y = torch.randint(0, 10, (128,))
    optimiser = torch.optim.SGD(mlp.parameters(), lr=0.1)

    def infer(model: Any, inputs: Any) -> None:
        with torch.inference_mode():
            model(inputs)

    def step() -> None:
        optimiser.zero_grad()
        nn.functional.cross_entropy(mlp(x), y).backward()
        optimiser.step()

    return {
        "MLP inference, batch 1": lambda: infer(mlp, x[:1]),
        "MLP inference, batch 128": lambda: infer(mlp, x),
        "MLP training step, batch 128": step,
        "LeNet inference, batch 1": lambda: infer(lenet, images[:1]),
        "LeNet inference, batch 64": lambda: infer(lenet, images),
    }


def main() -> None:
    """Measure and answer."""
    try:
        import torch
    except ImportError:
        frame.missing("PyTorch", "pip install torch, or name a Python that has it: --peer-python")
    wanted = frame.wanted()
    torch.set_num_threads(wanted["threads"])
    tasks = {**operations(torch), **models(torch)}
    seconds = frame.medians(tasks, wanted["names"], wanted["repeat"])
    note = f"PyTorch {torch.__version__} on plaintext float32, {wanted['threads']} thread(s)"
    frame.report(note, seconds)


if __name__ == "__main__":
    main()
