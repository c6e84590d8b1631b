"""`mpc run`: a program at local parties, each a process of its own."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.pretty import Pretty
from rich.table import Table

from mpyc_core.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The program, its arguments, the parties."""
    parser.add_argument("program", help="file.py, file.py:function or module:function")
    parser.add_argument("--parties", default="3", help="a number, or names: alice,bob,theo")
    parser.add_argument("--protocol", default="replicated")
    parser.add_argument("--crypto-provider", help="name of a dealer to start, where one is needed")
    parser.add_argument(
        "--ring",
        type=int,
        default=None,
        help="bits: 32, 64 or 128, or 61 or 127 of a prime field (default: 64, or the largest)",
    )
    parser.add_argument(
        "--f", type=int, default=None, help="fraction bits of fixed point (default: the ring's)"
    )
    parser.add_argument("--threads", type=int, default=None, help="kernel threads per party")
    parser.add_argument("--arg", action="append", default=[], metavar="NAME=VALUE")


def main(options: argparse.Namespace) -> int:
    """Run the program and show what each party returned."""
    from .local import run_program

    program = options.program if ":" in options.program else f"{options.program}:main"
    names = options.parties
    results = run_program(
        program,
        int(names) if names.isdigit() else names.split(","),
        protocol=options.protocol,
        ring=options.ring,
        f=options.f,
        args=arguments(options.arg),
        threads=options.threads,
        crypto_provider=options.crypto_provider,
    )
    table = Table("party", "returned")
    for name, result in results.items():
        table.add_row(name, Pretty(result))
    Console().print(table)
    return 0


def arguments(pairs: list[str]) -> dict[str, int | float | bool | str]:
    """NAME=VALUE pairs; values that read as numbers or true/false become such."""
    found: dict[str, int | float | bool | str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(f"expected --arg NAME=VALUE, got {pair!r}")
        found[name] = _value(text)
    return found


def _value(text: str) -> int | float | bool | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
