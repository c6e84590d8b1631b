"""Answering requests: what an owner of data sees of them, and does."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .commands import Reply
from .handlers import Rule
from .spec import Array


@dataclass(frozen=True)
class Asked:
    """A request that waits for this owner's answer.

    Parameters
    ----------
    requester : the public key of who asks.
    known_as : their name, where the node's owner or they gave one.
    name, reason : what they say of it.
    computation : every step that leads from the data to what they want.
    inputs : what it reads.
    shape : of the result.
    leakage : a bound on what it would tell.
    """

    client: Answering
    id: str
    requester: str
    known_as: str
    created: float
    name: str
    reason: str
    status: str
    terms: Mapping[str, Any]
    computation: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    leakage: str

    def __repr__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.created))
        return (
            f"<Request {self.id[:8]} of {self.who}, {when}, {self.status}: "
            f"{self.name!r}, {self.reason!r}; {self.leakage}>"
        )

    @property
    def who(self) -> str:
        """Name and beginning of the key of who asks."""
        return f"{self.known_as} {self.requester[:8]}".strip()

    def preview(self) -> Array:
        """The exact value that the request is about; this is written to the audit log."""
        return self.client.call({"do": "preview", "request": self.id})[1][0]

    def accept(self, uses: int = 1, expiry: float = 30 * 24 * 3600.0) -> None:
        """Let exactly this go out to exactly them.

        Parameters
        ----------
        uses : how many times.
        expiry : seconds until the approval is void.
        """
        self._answer(True, "", uses, expiry)

    def deny(self, reason: str = "") -> None:
        """Refuse, and say why."""
        self._answer(False, reason, 1, 1.0)

    def _answer(self, accept: bool, reason: str, uses: int, expiry: float) -> None:
        header = {
            "do": "answer",
            "request": self.id,
            "accept": accept,
            "reason": reason,
            "uses": int(uses),
            "expiry": float(expiry),
        }
        self.client.call(header)


class Requests:
    """Requests that wait for an owner, oldest first; a sequence that is read anew each time."""

    def __init__(self, owner: Answering) -> None:
        self._owner = owner

    def _read(self, everything: bool = False) -> list[Asked]:
        found, _ = self._owner.call({"do": "asked", "everything": everything})
        self._owner.keep_head(found["head"])
        return [
            Asked(
                self._owner,
                r["id"],
                r["requester"],
                r["known_as"],
                r["created"],
                r["name"],
                r["reason"],
                r["status"],
                r["terms"],
                r["computation"],
                tuple(r["inputs"]),
                tuple(r["spec"][1]),
                r["leakage"],
            )
            for r in found["requests"]
        ]

    def __len__(self) -> int:
        return len(self._read())

    def __getitem__(self, place: int) -> Asked:
        return self._read()[place]

    def __iter__(self) -> Iterator[Asked]:
        return iter(self._read())

    def __repr__(self) -> str:
        return "\n".join(map(repr, self._read())) or "no open requests"

    def all(self) -> list[Asked]:
        """Those that were answered, too."""
        return self._read(everything=True)


class Answering(ABC):
    """What everybody can do whose data lies at a node: answer requests for it."""

    @abstractmethod
    def call(self, header: dict[str, Any], arrays: Sequence[Array] = ()) -> Reply:
        """Send a command and wait for the reply."""

    @abstractmethod
    def keep_head(self, head: dict[str, Any]) -> None:
        """Remember where the node says that its audit log stands, with all releases so far."""

    @property
    def requests(self) -> Requests:
        """Requests that wait for an answer."""
        return Requests(self)

    def add_rule(
        self, ops: Sequence[str], max_elements: int, action: str = "accept", **limits: Any
    ) -> str:
        """Have requests answered automatically; see `Rule`. Returns the id of the rule."""
        rule = Rule(action, tuple(ops), max_elements, **limits)  # type: ignore[arg-type]
        return str(self.call({"do": "add_rule", "rule": rule.to_wire()})[0]["rule"])

    def drop_rule(self, rule: str) -> None:
        """Drop a rule."""
        self.call({"do": "drop_rule", "rule": rule})

    @property
    def rules(self) -> list[dict[str, Any]]:
        """The rules, and what was used of their quotas."""
        return list(self.call({"do": "rules"})[0]["rules"])
