"""Connecting to peers that may not be up yet, again and again, until each attempt holds."""

from __future__ import annotations

from collections.abc import Mapping

import zmq

from mpyc_core.errors import AuthenticationFailed, ConfigError

from .wire import Wire

RETRY = 0.2
REFUSALS = 4
REFUSED = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
)
FAILURES = (zmq.EVENT_CLOSED, zmq.EVENT_DISCONNECTED, *REFUSED)


class Dialer:
    """Attempts to connect, one per peer at a time. ZeroMQ itself never reconnects here.

    Parameters
    ----------
    me : for messages.
    addresses : of those to connect to, by name.

    Raises
    ------
    ConfigError : two peers have the same address.
    """

    def __init__(self, wire: Wire, me: str, addresses: Mapping[str, str]) -> None:
        self.routes: dict[str, bytes] = {}
        self.addresses = dict(addresses)
        if len(set(self.addresses.values())) != len(self.addresses):
            raise ConfigError(f"two parties have the same address: {self.addresses}")
        self._wire = wire
        self._me = me
        self._refusals = dict.fromkeys(addresses, 0)

    def dial(self) -> list[str]:
        """Start an attempt for every peer that has none; returns whom."""
        started = [name for name in self.addresses if name not in self.routes]
        for name in started:
            self.routes[name] = self._wire.connect(name, self.addresses[name])
        return started

    def name_at(self, endpoint: str) -> str | None:
        """Whose present attempt leads to this resolved address."""
        for name, route in self.routes.items():
            if self._wire.endpoint(route) == endpoint:
                return name
        return None

    def drop(self, name: str, event: int) -> bytes:
        """An attempt failed; returns its route. The next `dial` tries again.

        Raises
        ------
        AuthenticationFailed : keys are the reason.
        """
        self._refusals[name] += event in REFUSED
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH or self._refusals[name] >= REFUSALS:
            raise self.unauthenticated(name)
        route = self.routes.pop(name)
        self._wire.disconnect(route)
        return route

    def refused(self, name: str) -> bool:
        """Whether a peer was reached but did not complete the exchange of keys."""
        return self._refusals.get(name, 0) > 0

    def unauthenticated(self, name: str) -> AuthenticationFailed:
        """The error for that."""
        return AuthenticationFailed(
            f"{name} at {self.addresses[name]} and {self._me} could not authenticate each other: "
            f"{self._me}'s public key of {name} or {name}'s public key of {self._me} is wrong, one "
            "of them uses no keys, or something else listens at the address",
            party=name,
        )
