"""`mpc warm`: compile the kernels ahead of their first use, with a line for each."""

from __future__ import annotations

import argparse
import time

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--quiet."""
    parser.add_argument("--quiet", action="store_true", help="print nothing")


def main(options: argparse.Namespace) -> int:
    """Compile what is not in the cache yet."""
    warm(quiet=options.quiet)
    return 0


def warm(quiet: bool = False) -> float:
    """Compile every kernel; returns the seconds it took."""
    from mpyc_core.jit import all_kernels, cache_dir

    start = time.perf_counter()
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True, quiet=quiet)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("looking for kernels")
        for kernel in all_kernels():
            progress.update(task, description=f"compiling {kernel.name} (once per machine)")
            kernel.compile()
    seconds = time.perf_counter() - start
    console.print(f"kernels are ready in {cache_dir()} ({seconds:.1f} s)")
    return seconds
