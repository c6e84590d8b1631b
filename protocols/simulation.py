"""`Simulation`: all parties in one process and one thread. For lessons, tests and debugging only.

This is the one gate for everything that hands secrets to a single process: the plaintext oracle
beside the protocol (`debug`), the record of every party's view, replaced messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import (
    ConfigError,
    ConsistencyCheckFailed,
    MpcError,
    ProtocolAbort,
    TransportError,
)
from mpyc_core.meta import Meta
from mpyc_core.transport.lockstep import lockstep
from mpyc_core.transport.mesh import Array, Counters, Tag, describe

from .backend import Backend, Ref, Wrap, check_shape, decode, encode
from .cheating import Cheater, Outcome, duel
from .command import Command
from .conversion import CONVERT, conversion_cost
from .cost import Cost
from .costmodel import blank
from .dealt.local import GATE, InsecureLocalDealer, LocalProvider
from .dealt.provider import Provider
from .dealt.want import Want
from .evaluator import Evaluator
from .foresight import walk
from .plain.protocol import Plain
from .promises import broken_promise
from .registry import get_op, get_protocol
from .security import Security
from .value import Public, Share, Value
from .view import Message, View, reason


class Simulation(Backend):
    """All parties in lock step, in this thread.

    Parameters
    ----------
    debug : run the plaintext protocol beside the parties and compare after every operation.
    record : keep every message, for `view`.
    tolerance : units in the last place by which `debug` lets results differ, unless an operation
        allows more.
    cheat : a corrupted party (`mpyc_core.protocols.cheating`).
    stat_bits : checks of a verified protocol are made so weak that one can measure how often they
        fail; None leaves them as they are.
    """

    audience = "the driver"

    def __init__(
        self,
        parties: int | Sequence[str] = 3,
        *,
        protocol: str = "replicated",
        ring: int | None = None,
        f: int | None = None,
        wrap: Wrap,
        debug: bool = False,
        record: bool = False,
        tolerance: int = 1 << 8,
        cheat: Cheater | None = None,
        stat_bits: int | None = None,
    ) -> None:
        names = [f"party{i}" for i in range(parties)] if isinstance(parties, int) else parties
        super().__init__(names, protocol, ring, f, wrap)
        n = len(self.names)
        self.evaluators = [Evaluator(self.protocol(i, n), self.names) for i in range(n)]
        self.counters = [Counters() for _ in self.names]
        self._oracle = Evaluator(Plain(0, 1)) if debug else None
        self._tolerance = tolerance
        self._record = record
        self._messages: list[Message] = []
        self._offers: dict[tuple[str, str], tuple[Array, int | None]] = {}
        self._sequence = 0
        self.providers: list[Provider] = []
        """What each party sees of the dealer, where the protocol needs one."""
        if self.protocol.needs_dealer:
            self.providers += self._dealer()
            for evaluator, provider in zip(self.evaluators, self.providers, strict=True):
                evaluator.protocol.attach(provider)
        self._cheat = cheat
        if cheat is not None:
            self.index(cheat.party)
            cheat.outcomes = {name: Outcome() for name in self.names if name != cheat.party}
        if stat_bits is not None:
            for evaluator in self.evaluators:
                evaluator.protocol.weaken(stat_bits)
        self._session = fresh_key(32)
        self._lockstep("setup", [e.protocol.setup(self._session) for e in self.evaluators])

    def adopt(self, protocol: str) -> None:
        n = len(self.names)
        cls = get_protocol(protocol, n)
        made = [cls(i, n) for i in range(n)]
        if cls.needs_dealer and self.providers:
            raise ConfigError(
                f"protocol {protocol!r} needs a dealer, and this session's serves another "
                "protocol already; two would take from one stream"
            )
        if cls.needs_dealer:
            self.providers += self._dealer()
            for mine, provider in zip(made, self.providers, strict=True):
                mine.attach(provider)
        pairs = zip(self.evaluators, made, strict=True)
        self._lockstep("setup", [e.adopt(mine, self._session) for e, mine in pairs])

    def _lockstep(self, name: str, steps: Sequence[Any]) -> list[Any]:
        self._sequence += 1
        if self._cheat is not None:
            return self._against(self._cheat, name, steps)
        told = describe.set(reason if self._record else None)
        try:
            return lockstep(
                steps,
                names=self.names,
                counters=self.counters,
                op=self._sequence,
                name=name,
                listener=self._note if self._record else None,
            )
        except (ProtocolAbort, TransportError) as error:
            for evaluator in self.evaluators:
                evaluator.end(error)
            raise
        finally:
            describe.reset(told)

    def _dealer(self) -> list[LocalProvider]:
        observer = self._note_dealt if self._record else None
        return InsecureLocalDealer(len(self.names), gate=GATE, observer=observer).providers()

    def _against(self, cheat: Cheater, name: str, steps: Sequence[Any]) -> list[Any]:
        """The same with a corrupted party; raises the first error of an honest one."""
        results = duel(steps, self.names, cheat, self._sequence, name)
        failed: MpcError | None = None
        for evaluator, party, result in zip(self.evaluators, self.names, results, strict=True):
            if isinstance(result, MpcError):
                evaluator.end(result)
            if party == cheat.party:
                continue
            if isinstance(result, MpcError):
                failed = failed or result
                cheat.outcomes[party].error = result
            elif name == "open" and result is not None:
                cheat.outcomes[party].opened.append(result)
        if failed is not None:
            self.evaluators[self.index(cheat.party)].end(failed)
            raise failed
        return results

    def _note(self, tag: Tag, sender: int, to: int, arrays: list[Array], why: list[str]) -> None:
        names = self.names[sender], self.names[to]
        self._messages.append(
            Message(tag.op, tag.name, tag.round, *names, tuple(arrays), tuple(why))
        )

    def _note_dealt(self, want: Want, party: int, arrays: list[Array]) -> None:
        """A correction of the dealer: what completes shares that else come from seeds."""
        why = ("hidden by what the seeds of the other parties give",) * len(arrays)
        kept = tuple(np.array(array) for array in arrays)
        to, name = self.names[party], f"dealt {want.kind}"
        self._messages.append(Message(self._sequence, name, 0, "the dealer", to, kept, why))

    def submit(self, commands: Sequence[Command]) -> None:
        while self.dropped:
            self._free(self.dropped.popleft())
        name = "+".join(command.op for command in commands)
        self._lockstep(name, [e.start_together(commands) for e in self.evaluators])
        for command in commands:
            self._forge(command)
            self._check(command)

    def _forge(self, command: Command) -> None:
        """Let the cheater change its shares of what a command gave."""
        if self._cheat is None:
            return
        values = self.evaluators[self.index(self._cheat.party)].values
        for key in command.outputs:
            if isinstance(value := values.get(key), Share):
                parts = self._cheat.keep(command.op, list(value.parts))
                values[key] = Share(value.meta, tuple(parts))

    def declared_cost(self, op: str, inputs: Sequence[Ref | Public], **params: Any) -> Cost:
        """What the protocol declares for an operation at this place of the program.

        `"convert"` takes `protocol` and `ring` as `convert` does; setting a protocol up comes once.
        """
        if op == CONVERT:
            return self._declared_conversion(inputs[0], **params)
        position = self.evaluators[0].protocol.position
        values: dict[int, Value] = {
            id(x): x if isinstance(x, Public) else blank(x.meta) for x in inputs
        }
        operands = [[values[id(x)] for x in inputs]]
        command = Command(op, params=params)
        return walk(self.protocol, len(self.names), position, [command], operands)[0]

    def _declared_conversion(
        self, x: Ref | Public, protocol: str | None = None, ring: int | None = None
    ) -> Cost:
        if isinstance(x, Public):
            raise ConfigError("only a secret converts from one protocol to another")
        meta, command, _ = self._conversion(x, protocol, ring)
        made, name = self.evaluators[0].protocols, command.params["protocol"]
        now = x.meta.path[-1] if x.meta.path else ""
        positions = (made[now].position, made[name].position if name in made else 0)
        source, target = self.protocol_of(x.meta), self.protocol_of(meta)
        return conversion_cost(source, target, len(self.names), positions, x.meta, meta)

    @property
    def security(self) -> Security:
        security = super().security
        return (
            replace(security, dealer="INSECURE local") if self.protocol.needs_dealer else security
        )

    def security_of(self, meta: Meta) -> Security:
        security = super().security_of(meta)
        return security if security.dealer == "none" else replace(security, dealer="INSECURE local")

    @property
    def dealt(self) -> int:
        """Bytes that the dealer sent to the parties so far."""
        return sum(provider.received for provider in self.providers)

    def _free(self, key: int) -> None:
        for evaluator in (*self.evaluators, *([self._oracle] if self._oracle else [])):
            evaluator.free([key])

    def share(self, x: ArrayLike | None, *, owner: str | None = None, f: int | None = None) -> Any:
        """Share test data: dealt by the driver, or by the protocol's input from `owner`."""
        if x is None:
            raise ConfigError("a simulation shares its own test data; pass an array")
        value = encode(x, self.ring, self.f if f is None else f)
        meta = value.meta.with_(public=False)
        ref = self.new_ref(meta)
        if self._oracle is not None:
            self._oracle.put(ref.id, meta, (value.value,))
        if owner is None:
            dealt = self.protocol.deal(value.value, meta, len(self.names))
            for evaluator, parts in zip(self.evaluators, dealt, strict=True):
                evaluator.put(ref.id, meta, parts)
            if self.protocol.verifies:
                self._lockstep("admit", [e.start(_admission(ref.id)) for e in self.evaluators])
        else:
            index = self.index(owner)
            params = {"owner": index, "meta": meta}
            steps = [
                e.start(
                    Command("input", (), (ref.id,), params), value.value if i == index else None
                )
                for i, e in enumerate(self.evaluators)
            ]
            self._lockstep("input", steps)
        return self.wrap(ref)

    def offer(self, party: str, name: str, x: ArrayLike, *, f: int | None = None) -> None:
        """Give a simulated party an array that `input` can use."""
        self.index(party)
        encode(x, self.ring, self.f if f is None else f)
        self._offers[party, name] = np.asarray(x), f

    def input(self, name: str, *, owner: str, shape: Sequence[int | None] | None = None) -> Any:
        if (owner, name) not in self._offers:
            raise ConfigError(f"{owner} has no offer named {name!r}; call offer() first")
        array, f = self._offers[owner, name]
        meta = Meta(array.shape, "int", self.ring)
        check_shape(meta, shape, f"{owner}'s {name!r}")
        return self.share(array, owner=owner, f=f)

    def open(self, ref: Ref, to: int | None) -> Array | None:
        command = Command("open", (ref.id,), (), {"to": to})
        results = self._lockstep("open", [e.start(command) for e in self.evaluators])
        liar = None if self._cheat is None else self.index(self._cheat.party)
        opened: Array | None = results[int(liar == 0) if to is None else to]
        return opened

    def _peek(self, evaluators: Sequence[Evaluator], key: int) -> Array:
        """Reconstruct without the protocol; possible only because all parties are here."""
        return decode(self._elements(evaluators, key), evaluators[0].values[key].meta)

    def _elements(self, evaluators: Sequence[Evaluator], key: int) -> Array:
        """The same, not decoded."""
        value = evaluators[0].values[key]
        if isinstance(value, Public):
            return value.value
        shares = [e.values[key] for e in evaluators]
        parts = [
            e.protocol_of(s.meta).to_client(s)
            for e, s in zip(evaluators, shares, strict=True)
            if isinstance(s, Share)
        ]
        return type(evaluators[0].protocol_of(value.meta)).from_parties(parts, value.meta)

    def _check(self, command: Command) -> None:
        """Run the oracle and compare; name the first operation where the two part."""
        if self._oracle is None:
            return
        if command.op == CONVERT:
            self._convert_oracle(self._oracle, command)
            return
        operands = [self._oracle.values[x] if isinstance(x, int) else x for x in command.inputs]
        broken = broken_promise(command.op, operands, command.params)
        if broken is not None:
            raise ConsistencyCheckFailed(f"{command.op} at {command.where}: {broken}")
        if get_op(command.op).random:  # drawn by the parties: the oracle goes on with their result
            for key in command.outputs:
                drawn = self._elements(self.evaluators, key)
                meta = self.evaluators[0].values[key].meta.with_(path=())
                self._oracle.put(key, meta, (drawn,))
            return
        lockstep(
            [self._oracle.start(command)], names=["oracle"], counters=[Counters()], name=command.op
        )
        self._compare(command)

    def _convert_oracle(self, oracle: Evaluator, command: Command) -> None:
        """A conversion changes nothing but the ring; checked against what the parties hold."""
        (source,), (key,) = command.inputs, command.outputs
        meta = self.evaluators[0].values[key].meta.with_(path=())
        value = self._elements([oracle], source)  # type: ignore[arg-type]
        old = oracle.values[source].meta  # type: ignore[index]
        if meta.kind != "bit" and meta.ring is not old.ring:
            value = meta.ring.from_int(old.ring.to_int(value))
        oracle.put(key, meta, (value,))
        self._compare(command)

    def _compare(self, command: Command) -> None:
        oracle = self._oracle
        if oracle is None:
            return
        for key in command.outputs:
            got, want = self._peek(self.evaluators, key), self._peek([oracle], key)
            meta = self.evaluators[0].values[key].meta
            limit = 0.0 if meta.kind == "bit" else self._tolerance * 2.0**-meta.f
            off = np.abs(got.astype(float) - want.astype(float))
            if np.any(off > limit):
                where = np.unravel_index(int(np.argmax(off)), off.shape)
                raise ConsistencyCheckFailed(
                    f"{command.op} at {command.where} parted from plaintext: element "
                    f"{tuple(int(i) for i in where)} is {got[where]}, plaintext says {want[where]};"
                    " a value left its range"
                )

    def view(self, party: str | int | Sequence[str | int]) -> View:
        """Every message that a party, or a coalition, received from outside, in order.

        Needs record=True. A view is a list of messages, whose arrays serve for statistics, and
        prints as a table: who sent what, what hides it, what it could mean.

        Parameters
        ----------
        party : a name or an index, or several of them.
        """
        if not self._record:
            raise ConfigError("messages were not recorded; use simulate(..., record=True)")
        each = [party] if isinstance(party, (str, int)) else list(party)
        for p in each:
            if isinstance(p, int) and not 0 <= p < len(self.names):
                raise ConfigError(f"no party {p}; there are {len(self.names)}, from 0")
        members = tuple(self.names[p if isinstance(p, int) else self.index(p)] for p in each)
        found = [m for m in self._messages if m.receiver in members and m.sender not in members]
        return View(found, members, self.protocol.security(len(self.names)).threshold)

    def cost(self) -> dict[str, Any]:
        """Rounds and bytes, by party and by operation, and bytes from the dealer."""
        return {
            "rounds": self.counters[0].rounds,
            "bytes": {n: c.payload for n, c in zip(self.names, self.counters, strict=True)},
            "dealt": self.dealt,
            "operations": {n: c.snapshot() for n, c in zip(self.names, self.counters, strict=True)},
        }

    def close(self) -> None:
        for evaluator in self.evaluators:
            evaluator.erase()


def _admission(key: int) -> Command:
    return Command("admit", (key,))
