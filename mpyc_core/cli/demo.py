"""`mpc demo`: the library at work, in three party processes on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which demo, and how much of it."""
    parser.add_argument("which", nargs="?", choices=("tumour", "mnist"), default="tumour")
    parser.add_argument("--protocol", default="replicated")
    parser.add_argument("--model", choices=("mlp", "logistic"), default="mlp", help="tumour only")
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--data", type=Path, default=None, help="folder of MNIST files")
    parser.add_argument("--images", type=int, default=10_000, help="MNIST images to classify")
    parser.add_argument("--steps", type=int, default=None, help="MNIST training steps (an epoch)")


def main(options: argparse.Namespace) -> int:
    """Run a demo; 0 when it shows what it promises, 1 when it falls short, 2 without data."""
    from .warm import warm

    if options.which == "mnist":
        from . import demo_mnist

        data = demo_mnist.find(options.data)
        warm()
        return demo_mnist.show(data, options.protocol, options.images, options.steps)
    from . import demo_tumour

    warm()
    return demo_tumour.show(options.protocol, options.model, options.epochs or 10)
