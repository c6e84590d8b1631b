"""`Committee`: nodes that compute on shares together, driven by a client who sees none of them."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy.typing as npt

from mpyc_core.errors import ConfigError, PeerTimeout, ShareError
from mpyc_core.ml.tensor import SecretTensor
from mpyc_core.privacy.mechanisms import epsilon_for_error
from mpyc_core.privacy.price import Price, exact
from mpyc_core.privacy.regression import Fitted, Kind
from mpyc_core.privacy.shared import add_noise, clip
from mpyc_core.protocols.session import Session

from .asking import Request
from .client import Client
from .fitting import Scale, checked, fit
from .handle import Handle
from .keys import fresh_id
from .link import Pending
from .spec import Array

Message = tuple[dict[str, Any], list[Array]]
FIRST, LONGEST = 0.0005, 0.02
WINDOW = 128


class _Channel:
    """The connections to the nodes as the channel of a session."""

    def __init__(self, clients: Mapping[str, Client], session: str) -> None:
        self._clients, self._session = dict(clients), session
        self._replies: dict[str, deque[Message]] = {name: deque() for name in clients}
        self._sent: dict[str, deque[Pending]] = {name: deque() for name in clients}
        self._open = dict.fromkeys(clients, 0)

    def send(self, name: str, header: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
        """Queue a message to one party; waits while too many are unanswered."""
        while self._open[name] >= WINDOW:
            self._pull(name)
        turn = {"do": "turn", "session": self._session, "message": header}
        self._sent[name].append(self._clients[name].submit(turn, list(arrays)))
        self._open[name] += 1

    def _pull(self, name: str) -> None:
        """Fetch what one party has answered; an error of the connection surfaces here."""
        sent = self._sent[name]
        while sent and sent[0].done:
            sent.popleft().result()
        found, arrays = self._clients[name].call({"do": "answers", "session": self._session})
        if "head" in found:
            self._clients[name].keep_head(found["head"])
        for header, count in found["answers"]:
            self._replies[name].append((header, arrays[:count]))
            arrays = arrays[count:]
            self._open[name] -= 1

    def receive(self, name: str, timeout: float | None = None) -> Message:
        """The reply to the oldest unanswered message of one party."""
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = FIRST
        while not self._replies[name]:
            self._pull(name)
            if self._replies[name]:
                break
            if deadline is not None and time.monotonic() > deadline:
                raise PeerTimeout(f"{name} did not answer within {timeout:g} s", party=name)
            time.sleep(pause)
            pause = min(1.5 * pause, LONGEST)
        return self._replies[name].popleft()

    def pending(self, name: str) -> int:
        """How many replies of one party are here already."""
        return len(self._replies[name])

    def close(self) -> None:
        """Leave the computation at all nodes."""
        for client in self._clients.values():
            client.submit({"do": "leave", "session": self._session})


class Committee:
    """Nodes as the parties of one computation.

    Parameters
    ----------
    nodes : connections to the parties, in order; every node needs an address that the others reach.
    crypto_provider : connection to a node that deals correlated randomness and holds no share.
    protocol : by name; None takes "replicated" for three nodes, "additive" with a provider.
    f : fraction bits.

    Raises
    ------
    ConfigError : a protocol that does not fit, or two nodes of one name.
    PermissionDenied : a node refuses.

    Security
    --------
    The client drives and sees no share but those of what it brings itself. A node shares its
    owner's data only with nodes whose keys its owner trusts, and opens nothing that holds it
    without an accepted request for exactly the computation.
    """

    def __init__(
        self,
        nodes: Sequence[Client],
        *,
        crypto_provider: Client | None = None,
        protocol: str | None = None,
        ring: int = 64,
        f: int | None = None,
    ) -> None:
        self.nodes = {node.name: node for node in nodes}
        if len(self.nodes) != len(nodes):
            raise ConfigError("two nodes of a computation have one name")
        self.provider = crypto_provider
        if protocol is None:
            protocol = "replicated" if crypto_provider is None else "additive"
        self.id = fresh_id()
        name = None if crypto_provider is None else crypto_provider.name
        parties = {n: node.curve for n, node in self.nodes.items()}
        dealer = {} if crypto_provider is None else {crypto_provider.name: crypto_provider.curve}
        plan = {"names": list(parties), "protocol": protocol, "ring": ring, "f": f}
        addresses = self._seated({**plan, "keys": {**parties, **dealer}, "provider": name}, parties)
        for node in self.nodes.values():
            node.call({"do": "meet", "session": self.id, "addresses": addresses})
        self.session = Session(
            _Channel(self.nodes, self.id),
            list(parties),
            protocol=protocol,
            ring=ring,
            f=f,
            wrap=SecretTensor,
            crypto_provider=name,
        )

    def _seated(self, plan: dict[str, Any], parties: Mapping[str, str]) -> dict[str, str]:
        """Where each party, and the provider, listens."""
        found: dict[str, str] = {}
        if self.provider is not None:
            header: dict[str, Any] = {"do": "deal", "session": self.id, "me": self.provider.name}
            header |= {"names": list(parties), "keys": dict(parties)}
            found[self.provider.name] = str(self.provider.call(header)[0]["address"])
        for name, node in self.nodes.items():
            reply, _ = node.call({"do": "sit", "session": self.id, "me": name, **plan})
            found[name] = str(reply["address"])
        return found

    # -- values ---------------------------------------------------------------------------------
    def share(
        self, x: Handle | npt.ArrayLike, *, f: int | None = None, epsilon: float | None = None
    ) -> SecretTensor:
        """Share what a pointer means among the nodes, or an array of your own.

        A pointer's data goes from its node to the others as shares; it does not pass through here.

        Parameters
        ----------
        f : fraction bits of your own array.
        epsilon : for data with a budget per subject: what every subject pays now, for all releases
            of this committee together. Rows of those who cannot pay are replaced on the way by the
            middle of their bounds, and nobody is told.

        Raises
        ------
        ShareError : the pointer's node is not one of the parties.
        PermissionDenied : its owner does not trust the other nodes.
        """
        if not isinstance(x, Handle):
            return self.session.share(x, f=f)
        node = x.client
        if self.nodes.get(node.name) is None or self.nodes[node.name].curve != node.curve:
            raise ShareError(
                f"{node.name} holds the data and is not one of the parties "
                f"{', '.join(self.nodes)}; let it take part"
            )
        target = x.id
        self.nodes[node.name].call(
            {"do": "offer", "session": self.id, "target": target, "epsilon": epsilon}
        )
        return self.session.input(target, owner=node.name)

    def request(
        self, x: SecretTensor, reason: str = "", name: str = "", *, to: str | None = None
    ) -> list[Request]:
        """Ask the owners of all that a value was made of to let it be opened.

        Parameters
        ----------
        to : the party that is to learn it; None opens it to you.

        Returns
        -------
        One request for each node whose data it holds; when all are accepted, `x.reveal()` once.
        """
        self.session.wait()
        found = []
        for node in self.nodes.values():
            header = {"do": "ask opening", "session": self.id, "value": x.ref.id}
            header |= {"to": to or self.session.audience, "name": name, "reason": reason}
            key = node.call(header)[0]["request"]
            if key is not None:
                found.append(Request(node, key))
        return found

    def release(
        self,
        x: SecretTensor,
        epsilon: float | None = None,
        why: str = "",
        *,
        error: float | None = None,
    ) -> Any:
        """Open a value with noise that the nodes make together; nobody ever holds the exact one.

        Each node finds by itself how much one of its records can change the value, and charges its
        own budget; with policies of noisy="budget" nobody needs to be asked.

        Parameters
        ----------
        x : made of rows by operations whose range is known: clip rows first (`clip_rows`), stack
            those of several nodes with numpy.concatenate, then sum, or multiply transposed rows by
            rows. What is approximated on shares is clipped again behind the approximation.
        epsilon : the price, at every node.
        error : instead of it, what all elements' noise stays below with 95 % probability.

        Raises
        ------
        UnboundedSensitivity : a node cannot bound it; says what to do.
        PermissionDenied, BudgetExceeded : a policy or a budget does not allow it; says what does.
        RequestDenied : a node does not pay after all.
        """
        if (epsilon is None) == (error is None):
            raise ConfigError("give epsilon or error, one of them")
        found = self._units(x)
        if error is not None:
            target = exact(error, "error") * (1 << x.f)
            epsilon = epsilon_for_error(target, found, count=max(1, x.size)).epsilon
        return self._released(x, found, float(epsilon or 0.0), why)[0]

    def _released(
        self, x: SecretTensor, units: int, epsilon: float, why: str, times: int = 1
    ) -> tuple[Any, Price]:
        """Noise for so many units, opened; refused unless the budgets cover it `times` times."""
        header = {"do": "afford", "session": self.id, "value": x.ref.id, "times": times}
        for node in self.nodes.values():
            node.call({**header, "sensitivity": units, "epsilon": epsilon})
        noisy, price = add_noise(x, units, epsilon)
        return noisy.reveal(why=why), price

    def _units(self, x: SecretTensor) -> int:
        """By how much one record of any node can change a value, in units of its last place."""
        self.session.wait()
        header = {"do": "sensitivity", "session": self.id, "value": x.ref.id}
        return max(1, *(int(node.call(header)[0]["units"]) for node in self.nodes.values()))

    def regression(
        self,
        kind: Kind,
        x: SecretTensor,
        y: SecretTensor,
        *,
        centre: npt.ArrayLike,
        spread: npt.ArrayLike,
        epsilon: float,
        names: Sequence[str] = (),
        steps: int = 2,
        lr: float | None = None,
        reach: float = 1.5,
        residual: float = 1.0,
    ) -> Fitted:
        """Linear or logistic regression on the rows of all nodes; epsilon pays for all of it.

        Noisy gradient descent: every step releases one noisy gradient. Few steps stop early, which
        draws coefficients towards 0 as a ridge does; with a larger epsilon take more steps.

        Parameters
        ----------
        kind : "linear", or "logistic" for targets of 0 and 1.
        x, y : shared rows of shape (n, columns), and their targets.
        centre, spread : where each column, and last a linear target, usually is, and how far around
            that: known from elsewhere, not from these data. Coefficients come in the data's units.
        epsilon : the price of all steps together.
        names : of the columns.
        steps, lr : of the descent; step i moves by lr / sqrt(i). Left out, lr is
            1 / (0.5 + 0.3 columns), which suits columns that hang together as usual.
        reach, residual : columns and residuals are clipped to these, in standard units.

        Raises
        ------
        PermissionDenied, BudgetExceeded : as `release`; before the first step if a budget does not
            cover all of them.

        Security
        --------
        Every step is a `release`. The models of all steps are public, which the price covers.
        """
        rate = checked(x, y, names, lr, steps, (reach, residual))
        return fit(
            self,
            kind,
            x,
            y,
            Scale.of(centre, spread, x.shape[1], kind),
            epsilon=epsilon,
            steps=steps,
            lr=rate,
            reach=reach,
            residual=residual,
            names=names,
        )

    def clip_rows(self, x: SecretTensor, lower: float, upper: float) -> SecretTensor:
        """x between two bounds, enforced on the secret values."""
        unit = 1 << x.f
        return clip(x, math.ceil(lower * unit), math.floor(upper * unit))

    def close(self) -> None:
        """End the computation at all nodes; shares are forgotten."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def committee_of(node: Client, others: Sequence[Client], provider: Client | None) -> Committee:
    """The committee of these nodes that this client uses, made when there is none yet."""
    key = (tuple(n.curve for n in others), None if provider is None else provider.curve)
    known = node.committees.get(key)
    if known is None:
        known = Committee(others, crypto_provider=provider)
        for member in others:
            member.committees[key] = known
    return known
