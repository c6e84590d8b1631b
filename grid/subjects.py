"""Subject columns: which rows are of the same person, and what each person's account pays.

A card that names a subject column says that a record is not a person: a person has several rows, at
most so many as the card says, which is checked when the rows come in, and noise covers all of them
at once. Identifiers are neither kept nor part of the data: a person is known by a pseudonym under
the node's key, the same one in all data sets of the node. So a person who is in two of them has one
account, whoever asks.

Where a person's account is used up, the person's rows are replaced, in the middle of their bounds,
on the way to the release. Refusing the release instead would tell that somebody is in several data
sets. What the person's data tells in all is what the account paid, and no more.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mpyc_core.errors import ConfigError, EncodingError, PermissionDenied
from mpyc_core.privacy.budget import Charge, dataset_account, subject_account
from mpyc_core.privacy.price import Price

from .cards import Card, Column, Policy
from .spec import BOOL, FLOAT, INT, Array

if TYPE_CHECKING:
    from .node import Node

BYTES = 16
Names = list[bytes]
"""The pseudonym of each row."""


def marks_of(subjects: Iterable[Any]) -> Array:
    """One identifier for each row as 128 bits, in two integers; for the way to the owner's node.

    Raises
    ------
    EncodingError : an identifier is neither a whole number nor text.
    """
    found = []
    for given in subjects:
        x = given.item() if isinstance(given, np.generic) else given
        if isinstance(x, float) and x.is_integer():
            x = int(x)
        if isinstance(x, bool) or not isinstance(x, (int, str)) or x == "":
            raise EncodingError("expected whole numbers or text to identify subjects")
        found.append(hashlib.sha256(str(x).encode()).digest()[:BYTES])
    return np.frombuffer(b"".join(found), INT).reshape(-1, 2)


def names_of(node: Node, marks: Array) -> Names:
    """Pseudonyms under the node's key.

    Raises
    ------
    EncodingError : something else than `marks_of` gives.
    """
    if marks.dtype != INT or marks.ndim != 2 or marks.shape[1] != 2:
        raise EncodingError("expected one subject for each row")
    given = [row.tobytes() for row in np.ascontiguousarray(marks)]
    known = {mark: node.keys.mac("subject", mark)[:BYTES] for mark in set(given)}
    return [known[mark] for mark in given]


def account_of(name: bytes) -> str:
    """The account of a person."""
    return subject_account(name.hex())


# -- of a data set ------------------------------------------------------------------------------
def check(node: Node, card: Card, names: Names) -> None:
    """A card with a subject column has a subject for each row, none with too many, and the same
    ones as other columns of the same records.

    Raises
    ------
    ConfigError : it has not; no subject is named.
    """
    if bool(card.subject) != bool(names) or len(names) not in (0, card.rows):
        raise ConfigError(f"{card.name!r} needs one subject for each of its {card.rows} rows")
    most = max(Counter(names).values(), default=0)
    if most > card.per_subject:
        raise ConfigError(
            f"a subject of {card.name!r} has {most} rows, per_subject allows {card.per_subject}; "
            "keep fewer rows of it, or allow more, for which more noise is added"
        )
    for other, _ in node.cards():
        if other.group != card.group or other.id == card.id:
            continue
        if (other.subject, other.per_subject) != (card.subject, card.per_subject) or (
            of(node, other) != names
        ):
            raise ConfigError(
                f"group {card.group!r} has the same records, so the same subjects, in every data "
                f"set; those of {card.name!r} differ from those of {other.name!r}"
            )


def put(node: Node, card: Card, names: Names) -> None:
    """Keep whose rows they are."""
    node.state.drop_blob(f"subjects {card.id}")
    if names:
        node.state.put_blob(f"subjects {card.id}", b"".join(names))


def of(node: Node, card: Card) -> Names:
    """Whose rows they are; empty without a subject column.

    Raises
    ------
    ConfigError : the state was changed outside.
    """
    if not card.subject:
        return []
    data = node.state.blob(f"subjects {card.id}")
    if data is None or len(data) != BYTES * card.rows:
        raise ConfigError(f"the state of {node.name} is damaged: the subjects of {card.name!r}")
    return [data[i : i + BYTES] for i in range(0, len(data), BYTES)]


def open_accounts(node: Node) -> None:
    """Give every person the smallest budget that a data set with rows of the person states."""
    limits: dict[bytes, Price] = {}
    for card, _ in node.cards():
        if not has_accounts(card):
            continue
        stated = _limit(card.policy)
        for name in set(of(node, card)):
            old = limits.get(name, stated)
            limits[name] = Price(
                min(old.nano_epsilon, stated.nano_epsilon), min(old.atto_delta, stated.atto_delta)
            )
    for name, limit in limits.items():
        node.ledger.open_account(account_of(name), limit)


def has_accounts(card: Card) -> bool:
    """Whether people pay for releases of a data set, beside the data set itself."""
    return bool(card.subject) and card.policy.subject_epsilon is not None


def _limit(policy: Policy) -> Price:
    delta = policy.delta if policy.subject_delta is None else policy.subject_delta
    return Price.limit(policy.subject_epsilon or 0.0, delta)


# -- of a release -------------------------------------------------------------------------------
@dataclass(frozen=True)
class Shares:
    """What people pay for a release.

    Parameters
    ----------
    charges : on the accounts of those who can pay.
    left_out : by group, which rows are of people who cannot.
    """

    charges: Sequence[Charge]
    left_out: Mapping[str, Array]

    def rows_of(self, card: Card, value: Array) -> Array:
        """The rows of a data set; those of people who cannot pay are replaced by public ones."""
        mask = self.left_out.get(card.group)
        if mask is None or not mask.any():
            return value
        found = value.copy()
        neutral = np.array([_middle(c, value.dtype) for c in card.columns])
        found[mask] = neutral.astype(value.dtype).reshape(value.shape[1:])
        found.flags.writeable = False
        return found


def shares(node: Node, cards: Iterable[Card], charges: Sequence[Charge]) -> Shares:
    """Who pays, beside the data sets, for a release with these charges on data sets.

    Whether a person is left out depends on that person's own account alone.

    Raises
    ------
    PermissionDenied : a delta would have to be paid twice by people who are in two data sets.
    """
    prices = {charge.account: charge.price for charge in charges}
    groups = {c.group: c for c in cards if has_accounts(c) and dataset_account(c.group) in prices}
    if len(groups) > 1 and any(prices[dataset_account(g)].atto_delta for g in groups):
        raise PermissionDenied(
            f"releases of {', '.join(sorted(groups))} together take no delta, because one person "
            "may be in several of them; leave out delta, or release them one by one",
            party=node.name,
        )
    names = {group: of(node, card) for group, card in groups.items()}
    owed: dict[bytes, Price] = {}
    for group, rows in names.items():
        for name in set(rows):
            owed[name] = owed.get(name, Price()) + prices[dataset_account(group)]
    broke = {name for name, price in owed.items() if not _covers(node, name, price)}
    paying = [Charge(account_of(n), p) for n, p in sorted(owed.items()) if n not in broke]
    masks = {group: np.array([n in broke for n in rows]) for group, rows in names.items()}
    return Shares(paying, masks)


def _covers(node: Node, name: bytes, price: Price) -> bool:
    return node.ledger.remaining(account_of(name)).covers(price)


def _middle(column: Column, dtype: Any) -> float:
    """A value that any row could have, whatever the data."""
    if dtype == BOOL or column.lower is None or column.upper is None:
        return 0.0
    middle = (column.lower + column.upper) / 2
    if dtype == FLOAT:
        return min(max(middle, column.lower), column.upper)
    return float(min(max(math.floor(middle), math.ceil(column.lower)), math.floor(column.upper)))
