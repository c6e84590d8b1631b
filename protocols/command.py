"""Commands: what a driver or a program asks every party to do, as data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgpack
import numpy as np

from mpyc_core.errors import FrameError
from mpyc_core.meta import Meta
from mpyc_core.transport.mesh import Array

from .value import Public

Operand = int | Public
"""The id of a stored value, or a public constant that travels with the command."""


@dataclass(frozen=True)
class Command:
    """One operation of the stream.

    Parameters
    ----------
    op : name of a registered operation, or one of `input`, `open`, `announce`.
    inputs : operands.
    outputs : ids under which the results are stored; chosen by the caller.
    params : public parameters, plain data.
    where : the user's line, for messages; not part of the program's hash.
    """

    op: str
    inputs: tuple[Operand, ...] = ()
    outputs: tuple[int, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""


class ProgramHash:
    """The running hash of a program; equal at two parties exactly if their commands were equal."""

    def __init__(self) -> None:
        self.digest = bytes(16)

    def update(self, command: Command, metas: list[Meta]) -> bytes:
        """Absorb a command and the metas of its inputs."""
        absorbed = [
            command.op,
            [x if isinstance(x, int) else _digest(x.value) for x in command.inputs],
            [meta.to_wire() for meta in metas],
            list(command.outputs),
            sorted(command.params.items()),
        ]
        packed = msgpack.packb(absorbed, default=packable)  # type: ignore[no-untyped-call]
        self.digest = hashlib.blake2b(self.digest + packed, digest_size=16).digest()
        return self.digest


def _digest(array: Array) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).digest()


def packable(value: Any) -> Any:
    """Parameters that msgpack does not know, as plain data; arrays by their hash."""
    if isinstance(value, np.ndarray):
        return [value.dtype.str, list(value.shape), _digest(value)]
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    if isinstance(value, Meta):
        return value.to_wire()
    raise TypeError(f"a parameter of type {type(value).__name__} is not plain data")


# A command on its way to another process: a header of plain data and raw buffers.
def to_wire(command: Command, buffers: list[Array]) -> dict[str, Any]:
    """The header of a command; its arrays are appended to `buffers`."""

    def park(array: Array) -> dict[str, int]:
        buffers.append(np.ascontiguousarray(array).reshape(array.shape))
        return {"buffer": len(buffers) - 1}

    inputs = [
        x if isinstance(x, int) else {"meta": x.meta.to_wire(), **park(x.value)}
        for x in command.inputs
    ]
    return {
        "op": command.op,
        "inputs": inputs,
        "outputs": list(command.outputs),
        "params": {key: _plain(value, park) for key, value in command.params.items()},
        "where": command.where,
    }


def _plain(value: Any, park: Any) -> Any:
    if isinstance(value, np.ndarray):
        return park(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item, park) for item in value]
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    if isinstance(value, Meta):
        return {"meta": value.to_wire()}
    return value


def from_wire(header: Mapping[str, Any], buffers: list[Array]) -> Command:
    """Rebuild a command; everything in it is checked, because a driver is not trusted.

    Raises
    ------
    FrameError : the header is not that of a command.
    """

    def rebuild(value: Any) -> Any:
        if isinstance(value, list):
            return [rebuild(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "buffer" in value and "meta" in value:
            return Public(Meta.from_wire(value["meta"]), buffers[value["buffer"]])
        if "buffer" in value:
            return buffers[value["buffer"]]
        return Meta.from_wire(value["meta"])

    try:
        inputs = tuple(rebuild(x) for x in header["inputs"])
        outputs = tuple(int(x) for x in header["outputs"])
        params = {str(key): rebuild(value) for key, value in header["params"].items()}
        command = Command(str(header["op"]), inputs, outputs, params, str(header["where"]))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise FrameError(f"expected a command, got something else: {error}") from None
    if any(not isinstance(x, (int, Public)) for x in command.inputs):
        raise FrameError("expected ids or constants as inputs of a command")
    return command
