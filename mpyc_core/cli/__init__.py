"""The `mpc` command. Each subcommand has a module of its own, imported when it runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from mpyc_core import __version__
from mpyc_core.errors import ConfigError, MpcError

COMMANDS = {
    "demo": "see it work: three hospitals train one tumour classifier, or encrypted MNIST",
    "run": "run a program at local parties, each a process",
    "party": "run one party of a cluster: a program, or a server that sessions drive",
    "dealer": "be the crypto provider of a cluster: deal correlated randomness, see no data",
    "node": "be a data owner's node: data sets and requests behind an address",
    "registry": "be a place where nodes say where they are and what data sets they have",
    "audit": "check the audit log of a node, or print it",
    "keys": "make the key pair by which a party is known",
    "warm": "compile the kernels ahead of their first use",
    "info": "versions, CPU features, kernels, protocols and their security",
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="mpc",
        description="Secure multi-party computation: answer questions with data nobody may see.",
        epilog="Where another program is called mpc, type `python -m mpyc_core`.",
    )
    top.add_argument("--version", action="version", version=f"mpyc-core {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        module = import_module(f"mpyc_core.cli.{name}")
        sub = commands.add_parser(name, help=text, description=text)
        module.add_arguments(sub)
        sub.set_defaults(main=module.main)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; errors of this library become one line on stderr and exit code 1 or 2."""
    options = parser().parse_args(argv)
    try:
        return int(options.main(options))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except MpcError as error:
        where = f"{error.party}: " if error.party else ""
        print(f"{type(error).__name__}: {where}{error.message}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
