"""Connecting to nodes over the network, and the files that say who may."""

from __future__ import annotations

import os
from pathlib import Path

from mpyc_core.errors import ConfigError
from mpyc_core.transport.curve import Identity, check_key
from mpyc_core.transport.limits import Limits

from . import checks
from .client import Client
from .commands import MAX_BESIDE
from .keys import own_identity
from .link import Link
from .owner import Owner
from .registered import Registry
from .remote import RemoteLink

KEY_LENGTH = 40


def ticket(address: str, key: str) -> str:
    """Address and key of a node as one line to be passed on."""
    return f"{address}#{key}"


def read_ticket(text: str) -> tuple[str, str]:
    """The address and key of a ticket.

    Raises
    ------
    ConfigError : not a ticket.
    """
    address, mark, key = text[: -KEY_LENGTH - 1], text[-KEY_LENGTH - 1 : -KEY_LENGTH], text[-40:]
    if mark != "#" or "://" not in address:
        raise ConfigError(
            f"expected a node's ticket like tcp://host:port#KEY, got {text[:80]!r}; the node "
            "prints it when it starts"
        )
    return address, check_key(key, "the key of the ticket")


def default_identity() -> Path:
    """Where this user's own key is kept; it is made when it is first used."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "mpyc-core" / "client.key"


def connect_node(
    node: str, *, identity: Identity | str | Path | None = None, limits: Limits | None = None
) -> Client:
    """Connect to a node, or to a registry of nodes, over the network.

    Parameters
    ----------
    node : its ticket, tcp://host:port#KEY, as the node prints it; the key is its identity.
    identity : who you are: a key file, made when it is missing; your own when None. Your budget,
        requests and objects belong to it.

    Returns
    -------
    A client; an `Owner` if the identity is that of the node's owner, a `Registry` at a registry.

    Raises
    ------
    PeerTimeout : nobody answered.
    AuthenticationFailed : the node has another key, or its owner has not admitted you.
    """
    address, key = read_ticket(node)
    if not isinstance(identity, Identity):
        identity = own_identity(Path(identity) if identity is not None else default_identity())
    chosen, me = limits or Limits(max_message=MAX_BESIDE), identity

    def dial() -> Link:
        return RemoteLink(address, key, me, chosen)

    link = dial()
    client = Client(link, dial)
    if client.kind == "registry":
        return Registry(link, dial)
    return Owner(link, dial) if client.is_owner else client


class Guests:
    """The file that says who may connect: a name and a public key on every line.

    It is read anew when it has changed, so that people can be let in while the node runs.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._keys: dict[str, str] = {}

    def __call__(self, key: str) -> bool:
        """Whether the holder of a key may enter."""
        return key in self.read()

    def read(self) -> dict[str, str]:
        """{public key: name}.

        Raises
        ------
        ConfigError : a line is not a name and a key.
        """
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return {}
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp != self._stamp:
            lines = self._path.read_text("utf-8").splitlines()
            self._keys = dict(_guest(line) for line in lines if line.strip())
            self._stamp = stamp
        return self._keys

    def add(self, name: str, key: str) -> None:
        """Let somebody in."""
        if not checks.name(name):
            raise ConfigError(f"expected a name of one line, got {name!r}")
        check_key(key, f"the key of {name}")
        if key not in self.read():
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{key} {name}\n")


def _guest(line: str) -> tuple[str, str]:
    key, _, name = line.strip().partition(" ")
    if not checks.name(name.strip()):
        raise ConfigError(f"expected a key and a name in the file of guests, got {line[:60]!r}")
    return check_key(key, f"the key of {name}"), name.strip()
