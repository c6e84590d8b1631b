"""`mpc dealer`: the crypto provider of a cluster, or of parties on this machine."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

from mpyc_core.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Who deals, for which cluster, and how much."""
    parser.add_argument("--name", required=True, help="the dealer's name in the cluster file")
    parser.add_argument("--config", type=Path, required=True, help="the parties' cluster file")
    parser.add_argument("--key", type=Path, help="secret key file (default: NAME.key beside it)")
    parser.add_argument("--window-mb", type=int, default=256, help="MB dealt ahead in a session")
    parser.add_argument("--quota-mb", type=int, default=None, help="MB a session gets in all")


def main(options: argparse.Namespace) -> int:
    """Deal until stopped."""
    from mpyc_core.memory import keep_freed_memory
    from mpyc_core.protocols.dealt.dealer import Rules
    from mpyc_core.protocols.dealt.server import DealerServer
    from mpyc_core.transport.cluster import load_cluster
    from mpyc_core.transport.curve import load_identity

    keep_freed_memory()
    cluster = load_cluster(options.config)
    entry = cluster.dealer
    if entry is None or entry.name != options.name:
        there = "has no [dealer] table" if entry is None else f"names the dealer {entry.name!r}"
        raise ConfigError(
            f"{options.config} {there}; add [dealer] with name = {options.name!r}, address and "
            "public_key, the same at every party"
        )
    identity = None
    if entry.public_key is not None:
        identity = load_identity(options.key or options.config.parent / f"{options.name}.key")
        if identity.public != entry.public_key:
            raise ConfigError(
                f"the secret key of {options.name} does not belong to the public key in "
                f"{options.config}; write the one that `python -m mpyc_core keys` printed there"
            )
    quota = None if options.quota_mb is None else options.quota_mb * 10**6
    server = DealerServer(
        entry.name,
        cluster.names,
        entry.listens_at,
        identity=identity,
        keys=cluster.keys if identity is not None else None,
        limits=cluster.limits,
        rules=Rules(window=options.window_mb * 10**6, quota=quota),
        log=lambda line: print(f"{entry.name}: {line}", file=sys.stderr, flush=True),
    )
    with server:
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: server.stop())
        parties = ", ".join(cluster.names)
        print(f"{entry.name}: dealing for {parties} at {server.address}", file=sys.stderr)
        server.serve()
    return 0


def deal(pipe: Any, config: dict[str, Any]) -> int:
    """The crypto provider of local parties, told by its launcher for whom to deal."""
    from mpyc_core import parallel
    from mpyc_core.protocols.dealt.server import DealerServer

    from .party import place

    names = config["names"]
    parallel.share_cores(len(names))
    server = DealerServer(config["name"], names, place(config, "dealer"))
    with server:
        pipe.send({"address": server.address})
        server.serve()
    return 0
