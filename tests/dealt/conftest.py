"""Dealers and their parties as threads of this process, over real sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from mpyc_core.entropy import fresh_key
from mpyc_core.protocols.dealt.client import DealerClient
from mpyc_core.protocols.dealt.server import DealerServer
from mpyc_core.transport.limits import Limits

NAMES = ("alice", "bob", "theo")
DEALER = "openmined"
QUICK = Limits(heartbeat=0.1, gone=0.5, progress=0.6, connect=3.0, linger=1.0)


def in_threads(calls: Sequence[Callable[[], Any]], timeout: float = 20) -> list[Any]:
    """Run calls at the same time; each one's result, or the exception it raised."""
    results: list[Any] = [None] * len(calls)

    def work(index: int) -> None:
        try:
            results[index] = calls[index]()
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
        assert not thread.is_alive(), "a party hangs"
    return results


class Office:
    """A dealer that runs, and the parties of its sessions."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.servers: list[DealerServer] = []
        self.lines: list[str] = []

    def open(self, names: Sequence[str] = NAMES, **options: Any) -> DealerServer:
        """Start a dealer in a thread."""
        options = {"limits": QUICK, "log": self.lines.append, **options}
        server = DealerServer(DEALER, names, options.pop("address", "tcp://127.0.0.1:0"), **options)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()

        def end() -> None:
            server.stop()
            thread.join(10)
            server.close()
            assert not thread.is_alive()

        self._stack.callback(end)
        self.servers.append(server)
        return server

    def client(
        self, name: str, names: Sequence[str] = NAMES, address: str | None = None, **options: Any
    ) -> DealerClient:
        """One party's client, not yet connected."""
        place = address or self.servers[-1].address
        options = {"limits": QUICK, **options}
        client = DealerClient(
            options.pop("dealer", DEALER), place, party=name, names=names, **options
        )
        self._stack.callback(client.close)
        return client

    def session(
        self, names: Sequence[str] = NAMES, session: bytes | None = None, **options: Any
    ) -> list[DealerClient]:
        """All parties of a new session."""
        key = session or fresh_key(32)
        clients = [self.client(name, names, **options) for name in names]
        found = in_threads(
            [
                lambda i=i, c=c: c.setup(key, i, len(names))  # type: ignore[misc]
                for i, c in enumerate(clients)
            ]
        )
        for error in found:
            if error is not None:
                raise error
        return clients


@pytest.fixture
def office() -> Iterator[Office]:
    with ExitStack() as stack:
        yield Office(stack)
