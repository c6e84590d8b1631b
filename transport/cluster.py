"""The cluster file: who the parties are, where they listen, and what all must agree on.

    [parties.alice]
    address    = "tcp://alice.example:7000"   # where the other parties reach her
    public_key = "..."                        # required unless all addresses are local
    control    = "tcp://alice.example:7001"   # where sessions reach her; optional
    bind, control_bind                        # where she listens, when that is not the same

    [session]
    protocol = "replicated"
    ring     = 64                             # optional: 32, 64, 128, or the fields 61, 127
    f        = 16                             # optional

    [session.limits]                          # optional: the fields of Limits
    progress = 30

    [drivers.notebook]                        # who may drive sessions; optional
    public_key = "..."

    [dealer]                                  # the crypto provider, for protocols that need one
    name       = "openmined"                  # nobody who holds a share
    address    = "tcp://openmined.example:7010"
    public_key = "..."                        # bind, as above

Every party has the same file; what differs is only each one's secret key file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mpyc_core.errors import ConfigError

from .curve import check_key, generate_keys, is_local
from .limits import Limits

__all__ = ["Cluster", "PartyEntry", "generate_keys", "load_cluster", "parse_cluster"]


@dataclass(frozen=True)
class PartyEntry:
    """One party of a cluster file."""

    name: str
    address: str
    public_key: str | None = None
    control: str | None = None
    bind: str | None = None
    control_bind: str | None = None

    @property
    def listens_at(self) -> str:
        """Where the party binds for its peers."""
        return self.bind or self.address

    @property
    def control_at(self) -> str | None:
        """Where the party binds for sessions; None when it serves none."""
        return self.control_bind or self.control


@dataclass(frozen=True)
class DealerEntry:
    """The crypto provider of a cluster file."""

    name: str
    address: str
    public_key: str | None = None
    bind: str | None = None

    @property
    def listens_at(self) -> str:
        """Where it binds for the parties."""
        return self.bind or self.address


@dataclass(frozen=True)
class Cluster:
    """The content of a cluster file.

    Parameters
    ----------
    parties : in the order of the file, which is the party order.
    ring, f : of numbers; None leaves them to the protocol.
    drivers : public keys of those who may drive sessions, by name.
    dealer : the crypto provider, if there is one.
    """

    parties: tuple[PartyEntry, ...]
    protocol: str
    ring: int | None = None
    f: int | None = None
    limits: Limits = field(default_factory=Limits)
    drivers: Mapping[str, str] = field(default_factory=dict)
    dealer: DealerEntry | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Party names in party order."""
        return tuple(party.name for party in self.parties)

    @property
    def addresses(self) -> dict[str, str]:
        """Where each party is reached by its peers."""
        return {party.name: party.address for party in self.parties}

    @property
    def controls(self) -> dict[str, str]:
        """Where each party that serves sessions is reached by drivers."""
        return {party.name: party.control for party in self.parties if party.control}

    @property
    def keys(self) -> dict[str, str]:
        """Public keys by party name."""
        return {party.name: party.public_key for party in self.parties if party.public_key}

    @property
    def facts(self) -> dict[str, str]:
        """What the handshake compares between parties."""
        return {
            "protocol": self.protocol,
            "ring": "default" if self.ring is None else str(self.ring),
            "f": "default" if self.f is None else str(self.f),
            "crypto provider": dealer_fact(self.dealer),
        }

    def party(self, name: str) -> PartyEntry:
        """The entry of one party.

        Raises
        ------
        ConfigError : there is no such party; the message lists those there are.
        """
        for party in self.parties:
            if party.name == name:
                return party
        raise ConfigError(f"there is no party {name!r}; the parties are {', '.join(self.names)}")


def load_cluster(path: str | os.PathLike[str]) -> Cluster:
    """Read and check a cluster file.

    Raises
    ------
    ConfigError : naming the file, the table, the key and what is expected.
    """
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"cannot read the cluster file {path}: {error}") from error
    return parse_cluster(text, str(path))


