"""`Owner`: what a data owner does at its node: load data, set policies, look at budgets and log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ConfigError

from . import pieces
from .cards import Column, Policy, columns_of
from .client import Client
from .commands import CHUNK
from .pieces import Progress
from .pointer import Pointer
from .spec import Array, Spec, normalised
from .subjects import marks_of


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
        subject: str = "",
        subjects: Sequence[int | str] | None = None,
        per_subject: int = 1,
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
        subject : the column that says whose row it is, for data sets where a person has several
            rows. It is taken out of the data; the node keeps pseudonyms under its key.
        subjects : the same, one whole number or text for each row, where it is no column of `data`.
        per_subject : at most how many rows one subject has; noise covers all of them at once.
        policy : what may go out; exact results on request, none with noise, when None.
        mock : rows that a person made up, for `sample()`.
        synthetic : the epsilon for which sample rows are drawn from the data instead.

        Raises
        ------
        EncodingError : values that are not numbers, not finite, or outside their column's bounds.
        ConfigError : the card is not consistent.
        """
        value, marks = normalised(data), None
        if subject:
            value, columns, marks = _apart(value, columns, subject, subjects)
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
        if marks is not None:
            header |= {"subject": subject, "per_subject": per_subject}
            arrays.append(marks)
        pending = self._load(header, value, arrays, progress)
        return Pointer(self, str(pending["id"]), Spec.of(value), tags=tags, description=description)

    def _load(
        self, header: dict[str, Any], value: Array, beside: list[Array], progress: Progress | None
    ) -> dict[str, Any]:
        if value.nbytes > CHUNK:
            return self.call({**header, "upload": pieces.send(self, value, progress)}, beside)[0]
        return self.call(header, [value, *beside])[0]

    def reload(
        self,
        dataset: Pointer,
        data: npt.ArrayLike,
        *,
        subjects: Sequence[int | str] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Replace the rows of a data set; approvals that rest on the old ones become void.

        Parameters
        ----------
        subjects : whose rows they are, where the data set has a subject column; `data` is without.
        """
        header: dict[str, Any] = {"do": "reload", "target": dataset.id}
        beside: list[Array] = []
        if subjects is not None:
            header["subject"] = "subject"
            beside.append(marks_of(subjects))
        self._load(header, normalised(data), beside, progress)

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

    def subject_account(self, subject: int | str) -> dict[str, Any]:
        """What releases have cost one person, and what is left: (epsilon, delta) each.

        Raises
        ------
        ConfigError : nobody of this identifier has an account.
        """
        return self.call({"do": "subject"}, [marks_of([subject])])[0]

    @property
    def log(self) -> list[dict[str, Any]]:
        """The entries of the audit log."""
        found: list[dict[str, Any]] = []
        while True:
            reply, _ = self.call({"do": "audit", "start": len(found) + 1})
            if not reply["entries"]:
                return found
            found += [{"number": n, **body} for n, body in reply["entries"]]


def _apart(
    value: Array,
    columns: Sequence[Column | str] | None,
    subject: str,
    subjects: Sequence[int | str] | None,
) -> tuple[Array, Sequence[Column | str] | None, Array]:
    """Data and columns without the subject column, and whose rows they are."""
    names = [c.name if isinstance(c, Column) else c for c in columns or ()]
    if subject not in names:
        if subjects is None:
            raise ConfigError(f"there is no column {subject!r}, and no subjects= for the rows")
        return value, columns, marks_of(subjects)
    if subjects is not None or value.ndim != 2 or len(names) != value.shape[1]:
        raise ConfigError(f"expected {subject!r} as one of the columns of rows, or subjects=")
    place = names.index(subject)
    rest = [c for i, c in enumerate(columns or ()) if i != place]
    return normalised(np.delete(value, place, axis=1)), rest, marks_of(value[:, place])
