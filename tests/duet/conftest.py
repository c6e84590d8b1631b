"""A duet on this machine, and its guests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mpyc_core.grid.duet import Duet, JoinedDuet, join_duet, launch_duet
from mpyc_core.transport.curve import Identity
from mpyc_core.transport.limits import Limits

QUICK = Limits(heartbeat=0.3, gone=1.0, connect=5.0, max_message=1 << 26)


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    with launch_duet("ada", folder=tmp_path / "ada", verbose=False) as found:
        yield found


def join(duet: Duet, name: str = "bob", identity: Identity | None = None) -> JoinedDuet:
    """A further guest."""
    me = identity or Identity.fresh()
    return join_duet(duet.invite(), name=name, identity=me, limits=QUICK)


@pytest.fixture
def guest(duet: Duet) -> Iterator[JoinedDuet]:
    with join(duet) as found:
        yield found
