"""Large arrays between a client and a node, in pieces, over connections that may break on the way.

Some pieces are under way at a time, so that neither side waits for the other and neither stores
more than these. When the connection breaks, the client connects anew and goes on behind the last
piece that arrived.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from mpyc_core.errors import Disconnected, FrameError, MpcError

from .commands import CHUNK
from .keys import fresh_id
from .spec import Array, Spec, to_wire

if TYPE_CHECKING:
    from .client import Client
    from .link import Pending

Progress = Callable[[int, int], None]
"""Told how many bytes of how many are done."""
UNDER_WAY = 8
RETRIES = 3
"""Connections in a row on which nothing arrives, after which one gives up."""


def send(client: Client, value: Array, progress: Progress | None = None) -> str:
    """Send an array ahead of the command that uses it; the name of the upload.

    Raises
    ------
    Disconnected : the node cannot be reached; says how much had arrived.
    """
    name, raw = fresh_id(), value.reshape(-1).view(np.uint8)
    header = {"do": "upload", "upload": name, "spec": to_wire(Spec.of(value))}
    done = [0]

    def go_on() -> None:
        """From where the node says that it is."""
        done[0] = int(client.call(dict(header))[0]["done"])
        under_way: deque[Pending] = deque()
        for start in range(done[0], raw.size, CHUNK):
            piece = {"do": "piece", "upload": name, "offset": start}
            under_way.append(client.submit(piece, [raw[start : start + CHUNK]]))
            last = start + CHUNK >= raw.size
            while under_way and (last or under_way[0].done or len(under_way) > UNDER_WAY):
                done[0] = int(under_way.popleft().result()[0]["done"])
                if progress is not None:
                    progress(done[0], raw.size)

    _through(client, go_on, done, raw.size)
    return name


def fetch(client: Client, ask: dict[str, Any], raw: Array) -> None:
    """Fetch a released value, of which the bytes go into `raw`.

    Parameters
    ----------
    ask : the command that released it; with its token it gives the same value again.
    """
    done = [0]

    def go_on() -> None:
        """Behind what is here."""
        if done[0]:
            client.call(dict(ask))
        under_way: deque[tuple[int, Pending]] = deque()
        for start in range(done[0], raw.size, CHUNK):
            piece = {"do": "fetch", "token": ask["token"], "offset": start}
            under_way.append((start, client.submit(piece)))
            last = start + CHUNK >= raw.size
            while under_way and (last or len(under_way) > UNDER_WAY):
                place, pending = under_way.popleft()
                _place(raw[place : place + CHUNK], pending)
                done[0] = min(raw.size, place + CHUNK)

    _through(client, go_on, done, raw.size)


def _place(wanted: Array, piece: Pending) -> None:
    _, arrays = piece.result()
    if len(arrays) != 1 or Spec.of(arrays[0]) != Spec.of(wanted):
        raise FrameError("a node sent a piece of another size than was asked for")
    wanted[:] = arrays[0]


def _through(client: Client, go_on: Callable[[], None], done: list[int], size: int) -> None:
    """Carry a transfer through, over as many connections as it needs."""
    failures = 0
    while True:
        before, link = done[0], client.link
        try:
            return go_on()
        except Disconnected as broken:
            failures = 0 if done[0] > before else failures + 1
            try:
                if failures == RETRIES or not client.redial(link):
                    raise broken
            except MpcError as error:
                raise Disconnected(
                    f"{error.message}. {done[0]} of {size} bytes had arrived", party=client.name
                ) from None
