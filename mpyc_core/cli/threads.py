"""All parties as threads of this process: for programs that only this process has."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from mpyc_core.errors import MpcError

from .program import Program


def run_threads(
    program: Program,
    names: Sequence[str],
    settings: Mapping[str, Any],
    args: Mapping[str, Any],
    crypto_provider: str | None = None,
) -> dict[str, Any]:
    """Run a program at all parties over queues; a crypto provider is a process all the same.

    Parameters
    ----------
    settings : protocol, ring and f.
    """
    from mpyc_core.protocols.dealt.client import DealerClient
    from mpyc_core.transport.queues import queue_meshes

    from .party import make_party

    results: dict[str, Any] = {}
    errors: list[BaseException] = []

    def play(mesh: Any, dealer: str | None) -> None:
        provider = None
        name = mesh.names[mesh.me]
        try:
            if dealer is not None and crypto_provider is not None:
                busy = mesh.busy()
                provider = DealerClient(crypto_provider, dealer, party=name, names=names, busy=busy)
            party = make_party(mesh, provider=provider, **settings)
            results[party.name] = program(party, **args)
        except MpcError as error:
            errors.append(error)
            mesh.abort(error)
            _abort(provider, error)
        except BaseException as error:  # the caller's own exception is raised again below
            errors.insert(0, error)
            report = MpcError(f"the program of {name} raised")
            mesh.abort(report)
            _abort(provider, report)
        finally:
            mesh.close()
            if provider is not None:
                provider.close()

    with ExitStack() as stack:
        dealer = None
        if crypto_provider is not None:
            from .local import Launched

            launched = stack.enter_context(Launched(names, {}, crypto_provider, parties=False))
            dealer = launched.places[crypto_provider]["address"]
        meshes = queue_meshes(names)
        workers = [threading.Thread(target=play, args=(mesh, dealer)) for mesh in meshes]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    if errors:
        raise errors[0]
    return {name: results[name] for name in names}


def _abort(provider: Any, error: MpcError) -> None:
    if provider is not None:
        provider.abort(error)
