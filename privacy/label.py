"""`Label`: what follows a value from its owner to its release.

A label says whose data a value was made of, how one data subject can change it, and by which
computation it came about. Every operation joins the labels of its operands, and each party does so
itself, from the commands it carries out; nothing of it comes from a driver.

    Public   a constant that everybody knows
    Rows     one entry per row of a data set along one axis, each made from its own row alone, with
             bounds per column: what clip, arithmetic and comparison leave rows
    Total    made of all rows, with a bound on what one subject changes: it can be released
    Blocked  anything else, with the reason; it can be released raw, with its owners' consent, but
             not under a budget

Neighbours. Two data sets are neighbours if they have equally many rows and differ in the rows of
one subject, at most `rows` of them. So the number of rows is public, as every shape is.

A label in `Meta.label` is the set of its owners' names: that is what the parties of a computation
join and ask consent by. The rest stands in a table at each node, by the id of the value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import msgpack
import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ConfigError

from .interval import Interval

Array = npt.NDArray[Any]
Touched = tuple[tuple[str, int], ...]
"""(data set, how many of its rows one subject has at most), by name."""


def touched(*parts: Touched) -> Touched:
    """Operands together: the same rows of the same data sets."""
    found: dict[str, int] = {}
    for part in parts:
        for dataset, rows in part:
            found[dataset] = max(found.get(dataset, 0), rows)
    return tuple(sorted(found.items()))


@dataclass(frozen=True, eq=False)
class Public:
    """A constant; `value` is None where only its existence is known."""

    value: Array | None


@dataclass(frozen=True, eq=False)
class Rows:
    """Row by row made from a data set.

    Parameters
    ----------
    shape : of the value.
    axis : the axis along which rows lie.
    alignment : which rows, in which order; values of one alignment belong together row by row.
    touched : what one subject can change.
    bounds : of shape `shape` with length 1 along `axis`; None if nothing is known.
    f : fraction bits of the grid that the value is brought to before it is summed.
    """

    shape: tuple[int, ...]
    axis: int
    alignment: bytes
    touched: Touched
    bounds: Interval | None
    f: int

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.shape[self.axis]

    @property
    def columns(self) -> tuple[int, ...]:
        """The shape with one row."""
        return tuple(1 if i == self.axis else d for i, d in enumerate(self.shape))


@dataclass(frozen=True, eq=False)
class Total:
    """Made of all rows: integers in units of `unit`, and what one subject changes.

    Parameters
    ----------
    width : by how many units a change of one row moves each element at most; the value's shape.
    most : a bound on the sum of these moves over all elements, if it is below the sum of `width`.
    touched : how many rows of which data set one subject has.
    unit : what an integer stands for.
    magnitude : a bound on the integers.
    """

    width: Array
    most: int | None
    touched: Touched
    unit: Fraction
    magnitude: int

    def l1(self, dataset: str) -> int:
        """L1 sensitivity in units, towards one data set."""
        total = sum(int(w) for w in self.width.flat)
        if self.most is not None:
            total = min(total, self.most)
        return total * dict(self.touched).get(dataset, 0)

    def l2_squared(self, dataset: str) -> int:
        """Square of the L2 sensitivity in units, towards one data set."""
        squares = sum(int(w) ** 2 for w in self.width.flat)
        widest = max((int(w) for w in self.width.flat), default=0)
        if self.most is not None:
            squares = min(squares, self.most * widest)
        return squares * dict(self.touched).get(dataset, 0) ** 2


@dataclass(frozen=True, eq=False)
class Blocked:
    """Not to be released under a budget.

    Parameters
    ----------
    reason : what went wrong, and what to do instead.
    """

    reason: str


State = Public | Rows | Total | Blocked


@dataclass(frozen=True, eq=False)
class Label:
    """What is known about the origin of a value.

    Parameters
    ----------
    owners : names of those who must agree to a release.
    state : see the module.
    lineage : SHA-256 of the computation that made the value, leaves by id and version.
    """

    owners: frozenset[str]
    state: State
    lineage: bytes

    def encode(self) -> bytes:
        """Canonical bytes: equal labels have equal bytes."""
        data = [sorted(self.owners), self.lineage, _plain(self.state)]
        found: bytes = msgpack.packb(data, use_bin_type=True)  # type: ignore[no-untyped-call]
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Label) and self.encode() == other.encode()

    def __hash__(self) -> int:
        return hash(self.encode())


@dataclass(frozen=True)
class Source:
    """A version of a data set, as far as privacy needs it.

    Parameters
    ----------
    dataset : its id, the name of the account that pays.
    version : of its content.
    owner : who must agree.
    shape : rows first.
    lower, upper : bounds of the columns, or of all; None: the owner gave none, clip before a sum.
    rows : at most how many rows belong to one subject, which the owner enforces; 1 if a row is a
        person.
    f : fraction bits to which values are brought before they are summed.
    order : names the rows and their order, where several data sets hold columns of the same rows;
        the data set itself if empty.
    """

    dataset: str
    version: str
    owner: str
    shape: tuple[int, ...]
    lower: Sequence[float] | float | None = None
    upper: Sequence[float] | float | None = None
    rows: int = 1
    f: int = 16
    order: str = field(default="")

    def label(self) -> Label:
        """The label of the whole data set.

        Raises
        ------
        ConfigError : bounds that do not fit the columns, or no rows.
        """
        if not self.shape or self.shape[0] < 1 or self.rows < 1 or not 0 <= self.f <= 40:
            raise ConfigError(
                f"expected rows, at least one per subject, and 0 to 40 fraction bits, got shape "
                f"{self.shape}, {self.rows} and {self.f}"
            )
        lineage = digest("source", self.dataset, self.version, list(self.shape))
        order = digest("rows", self.order) if self.order else digest("rows of", lineage)
        state = Rows(self.shape, 0, order, ((self.dataset, self.rows),), self._bounds(), self.f)
        return Label(frozenset({self.owner}), state, lineage)

    def _bounds(self) -> Interval | None:
        if self.lower is None or self.upper is None:
            return None
        columns = (1, *self.shape[1:])
        try:
            low, high = (np.broadcast_to(np.asarray(b), columns) for b in (self.lower, self.upper))
            found = Interval(Interval.of(low).lo, Interval.of(high).hi).outward(self.f)
        except (ValueError, OverflowError, TypeError):
            raise ConfigError(
                f"expected finite bounds for columns of shape {columns[1:]} of {self.dataset}"
            ) from None
        if (found.lo > found.hi).any():
            raise ConfigError(f"a lower bound of {self.dataset} is above its upper bound")
        return found


def constant(value: npt.ArrayLike) -> Label:
    """The label of a public constant."""
    array = np.asarray(value)
    facts = [str(array.dtype), list(array.shape), np.ascontiguousarray(array).tobytes()]
    return Label(frozenset(), Public(array), digest("constant", *facts))


def digest(*facts: Any) -> bytes:
    """SHA-256 of plain data in one encoding."""
    packed: bytes = msgpack.packb([_plain(f) for f in facts], use_bin_type=True)  # type: ignore[no-untyped-call]
    return hashlib.sha256(packed).digest()


def join(
    op: str, params: Mapping[str, Any], labels: Sequence[Label], state: State, output: int = 0
) -> Label:
    """The label of a result: owners of all operands, the state found, and how it was made."""
    lineage = digest(op, output, sorted(params.items()), [x.lineage for x in labels])
    return Label(frozenset[str]().union(*(x.owners for x in labels)), state, lineage)


def _plain(x: Any) -> Any:
    """Anything that labels hold as plain data, sorted where order means nothing."""
    match x:
        case None | bool() | int() | float() | str() | bytes():
            return str(x) if isinstance(x, int) and abs(x) >= 1 << 63 else x
        case Fraction():
            return [str(x.numerator), str(x.denominator)]
        case np.generic():
            return _plain(x.item())
        case np.ndarray() if x.dtype == object:
            return [list(x.shape), [_plain(v) for v in x.flat]]
        case np.ndarray():
            return [str(x.dtype), list(x.shape), np.ascontiguousarray(x).tobytes()]
        case Mapping():
            return [[_plain(k), _plain(x[k])] for k in sorted(x)]
        case list() | tuple():
            return [_plain(v) for v in x]
        case set() | frozenset():
            return [_plain(v) for v in sorted(x)]
        case slice():
            return ["slice", x.start, x.stop, x.step]
        case Interval():
            return [_plain(x.lo), _plain(x.hi)]
        case Public() | Rows() | Total() | Blocked():
            return [type(x).__name__, *(_plain(v) for v in vars(x).values())]
    raise ConfigError(f"expected plain data in a label, got {type(x).__name__}")
