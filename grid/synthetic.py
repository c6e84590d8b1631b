"""Sample rows drawn under a stated epsilon: every column from its own noisy histogram.

Columns are drawn independently, so nothing is kept of how they go together: enough to see what the
values look like and to try code on, and no more. The price is charged to the data set once; rows
are drawn from the noisy counts alone, so any number of them costs the same.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import numpy as np

from mpyc_core.errors import ConfigError
from mpyc_core.privacy.budget import Charge, dataset_account
from mpyc_core.privacy.mechanisms import discrete_laplace
from mpyc_core.privacy.price import Price

from . import subjects
from .canonical import encode
from .cards import Card
from .keys import fresh_id
from .spec import BOOL, INT, Array

if TYPE_CHECKING:
    from .node import Node

BINS = 32
ROWS = 100


def synthesise(node: Node, card: Card, value: Array, epsilon: float) -> Array:
    """Draw sample rows.

    Security    one changed record moves two counts of every column by one: the L1 sensitivity of
                all counts together is twice the number of columns, for each row of a subject

    Raises
    ------
    ConfigError : epsilon is not positive, or a column has no bounds.
    BudgetExceeded : the data set's budget does not cover epsilon.
    """
    if epsilon <= 0 or any(c.lower is None for c in card.columns):
        raise ConfigError(
            f"synthetic rows of {card.name!r} need an epsilon above 0 and bounds of every column"
        )
    charge = Charge(dataset_account(card.group), Price.of(epsilon))
    people = subjects.shares(node, [card], [charge])
    table = people.rows_of(card, value).reshape(card.rows, -1).astype(np.float64)
    edges = [_edges(c.lower, c.upper) for c in card.columns]
    counts = np.stack([np.histogram(x, e)[0] for x, e in zip(table.T, edges, strict=True)]).astype(
        np.int64
    )
    key = fresh_id()
    ticket = node.ledger.reserve(key, b"synthetic rows", [charge, *people.charges])
    node.audit.append("reserved", release=key, card=card.id, epsilon=epsilon, kind="sample rows")
    if ticket is None:
        raise ConfigError("an id was drawn twice; the generator of the machine is broken")
    drawn: list[Array] = []
    reach = 2 * len(edges) * card.per_subject

    def noisy() -> bytes:
        drawn.append(discrete_laplace(counts, reach, epsilon).values)
        return encode(["synthetic", [[int(n) for n in row] for row in drawn[0]]])

    node.ledger.draw(ticket, noisy)
    node.ledger.commit(key)
    node.ledger.deliver(key)
    rows = np.stack([_column(n, e) for n, e in zip(drawn[0], edges, strict=True)], axis=1)
    if value.dtype in (INT, BOOL):
        rows = np.rint(rows)
    rows = np.clip(rows, [e[0] for e in edges], [e[-1] for e in edges])
    return rows.reshape(ROWS, *value.shape[1:]).astype(value.dtype)


def _edges(lower: float | None, upper: float | None) -> Array:
    low, high = float(lower or 0.0), float(upper or 0.0)
    return np.linspace(low, high if high > low else low + 1.0, BINS + 1)


def _column(counts: Array, edges: Array) -> Array:
    """Values drawn from a histogram; negative counts are none."""
    weights = np.maximum(counts.astype(np.float64), 0.0)
    total = weights.sum()
    shares = weights / total if total > 0 else np.full(BINS, 1 / BINS)
    uniform = np.array([[secrets.randbits(53) / 2**53 for _ in range(2)] for _ in range(ROWS)])
    bins = np.minimum(np.searchsorted(np.cumsum(shares), uniform[:, 0], "right"), BINS - 1)
    return np.asarray(edges[bins] + uniform[:, 1] * (edges[bins + 1] - edges[bins]))
