"""Long-lived meshes whose parties are threads of this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mpyc_core.protocols.registry import get_protocol, protocols

from .cluster import Cluster
from .runner import main_ring, parties_of

SECURE = [name for name in protocols() if name != "plain"]
MESHES = [("queue", "replicated"), *(("tcp", name) for name in SECURE)]
"""Every protocol over ZeroMQ; one of them shows that queues carry the same."""


@pytest.fixture(scope="module", params=MESHES, ids=lambda pair: "-".join(pair))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The parties of one protocol over its main ring, one mesh for the whole module."""
    kind, name = request.param
    protocol = get_protocol(name)
    with Cluster(kind, parties_of(protocol), name, main_ring(protocol)) as made:
        yield made
