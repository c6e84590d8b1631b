"""Which protocol runs, named or chosen by the security that is asked for, and in which ring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mpyc_core.errors import ConfigError

from .protocol import Protocol
from .registry import get_protocol, protocols

DEFAULT = "replicated"
USUAL_RING = 64
WISHES = {"semi-honest": ("semi-honest", "malicious"), "active": ("malicious",)}
"""Adversaries that protocols for each wish withstand."""


def choose_protocol(
    protocol: str | None,
    security: Literal["semi-honest", "active"] | None,
    parties: int | Sequence[str],
) -> str:
    """The name of the protocol.

    Parameters
    ----------
    protocol : a name, or None.
    security : the least that the protocol must withstand, or None.

    Raises
    ------
    ConfigError : there is no such protocol for that many parties, or the named one is weaker.
    """
    n = parties if isinstance(parties, int) else len(parties)
    if security is not None and security not in WISHES:
        raise ConfigError(f"expected security of {', '.join(WISHES)} or None, got {security!r}")
    if protocol is None:
        return _active(n) if security == "active" else DEFAULT
    if security is not None:
        adversary = get_protocol(protocol, n).security(n).adversary
        if adversary not in WISHES[security]:
            raise ConfigError(
                f"security={security!r} was asked for, but protocol {protocol!r} withstands "
                f"{adversary} parties only; leave protocol= out, or name a stronger one"
            )
    return protocol


def default_ring(protocol: type[Protocol]) -> int:
    """Bits of the ring where none is asked for: 64 if the protocol has it, else its largest."""
    return USUAL_RING if USUAL_RING in protocol.rings else max(protocol.rings)


def _active(n: int) -> str:
    wanted = "replicated-active" if n == 3 else "spdz2k"
    if wanted not in protocols():
        raise ConfigError(
            f"active security for {n} parties needs protocol {wanted!r}, which is not there; "
            "three parties can use 'replicated-active'"
        )
    return wanted
