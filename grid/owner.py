"""`Owner`: what a data owner does at its node: load data, set policies, look at budgets and log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy.typing as npt

from .cards import Column, Policy, columns_of
from .client import Client, Progress
from .commands import CHUNK
from .pointer import Pointer
from .spec import Array, Spec, normalised


class Owner(Client):
    """An owner's connection to its own node."""

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
        if value.nbytes > CHUNK:
            return self.call({**header, "upload": self._upload(value, progress)}, beside)[0]
        return self.call(header, [value, *beside])[0]

    def reload(self, dataset: Pointer, data: npt.ArrayLike) -> None:
        """Replace the rows of a data set; approvals that rest on the old ones become void."""
        self.call({"do": "reload", "target": dataset.id}, [normalised(data)])

    def set_policy(self, dataset: Pointer, policy: Policy) -> None:
        """Change what may go out; approvals under the old policy become void."""
        self.call({"do": "policy", "target": dataset.id, "policy": asdict(policy)})

    def trust(self, name: str, key: str) -> None:
        """Let a node hold shares of this node's data in computations among nodes.

        Parameters
        ----------
        key : its public key, `client.curve` of a connection to it that you trust. Whoever holds
            enough of the keys that are trusted here can put the shares together.
        """
        self.call({"do": "trust", "name": name, "key": key})

    def remove(self, dataset: Pointer) -> None:
        """Remove a data set; what was spent of its budget stays spent."""
        self.call({"do": "remove", "target": dataset.id})

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
