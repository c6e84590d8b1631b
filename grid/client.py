"""`Client`: one side of a connection to a node: it sends arrays, gets pointers, asks for values."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import Disconnected

from . import pieces
from .answering import Answering
from .audit import Head, check_signed, extends
from .commands import CHUNK, Reply
from .link import Link, Pending
from .pieces import RETRIES, Progress
from .pointer import Pointer
from .spec import Array, Spec, from_wire, normalised

MANY = 64


class Client(Answering):
    """A connection to a node.

    Parameters
    ----------
    link : the connection.
    reconnect : makes another one when it breaks; None leaves it broken.
    """

    def __init__(self, link: Link, reconnect: Callable[[], Link] | None = None) -> None:
        self.link, self._reconnect = link, reconnect
        self._dialling = threading.Lock()
        self.dropped: deque[str | Pending] = deque()
        self.heads: list[Head] = []
        self.committees: dict[Any, Any] = {}
        known = self.call({"do": "hello"})[0]
        self.name = str(known["name"])
        self.key: bytes = known["key"]
        self.curve = str(known["curve"])
        self.kind = str(known["kind"])
        self.is_owner = bool(known["owner"])
        self.public = str(known["you"])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.name}>"

    # -- commands -------------------------------------------------------------------------------
    def submit(self, header: dict[str, Any], arrays: Sequence[Array] = ()) -> Pending:
        """Send a command and go on; ids that pointers dropped travel with it."""
        if self.dropped:
            header["free"] = self._freed()
        return self.link.submit(header, arrays)

    def call(self, header: dict[str, Any], arrays: Sequence[Array] = ()) -> Reply:
        """Send a command and wait for the reply."""
        return self.submit(header, arrays).result()

    def _freed(self) -> list[str]:
        """Ids of objects whose pointers are gone, as far as they are known by now."""
        found: list[str] = []
        for _ in range(min(len(self.dropped), MANY)):
            try:
                ref = self.dropped.popleft()
            except IndexError:  # another thread was faster
                break
            if isinstance(ref, str):
                found.append(ref)
            elif ref.done:
                try:
                    found.append(str(ref.result()[0]["id"]))
                except Exception:  # what failed made no object
                    continue
            else:
                self.dropped.append(ref)
        return found

    def again(self, header: dict[str, Any], arrays: Sequence[Array] = ()) -> Reply:
        """`call` for commands that can be repeated: it reconnects when the connection breaks."""
        for attempt in range(RETRIES):
            link = self.link
            try:
                return self.call(dict(header), arrays)
            except Disconnected:
                if attempt == RETRIES - 1 or not self.redial(link):
                    raise
        raise Disconnected(f"{self.name} cannot be reached", party=self.name)

    def redial(self, broken: Link) -> bool:
        """Connect anew, unless another thread has; False where no connection can be made anew."""
        if self._reconnect is None:
            return False
        with self._dialling:
            if self.link is broken:
                self.link = self._reconnect()  # where this fails the next call tries again
                broken.close()
        return True

    # -- sending --------------------------------------------------------------------------------
    def send(
        self,
        x: npt.ArrayLike,
        *,
        tags: Sequence[str] = (),
        description: str = "",
        searchable: bool = False,
        progress: Progress | None = None,
    ) -> Pointer:
        """Send an array to the node; it stays yours.

        Parameters
        ----------
        tags, description : how it is found again; what has tags survives a restart of the node.
        searchable : whether others can find it and compute with it. They cannot get it, or what
            they made of it, unless you accept their request.
        progress : told how far a large array is.

        Raises
        ------
        EncodingError : not truth values, integers or floats.
        PermissionDenied : it takes more than the node gives you.
        """
        value = normalised(x)
        header: dict[str, Any] = {
            "do": "put",
            "tags": list(tags),
            "description": description,
            "searchable": searchable,
        }
        pending = self._put(header, value, progress)
        spec = Spec.of(value)
        if not tags and not searchable:
            return Pointer(self, pending, spec, owned=True)
        key = str(pending.result()[0]["id"])
        return Pointer(self, key, spec, tags=tags, description=description)

    def _put(
        self, header: dict[str, Any], value: Array, progress: Progress | None = None
    ) -> Pending:
        """A command with an array beside it, or uploaded before it when it is large."""
        if value.nbytes > CHUNK:
            return self.submit({**header, "upload": pieces.send(self, value, progress)})
        pending = self.submit(header, [value])
        if progress is not None:
            progress(value.nbytes, value.nbytes)
        return pending

    def update(self, pointer: Pointer, x: npt.ArrayLike) -> Pointer:
        """Replace what a pointer means, if you sent it; approvals of the old one become void."""
        value = normalised(x)
        header = {"do": "update", "target": pointer.reference}
        self._put(header, value).result()
        return Pointer(self, pointer.id, Spec.of(value), tags=pointer.tags)

    def delete(self, pointer: Pointer) -> None:
        """Delete an object that you hold, also from the node's disk."""
        pointer._owned = False
        self.call({"do": "delete", "target": pointer.reference})

    # -- finding --------------------------------------------------------------------------------
    def pointer(self, id: str) -> Pointer:
        """A pointer to an object by its id.

        Raises
        ------
        PermissionDenied : there is none that you may use.
        """
        found, _ = self.again({"do": "look", "target": id})
        spec = from_wire(found["spec"])
        described = {"tags": found["tags"], "description": found["description"]}
        return Pointer(self, found["id"], spec, **described)

    @property
    def store(self) -> list[Pointer]:
        """Pointers to what has tags: your own, and what others made searchable."""
        found, _ = self.again({"do": "mine"})
        return [
            Pointer(
                self,
                x["id"],
                from_wire(x["spec"]),
                tags=x["tags"],
                description=x["description"],
            )
            for x in found["objects"]
        ]

    # -- taking ---------------------------------------------------------------------------------
    def take(self, do: str, what: dict[str, Any], token: str) -> Array:
        """Ask for a value; asking again with the token gives the same bytes at no charge."""
        ask = {"do": do, **what, "token": token}
        found, arrays = self.again(ask)
        self.keep_head(found["head"])
        if arrays:
            return arrays[0]
        spec = from_wire(found["spec"])
        value = np.empty(spec.shape, spec.dtype)
        pieces.fetch(self, ask, value.reshape(-1).view(np.uint8))
        return value

    # -- the audit log --------------------------------------------------------------------------
    def keep_head(self, head: dict[str, Any]) -> None:
        """Remember where the node said that its log stands; two stories do not go together."""
        found = check_signed(head, self.key)
        if not self.heads or found != self.heads[-1]:
            self.heads.append(found)
            del self.heads[:-MANY]

    def verify(self, since: Head | None = None) -> Head:
        """Check that the node's audit log extends a head that it gave before.

        Parameters
        ----------
        since : an earlier head; the oldest that this client remembers when None.

        Raises
        ------
        ConsistencyCheckFailed : it does not; the log was rewritten or cut.
        """
        from mpyc_core.errors import ConsistencyCheckFailed

        old = since or (self.heads[0] if self.heads else Head(0, bytes(32)))
        links: list[bytes] = []
        while True:
            found, _ = self.again({"do": "links", "start": old.number + len(links) + 1})
            links += found["links"]
            new = check_signed(found["head"], self.key)
            if not found["links"] or old.number + len(links) >= new.number:
                break
        if not extends(old, new, links[: max(0, new.number - old.number)]):
            raise ConsistencyCheckFailed(
                f"the audit log of {self.name} does not extend the head {old}: it was rewritten",
                party=self.name,
            )
        return new

    def close(self) -> None:
        """End the connection, and the computations among nodes; safe to call twice."""
        for committee in list(self.committees.values()):
            committee.close()
        self.committees.clear()
        self.link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
