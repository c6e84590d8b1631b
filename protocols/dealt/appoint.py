"""Who may deal for whom: checks that need no connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mpyc_core.errors import ConfigError

if TYPE_CHECKING:
    from mpyc_core.protocols.protocol import Protocol


def same_dealer(provider: str, names: Sequence[str]) -> None:
    """Raise `ConfigError` when a crypto provider is one of those that hold shares."""
    if provider in names:
        raise ConfigError(
            f"the crypto provider {provider!r} is one of the parties {', '.join(names)}; who deals "
            "knows all masks and must hold no share: name somebody else"
        )


def require_provider(
    protocol: type[Protocol], names: Sequence[str], provider: str | None
) -> str | None:
    """The crypto provider, when a protocol has the one that it needs, and none that it does not.

    Raises
    ------
    ConfigError : it has none, needs none, or the dealer is one of the parties.
    """
    if provider is not None:
        same_dealer(provider, names)
        if not provider:
            raise ConfigError("a crypto provider needs a name")
    if protocol.needs_dealer and provider is None:
        raise ConfigError(
            f"protocol {protocol.name!r} needs a crypto provider, who deals correlated randomness "
            'and holds no share: name one with crypto_provider="..." and a process of that name '
            "starts on this machine; in a cluster, add a [dealer] table to the cluster file and "
            "start `mpc dealer` there"
        )
    if provider is not None and not protocol.needs_dealer:
        raise ConfigError(
            f"protocol {protocol.name!r} needs no crypto provider, but {provider!r} was named; "
            'leave crypto_provider out, or choose a protocol that uses one, such as "additive"'
        )
    return provider
