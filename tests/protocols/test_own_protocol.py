"""The protocol of the documentation: installed outside the package, found, right, fit for ML."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "docs" / "own_protocol"
PROGRAM = """
import numpy as np
import mpyc_core as mpc
from mpyc_core import ml

rng = np.random.default_rng(1)
x = rng.normal(size=(32, 3)); y = (x @ [1.0, -2.0, 0.5] > 0).astype(float)[:, None]
with mpc.simulate(3, protocol="helped") as s:
    rows, goal = s.share(x), s.share(y)
    layers = ml.Linear(3, 4, rng=rng), ml.ReLU(), ml.Linear(4, 1, rng=rng)
    model = ml.Sequential(*layers).share(s)
    print("output", model(rows).reveal().shape)
    w = s.share(np.zeros((3, 1)))
    for _ in range(10):
        p = (rows @ w).sigmoid()
        w = w - rows.T @ (p - goal) * (1 / 16)
    right = np.mean(((x @ w.reveal()) > 0) == (y > 0))
    print("accuracy", right)
    assert right > 0.9
    assert w.to("additive").to("helped").reveal().shape == (3, 1)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A folder as pip would leave it: the module, and its entry point."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "helper_protocol.py").write_text((SOURCE / "helper_protocol.py").read_text())
    facts = folder / "helper_protocol-0.1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: helper-protocol\nVersion: 0.1\n")
    (facts / "entry_points.txt").write_text("[mpyc_core.protocols]\nhelped = helper_protocol\n")
    return {**os.environ, "PYTHONPATH": str(folder)}


def run(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_it_has_at_most_100_lines() -> None:
    assert len((SOURCE / "helper_protocol.py").read_text().splitlines()) <= 100


@pytest.mark.timeout(240)
def test_it_passes_conformance(environment: dict[str, str], request: pytest.FixtureRequest) -> None:
    some = "mul-0 or matmul-0 or conv2d-0 or lt-0 or eq-0 or relu-0 or rescale-0 or div-0"
    names = "helped" if request.config.getoption("--full") else f"helped and ({some})"
    found = run(environment, "-m", "pytest", "-q", "tests/conformance/test_cases.py", "-k", names)
    assert " passed" in found and "failed" not in found


@pytest.mark.timeout(180)
def test_it_runs_a_model(environment: dict[str, str]) -> None:
    assert "output (32, 1)" in run(environment, "-c", PROGRAM)
