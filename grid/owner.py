"""`Owner`: what a data owner does at its node: load data, answer requests, set rules, watch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy.typing as npt

from .cards import Column, Policy, columns_of
from .client import Client, Progress
from .handlers import Rule
from .pointer import Pointer
from .spec import Array, Spec, normalised


@dataclass(frozen=True)
class Asked:
    """A request that waits for this owner's answer.

    Parameters
    ----------
    requester : the public key of who asks.
    name, reason : what they say of it.
    computation : every step that leads from the data to what they want.
    inputs : what it reads.
    shape : of the result.
    leakage : a bound on what it would tell.
    """

    owner: Owner
    id: str
    requester: str
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
            f"<Request {self.id[:8]} of {self.requester[:8]}, {when}, {self.status}: "
            f"{self.name!r}, {self.reason!r}; {self.leakage}>"
        )

    def preview(self) -> Array:
        """The exact value that the request is about; this is written to the audit log."""
        return self.owner.call({"do": "preview", "request": self.id})[1][0]

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
        self.owner.call(header)


class Requests:
    """Requests that wait for an owner, oldest first; a sequence that is read anew each time."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def _read(self, everything: bool = False) -> list[Asked]:
        found, _ = self._owner.call({"do": "asked", "everything": everything})
        return [
            Asked(
                self._owner,
                r["id"],
                r["requester"],
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


class Owner(Client):
    """An owner's connection to its own node, or a client's view of requests for its own data."""

    @property
    def requests(self) -> Requests:
        """Requests that wait for an answer."""
        return Requests(self)

    def load(
        self,
        name: str,
        data: npt.ArrayLike,
        *,
        tags: Sequence[str] = (),
        columns: Sequence[Column | str] | None = None,
        description: str = "",
        collected: str = "",
        group: str | None = None,
        policy: Policy | None = None,
        mock: npt.ArrayLike | None = None,
        synthetic: float | None = None,
        progress: Progress | None = None,
    ) -> Pointer:
        """Load a data set into the node and publish its card; the rows stay here.

        Parameters
        ----------
        data : one row per record.
        tags, columns, description, collected : what the card says.
        group : data sets whose rows are the same records in the same order; they share one budget.
        policy : what may go out; exact results on request, none with noise, when None.
        mock : rows that a person made up, for `sample()`.
        synthetic : the epsilon for which sample rows are drawn from the data instead.

        Raises
        ------
        EncodingError : values that are not numbers, not finite, or outside their column's bounds.
        ConfigError : the card is not consistent.
        """
        value = normalised(data)
        header: dict[str, Any] = {
            "do": "load",
            "name": name,
            "group": group or name,
            "tags": list(tags),
            "description": description,
            "collected": collected,
            "columns": [asdict(c) for c in columns_of(columns, value)],
            "policy": asdict(policy or Policy()),
            "sample": "mock" if mock is not None else "synthetic" if synthetic else "",
            "sample_epsilon": float(synthetic or 0.0),
        }
        arrays = [] if mock is None else [normalised(mock)]
        pending = self._load(header, value, arrays, progress)
        return Pointer(self, str(pending["id"]), Spec.of(value), tags=tags, description=description)

    def _load(
        self, header: dict[str, Any], value: Array, beside: list[Array], progress: Progress | None
    ) -> dict[str, Any]:
        from .commands import CHUNK

        if value.nbytes > CHUNK:
            return self.call({**header, "upload": self._upload(value, progress)}, beside)[0]
        return self.call(header, [value, *beside])[0]

    def reload(self, dataset: Pointer, data: npt.ArrayLike) -> None:
        """Replace the rows of a data set; approvals that rest on the old ones become void."""
        self.call({"do": "reload", "target": dataset.id}, [normalised(data)])

    def set_policy(self, dataset: Pointer, policy: Policy) -> None:
        """Change what may go out; approvals under the old policy become void."""
        self.call({"do": "policy", "target": dataset.id, "policy": asdict(policy)})

    def remove(self, dataset: Pointer) -> None:
        """Remove a data set; what was spent of its budget stays spent."""
        self.call({"do": "remove", "target": dataset.id})

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

    @property
    def accounts(self) -> dict[str, Any]:
        """By account: budget and what was spent of it, as (epsilon, delta, epsilon, delta)."""
        return dict(self.call({"do": "accounts"})[0]["accounts"])

    @property
    def log(self) -> list[dict[str, Any]]:
        """The entries of the audit log."""
        found: list[dict[str, Any]] = []
        while True:
            reply, _ = self.call({"do": "audit", "start": len(found) + 1})
            if not reply["entries"]:
                return found
            found += [{"number": n, **body} for n, body in reply["entries"]]