def parse_cluster(text: str, source: str = "cluster file") -> Cluster:
    """Like `load_cluster`, for the text of a file; `source` names it in errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is not TOML: {error}") from error
    top = _Table(source, "", data)
    top.only("parties", "session", "drivers", "dealer")
    session = top.table("session")
    session.only("protocol", "ring", "f", "limits")
    entries = top.table("parties")
    if not entries.data:
        raise ConfigError(f"{source}: [parties.NAME] is missing; one table per party is needed")
    parties = tuple(_party(entries.table(name)) for name in entries.data)
    return Cluster(
        parties=parties,
        protocol=session.text("protocol"),
        ring=session.integer("ring", None),
        f=session.integer("f", None),
        limits=_limits(session.table("limits")),
        drivers=_drivers(top.table("drivers")),
        dealer=_dealer(top.table("dealer"), parties) if "dealer" in data else None,
    )


class _Table:
    """One table of the file, with errors that say where they are."""

    def __init__(self, source: str, path: str, data: Any) -> None:
        self.source, self.path, self.data = source, path, data
        if not isinstance(data, dict):
            raise ConfigError(f"{source}: {path} is not a table; write [{path}]")

    def fail(self, key: str, expected: str) -> ConfigError:
        """The error for one key."""
        got = repr(self.data[key]) if key in self.data else "nothing"
        return ConfigError(f"{self.source}: [{self.path}] {key}: expected {expected}, got {got}")

    def only(self, *known: str) -> None:
        """Refuse keys that mean nothing here: they are typing errors."""
        for key in self.data:
            if key not in known:
                where = f"[{self.path}] {key}" if self.path else f"[{key}]"
                raise ConfigError(
                    f"{self.source}: {where} is unknown; expected one of {', '.join(known)}"
                )

    def table(self, key: str) -> _Table:
        """A table inside this one; empty when it is missing."""
        path = f"{self.path}.{key}" if self.path else key
        return _Table(self.source, path, self.data.get(key, {}))

    def text(self, key: str) -> str:
        """A text that must be there."""
        value = self.data.get(key)
        if not isinstance(value, str) or not value:
            raise self.fail(key, "a text")
        return value

    def optional(self, key: str) -> str | None:
        """A text, or None when it is missing."""
        return self.text(key) if key in self.data else None

    def integer(self, key: str, default: Any) -> Any:
        """A whole number, or `default` when it is missing."""
        value = self.data.get(key, default)
        if key in self.data and (isinstance(value, bool) or not isinstance(value, int)):
            raise self.fail(key, "a whole number")
        return value

    def address(self, key: str) -> str:
        """An address, tcp or ipc."""
        value = self.text(key)
        if not value.startswith(("tcp://", "ipc://")) or value.endswith("//"):
            raise self.fail(key, 'an address like "tcp://host:7000"')
        return value


def _party(table: _Table) -> PartyEntry:
    table.only("address", "public_key", "control", "bind", "control_bind")
    optional = {
        key: table.address(key) for key in ("control", "bind", "control_bind") if key in table.data
    }
    address, key = table.address("address"), table.optional("public_key")
    if key is not None:
        check_key(key, f"{table.source}: [{table.path}] public_key")
    elif not all(is_local(a) for a in (address, *optional.values())):
        raise table.fail("public_key", "the party's public key (python -m mpyc_core keys)")
    return PartyEntry(table.path.partition(".")[2], address, key, **optional)


def _dealer(table: _Table, parties: Sequence[PartyEntry]) -> DealerEntry:
    table.only("name", "address", "public_key", "bind")
    name = table.text("name")
    bind = table.address("bind") if "bind" in table.data else None
    address, key = table.address("address"), table.optional("public_key")
    if key is not None:
        check_key(key, f"{table.source}: [{table.path}] public_key")
    elif not (is_local(address) and is_local(bind or address)):
        raise table.fail("public_key", "the dealer's public key (python -m mpyc_core keys)")
    for party in parties:
        same = "name" if name == party.name else "address" if address == party.address else ""
        if not same and key is not None and key == party.public_key:
            same = "public_key"
        if same:
            raise ConfigError(
                f"{table.source}: [{table.path}] {same} is that of party {party.name!r}; who deals "
                "knows all masks and must hold no share"
            )
    if (key is None) != all(party.public_key is None for party in parties):
        raise table.fail("public_key", "keys for the dealer and all parties, or for none")
    return DealerEntry(name, address, key, bind)


def dealer_fact(dealer: DealerEntry | None) -> str:
    """Who deals, as parties compare it; how each of them reaches the dealer may differ."""
    return "none" if dealer is None else " ".join([dealer.name, dealer.public_key or ""]).strip()


def _limits(table: _Table) -> Limits:
    known = {f.name: f for f in fields(Limits)}
    table.only(*known)
    for key, value in table.data.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise table.fail(key, "a number")
    try:
        return Limits(**table.data)
    except ConfigError as error:
        raise ConfigError(f"{table.source}: [{table.path}] {error.message}") from error


def _drivers(table: _Table) -> dict[str, str]:
    drivers = {}
    for name in table.data:
        entry = table.table(name)
        entry.only("public_key")
        drivers[name] = check_key(
            entry.text("public_key"), f"{table.source}: [{entry.path}] public_key"
        )
    return drivers
