"""Long-lived meshes whose parties are threads of this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .cluster import Cluster


@pytest.fixture(scope="module", params=["queue", "tcp"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Three parties of `replicated` over Z/2^64, one mesh for the whole module."""
    with Cluster(request.param, parties=3, protocol="replicated", ring=64) as made:
        yield made
