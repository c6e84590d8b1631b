"""A party that a session drives: it takes typed commands, one after the other, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from mpyc_core.errors import ConfigError, Disconnected, FrameError, MpcError, PermissionDenied
from mpyc_core.meta import Meta
from mpyc_core.transport.mesh import Array

from .backend import decode
from .command import Command, from_wire
from .evaluator import SPECIAL
from .party import Party

Reply = tuple[dict[str, Any], list[Array]]
MALFORMED = (KeyError, TypeError, ValueError, IndexError, OverflowError, MemoryError)
"""What an operation raises when a driver's parameters make no sense."""
OnResult = Callable[[Meta, Array], None]


class Requests(Protocol):
    """What a server needs of a control channel."""

    def receive(self, timeout: float | None = None) -> tuple[dict[str, Any], list[Array]]:
        """The next message of the driver."""

    def reply(self, header: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
        """Answer the oldest unanswered message."""


class Server:
    """Serves one session.

    Parameters
    ----------
    party : this party, connected to its peers.
    requests : the driver's messages.
    on_result : takes values that were opened to this party; they are kept in `results` too.
    """

    def __init__(self, party: Party, requests: Requests, on_result: OnResult | None = None) -> None:
        self.party = party
        self.requests = requests
        self.on_result = on_result
        self.results: list[Array] = []

    def serve(self) -> None:
        """Answer until the driver ends the session or is lost.

        Raises
        ------
        MpcError : the first error that ended the session; the driver and the peers were told.
        """
        while True:
            try:
                header, arrays = self.requests.receive()
            except Disconnected:
                return
            try:
                answer, payload = self._answer(header, arrays)
            except (PermissionDenied, ConfigError) as error:
                # every party refuses at the same place, before anything was sent
                self.requests.reply({"error": error.to_wire(), "fatal": False})
                continue
            except MpcError as error:
                if error.party is None:
                    error.party = self.party.name
                self.requests.reply({"error": error.to_wire(), "fatal": True})
                self.party.abort(error)
                raise
            self.requests.reply(answer, payload)

    def _answer(self, header: Mapping[str, Any], arrays: list[Array]) -> Reply:
        actions: dict[str, Callable[[Mapping[str, Any], list[Array]], Reply]] = {
            "run": self._run,
            "adopt": self._adopt,
            "put": self._put,
            "input": self._input,
            "open": self._open,
            "cost": self._cost,
            "wait": lambda header, arrays: ({}, []),
        }
        try:
            action = actions[header["do"]]
            freed = [int(key) for key in header["free"]]
        except (KeyError, TypeError, ValueError):
            raise FrameError(
                f"a driver sent an unknown request; there are: {', '.join(actions)}"
            ) from None
        self.party.evaluator.free(freed)
        try:
            return action(header, arrays)
        except MALFORMED as error:
            raise FrameError(
                f"a driver's request {header['do']!r} is malformed or does not fit its operation: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _run(self, header: Mapping[str, Any], arrays: list[Array]) -> Reply:
        commands = [from_wire(command, arrays) for command in header["commands"]]
        for command in commands:
            if command.op in SPECIAL:
                raise FrameError(f"{command.op} is not an operation; use the request of its own")
        self.party.run_together(commands)
        return {}, []

    def _adopt(self, header: Mapping[str, Any], arrays: list[Array]) -> Reply:
        self.party.adopt_for_driver(str(header["protocol"]))
        return {}, []

    def _put(self, header: Mapping[str, Any], arrays: list[Array]) -> Reply:
        meta = Meta.from_wire(header["meta"]).with_(label=frozenset(), public=False, path=())
        key = int(header["id"])
        self.party.evaluator.put(key, meta, tuple(arrays))
        if self.party.protocol.verifies:
            self.party.run(Command("admit", (key,)))
        return {}, []

    def _input(self, header: Mapping[str, Any], arrays: list[Array]) -> Reply:
        name, owner, key = str(header["name"]), str(header["owner"]), int(header["id"])
        meta = self.party.take_input(name, owner, key)
        return {"meta": meta.to_wire()}, []

    def _open(self, header: Mapping[str, Any], arrays: list[Array]) -> Reply:
        key, to = int(header["id"]), header["to"]
        party = self.party
        party.agree(key, "the driver" if to is None else party.names[int(to)])
        value = party.evaluator.values[key]
        if to is None:
            return {}, [party.run(Command("to_client", (key,)))]
        opened = party.run(Command("open", (key,), (), {"to": int(to)}))
        if opened is not None:
            result = decode(opened, value.meta)
            self.results.append(result)
            if self.on_result is not None:
                self.on_result(value.meta, result)
        return {}, []

    def _cost(self, header: Mapping[str, Any], arrays: list[Array]) -> Reply:
        return self.party.cost(), []
