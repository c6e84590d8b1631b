"""Nodes with the diabetes data, for the tests of the grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from mpyc_core.grid.cards import Column, Policy
from mpyc_core.grid.client import Client
from mpyc_core.grid.pointer import Pointer
from mpyc_core.grid.virtual import VirtualNode


@dataclass
class Clinic:
    """A node with a data set, and what the test knows of it."""

    node: VirtualNode
    rows: np.ndarray
    target: np.ndarray
    data: Pointer
    labels: Pointer
    stranger: Client


@pytest.fixture
def node() -> Iterator[VirtualNode]:
    with VirtualNode("May Clinic") as found:
        yield found


def hide(node: VirtualNode, secret: float) -> Pointer:
    """A pointer to data whose every number is one that must never be seen."""
    node.owner.load("marked", np.full((5, 2), secret), tags=["#marked"])
    return node.pointer(node.store[0].id)


def columns(rows: np.ndarray) -> list[Column]:
    """Columns whose bounds hold the rows."""
    low, high = np.floor(rows.min(0)), np.ceil(rows.max(0))
    return [
        Column(f"x{i}", float(a), float(b)) for i, (a, b) in enumerate(zip(low, high, strict=True))
    ]


@pytest.fixture
def clinic(node: VirtualNode) -> Clinic:
    rows, target = load_diabetes(return_X_y=True, scaled=False)
    policy = Policy(epsilon=3.0, max_epsilon=2.0)
    shared = {"group": "patients", "policy": policy}
    node.owner.load(
        "diabetes data", rows, tags=["#diabetes", "#data"], columns=columns(rows), **shared
    )
    node.owner.load(
        "diabetes target",
        target,
        tags=["#diabetes", "#target"],
        columns=[Column("progression", 0, 400)],
        **shared,
    )
    data, labels = sorted(node.store, key=lambda p: p.ndim, reverse=True)
    return Clinic(node, rows, target, data, labels, node.connect())
