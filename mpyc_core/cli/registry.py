"""`mpc registry`: a place where nodes say where they are and what data sets they have."""

from __future__ import annotations

import argparse

from .serving import add_common_arguments, serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--name and --data; who may connect, and where."""
    add_common_arguments(parser, "registry", "let everybody look things up and register")


def main(options: argparse.Namespace) -> int:
    """Serve until stopped."""
    from mpyc_core.grid.registry import RegistryNode

    registry = RegistryNode(options.name, options.data)
    try:
        serve(registry, options)
    finally:
        registry.close()
    return 0
