"""Commands by which a client has nodes compute together: sit down, offer, messages, requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mpyc_core.errors import ConfigError, PermissionDenied
from mpyc_core.privacy.price import exact
from mpyc_core.transport.curve import check_key

from . import checks, requests
from .act_objects import Header
from .commands import MAX_BESIDE, Reply, Visit, action
from .node import Node
from .seat import Dealing, Plan, Seat, opening_terms
from .spec import Array

MAX_SEATS = 16
MAX_ANSWERS = 256


def _names(value: Any) -> bool:
    return type(value) is list and 1 <= len(value) <= 64 and all(map(checks.name, value))


def _texts(value: Any) -> bool:
    return type(value) is dict and len(value) <= 65 and all(map(checks.text, value.values()))


def _message(value: Any) -> bool:
    return type(value) is dict and all(type(key) is str for key in value)


def _seat(node: Node, visit: Visit, session: str) -> Seat:
    found = node.seats.get(session)
    if not isinstance(found, Seat) or found.caller != visit.caller:
        raise PermissionDenied("you have no such computation at this node", party=node.name)
    return found


def _check_room(node: Node, session: str) -> None:
    if session in node.seats or len(node.seats) >= MAX_SEATS:
        raise PermissionDenied(
            f"this computation is under way, or {MAX_SEATS} others are", party=node.name
        )


@action(
    "sit",
    session=checks.identifier,
    me=checks.name,
    names=_names,
    keys=_texts,
    protocol=checks.name,
    ring=checks.natural,
    f=checks.optional(checks.natural),
    provider=checks.optional(checks.name),
)
def sit(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Be a party of a computation: listen for the others."""
    _check_room(node, header["session"])
    names, keys, provider = tuple(header["names"]), header["keys"], header["provider"]
    everybody = {*names, *([provider] if provider else [])}
    if header["me"] not in names or set(keys) != everybody or len(set(names)) != len(names):
        raise ConfigError("a computation has parties of different names, with a key of each")
    for name, key in keys.items():
        check_key(key, f"the key of {name}")
    if len(set(keys.values())) != len(keys):
        raise ConfigError("two parties of a computation have one key: one node, with both shares")
    if keys[header["me"]] != node.keys.identity.public:
        raise ConfigError(f"another key than that of {node.name} was given for {header['me']!r}")
    plan = Plan(
        header["session"],
        header["me"],
        names,
        keys,
        header["protocol"],
        header["ring"],
        header["f"],
        provider,
    )
    seat = Seat(node, visit.caller, plan)
    node.seats[plan.id] = seat
    visit.seats.add(plan.id)
    return {"address": seat.address}, []


@action("deal", session=checks.identifier, me=checks.name, names=_names, keys=_texts)
def deal(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Be the crypto provider of a computation; never one of its parties."""
    _check_room(node, header["session"])
    for name, key in header["keys"].items():
        check_key(key, f"the key of {name}")
    if node.keys.identity.public in header["keys"].values():
        raise ConfigError("who deals knows all masks and must hold no share")
    dealer = Dealing(node, visit.caller, header["me"], header["names"], header["keys"])
    node.seats[header["session"]] = dealer
    visit.seats.add(header["session"])
    return {"address": dealer.address}, []


@action("meet", session=checks.identifier, addresses=_texts)
def meet(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Meet the other parties; they are found by their addresses and known by their keys."""
    _seat(node, visit, header["session"]).meet(header["addresses"])
    return {}, []


@action(
    "offer",
    session=checks.identifier,
    target=checks.reference,
    epsilon=checks.optional(checks.positive),
)
def offer(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Let the next `input` of this id share an object among the parties."""
    seat = _seat(node, visit, header["session"])
    found = node.objects.usable(node.resolve(visit, header["target"]), visit.caller)
    seat.offer(found, header["epsilon"])
    return {"id": found.id}, []


@action("turn", session=checks.identifier, message=_message, arrays=64)
def turn(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """A message of the client to this party; it is carried out in turn."""
    seat = _seat(node, visit, header["session"])
    if seat.error is not None:
        raise type(seat.error)(seat.error.message, party=seat.error.party or node.name)
    seat.mailbox.inbox.put((dict(header["message"]), list(arrays)))
    return {}, []


@action("answers", session=checks.identifier)
def answers(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """What this party has answered since."""
    waiting = _seat(node, visit, header["session"]).mailbox.answers
    found: list[Any] = []
    beside: list[Array] = []
    size = 0
    while waiting and len(found) < MAX_ANSWERS and len(beside) + len(waiting[0][1]) <= 64:
        size += sum(x.nbytes for x in waiting[0][1])
        if found and size > MAX_BESIDE:
            break
        reply, some = waiting.popleft()
        found.append([reply, len(some)])
        beside += some
    answer: dict[str, Any] = {"answers": found}
    if node.audit.head().number != visit.told:  # the log's head goes with every release
        answer["head"] = node.audit.signed_head()
        visit.told = answer["head"]["number"]
    return answer, beside


@action("leave", session=checks.identifier)
def leave(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """The computation is over."""
    node.unseat(header["session"], visit.caller)
    visit.seats.discard(header["session"])
    return {}, []


@action(
    "ask opening",
    session=checks.identifier,
    value=checks.natural,
    to=checks.text,
    name=checks.text,
    reason=checks.text,
)
def ask_opening(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Ask the owners of what this node put into a computation to let a result of it be opened."""
    seat = _seat(node, visit, header["session"])
    graph = seat.graph(header["value"])
    if not seat.owners - {visit.caller}:
        return {"request": None}, []
    terms = opening_terms(header["to"])
    key = requests.create_for(
        node,
        graph,
        seat.owners,
        seat.cards,
        visit.caller,
        terms,
        header["name"],
        header["reason"],
    )
    node.announce(f"request {key}")
    return {"request": key}, []


@action("sensitivity", session=checks.identifier, value=checks.natural)
def sensitivity(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """By how much one record can change a shared value: from cards and operations alone."""
    seat = _seat(node, visit, header["session"])
    return {"units": seat.sensitivity(header["value"])}, []


@action(
    "afford",
    session=checks.identifier,
    value=checks.natural,
    sensitivity=checks.natural,
    epsilon=checks.positive,
    times=checks.natural,
)
def afford(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Whether this node would pay for a noisy value so many times, and if not, why."""
    epsilon = exact(header["epsilon"], "epsilon")
    seat = _seat(node, visit, header["session"])
    seat.afford(header["value"], header["sensitivity"], epsilon, header["times"])
    return {}, []


@action("trust", owner=True, name=checks.name, key=checks.text)
def trust(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Let a node hold shares of the owner's data, or deal for those who do."""
    check_key(header["key"], f"the key of {header['name']}")
    node.trust(header["name"], header["key"])
    return {}, []
