"""One party's machine: it stores values and runs commands on its protocol."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import (
    ConfigError,
    MpcError,
    ProtocolAbort,
    SessionClosed,
    ShapeMismatch,
    ShareError,
)
from mpyc_core.meta import MAX_NDIM, Meta
from mpyc_core.ring import ring
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Received, Round, Spec, Steps

from .command import Command, ProgramHash
from .conversion import CONVERT, choose_ring, convert, converted
from .foresight import Foresight
from .protocol import Protocol
from .registry import get_op
from .value import Public, Share, Value, component_spec

KINDS = ("int", "fixed", "bit")
SPECIAL = ("input", "admit", "open", "announce", "consent", "to_client")
"""Commands that are not operations: they bring values in, take them out, or agree on it."""
PHASES = {
    "adopt": "a further protocol is set up",
    "input": "an owner shares an input",
    "admit": "a client's input is taken in",
    "announce": "an owner announces an input",
    "consent": "parties consent to an opening",
    "open": "a value is opened",
    "to_client": "a value is opened to a client",
}
"""When an error is found, where the command is no operation."""
NOTHING = np.full(MAX_NDIM + 4, 2**64 - 1, np.uint64)
"""What an owner announces when it has no such array; every party then refuses alike."""


class Evaluator:
    """Values by id, the program's hash, and the generator of every command.

    Nothing here communicates: `start` gives a generator of rounds, which a driver carries out.
    What an owner shares carries the owner's name in its label, and so does all that is made of it.

    Parameters
    ----------
    protocol : this party's side of the protocol.
    names : the parties, in order.
    """

    def __init__(self, protocol: Protocol, names: Sequence[str] = ()) -> None:
        self.protocol = protocol
        self.protocols = {"": protocol}
        """The session's own, and those that were adopted for conversions, by name."""
        self.names = tuple(names) or tuple(f"party{i}" for i in range(protocol.n))
        self.program = ProgramHash()
        self._foresight = Foresight(type(protocol), protocol.n)
        self.values: dict[int, Value] = {}
        self._ended: MpcError | None = None

    def start(self, command: Command, data: Array | None = None) -> Steps[Any]:
        """Check a command, add it to the program's hash, and give its rounds.

        Parameters
        ----------
        command : what to do.
        data : the owner's private ring array, for `input`; never part of the command.

        Raises
        ------
        ShareError : unknown ids, or operands that the operation refuses.
        """
        steps = self._begin(command, data)
        self._foresee([command])
        return steps

    def start_together(self, commands: Sequence[Command]) -> Steps[Any]:
        """Independent commands in the same rounds."""
        if len(commands) == 1:
            return self.start(commands[0])
        named = [key for command in commands for key in command.outputs]
        if len(set(named)) != len(named):
            raise ShareError("two results of commands that run together have one id")
        steps = [self._begin(command, None) for command in commands]
        self._foresee(commands)
        return together(*steps)

    def _begin(self, command: Command, data: Array | None) -> Steps[Any]:
        self._require_open()
        operands = [self._operand(x) for x in command.inputs]
        for key in command.outputs:
            if key in self.values or command.outputs.count(key) > 1:
                raise ShareError(f"id {key} is taken; a result needs a new one")
        self._bind(self.program.update(command, [v.meta for v in operands]))
        if command.op in SPECIAL or command.op == CONVERT:
            special: Callable[..., Steps[Any]] = getattr(self, f"_{command.op}")
            return self._guarded(special(command, operands, data), command.op)
        return self._guarded(self._operate(command, operands), command.op)

    def _bind(self, program: bytes) -> None:
        for protocol in self.protocols.values():
            protocol.bind(program)

    def adopt(self, protocol: Protocol, session: bytes) -> Steps[None]:
        """Set a further protocol up among the same parties, so that values can convert to it.

        It has keys of its own, so nothing that it masks with has to do with other protocols.
        """
        self._bind(self.program.update(Command("adopt", params={"protocol": protocol.name}), []))
        return self._guarded(self._adopt(protocol, session), "adopt")

    def _adopt(self, protocol: Protocol, session: bytes) -> Steps[None]:
        yield from protocol.setup(session)
        protocol.bind(self.program.digest)
        self.protocols[protocol.name] = protocol

    def protocol_of(self, *metas: Meta) -> Protocol:
        """The protocol under which secret operands are shared; the session's own without any.

        Raises
        ------
        ShareError : it was not set up here.
        """
        path = next((m.path for m in metas if not m.public and m.path), ("",))
        if path[-1] not in self.protocols:
            raise ShareError(f"protocol {path[-1]!r} was not set up in this session")
        return self.protocols[path[-1]]

    def _guarded(self, steps: Steps[Any], op: str) -> Steps[Any]:
        """The same rounds; a check that fails ends the session before anything else is sent.

        Rings wrap, so NumPy is not to warn of it. Its error state is a context variable: it must be
        what it was before whenever another generator runs, so it is set for every step anew.
        """
        received: Received | None = None
        while True:
            try:
                with np.errstate(over="ignore"):
                    step = next(steps) if received is None else steps.send(received)
            except StopIteration as stop:
                return stop.value
            except ProtocolAbort as error:
                phase = PHASES.get(op, f"{op} is computed")
                told = type(error)(f"{error.message} (found while {phase})", party=error.party)
                self.end(told)
                raise told from error
            received = yield step

    def _require_open(self) -> None:
        if self._ended is not None:
            raise SessionClosed(
                f"this session has ended after a failure: {self._ended.message}; shares and keys "
                "are erased, start a new session",
                party=self._ended.party,
            )

    def end(self, error: MpcError) -> None:
        """Forget shares and keys; every later command is refused."""
        self._ended = self._ended or error
        for protocol in self.protocols.values():
            protocol.erase()
        self.erase()

    def _foresee(self, commands: Sequence[Command]) -> None:
        """Tell the dealer, if there is one, what the commands will take, before they run."""
        provider = self.protocol.provider
        if provider is None or any(c.op in SPECIAL or c.op == CONVERT for c in commands):
            return
        operands = [[self._operand(x) for x in command.inputs] for command in commands]
        if len(self.protocols) > 1:
            mine = [self.protocol_of(*(v.meta for v in o)) is self.protocol for o in operands]
            commands = [c for c, own in zip(commands, mine, strict=True) if own]
            operands = [o for o, own in zip(operands, mine, strict=True) if own]
        wants = self._foresight.wants(self.protocol.position, commands, operands)
        if wants:
            provider.expect(self.program.digest, wants)

    def _operand(self, x: int | Public) -> Value:
        if isinstance(x, Public):
            spec = component_spec(x.meta)
            if (x.value.dtype, x.value.shape) != (spec.dtype, spec.shape):
                raise ShapeMismatch(f"a constant is {x.value.shape}, its description {spec.shape}")
            return x
        if x not in self.values:
            raise ShareError(f"no value with id {x}; it was freed, or made in another session")
        return self.values[x]

    def _operate(self, command: Command, operands: list[Value]) -> Steps[None]:
        op = get_op(command.op)
        metas = [v.meta for v in operands]
        expected, p = op.metas(metas, command.params), self.protocol_of(*metas)
        if len(expected) != len(command.outputs):
            raise ShareError(
                f"{command.op} has {len(expected)} results, the command names "
                f"{len(command.outputs)} ids"
            )
        if inspect.isgeneratorfunction(op.body):
            if not any(isinstance(v, Share) for v in operands):
                operands = [p.embed(v) for v in operands]  # type: ignore[arg-type]
            found = yield from op.body(p, *operands, **command.params)
        else:
            found = op.body(p, *operands, **command.params)
        results = found if isinstance(found, tuple) else (found,)
        for key, value, meta in zip(command.outputs, results, expected, strict=True):
            self.values[key] = _described(value, meta, command.op)
        if p.due:
            yield from p.before_open()

    def _convert(self, command: Command, operands: list[Value], _: Array | None) -> Steps[None]:
        """Share a value under another protocol, or in another ring."""
        (x,) = operands
        name, bits = str(command.params["protocol"]), int(command.params["ring"])
        if isinstance(x, Public) or name not in self.protocols:
            raise ShareError(f"expected a secret and a protocol of this session, got {name!r}")
        source, target = self.protocol_of(x.meta), self.protocols[name]
        meta = converted(x.meta, name, choose_ring(x.meta, type(target), bits))
        self.values[command.outputs[0]] = yield from convert(source, target, x, meta)
        yield from self._settle()

    def _settle(self) -> Steps[None]:
        """Let protocols with much to verify do it now."""
        for protocol in self.protocols.values():
            if protocol.due:
                yield from protocol.before_open()

    def _verify(self) -> Steps[None]:
        """Verify all that went before, under every protocol that a value may come from."""
        for protocol in self.protocols.values():
            yield from protocol.before_open()

    def _input(self, command: Command, operands: list[Value], data: Array | None) -> Steps[None]:
        owner, meta = int(command.params["owner"]), command.params["meta"]
        mine = data if owner == self.protocol.me else None
        if owner == self.protocol.me and mine is None:
            raise ShareError(f"the owner of this input is {owner}, but it brought no data")
        if mine is not None and Spec.of(mine) != component_spec(meta):
            raise ShapeMismatch(f"the owner's data is {mine.shape}, announced was {meta.shape}")
        share = yield from self.protocol.input(owner, mine, meta)
        label = share.meta.label | {self.names[owner]}
        self.values[command.outputs[0]] = Share(share.meta.with_(label=label), share.parts)

    def _open(
        self, command: Command, operands: list[Value], _: Array | None
    ) -> Steps[Array | None]:
        (x,) = operands
        to = command.params["to"]
        if isinstance(x, Public):
            return x.value if to is None or to == self.protocol.me else None
        yield from self._verify()
        p = self.protocol_of(x.meta)
        return (yield from p.open(x, None if to is None else int(to)))

    def _admit(self, command: Command, operands: list[Value], _: Array | None) -> Steps[None]:
        """Take in a share that a client dealt, in place."""
        (x,) = operands
        if isinstance(x, Share):
            (key,) = command.inputs
            self.values[key] = yield from self.protocol.admit(x)  # type: ignore[index]

    def _announce(self, command: Command, _: list[Value], data: Array | None) -> Steps[Meta]:
        """The owner tells every party what it is about to share: kind, scale and shape.

        Cost: 1 round, 12 words from the owner to every peer.
        """
        owner, me = int(command.params["owner"]), self.protocol.me
        if me == owner:
            data = NOTHING if data is None else data
            peers = [p for p in range(self.protocol.n) if p != me]
            yield Round(send={p: [data] for p in peers})  # public facts, no mask needed
        else:
            received = yield Round(recv={owner: [Spec(NOTHING.dtype, NOTHING.shape)]})
            data = received[owner][0]
        if np.array_equal(data, NOTHING):
            raise ConfigError(
                f"{self.names[owner]} has nothing to share here: it offered no such array",
                party=self.names[owner],
            )
        return decode_meta(data)

    def _to_client(
        self, command: Command, operands: list[Value], data: Array | None
    ) -> Steps[Array]:
        """This party's part of an opening to the driver."""
        (x,) = operands
        if isinstance(x, Public):
            return x.value
        p = self.protocol_of(x.meta)
        shown = yield from p.for_client(x)
        yield from self._verify()
        return p.to_client(shown)

    def _consent(
        self, command: Command, _: list[Value], data: Array | None
    ) -> Steps[tuple[str, ...]]:
        """Every party says whether it allows an opening; the names of those that do not.

        Cost: 1 round, one byte to every peer.
        """
        if data is None:
            raise ShareError("a party was asked for its consent and gave no answer")
        peers = [p for p in range(self.protocol.n) if p != self.protocol.me]
        spec = Spec(np.dtype(np.uint8), (1,))
        received = yield Round(
            send={p: [data] for p in peers},  # a public answer, no mask needed
            recv={p: [spec] for p in peers},
        )
        answers = {self.protocol.me: data} | {p: arrays[0] for p, arrays in received.items()}
        return tuple(self.names[p] for p in sorted(answers) if answers[p][0] != 1)

    def owners(self, key: int) -> frozenset[str]:
        """Whose data a value was made of."""
        value = self._operand(key)
        return value.meta.label

    def put(self, key: int, meta: Meta, parts: tuple[Array, ...]) -> None:
        """Store a share that a client dealt, after checking its components."""
        self._require_open()
        if key in self.values:
            raise ShareError(f"id {key} is taken; a dealt share needs a new one")
        self.protocol.check_dealt(meta, parts)
        self.values[key] = Share(meta, parts)

    def free(self, keys: Iterable[int]) -> None:
        """Forget values."""
        for key in keys:
            self.values.pop(key, None)

    def erase(self) -> None:
        """Forget everything."""
        self.values.clear()


