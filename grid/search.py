"""`Grid`: several nodes as one place to search; data sets that span them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from mpyc_core.errors import (
    AuthenticationFailed,
    ConfigError,
    ConsistencyCheckFailed,
    PeerTimeout,
    ShapeMismatch,
)
from mpyc_core.transport.curve import Identity
from mpyc_core.transport.limits import Limits

from .cards import Card
from .client import Client
from .commands import MAX_BESIDE
from .connect import connect_node
from .pointer import Pointer
from .registered import Registry
from .spec import DTYPES, Array, Spec, from_wire
from .spread import Spread

BRIEF = Limits(max_message=MAX_BESIDE, connect=5.0)
"""For nodes that may not be there any more."""


class DataSet(Pointer):
    """A pointer to a data set, with its card."""

    __slots__ = ("card",)
    _makes = Pointer

    def __init__(self, client: Client, card: Card) -> None:
        spec = Spec(DTYPES[card.type], card.shape)
        super().__init__(client, card.id, spec, tags=card.tags, description=card.description)
        self.card = card

    def describe(self) -> str:
        """The card as text: what the rows and columns are, how they came about, what may go out."""
        return str(self.card)

    def sample(self, rows: int = 10) -> Array:
        """Rows that look like those of the data set; `card.sample` says how they came about.

        Raises
        ------
        PermissionDenied : the owner gave none.
        """
        header = {"do": "sample", "target": self.card.id, "rows": int(rows)}
        return self.client.again(header)[1][0]

    @property
    def budget(self) -> dict[str, Any]:
        """What is left of the budget, for all who ask together, and what is spent."""
        return dict(self.client.again({"do": "budget", "target": self.card.id})[0])

    def __hash__(self) -> int:
        return super().__hash__()


class Found(Sequence[Pointer]):
    """What a search found: pointers, in the order of the nodes.

    Parameters
    ----------
    pointers : data sets, and objects that clients made searchable.
    """

    def __init__(self, pointers: Sequence[Pointer]) -> None:
        self._pointers = list(pointers)

    def __len__(self) -> int:
        return len(self._pointers)

    @overload
    def __getitem__(self, place: int) -> Pointer: ...
    @overload
    def __getitem__(self, place: slice) -> Found: ...
    def __getitem__(self, place: int | slice) -> Pointer | Found:
        found = self._pointers[place]
        return Found(found) if isinstance(found, list) else found

    def __iter__(self) -> Iterator[Pointer]:
        return iter(self._pointers)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self._pointers)) or "nothing found"

    def at(self, node: str) -> Found:
        """Those at one node."""
        return Found([x for x in self._pointers if x.client.name == node])

    @property
    def profile(self) -> dict[str, int]:
        """How often each tag occurs."""
        counts = Counter(tag for x in self._pointers for tag in x.tags)
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

    def together(self) -> Spread:
        """All of them as one data set whose rows lie at several nodes.

        Raises
        ------
        ShapeMismatch : names, units, bounds or types of columns differ; the message says where.
        ConfigError : nothing was found, or something that is no data set.
        """
        sets = [x for x in self._pointers if isinstance(x, DataSet)]
        if not sets or len(sets) != len(self._pointers):
            raise ConfigError("expected data sets, found nothing or objects without cards")
        first = sets[0]
        for other in sets[1:]:
            if (other.card.type, other.card.shape[1:]) != (first.card.type, first.card.shape[1:]):
                raise ShapeMismatch(
                    f"{first.client.name} has {first.card.type} rows of shape "
                    f"{first.card.shape[1:]}, {other.client.name} {other.card.type} rows of shape "
                    f"{other.card.shape[1:]}"
                )
            for a, b in zip(first.card.schema, other.card.schema, strict=True):
                if a != b:
                    raise ShapeMismatch(
                        f"columns differ: {first.client.name} has {_column(a)}, "
                        f"{other.client.name} {_column(b)}"
                    )
        return Spread(sets)


def _column(found: tuple[str, str, Any, Any]) -> str:
    name, unit, low, high = found
    return f"{name!r} in {unit or 'no unit'}, bounds {low} to {high}"


class Grid:
    """Nodes to search.

    Parameters
    ----------
    nodes : connections, or tickets, of nodes, of registries that know of nodes, or both; one of
        them, or several. Nodes of registries are connected to when a search finds them.
    identity : who you are, as of `connect_node`.

    Example
    -------
    >>> import mpyc_core as mpc
    >>> a, b = mpc.VirtualNode("a"), mpc.VirtualNode("b")
    >>> _ = a.owner.load("ages", [34, 51], tags=["#ages"])
    >>> _ = b.owner.load("ages", [47], tags=["#ages"])
    >>> mpc.Grid([a, b]).search("#ages").together().shape
    Found 2 results in total.
    Tag profile: #ages found 2
    (3,)
    """

    def __init__(
        self,
        nodes: Client | str | Sequence[Client | str],
        *,
        identity: Identity | str | Path | None = None,
    ) -> None:
        given = [nodes] if isinstance(nodes, (Client, str)) else list(nodes)
        self._identity = identity
        places = [connect_node(x, identity=identity) if isinstance(x, str) else x for x in given]
        self.registries = [x for x in places if isinstance(x, Registry)]
        self.nodes = [x for x in places if not isinstance(x, Registry)]
        self.absent: dict[str, str] = {}
        """Nodes of registries that had matching data and could not be asked, and why."""
        names = [node.name for node in self.nodes]
        if len(set(names)) != len(names):
            raise ConfigError(f"two nodes have one name: {', '.join(names)}")

    def search(self, *tags: str, verbose: bool = True) -> Found:
        """Everything that has all of the tags; prints how often each tag occurs.

        Parameters
        ----------
        tags : with or without #.
        verbose : whether to print.

        Raises
        ------
        ConsistencyCheckFailed : a card is not signed by its node.
        """
        self._meet(tags)
        pointers: list[Pointer] = []
        for node in self.nodes:
            found, _ = node.again({"do": "search", "tags": list(tags)})
            for entry in found["cards"]:
                card = Card.from_wire(entry["card"], entry["signature"], node.key)
                pointers.append(DataSet(node, card))
            for x in found["objects"]:
                described = {"tags": x["tags"], "description": x["description"]}
                pointers.append(Pointer(node, x["id"], from_wire(x["spec"]), **described))
        result = Found(pointers)
        if verbose:
            profile = ", ".join(f"{tag} found {n}" for tag, n in result.profile.items())
            print(f"Found {len(result)} results in total.")
            print(f"Tag profile: {profile or 'no tags'}")
            for name, why in self.absent.items():
                print(f"{name} has matching data and could not be asked: {why}")
        return result

    def _meet(self, tags: Sequence[str]) -> None:
        """Connect to nodes that registries know to have such data."""
        self.absent = {}
        for entry in [x for registry in self.registries for x in registry.entries(*tags)]:
            if any(node.curve == entry.curve for node in self.nodes):
                continue
            if any(node.name == entry.name for node in self.nodes):
                self.absent[entry.name] = "another node of this name is here already"
                continue
            try:
                node = connect_node(entry.ticket, identity=self._identity, limits=BRIEF)
            except (PeerTimeout, AuthenticationFailed) as error:
                self.absent[entry.name] = error.message
                continue
            if (node.name, node.key) != (entry.name, entry.key):
                raise ConsistencyCheckFailed(f"{entry.name} has other keys than its entry says")
            self.nodes.append(node)
