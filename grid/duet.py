"""Duets: two or more people, one node between them, no server and no account.

    owner       duet = mpc.launch_duet()        prints a line to paste
    scientist   duet = mpc.join_duet("...")     and sees what the owner made searchable

The node runs in the owner's process. Its keys, objects, requests, budgets and guests are kept in a
folder: launched again, it goes on where it stopped, and guests come back with their own keys.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, SupportsIndex, overload

from mpyc_core.errors import AuthenticationFailed, ConfigError, Disconnected, MpcError
from mpyc_core.transport.curve import Identity
from mpyc_core.transport.limits import Limits

from .answering import Requests
from .asking import Request
from .cards import Card
from .client import Client
from .commands import MAX_BESIDE, Reply
from .connect import default_identity, read_ticket, ticket
from .duetcode import Code, is_code, proof, proves
from .duetnode import VALID, DuetNode
from .keys import fingerprint, own_identity
from .link import Link, LocalLink
from .owner import Owner
from .pointer import Pointer
from .remote import RemoteLink
from .search import DataSet
from .server import NodeServer
from .spec import NAMES, Array
from .table import Table

PLAIN = re.compile(r"[A-Za-z0-9][\w+-]{0,63}")
ADDRESS = "duet address"
READING = frozenset(
    {"hello", "status", "requested", "asked", "rules", "look", "mine", "search", "budget"}
    | {"sample", "head", "links"}
)
"""Commands that change nothing: they are sent again when the connection broke."""


class Store(list[Pointer]):
    """What one can refer to in a duet, as it was when it was asked for; by number, tag or id."""

    @overload
    def __getitem__(self, key: SupportsIndex) -> Pointer: ...
    @overload
    def __getitem__(self, key: slice) -> list[Pointer]: ...
    @overload
    def __getitem__(self, key: str) -> Pointer: ...
    def __getitem__(self, key: SupportsIndex | slice | str) -> Pointer | list[Pointer]:
        if not isinstance(key, str):
            return super().__getitem__(key)
        plain = key.lstrip("#")
        found = [x for x in self if x.id == key or plain in {tag.lstrip("#") for tag in x.tags}]
        if len(found) != 1:
            raise ConfigError(f"{len(found)} objects have the tag or id {key!r}; expected one")
        return found[0]

    @property
    def table(self) -> Table:
        """Ids, tags, types and shapes; never values."""
        return Table(
            ["ID", "Tags", "Description", "Type", "Shape"],
            [(x.id, " ".join(x.tags), x.description, NAMES[x.dtype], x.shape) for x in self],
        )

    @property
    def pandas(self) -> Any:
        """The table, as a pandas.DataFrame where pandas is installed."""
        return self.table.pandas

    def __repr__(self) -> str:
        return repr(self.table) if self else "nothing in the store"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


class DuetRequests(Requests):
    """Requests that wait for one's answer; `duet.requests[0].accept()`."""

    @property
    def table(self) -> Table:
        """Who asks for what, why, and what it would tell them."""
        columns = ["Request Name", "Reason", "Request ID", "From", "Shape", "Tells"]
        return Table(
            columns,
            [(x.name, x.reason, x.id, x.who, x.shape, x.leakage) for x in self],
        )

    @property
    def pandas(self) -> Any:
        """The table, as a pandas.DataFrame where pandas is installed."""
        return self.table.pandas

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


class _Side(Client):
    """What both sides of a duet see."""

    @property
    def store(self) -> Store:
        """What one has sent with tags, and what others made searchable."""
        found = self.again({"do": "search", "tags": []})[0]["cards"]
        cards = {
            x["card"]["id"]: Card.from_wire(x["card"], x["signature"], self.key) for x in found
        }
        return Store(DataSet(self, cards[x.id]) if x.id in cards else x for x in super().store)

    @property
    def requests(self) -> DuetRequests:
        """Requests for one's data, which wait for an answer."""
        return DuetRequests(self)

    @property
    def requested(self) -> list[Request]:
        """One's own requests, oldest first; also those of earlier processes."""
        found, _ = self.again({"do": "requested"})
        return [Request(self, key) for key in found["requests"]]


class Duet(_Side, Owner):
    """The side that launched a duet: it owns the node, and what it sends stays in its process.

    Parameters
    ----------
    node : the machine.
    server : what guests connect to.
    reach : the address that codes name.
    """

    def __init__(self, node: DuetNode, server: NodeServer, reach: str) -> None:
        super().__init__(LocalLink(node, node.owner))
        self.node, self._server, self.address = node, server, reach

    def invite(self, minutes: float = VALID / 60) -> str:
        """A new code: one guest, within some minutes. Pass it on where only they read it."""
        secret = self.node.invite(60 * minutes)
        return str(Code(self.address, self.node.keys.identity.public, secret))

    @property
    def ticket(self) -> str:
        """Address and key, with which guests come back; a secret is no part of it."""
        return ticket(self.address, self.node.keys.identity.public)

    @property
    def guests(self) -> Table:
        """Who has joined: their keys, and what they call themselves."""
        return Table(["Name", "Key"], [(g.name, key) for key, g in self.node.guests.items()])

    def expel(self, key: str) -> None:
        """Let a guest do nothing any more; what it sent stays."""
        self.node.expel(key)

    def close(self) -> None:
        """Stop; launched again with the same name or folder, the duet goes on."""
        self._server.close()
        super().close()
        self.node.close()


