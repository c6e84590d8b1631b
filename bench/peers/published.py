"""Figures of peers that were measured once, on another machine, scaled to this one.

Some software is too large to be installed for every comparison. Its figures stand in
`published.json`, the lowest of each range, with three measurements of the machine that they are
from: BLAS on one thread, TCP over loopback, a copy of memory. The same three are measured here. A
product of large matrices is scaled by BLAS; everything else, which computes, copies and sends, by
the geometric mean of the three. Scaled figures orient; they are no side-by-side run.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from bench import limits
from bench.timing import median

from . import frame

FIGURES = Path(__file__).with_suffix(".json")
BOUND_BY_BLAS = "matmul 1000x1000x1000"
SIDE = 1000


def figures() -> dict[str, Any]:
    """What the file holds."""
    return json.loads(FIGURES.read_text())


def calibration() -> dict[str, float]:
    """This machine's BLAS in multiplications a second, TCP and copy in bytes a second."""
    a, b = np.random.default_rng(1).normal(size=(2, SIDE, SIDE))
    seconds, _ = median(lambda: a @ b)
    return {"dgemm": SIDE**3 / seconds, "wire": limits.wire(), "copy": limits.copy()}


def scaled(
    seconds: dict[str, float], there: dict[str, float], here: dict[str, float]
) -> dict[str, float]:
    """Seconds that the same would take on a machine with the measurements `here`."""
    gains = {name: here[name] / there[name] for name in there}
    mean = math.prod(gains.values()) ** (1 / len(gains))
    return {
        name: value / (gains["dgemm"] if name == BOUND_BY_BLAS else mean)
        for name, value in seconds.items()
    }


def main() -> None:
    """Answer for the wanted tasks."""
    wanted, found = frame.wanted(), figures()
    there, here, peer = found["calibration"], calibration(), found["peers"][wanted["peer"]]
    gains = ", ".join(f"{name} x {here[name] / there[name]:.2f}" for name in there)
    seconds = scaled(peer["seconds"], there, here)
    frame.report(
        f"SCALED figures, not run here: {peer['note']}; from {found['machine']} by {gains}",
        {name: seconds[name] for name in wanted["names"] if name in seconds},
    )


if __name__ == "__main__":
    main()
