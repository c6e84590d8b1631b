"""`mpc keys`: the key pair by which a party or a dealer is known to the others."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--name, --dealer and --folder."""
    parser.add_argument("--name", required=True, help="the party's name, as in the cluster file")
    parser.add_argument("--dealer", action="store_true", help="the key is the crypto provider's")
    parser.add_argument("--folder", type=Path, default=Path(), help="where to write NAME.key")


def main(options: argparse.Namespace) -> int:
    """Write NAME.key, readable by its owner only, and print the line for the cluster file."""
    from mpyc_core.transport.cluster import generate_keys

    path = options.folder / f"{options.name}.key"
    public = generate_keys(path)
    print(f"wrote {path}: keep it on this machine, nobody else needs it")
    table = "dealer" if options.dealer else f"parties.{options.name}"
    print(f'put into the cluster file:  [{table}]  public_key = "{public}"')
    return 0
