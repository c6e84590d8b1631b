"""Data-set cards: what a data set is, signed by the node that holds it; never the data itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from mpyc_core.errors import ConfigError, ConsistencyCheckFailed, EncodingError

from . import checks
from .keys import signed_by
from .spec import FLOAT, Array

PURPOSE = "card"


@dataclass(frozen=True)
class Column:
    """One column of a data set.

    Parameters
    ----------
    name : one line.
    lower, upper : between which every value lies, whatever the data; set from knowledge of the
        field, not from the data. Without them only counts can be released with noise.
    unit : of the values.
    """

    name: str
    lower: float | None = None
    upper: float | None = None
    unit: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        if not checks.name(self.name) or not (
            checks.text(self.unit) and checks.text(self.description)
        ):
            raise ConfigError("a column has a name of one line, a unit and a description")
        bounds = (self.lower, self.upper)
        if not all(b is None or checks.real(b) for b in bounds):
            raise ConfigError(f"the bounds of column {self.name} are not numbers: {bounds}")
        if (self.lower is None) != (self.upper is None):
            raise ConfigError(f"column {self.name} has one bound; give both, or none")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ConfigError(f"the bounds of column {self.name} are in the wrong order: {bounds}")


@dataclass(frozen=True)
class Policy:
    """What an owner allows others to take out.

    Parameters
    ----------
    raw : "request" lets exact results go out when the owner accepts a request for them, "never"
        refuses them without asking.
    epsilon, delta : the budget of the data set, for all who ask together; 0 allows no noisy
        releases.
    max_epsilon : of one release.
    noisy : "budget" lets noisy releases go out while the budget lasts, "request" asks the owner for
        each of them, too.
    subject_epsilon, subject_delta : the budget of each person, in all data sets of the node
        together, where the card names a subject column; None keeps no accounts of people. A person
        whose budget is used up is left out of releases, and nobody is told. Without subject_delta
        it is delta.
    """

    raw: Literal["request", "never"] = "request"
    epsilon: float = 0.0
    delta: float = 0.0
    max_epsilon: float = 1.0
    noisy: Literal["budget", "request"] = "budget"
    subject_epsilon: float | None = None
    subject_delta: float | None = None

    def __post_init__(self) -> None:
        if self.raw not in ("request", "never"):
            raise ConfigError(f"expected raw to be 'request' or 'never', got {self.raw!r}")
        if self.noisy not in ("budget", "request"):
            raise ConfigError(f"expected noisy to be 'budget' or 'request', got {self.noisy!r}")
        for field in ("epsilon", "delta", "max_epsilon", "subject_epsilon", "subject_delta"):
            value = getattr(self, field)
            if value is None and field.startswith("subject"):
                continue
            if not checks.real(value) or value < 0:
                raise ConfigError(f"expected {field} to be a number of 0 or more, got {value!r}")


@dataclass(frozen=True)
class Card:
    """What is public about one data set.

    Parameters
    ----------
    id, version : ids; a data set that is replaced keeps its id.
    node, key : the name of the node, and its public signing key.
    group : the records of data sets of one group are the same, row by row; they share a budget.
    sample : what kind of sample rows there are: "mock", "synthetic" or none.
    subject : name of the column that says whose row it is, which is not part of the data; empty if
        a row is a person.
    per_subject : at most how many rows one person has.
    """

    id: str
    version: str
    node: str
    key: bytes
    name: str
    group: str
    tags: tuple[str, ...]
    description: str
    collected: str
    shape: tuple[int, ...]
    type: str
    columns: tuple[Column, ...]
    policy: Policy
    policy_version: str
    sample: str = ""
    subject: str = ""
    per_subject: int = 1

    def to_wire(self) -> dict[str, Any]:
        """The card as plain data; what is signed."""
        return asdict(self)

    @classmethod
    def from_wire(cls, data: Mapping[str, Any], signature: bytes, key: bytes | None = None) -> Card:
        """A card that came from a node, checked.

        Parameters
        ----------
        key : the node's signing key where it is known; the card's own otherwise.

        Raises
        ------
        ConsistencyCheckFailed : it is not signed by its node, or not a card.
        """
        try:
            if set(data) != {f.name for f in fields(cls)}:
                raise ValueError
            card = cls(
                **{
                    **data,
                    "tags": tuple(data["tags"]),
                    "shape": tuple(data["shape"]),
                    "columns": tuple(Column(**column) for column in data["columns"]),
                    "policy": Policy(**data["policy"]),
                }
            )
        except (TypeError, ValueError, KeyError):
            raise ConsistencyCheckFailed("expected a data-set card, got something else") from None
        if (key is not None and card.key != key) or not signed_by(
            card.key, PURPOSE, card.to_wire(), signature
        ):
            raise ConsistencyCheckFailed(f"the card {card.name!r} is not signed by its node")
        return card

    @property
    def rows(self) -> int:
        """Number of records."""
        return self.shape[0]

    @property
    def schema(self) -> tuple[tuple[str, str, Any, Any], ...]:
        """What must be equal for data sets of several nodes to be one: names, units and bounds."""
        return tuple((c.name, c.unit, c.lower, c.upper) for c in self.columns)

    def __str__(self) -> str:
        lines = [
            f"{self.name} at {self.node}: {self.rows} rows, {self.type}, "
            f"tags {' '.join(self.tags) or 'none'}"
        ]
        lines += [text for text in (self.description, self.collected) if text]
        for c in self.columns:
            known = c.lower is not None and c.upper is not None
            bounds = f" in [{c.lower:g}, {c.upper:g}]" if known else ""
            lines.append(f"  {c.name}{bounds} {c.unit} {c.description}".rstrip())
        if self.subject:
            lines.append(f"  rows of one {self.subject}: {self.per_subject} at most")
        budget = f"epsilon {self.policy.epsilon:g} in all, {self.policy.max_epsilon:g} at most each"
        lines.append(
            f"exact results: {self.policy.raw}; noisy ones: "
            f"{budget if self.policy.epsilon else 'none'}; sample rows: {self.sample or 'none'}"
        )
        return "\n".join(lines)


def columns_of(given: Sequence[Column | str] | None, array: Array) -> tuple[Column, ...]:
    """One column for every column of the array.

    Raises
    ------
    ConfigError : another number of columns, or two of one name.
    """
    width = array.shape[1] if array.ndim == 2 else 1
    found = tuple(c if isinstance(c, Column) else Column(c) for c in given or ())
    if not found:
        found = tuple(Column(f"column {i}") for i in range(width))
    if len(found) != width or len({c.name for c in found}) != width:
        raise ConfigError(f"expected {width} columns of different names, got {len(found)}")
    return found


def check_data(array: Array, columns: Sequence[Column], what: str) -> None:
    """The data keeps what its card promises.

    Raises
    ------
    EncodingError : not finite, or outside the bounds of its column; the value is not named.
    """
    if array.ndim not in (1, 2):
        raise EncodingError(f"{what} has {array.ndim} axes; expected rows, or rows and columns")
    table = array.reshape(len(array), len(columns))
    if array.dtype == FLOAT and not np.isfinite(table).all():
        raise EncodingError(f"{what} holds values that are not finite; fill or remove them first")
    for column, values in zip(columns, table.T, strict=True):
        low = column.lower is not None and values.size and bool((values < column.lower).any())
        high = column.upper is not None and values.size and bool((values > column.upper).any())
        if low or high:
            raise EncodingError(
                f"column {column.name} of {what} has values outside its bounds; widen the bounds, "
                "or clip the data first"
            )
