"""Options and fixtures of the whole suite."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--data",
        default=os.environ.get("MPC_MNIST"),
        metavar="DIR",
        help="folder with the MNIST files in IDX form (default: the variable MPC_MNIST)",
    )
    parser.addoption("--full", action="store_true", help="run the long sweeps too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    skip = pytest.mark.skip(reason="a long sweep; run it with --full, or with make test-full")
    for item in items:
        if "full" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def mnist_dir(request: pytest.FixtureRequest) -> Path:
    """The folder with the real MNIST files; without them the test is skipped, saying why."""
    given = request.config.getoption("--data")
    if not given:
        pytest.skip("needs the real MNIST files; name their folder with --data DIR or MPC_MNIST")
    folder = Path(given)
    missing = [
        name
        for name in MNIST_FILES
        if not any((folder / (name + ending)).is_file() for ending in ("", ".gz"))
    ]
    if missing:
        pytest.skip(f"{folder} has no {', '.join(missing)} (plain or .gz)")
    return folder


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile the kernels before the first test: a test's time-out must not pay for the compiler.

    The compiled code is cached on disk, so this takes half a minute once and no time later.
    """
    if session.items and not session.config.option.collectonly:
        warm_kernels()


def warm_kernels() -> None:
    from mpyc_core.jit import all_kernels

    try:
        for kernel in all_kernels():
            kernel.compile()
    except Exception as error:  # the tests of that kernel will say more
        warnings.warn(f"a kernel does not compile: {error!r}", stacklevel=1)
