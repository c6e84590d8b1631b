"""The objects of a node: arrays that are held for somebody, and what may be done with them.

An object belongs to its holder: who sent it, or who had it made. Nobody else can use it, unless it
is searchable. Its owners are those whose data it was made of; only they decide whether it may go
out. Values never change: what replaces an object has a new version.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from mpyc_core.errors import PermissionDenied

from .graph import Expr
from .spec import Array, Spec

LEASE = 3600.0
QUOTA = 1 << 33
MAX_OBJECTS = 1 << 16
REFUSED = (
    "there is no object of this id that you may use: it was never made, was freed, its lease ran "
    "out, or it is somebody else's"
)


@dataclass(frozen=True)
class Stored:
    """An array at a node.

    Parameters
    ----------
    id : 128 unpredictable bits, made by the node.
    version : another such id; what replaces the array has a new one.
    value : read-only.
    holder : the public key of who may refer to it.
    owners : the public keys of those whose data it was made of.
    cards : ids of the data sets it was made of.
    graph : how it was made.
    """

    id: str
    version: str
    value: Array = field(repr=False)
    holder: str
    owners: frozenset[str]
    cards: frozenset[str]
    graph: Expr = field(repr=False)
    tags: tuple[str, ...] = ()
    description: str = ""
    searchable: bool = False
    durable: bool = False

    @property
    def spec(self) -> Spec:
        """Type and shape."""
        return Spec.of(self.value)

    @property
    def nbytes(self) -> int:
        """Memory, unless its graph holds the same array, for which `Objects.hold` counts."""
        return 0 if self.graph.value is self.value else self.value.nbytes


class Objects:
    """All objects of a node.

    Parameters
    ----------
    lease : seconds after which what was sent or made is dropped when its holder has been silent.
    quota : bytes that one holder may take.
    """

    def __init__(self, lease: float = LEASE, quota: int = QUOTA) -> None:
        self._objects: dict[str, Stored] = {}
        self._held: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._heard: dict[str, float] = {}
        self._returned: deque[tuple[str, int]] = deque()
        self._swept = time.monotonic()
        self.lease, self.quota = lease, quota

    def __len__(self) -> int:
        return len(self._objects)

    def add(self, stored: Stored, limited: bool = True) -> Stored:
        """Keep an object.

        Parameters
        ----------
        limited : whether the holder's quota counts.

        Raises
        ------
        PermissionDenied : the holder's quota is used up.
        """
        self._take(stored.holder, stored.nbytes, 1, limited)
        self._objects[stored.id] = stored
        return stored

    def hold(self, holder: str, leaf: Expr) -> Expr:
        """Count an array that a graph keeps, for as long as it keeps it.

        Raises
        ------
        PermissionDenied : the holder's quota is used up.
        """
        if leaf.value is not None and leaf.value.nbytes:
            self._take(holder, leaf.value.nbytes, 0)
            gone = (holder, leaf.value.nbytes)
            weakref.finalize(leaf, self._returned.append, gone).atexit = False
        return leaf

    def _take(self, holder: str, amount: int, objects: int, limited: bool = True) -> None:
        while self._returned:
            self._give_back(*self._returned.popleft())
        held = self._held.get(holder, 0) + amount
        count = self._counts.get(holder, 0) + objects
        if limited and (held > self.quota or count > MAX_OBJECTS):
            raise PermissionDenied(
                f"your objects at this node would take {held} bytes in {count} objects; "
                f"{self.quota} bytes in {MAX_OBJECTS} objects are allowed: delete some"
            )
        self._held[holder], self._counts[holder] = held, count

    def _give_back(self, holder: str, amount: int) -> None:
        self._held[holder] -= amount

    def usable(self, key: str, caller: str) -> Stored:
        """An object that the caller may refer to.

        Raises
        ------
        PermissionDenied : there is none; in the same words whether it exists or not.
        """
        found = self._objects.get(key)
        if found is None or not (found.holder == caller or found.searchable):
            raise PermissionDenied(REFUSED)
        return found

    def held(self, key: str, caller: str) -> Stored:
        """An object that the caller may change or delete.

        Raises
        ------
        PermissionDenied : there is none.
        """
        found = self._objects.get(key)
        if found is None or found.holder != caller:
            raise PermissionDenied(REFUSED)
        return found

    def find(self, key: str) -> Stored | None:
        """An object, for the node itself."""
        return self._objects.get(key)

    def replace(self, old: Stored, new: Stored) -> None:
        """Put another version in the place of an object."""
        self.drop(old.id)
        try:
            self.add(new)
        except PermissionDenied:
            self.add(old)
            raise

    def drop(self, key: str) -> None:
        """Forget an object."""
        gone = self._objects.pop(key, None)
        if gone is not None:
            self._give_back(gone.holder, gone.nbytes)
            self._counts[gone.holder] -= 1

    def searchable(self) -> list[Stored]:
        """What everybody may find."""
        return [x for x in self._objects.values() if x.searchable]

    def of(self, caller: str) -> list[Stored]:
        """What somebody holds."""
        return [x for x in self._objects.values() if x.holder == caller]

    def heard(self, caller: str) -> None:
        """Somebody gave a sign of life, which renews all of its leases."""
        now = self._heard[caller] = time.monotonic()
        if now - self._swept > min(60.0, self.lease / 4):
            self._swept = now
            self.sweep(now)

    def sweep(self, now: float) -> None:
        """Drop what belongs to holders that have been silent for longer than the lease."""
        silent = {who for who, last in self._heard.items() if now - last > self.lease}
        for stored in [x for x in self._objects.values() if x.holder in silent and not x.durable]:
            self.drop(stored.id)
        for who in silent:
            self._heard.pop(who, None)


def joined(operands: Iterable[Stored]) -> tuple[frozenset[str], frozenset[str]]:
    """Owners and data sets of what is made of several objects."""
    owners: frozenset[str] = frozenset()
    cards: frozenset[str] = frozenset()
    for x in operands:
        owners, cards = owners | x.owners, cards | x.cards
    return owners, cards
