"""`mpc info`: what is installed, what the CPU offers, which protocols there are."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.table import Table

from mpyc_core import __version__

PACKAGES = ("numpy", "numba", "llvmlite", "gmpy2", "pyzmq", "msgpack", "cryptography")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""


def main(options: argparse.Namespace) -> int:
    """Print three tables."""
    from mpyc_core.jit import cache_dir, cpu_features
    from mpyc_core.kernels import amx
    from mpyc_core.kernels.streams import in_kernels
    from mpyc_core.parallel import cores, threads
    from mpyc_core.protocols.registry import all_ops, protocols

    console = Console()
    table = Table(title=f"mpyc-core {__version__}", show_header=False)
    table.add_row("Python", f"{platform.python_version()} on {platform.machine()}")
    for name in PACKAGES:
        table.add_row(name, _version(name))
    table.add_row("cores", f"{cores()}, {threads()} kernel threads in this process")
    table.add_row("CPU features used", ", ".join(cpu_features()) or "none")
    table.add_row("products of matrices", "AMX tiles" if amx.available() else "vectors")
    table.add_row("AES streams", "in kernels" if in_kernels() else "OpenSSL")
    table.add_row("compiled kernels", str(cache_dir()))
    table.add_row("operations", str(sum(1 for _ in all_ops())))
    console.print(table)

    table = Table(title="Protocols")
    for column in ("name", "parties", "rings", "adversary", "corrupted", "abort", "dealer"):
        table.add_column(column, no_wrap=column == "name", overflow="fold")
    for name, cls in sorted(protocols().items()):
        n = next(n for n in range(1, 64) if cls.supports(n))
        s = cls.security(n)
        rings = ", ".join(str(bits) for bits in cls.rings)
        table.add_row(name, cls.parties, rings, s.adversary, str(s.threshold), s.abort, s.dealer)
    console.print(table)
    return 0


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
