"""`Party`: one party of a program that every party runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mpyc_core.errors import (
    ConfigError,
    MpcError,
    PermissionDenied,
    ProtocolAbort,
    RequestDenied,
    TransportError,
)
from mpyc_core.meta import Meta
from mpyc_core.transport.mesh import Array, Mesh, Round, Spec, Steps, drive

from .backend import Backend, Ref, Wrap, check_shape, encode
from .command import Command
from .dealt.appoint import require_provider
from .dealt.provider import Provider
from .evaluator import Evaluator, encode_meta
from .registry import get_protocol
from .value import Public

OnOpen = Callable[[Meta, str], bool]
"""Asked before anything is opened, with its meta and who is to learn it."""


class Party(Backend):
    """A party inside a program: operations run at once, over this party's mesh.

    Parameters
    ----------
    mesh : connected channels to the other parties.
    consent : ask every party before anything is opened that was made of an owner's data. Parties
        of one session must agree on it. Off for programs, which their owners have read.
    on_open : this party's answer, for what was made of its data; None refuses.
    provider : the dealer of protocols that need one, not yet connected; the party closes it.
    """

    def __init__(
        self,
        mesh: Mesh,
        *,
        protocol: str,
        ring: int | None = None,
        f: int | None = None,
        wrap: Wrap,
        consent: bool = False,
        on_open: OnOpen | None = None,
        provider: Provider | None = None,
    ) -> None:
        super().__init__(mesh.names, protocol, ring, f, wrap)
        self.provider = provider
        name = None if provider is None else provider.name
        self.crypto_provider = require_provider(self.protocol, mesh.names, name)
        self.mesh = mesh
        self.me = mesh.me
        self.name = mesh.names[mesh.me]
        self.consent = consent
        self.on_open = on_open
        self.evaluator = Evaluator(self.protocol(mesh.me, mesh.n), mesh.names)
        self.listener: Callable[[dict[str, Any]], None] | None = None
        self._offers: dict[str, Public] = {}
        self._sequence = 0
        if provider is not None:
            self.evaluator.protocol.attach(provider)
        try:
            self._drive(self.evaluator.protocol.setup(mesh.session), "setup")
        except MpcError as error:
            self.abort(error)
            raise

    def _drive(self, steps: Any, name: str) -> Any:
        self._sequence += 1
        try:
            return drive(steps, self.mesh, self._sequence, self.evaluator.program.digest, name)
        except (ProtocolAbort, TransportError) as error:
            self.evaluator.end(error)
            raise

    def adopt(self, protocol: str) -> None:
        cls = get_protocol(protocol, len(self.names))
        if cls.security(len(self.names)).adversary == "none":
            raise PermissionDenied(
                f"protocol {protocol!r} keeps no secrets; it is for mpc.simulate alone"
            )
        if cls.needs_dealer:
            raise ConfigError(
                f"protocol {protocol!r} takes its randomness from a crypto provider, which a "
                "session has from its start or not at all: start it with this protocol, and "
                "convert to others from there"
            )
        self._drive(self.evaluator.adopt(cls(self.me, len(self.names)), self.mesh.session), "setup")

    def adopt_for_driver(self, protocol: str) -> None:
        """The same, asked by a driver: refused where it would promise less than this session."""
        n = len(self.names)
        cls = get_protocol(protocol, n)
        if not cls.security(n).withstands(self.protocol.security(n)):
            raise PermissionDenied(
                f"protocol {protocol!r} promises less than {self.protocol.name!r}, under which "
                f"{self.name} serves; in a program, which its parties have read, it may be used"
            )
        if protocol not in self.evaluator.protocols and protocol != self.protocol.name:
            self.adopt(protocol)

    def run(self, command: Command, data: Array | None = None) -> Any:
        """Run one command to its end."""
        steps = self.evaluator.start(command, data)
        return self._drive(steps, command.op)

    def submit(self, commands: Sequence[Command]) -> None:
        while self.dropped:
            self.evaluator.free([self.dropped.popleft()])
        self.run_together(commands)

    def run_together(self, commands: Sequence[Command]) -> None:
        """Run independent commands in the same rounds."""
        name = "+".join(command.op for command in commands)
        self._drive(self.evaluator.start_together(commands), name)

    def exchange(self, message: Array, name: str) -> dict[str, Array]:
        """Tell every other party something public, and hear as much from each, by name.

        Parameters
        ----------
        message : of the same dtype and shape at all parties.
        name : what it is, the same at all parties, for errors.

        Cost: 1 round, the message to each other party.
        """
        peers = [party for party in range(self.mesh.n) if party != self.me]

        def steps() -> Steps[dict[int, list[Array]]]:
            return (
                yield Round(
                    send={peer: [message] for peer in peers},  # public
                    recv={peer: [Spec.of(message)] for peer in peers},
                )
            )

        heard = self._drive(steps(), name)
        return {self.mesh.names[peer]: heard[peer][0] for peer in peers}

    def tell(self, **facts: Any) -> None:
        """Tell whoever started this party something public, for instance how far it is."""
        if self.listener is not None:
            self.listener(facts)

    def offer(self, name: str, x: ArrayLike, *, f: int | None = None) -> None:
        """Make an array available to `input` under a name; it stays here until then.

        Parameters
        ----------
        f : fraction bits with which floats will be shared.

        Raises
        ------
        EncodingError : the array cannot be represented.
        """
        self._offers[name] = encode(x, self.ring, self.f if f is None else f)

    def withdraw(self, name: str) -> None:
        """Let an offer go, whether it was taken or not."""
        self._offers.pop(name, None)

    def share(
        self,
        x: ArrayLike | None = None,
        *,
        owner: str | None = None,
        f: int | None = None,
        shape: Sequence[int | None] | None = None,
    ) -> Any:
        """Share the owner's array; the other parties pass nothing (or anything: it is ignored).

        Parameters
        ----------
        x : the array, at the owner.
        owner : the party whose data it is; the first party when None.
        shape : what this party expects; None stands for any length.

        Cost: 2 rounds, the first of which announces kind and shape.
        """
        index = 0 if owner is None else self.index(owner)
        value = None
        if index == self.me:
            if x is None:
                raise ConfigError(f"{self.name} owns this input but passed no array")
            value = encode(x, self.ring, self.f if f is None else f)
        return self._share(value, index, shape)

    def input(self, name: str, *, owner: str, shape: Sequence[int | None] | None = None) -> Any:
        if owner == self.name and name not in self._offers:
            there = ", ".join(sorted(self._offers)) or "none"
            raise ConfigError(
                f"{self.name} has no offer named {name!r} (there are: {there}); call "
                f"party.offer({name!r}, array) first",
                party=self.name,
            )
        value = self._offers.get(name) if owner == self.name else None
        return self._share(value, self.index(owner), shape)

    def take_input(self, name: str, owner: str, key: int) -> Meta:
        """Share an offer under the id `key`; the meta is known to every party afterwards.

        Raises
        ------
        ConfigError : at every party, when the owner has no such offer; the session goes on.
        """
        value = self._offers.get(name) if owner == self.name else None
        return self._input(value, self.index(owner), key, None)

    def _share(self, value: Public | None, owner: int, shape: Sequence[int | None] | None) -> Any:
        self._ids += 1
        meta = self._input(value, owner, self._ids, shape)
        return self.wrap(Ref(self, self._ids, meta))

    def _input(
        self, value: Public | None, owner: int, key: int, shape: Sequence[int | None] | None
    ) -> Meta:
        """Announce what comes, check it, share it."""
        facts = None if value is None else encode_meta(value.meta)
        meta: Meta = self.run(Command("announce", params={"owner": owner}), facts)
        check_shape(meta, shape, f"what {self.names[owner]} shares")
        command = Command("input", (), (key,), {"owner": owner, "meta": meta})
        self.run(command, None if value is None else value.value)
        return meta.with_(label=frozenset({self.names[owner]}))

    def open(self, ref: Ref, to: int | None) -> Array | None:
        self.agree(ref.id, self.audience if to is None else self.names[to])
        opened: Array | None = self.run(Command("open", (ref.id,), (), {"to": to}))
        return opened

    def agree(self, key: int, target: str) -> None:
        """Ask every owner of a value before it is opened to `target`.

        Raises
        ------
        RequestDenied : at every party, naming who refused; nothing was opened.
        """
        owners = self.evaluator.owners(key)
        if not self.consent or not owners:
            return
        meta = self.evaluator.values[key].meta
        mine = self.name not in owners or (
            self.on_open is not None and bool(self.on_open(meta, target))
        )
        refused = self.run(
            Command("consent", (key,), (), {"to": target}), np.array([mine], np.uint8)
        )
        if refused:
            raise RequestDenied(
                f"{', '.join(refused)} does not allow opening {meta} to {target}; ask the owner "
                "to set an on_open policy for it",
                party=refused[0],
            )

    def cost(self) -> dict[str, Any]:
        """This party's own traffic, by operation and in all, and bytes from the dealer."""
        counters = self.mesh.counters
        return {
            "party": self.name,
            "rounds": counters.rounds,
            "bytes": counters.payload,
            "dealt": 0 if self.provider is None else self.provider.received,
            "operations": counters.snapshot(),
        }

    def abort(self, error: MpcError) -> None:
        """Tell the peers and the dealer that this party stops, and why."""
        self.mesh.abort(error)
        if self.provider is not None:
            self.provider.abort(error)

    def close(self) -> None:
        self.evaluator.erase()
        if self.provider is not None:
            self.provider.close()
        self.mesh.close()