def _described(value: Value, meta: Meta, op: str) -> Value:
    """The result under its inferred meta; a disagreement is a defect of the operation."""
    if value.meta.shape != meta.shape or (value.meta.kind, value.meta.f) != (meta.kind, meta.f):
        raise MpcError(f"operation {op!r} inferred {meta} but made {value.meta}; please report it")
    if isinstance(value, Public):
        return Public(meta.with_(public=True), value.value)
    return Share(meta.with_(public=False), value.parts)


def encode_meta(meta: Meta) -> Array:
    """A meta as MAX_NDIM + 4 words: kind, ring, scale, number of axes, lengths."""
    facts = [KINDS.index(meta.kind), meta.ring.bits, meta.f, meta.ndim, *meta.shape]
    return np.array(facts + [0] * (MAX_NDIM - meta.ndim), np.uint64)


def decode_meta(words: Array) -> Meta:
    """The meta of `encode_meta`, checked: it came from a peer."""
    kind, bits, f, ndim, *shape = (int(w) for w in words)
    if kind >= len(KINDS) or ndim > MAX_NDIM or f >= bits:
        raise ShareError(f"an owner announced an impossible value: {[kind, bits, f, ndim]}")
    return Meta(tuple(shape[:ndim]), KINDS[kind], ring(bits), f)  # type: ignore[arg-type]
