"""Entries of a registry: where a node is, by which keys it is known, and what data sets it has.

A node signs its entry, and every card in it. A registry can leave entries out, or show old ones; it
cannot change them, nor make entries of nodes whose keys it does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpyc_core.errors import ConfigError, ConsistencyCheckFailed
from mpyc_core.transport.curve import check_key

from . import checks
from .canonical import encode
from .cards import Card
from .keys import NodeKeys, signed_by

PURPOSE = "registry entry"
MAX_CARDS, MAX_BYTES = 256, 1 << 19
"""Of one entry."""
FIELDS = {"name", "address", "curve", "key", "time", "cards"}


def plain(tag: str) -> str:
    """A tag as it is compared: without #, in one case."""
    return tag.lstrip("#").casefold()


@dataclass(frozen=True)
class Entry:
    """What a registry knows of one node.

    Parameters
    ----------
    name, address : by which people, and by which programs, reach it.
    curve, key : its public keys of connections and of signatures.
    time : when it was signed, in seconds since 1970, by the node's clock.
    cards : of its data sets.
    signature : of all that, by the node.
    heard : when the registry heard of the node last; the registry's word.
    """

    name: str
    address: str
    curve: str
    key: bytes
    time: float
    cards: tuple[Card, ...]
    signature: bytes
    signatures: tuple[bytes, ...]
    heard: float = 0.0

    @classmethod
    def signed(
        cls,
        keys: NodeKeys,
        name: str,
        address: str,
        time: float,
        cards: Sequence[tuple[Card, bytes]],
    ) -> Entry:
        """The entry of a node, signed with its keys; of many data sets as many as fit."""
        shown = _fitting(cards)
        own, given = tuple(card for card, _ in shown), tuple(s for _, s in shown)
        draft = cls(name, address, keys.identity.public, keys.public, time, own, b"", given)
        return cls(
            name,
            address,
            draft.curve,
            draft.key,
            time,
            own,
            keys.sign(PURPOSE, draft.body()),
            given,
        )

    def body(self) -> dict[str, Any]:
        """What is signed, as plain data."""
        return {
            "name": self.name,
            "address": self.address,
            "curve": self.curve,
            "key": self.key,
            "time": self.time,
            "cards": [
                [card.to_wire(), given]
                for card, given in zip(self.cards, self.signatures, strict=True)
            ],
        }

    @classmethod
    def read(cls, data: Any, signature: Any, heard: float = 0.0) -> Entry:
        """An entry that came from elsewhere, checked.

        Raises
        ------
        ConsistencyCheckFailed : not an entry, or not signed by its node.
        """
        if not (isinstance(data, Mapping) and set(data) == FIELDS and _sound(data)):
            raise ConsistencyCheckFailed("expected the entry of a node, got something else")
        try:
            check_key(data["curve"], f"the key of {data['name']}")
            pairs = [(body, given) for body, given in data["cards"]]
            cards = tuple(Card.from_wire(body, given, data["key"]) for body, given in pairs)
        except (ConfigError, TypeError, ValueError):
            raise ConsistencyCheckFailed("expected the entry of a node, got other keys") from None
        if not signed_by(data["key"], PURPOSE, data, signature):
            raise ConsistencyCheckFailed(f"the entry of {data['name']} is not signed by its node")
        if any(card.node != data["name"] for card in cards):
            raise ConsistencyCheckFailed(f"{data['name']} shows cards of another node")
        return cls(
            data["name"],
            data["address"],
            data["curve"],
            data["key"],
            data["time"],
            cards,
            signature,
            tuple(given for _, given in pairs),
            heard,
        )

    @property
    def ticket(self) -> str:
        """With which to connect to the node."""
        return f"{self.address}#{self.curve}"

    def fits(self, tags: Sequence[str]) -> bool:
        """Whether one of its data sets has all of these tags."""
        wanted = {plain(tag) for tag in tags}
        return not wanted or any(wanted <= {plain(t) for t in card.tags} for card in self.cards)


def _fitting(cards: Sequence[tuple[Card, bytes]]) -> list[tuple[Card, bytes]]:
    """The first cards that go into one command."""
    found: list[tuple[Card, bytes]] = []
    size = 0
    for card, signature in cards[:MAX_CARDS]:
        size += len(encode(card.to_wire())) + len(signature)
        if size > MAX_BYTES:
            break
        found.append((card, signature))
    return found


def _sound(data: Mapping[str, Any]) -> bool:
    """Whether the fields have their types."""
    return (
        checks.name(data["name"])
        and checks.name(data["address"])
        and "://" in data["address"]
        and type(data["curve"]) is str
        and type(data["key"]) is bytes
        and checks.positive(data["time"])
        and type(data["cards"]) is list
        and len(data["cards"]) <= MAX_CARDS
    )
