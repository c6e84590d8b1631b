"""The tasks in MPyC: Shamir's sharing among three local processes, of 64-bit numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from . import frame

PARTIES, BITS, FRACTION_BITS, TIMEOUT = 3, 64, 16, 1800


def tasks(mpc: Any) -> dict[str, Callable[[], Any]]:
    """Operations on arrays that are shared already; results stay secret."""
    import numpy as np

    rng = np.random.default_rng(1)
    integers, fixed = mpc.SecInt(BITS), mpc.SecFxp(BITS, FRACTION_BITS)

    def secret(kind: Any, values: Any) -> Any:
        return mpc.input(kind.array(values), senders=0)

    i, j = (secret(integers, rng.integers(-99, 99, 10**5)) for _ in range(2))
    x, y = (secret(fixed, rng.normal(size=10**4)) for _ in range(2))
    c, d = (secret(fixed, rng.normal(size=s)) for s in ((128, 784), (784, 128)))
    return {
        "integer product, 10^5": lambda: i * j,
        "fixed-point product, 10^4": lambda: x * y,
        "x < y, 64-bit, 10^4": lambda: x < y,
        "matmul 128x784x128": lambda: c @ d,
    }


def run(program: Any, wanted: dict[str, Any]) -> Any:
    """Run a coroutine on the loop of MPyC, which reads the rest of the command line."""
    from mpyc.runtime import mpc

    return mpc.run(program(mpc, wanted))


async def play(mpc: Any, wanted: dict[str, Any]) -> dict[str, float]:
    """Run the tasks as one party."""

    async def ended(value: Any) -> None:
        await mpc.gather(value)
        await mpc.output(mpc.input(mpc.SecInt(BITS)(0), senders=0))  # until every party is here

    await mpc.start()
    found = {}
    for name, task in tasks(mpc).items():
        if name in wanted["names"]:
            found[name] = await median(lambda task=task: ended(task()), wanted["repeat"])
    await mpc.shutdown()
    return found


async def median(work: Callable[[], Awaitable[None]], repeat: int) -> float:
    """Seconds of a call, after one to warm up."""
    import statistics
    import time

    times = []
    for _ in range(1 + repeat):
        start = time.perf_counter()
        await work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def launch() -> dict[str, float]:
    """The slowest party's seconds, each party a process."""
    places = [f"-P=localhost:{port}" for port in frame.free_ports(PARTIES)]
    command = [sys.executable, "-m", "bench.peers.mpyc_shamir", sys.argv[1], "--party", *places]
    processes = [
        subprocess.Popen(
            [*command, f"-I={me}", "--no-log"],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        for me in range(PARTIES)
    ]
    try:
        answers = [process.communicate(timeout=TIMEOUT)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    if any(process.returncode for process in processes):
        raise SystemExit(1)
    found = [json.loads(answer.splitlines()[-1]) for answer in answers]
    return {name: max(seconds[name] for seconds in found) for name in found[0]}


def main() -> None:
    """Measure and answer; with --party, be one of the parties."""
    if "--party" in sys.argv:
        sys.argv.remove("--party")
        wanted = frame.wanted()
        print(json.dumps(run(play, wanted)), flush=True)
        return
    try:
        from mpyc import __version__
    except ImportError:
        frame.missing("MPyC", "pip install mpyc gmpy2 numpy in another Python, and --peer-python")
    bits = f"{BITS}-bit numbers, {FRACTION_BITS} fraction bits (ours: 16)"
    frame.report(f"MPyC {__version__}, Shamir, {PARTIES} parties, {bits}", launch())


if __name__ == "__main__":
    main()
