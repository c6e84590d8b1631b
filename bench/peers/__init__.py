"""The same tasks in other software, each in a process and, if need be, a Python of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROGRAMS = {
    "numpy": "bench.peers.plain_numpy",
    "torch": "bench.peers.plain_torch",
    "spu": "bench.peers.spu_aby3",
    "mpyc": "bench.peers.mpyc_shamir",
    "crypten": "bench.peers.crypten_tfp",
    "mp-spdz": "bench.peers.published",
    "mp-spdz-dealer": "bench.peers.published",
    "crypten-replicated": "bench.peers.published",
}


def measure(
    peer: str, names: Sequence[str], repeat: int, threads: int, python: str = sys.executable
) -> dict[str, Any]:
    """What a peer needs for those of the named tasks that it has.

    Parameters
    ----------
    peer : a key of `PROGRAMS`.
    names : tasks, as the rows of `bench.protocols` and `bench.ml` are called.
    repeat : timed runs of a task, after one to warm up.
    threads : compute threads of the peer, or of each of its parties.
    python : the interpreter that has the peer installed.

    Returns
    -------
    dict
        "note", which says what ran, and "seconds", a median by name.

    Raises
    ------
    SystemExit : the peer did not run; it has said why, and the code is its own.
    """
    wanted = json.dumps({"peer": peer, "names": list(names), "repeat": repeat, "threads": threads})
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MPC_THREADS")
    done = subprocess.run(
        [python, "-m", PROGRAMS[peer], wanted],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | dict.fromkeys(pools, str(threads)),
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    return json.loads(done.stdout.splitlines()[-1])