class JoinedDuet(_Side):
    """The side that joined a duet."""

    def call(self, header: dict[str, Any], arrays: Sequence[Array] = ()) -> Reply:
        """Send a command and wait; questions are asked again when the other side comes back.

        Raises
        ------
        Disconnected : it did not come back in time.
        """
        used = self.link
        try:
            return super().call(header, arrays)
        except Disconnected:
            if header["do"] not in READING or not self.redial(used):
                raise
        return super().call(header, arrays)

    def again(self, header: dict[str, Any], arrays: Sequence[Array] = ()) -> Reply:
        """`call` for all commands that can be repeated, not for questions alone."""
        if header["do"] in READING:
            return self.call(header, arrays)
        return super().again(header, arrays)

    def redial(self, broken: Link) -> bool:
        """Connect anew, unless another thread has.

        Raises
        ------
        Disconnected : the other side does not answer.
        """
        try:
            return super().redial(broken)
        except MpcError as error:
            raise Disconnected(error.message, party=self.name) from None


# -- beginning ----------------------------------------------------------------------------------
def launch_duet(
    name: str | None = None,
    *,
    folder: str | Path | None = None,
    address: str = "tcp://127.0.0.1:0",
    reach: str | None = None,
    verbose: bool = True,
) -> Duet:
    """Launch a duet and print the line with which one guest can join it.

    Parameters
    ----------
    name : by which guests know it; your login when None.
    folder : its keys and state; one for this name under your home when None.
    address : where to listen. Loopback reaches this machine alone; give an address of this machine
        for others, tcp://192.168.1.5:7000. Port 0 takes the port of the last time, or a free one.
    reach : the address that guests connect to, if it is another, for instance behind a router.
    verbose : whether to print; `duet.invite()` gives further codes.

    Security
    --------
    Connections are encrypted and authenticated by CURVE. The code holds a secret: whoever reads it
    first can join in the guest's place, and the guest's own attempt then fails. A guest sees what
    is searchable and gets what you accept.

    Raises
    ------
    ConfigError : the duet runs in another process, or the address cannot be used.
    """
    chosen = name or _login()
    node = DuetNode(chosen, _folder(chosen) if folder is None else Path(folder))
    try:
        server = _listen(node, address)
        try:
            duet = Duet(node, server, _reachable(server.address, reach))
        except BaseException:
            server.close()
            raise
    except BaseException:
        node.close()
        raise
    server.start()
    if verbose:
        print(
            f"Duet {chosen!r} is open. The other side pastes this line; it works once, within "
            f"{VALID / 60:g} minutes:\n\n    duet = mpc.join_duet({duet.invite()!r})\n",
            flush=True,
        )
    return duet


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "duet"


def _folder(name: str) -> Path:
    """Where the duet of a name is kept."""
    if not PLAIN.fullmatch(name):
        raise ConfigError(f"a duet named {name!r} needs a folder; give `folder`")
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "mpyc-core" / "duet" / name


def _listen(node: DuetNode, address: str) -> NodeServer:
    """Listen where the guests of the last time expect it, as far as that is free."""
    last = node.state.fact(ADDRESS)
    host = address.removesuffix(":0")
    server = None
    if last is not None and host != address and last.decode().rpartition(":")[0] == host:
        try:
            server = NodeServer(node, last.decode(), node.may_enter)
        except ConfigError:  # somebody else's by now
            server = None
    server = server or NodeServer(node, address, node.may_enter)
    with node.state.transaction():
        node.state.set_fact(ADDRESS, server.address.encode())
    return server


def _reachable(bound: str, reach: str | None) -> str:
    """The address for codes."""
    if reach is not None:
        if "://" not in reach:
            raise ConfigError(f"expected `reach` like tcp://host:port, got {reach!r}")
        return reach
    if bound.startswith(("tcp://0.0.0.0:", "tcp://*:", "tcp://[::]:")):
        raise ConfigError(
            f"{bound} is every address of this machine; give `reach`, the one that guests use"
        )
    return bound


def join_duet(
    code: str,
    *,
    name: str | None = None,
    identity: Identity | str | Path | None = None,
    limits: Limits | None = None,
) -> JoinedDuet:
    """Join a duet, or come back to one.

    Parameters
    ----------
    code : the line that the other side passed on; to come back, the same one, or `duet.ticket`.
    name : what the other side sees; your login when None.
    identity : a key file, made when it is missing; your own when None. Objects, requests and
        acceptances belong to it.
    limits : heartbeats and time-outs.

    Raises
    ------
    ConfigError : not a code.
    AuthenticationFailed : it was used, has expired, or who answers is not who made it.
    PeerTimeout : nobody answers at its address.
    """
    if not isinstance(identity, Identity):
        identity = own_identity(Path(identity) if identity is not None else default_identity())
    me, chosen = identity, limits or Limits(max_message=MAX_BESIDE)
    invited = Code.parse(code) if is_code(code) or "#" not in code else None
    address, key = (invited.address, invited.key) if invited else read_ticket(code)

    def dial() -> Link:
        return RemoteLink(address, key, me, chosen)

    link = dial()
    try:
        if invited is not None:
            _prove(link, invited, me, name or _login())
        return JoinedDuet(link, dial)
    except BaseException:
        link.close()
        raise


def _prove(link: Link, code: Code, me: Identity, name: str) -> None:
    """Prove the code to the host, and check that the host knows it, too."""
    given = proof("guest", code.secret, code.key, me.public)
    reply, _ = link.submit({"do": "join", "name": name, "proof": given}).result()
    wanted = proof("host", code.secret, code.key, me.public)
    receipt = reply.get("receipt")
    if type(receipt) is not bytes or not proves(receipt, wanted):
        raise AuthenticationFailed(
            f"the host {fingerprint(code.key)} does not know this code: it is another one's, or "
            "somebody answers in the host's place; ask for a new one"
        )
