"""Large arrays on their way to a node: they come in pieces, and go on where they broke off.

An upload belongs to the client, not to its connection: whoever comes back with the same key is told
how far it came, and goes on from there. It is kept in memory until a command takes it, and dropped
when its client is silent for ten minutes or the node stops.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mpyc_core.errors import FrameError, PermissionDenied

from .spec import Array, Spec, nbytes

if TYPE_CHECKING:
    from .commands import Visit

MAX_UPLOADS = 8
SILENCE = 600.0
PIECE = 1 << 22
"""Bytes of one piece at most."""


@dataclass
class Upload:
    """An array of which the first `done` bytes are here.

    Parameters
    ----------
    visit : the connection from which the next piece comes.
    """

    value: Array
    visit: Visit
    done: int = 0
    heard: float = field(default_factory=time.monotonic)


class Uploads:
    """Those of all clients of a node, by the client's key and the name that it chose.

    Parameters
    ----------
    quota : bytes that the uploads of one client may take.
    """

    def __init__(self, quota: int) -> None:
        self._quota = quota
        self._found: dict[tuple[str, str], Upload] = {}

    def __len__(self) -> int:
        return len(self._found)

    def begin(self, visit: Visit, name: str, spec: Spec) -> int:
        """Make room for an array, or go on with it; the number of bytes that are here.

        Raises
        ------
        PermissionDenied : too many are under way, or they are too large.
        FrameError : an array of another type or shape has this name.
        """
        self._sweep()
        known = self._found.get((visit.caller, name))
        if known is not None:
            if Spec.of(known.value) != spec:
                raise FrameError("another array is under way under this name")
            known.visit, known.heard = visit, time.monotonic()
            return known.done
        mine = [u for (caller, _), u in self._found.items() if caller == visit.caller]
        size = nbytes(spec) + sum(u.value.nbytes for u in mine)
        if len(mine) >= MAX_UPLOADS or size > self._quota:
            raise PermissionDenied(
                f"at most {MAX_UPLOADS} arrays of {self._quota} bytes together can be under way"
            )
        self._found[visit.caller, name] = Upload(np.empty(spec.shape, spec.dtype), visit)
        return 0

    def add(self, visit: Visit, name: str, offset: int, data: Array) -> int:
        """Take the next piece; the number of bytes that are here.

        Raises
        ------
        FrameError : not the next piece, or from a connection that the client has given up.
        """
        found = self._found.get((visit.caller, name))
        if found is None or found.visit is not visit:
            raise FrameError("a piece of an array that is not under way")
        raw = found.value.reshape(-1).view(np.uint8)
        fits = data.dtype == np.uint8 and data.ndim == 1 and 0 < data.size <= PIECE
        if not fits or offset != found.done or offset + data.size > raw.size:
            raise FrameError("a piece is not the next one of its array")
        raw[offset : offset + data.size] = data
        found.done, found.heard = offset + data.size, time.monotonic()
        return found.done

    def take(self, caller: str, name: str) -> Array:
        """The whole array, read-only.

        Raises
        ------
        FrameError : it is not complete.
        """
        found = self._found.get((caller, name))
        if found is None or found.done != found.value.nbytes:
            raise FrameError("the upload is not complete")
        del self._found[caller, name]
        found.value.flags.writeable = False
        return found.value

    def _sweep(self) -> None:
        """Drop what nobody goes on with."""
        now = time.monotonic()
        for key in [k for k, u in self._found.items() if now - u.heard > SILENCE]:
            del self._found[key]
