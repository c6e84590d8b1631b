"""`Request`: an open question to the owners of a value, and the ways to wait for its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from mpyc_core.errors import PermissionDenied, RequestDenied, RequestTimeout

from .keys import fresh_id
from .spec import Array

if TYPE_CHECKING:
    from .client import Client
    from .handle import Handle

FIRST, LONGEST = 0.005, 0.25
"""Seconds between two questions whether there is an answer."""


class Request:
    """A request that was filed; it survives this process, and the node's.

    Parameters
    ----------
    client : of the node.
    id : of the request.
    """

    def __init__(self, client: Client, id: str) -> None:
        self.client, self.id = client, id
        self._token = fresh_id()

    def __repr__(self) -> str:
        return f"<Request {self.id[:8]} at {self.client.name}>"

    def _answer(self) -> dict[str, Any]:
        return self.client.call({"do": "status", "request": self.id})[0]

    @property
    def status(self) -> str:
        """How it stands: "pending", "accepted", "denied", or "used" up."""
        return str(self._answer()["status"])

    def _finished(self) -> bool:
        """Whether all owners have accepted.

        Raises
        ------
        RequestDenied : one of them refused, for the reason given.
        """
        answer = self._answer()
        if answer["status"] == "denied":
            why = answer["reason"] or "no reason was given"
            raise RequestDenied(f"the owner denied the request: {why}", party=self.client.name)
        if answer["status"] == "used":
            raise PermissionDenied("the request was used up", party=self.client.name)
        return bool(answer["status"] == "accepted")

    def _late(self, timeout_secs: float) -> RequestTimeout:
        return RequestTimeout(
            f"the owner did not answer within {timeout_secs:g} s; the request stays open, ask its "
            "`status` later",
            party=self.client.name,
        )

    def get(self) -> Array:
        """The value, when the request is accepted.

        Raises
        ------
        PermissionDenied : it is not, is used up, or something has changed since.
        """
        return self.client.take("collect", {"request": self.id}, self._token)

    def wait(self, timeout_secs: float = 30.0) -> Array:
        """Wait for the answer; the value when it was accepted.

        Raises
        ------
        RequestDenied, RequestTimeout, Disconnected : as they say.
        """
        deadline, pause = time.monotonic() + timeout_secs, FIRST
        while not self._finished():
            if time.monotonic() > deadline:
                raise self._late(timeout_secs)
            time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
            pause = min(1.5 * pause, LONGEST)
        return self.get()

    async def result(self, timeout_secs: float = 3600.0) -> Array:
        """The same without blocking: `await request.result()`, or just `await request`."""
        deadline, pause = time.monotonic() + timeout_secs, FIRST
        while not self._finished():
            if time.monotonic() > deadline:
                raise self._late(timeout_secs)
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, LONGEST)
        return self.get()

    def __await__(self) -> Generator[Any, None, Array]:
        return self.result().__await__()


def ask(pointer: Handle, name: str, reason: str, terms: dict[str, Any]) -> Request:
    """File a request for what a pointer means."""
    header = {
        "do": "request",
        "target": pointer.reference,
        "name": name,
        "reason": reason,
        **terms,
    }
    reply, _ = pointer.client.call(header)
    return Request(pointer.client, reply["request"])
