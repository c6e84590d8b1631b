"""`mpc demo`: the library at work, in party processes on this machine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from mpyc_core.errors import ConfigError

PROVIDER = "openmined"
"""Who deals in a demo whose protocol needs a crypto provider, unless another name is given."""
MOST = 7


class Figures(TypedDict):
    """What one part of a demo took, and whether it showed what it promises."""

    seconds: float
    rounds: int
    sent: list[int]
    """Bytes sent by each party."""
    dealt: int
    """Bytes from the crypto provider to all parties."""
    result: str
    holds: bool


class Setting(NamedTuple):
    """With which protocol a demo runs, and among how many."""

    protocol: str
    parties: int
    ring: int
    provider: str | None

    def options(self) -> dict[str, Any]:
        """What `run_program` is to be told."""
        return {
            "protocol": self.protocol,
            "ring": self.ring,
            "crypto_provider": self.provider,
            "tcp": True,  # as between machines
        }


def setting(protocol: str, parties: int | None, provider: str | None) -> Setting:
    """The chosen protocol with as many parties as asked for, or three, or what it can.

    Raises
    ------
    ConfigError : no such protocol, or not with so many parties, or with that provider.
    """
    from mpyc_core.protocols.choice import default_ring
    from mpyc_core.protocols.dealt.appoint import require_provider
    from mpyc_core.protocols.registry import get_protocol

    if parties is not None and not 2 <= parties <= MOST:
        raise ConfigError(f"expected 2 to {MOST} parties in a demo, got {parties}")
    cls = get_protocol(protocol, parties)
    count = parties or next(n for n in (3, *range(2, MOST + 1)) if cls.supports(n))
    if provider is None and cls.needs_dealer:
        provider = PROVIDER
    require_provider(cls, (), provider)
    return Setting(protocol, count, default_ring(cls), provider)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which demo, with which protocol, and how much of it."""
    parser.add_argument("which", nargs="?", choices=("tumour", "mnist"), default="tumour")
    parser.add_argument("--protocol", default="replicated")
    parser.add_argument(
        "--parties", type=int, default=None, help="how many (default: 3, if it can)"
    )
    parser.add_argument(
        "--crypto-provider",
        help=f"name of the dealer, for protocols that need one (default: {PROVIDER})",
    )
    parser.add_argument("--model", choices=("mlp", "logistic"), default="mlp", help="tumour only")
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--data", type=Path, default=None, help="folder of MNIST files")
    parser.add_argument("--images", type=int, default=10_000, help="MNIST images to classify")
    parser.add_argument(
        "--steps",
        type=int,
        default=None,
        help="MNIST training steps, each loss opened and compared (default: an epoch, none opened)",
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")


def main(options: argparse.Namespace) -> int:
    """Run a demo; 0 when it shows what it promises, 1 when it falls short, 2 without data."""
    from .warm import warm

    chosen = setting(options.protocol, options.parties, options.crypto_provider)
    parts: dict[str, Figures]
    if options.which == "mnist":
        from . import demo_mnist

        data = demo_mnist.find(options.data)
        warm()
        parts = demo_mnist.show(data, chosen, options.images, options.steps)
    else:
        from . import demo_tumour

        warm()
        parts = {"tumour": demo_tumour.show(chosen, options.model, options.epochs or 10)}
    if options.json is not None:
        facts = {"protocol": chosen.protocol, "parties": chosen.parties, "ring": chosen.ring}
        options.json.write_text(json.dumps({**facts, "parts": parts}, indent=1) + "\n", "utf-8")
    return 0 if all(part["holds"] for part in parts.values()) else 1
