"""Parties as threads on a mesh, of which each ends with an error of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mpyc_core.errors import MpcError
from mpyc_core.ml.tensor import SecretTensor
from mpyc_core.protocols.party import Party
from mpyc_core.transport.mesh import Mesh


def run_parties(meshes: Sequence[Mesh], program: Callable[[Party], Any]) -> list[Any]:
    """What each party's program gives, or the error that stopped it."""

    def run(mesh: Mesh) -> Any:
        try:
            with mesh:
                return program(Party(mesh, protocol="replicated-active", wrap=SecretTensor))
        except MpcError as error:
            return error

    with ThreadPoolExecutor(len(meshes)) as pool:
        return list(pool.map(run, meshes))
