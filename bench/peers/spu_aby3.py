"""The tasks in SecretFlow SPU: ABY3 among three local processes, ring Z/2^64, 18 fraction bits."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from . import frame
from .spu_tasks import tasks

PARTIES, FRACTION_BITS = 3, 18


def configuration(threads: int) -> Any:
    """Of one party's runtime; all parties have the same."""
    from spu import libspu

    found = libspu.RuntimeConfig(libspu.ProtocolKind.ABY3, libspu.FieldType.FM64, FRACTION_BITS)
    found.max_concurrency = threads
    return found


def party(me: int, ports: list[int], threads: int, pipe: Any) -> None:
    """Run what the parent sends: (code, shares of inputs, number of outputs, timed runs)."""
    import spu
    from spu import libspu

    where = libspu.link.Desc()
    for other, port in enumerate(ports):
        where.add_party(f"party{other}", f"127.0.0.1:{port}")
    link = libspu.link.create_brpc(where, me)
    runtime = spu.Runtime(link, configuration(threads))
    for code, shares, outputs, repeat in iter(pipe.recv, None):
        for i, share in enumerate(shares):
            runtime.set_var(f"in{i}", share)
        results = [f"out{i}" for i in range(outputs)]
        names = [f"in{i}" for i in range(len(shares))]
        task = spu.Executable(name="task", input_names=names, output_names=results, code=code)
        times = []
        for _ in range(1 + repeat):
            link.barrier()
            start = time.perf_counter()
            runtime.run(task)
            times.append(time.perf_counter() - start)
        for name in names + results:
            runtime.del_var(name)
        pipe.send(statistics.median(times[1:]))
    link.stop_link()


def compiled(task: Callable[..., Any], inputs: list[Any]) -> tuple[bytes, int]:
    """A JAX function as SPU code for secret inputs, and the number of its outputs."""
    import jax
    from spu import libspu
    from spu.utils import frontend

    secret = [libspu.Visibility.VIS_SECRET] * len(inputs)
    names = [f"in{i}" for i in range(len(inputs))]
    code, result = frontend.compile(
        *(frontend.Kind.JAX, task, inputs, {}, names, secret),
        lambda outputs: [f"out{i}" for i in range(len(outputs))],
    )
    return code.code, len(jax.tree_util.tree_leaves(result))


def medians(names: list[str], repeat: int, threads: int) -> dict[str, float]:
    """Seconds of every wanted task at the slowest party."""
    import spu
    from spu import libspu

    io = spu.Io(PARTIES, configuration(threads))
    context, ports = multiprocessing.get_context("spawn"), frame.free_ports(PARTIES)
    pipes, processes = [], []
    for me in range(PARTIES):
        mine, theirs = context.Pipe()
        processes.append(
            context.Process(target=party, args=(me, ports, threads, theirs), daemon=True)
        )
        processes[-1].start()
        pipes.append(mine)
        theirs.close()  # so that the death of the party is noticed
    found = {}
    for name, (task, arrays) in tasks().items():
        if name not in names:
            continue
        inputs = [np.asarray(x) for x in arrays]
        code, outputs = compiled(task, inputs)
        shares = [io.make_shares(x, libspu.Visibility.VIS_SECRET) for x in inputs]
        for me, pipe in enumerate(pipes):
            pipe.send((code, [s[me] for s in shares], outputs, repeat))
        found[name] = max([pipe.recv() for pipe in pipes])
    for pipe in pipes:
        pipe.send(None)
    for process in processes:
        process.join(10)
    return found


def main() -> None:
    """Measure and answer."""
    try:
        from spu import __version__
    except ImportError:
        frame.missing("SPU", "pip install spu==0.9.5 in another Python 3.11, and --peer-python")
    wanted = frame.wanted()
    seconds = medians(wanted["names"], wanted["repeat"], wanted["threads"])
    bits = f"{FRACTION_BITS} fraction bits (ours: 16)"
    frame.report(f"SPU {__version__}, ABY3, {PARTIES} parties, ring Z/2^64, {bits}", seconds)


if __name__ == "__main__":
    main()
