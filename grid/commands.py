"""Typed commands: what a node can be told, with a schema for each; everything else is refused.

A command is a map of plain data with arrays beside it. Its `do` names an action of the table
below; all its fields have types, and unknown ones are refused. How large it may be is checked by
the connection, before it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mpyc_core.errors import FrameError, MpcError, PermissionDenied

from . import checks
from .spec import Array
from .uploads import PIECE

if TYPE_CHECKING:
    from .node import Node

MAX_HEADER = 1 << 20
MAX_ARRAYS = 64
CHUNK = PIECE
"""Bytes of one piece of a large array on its way."""
MAX_BESIDE = 1 << 26
"""Bytes of all arrays beside one command; what is larger comes in pieces."""
REMEMBERED = 1024
"""Results of earlier commands that a connection can refer to by number."""

Reply = tuple[dict[str, Any], list[Array]]
Handler = Callable[["Node", "Visit", Mapping[str, Any], Sequence[Array]], Reply]


@dataclass
class Visit:
    """One connection of one client.

    Parameters
    ----------
    caller : the client's public key, which the transport has authenticated.
    results : what earlier commands of this connection made: an object's id, or why there is none.
    downloads : large arrays on their way to it.
    seats : computations among nodes that it drives.
    number : of the present command.
    told : number of the log's head that was sent last with answers of these.
    """

    caller: str
    results: dict[int, str | MpcError] = field(default_factory=dict)
    downloads: dict[str, Array] = field(default_factory=dict)
    seats: set[str] = field(default_factory=set)
    number: int = 0
    told: int = 0


@dataclass(frozen=True)
class Action:
    """One command.

    Parameters
    ----------
    fields, optional : what each field must be.
    arrays : how many arrays come with it, at most.
    owner : whether only the node's owner may.
    """

    fields: Mapping[str, Callable[[Any], bool]]
    optional: Mapping[str, Callable[[Any], bool]]
    arrays: int
    owner: bool
    handler: Handler


ACTIONS: dict[str, Action] = {}


def action(
    do: str,
    *,
    arrays: int = 0,
    owner: bool = False,
    optional: Mapping[str, Callable[[Any], bool]] | None = None,
    **fields: Callable[[Any], bool],
) -> Callable[[Handler], Handler]:
    """Register a command; keywords say what its fields must be."""

    def add(handler: Handler) -> Handler:
        if do in ACTIONS:
            raise ValueError(f"there is a command {do!r} already")
        ACTIONS[do] = Action(fields, optional or {}, arrays, owner, handler)
        return handler

    return add


def check(header: Mapping[str, Any], arrays: Sequence[Array]) -> Action:
    """The action of a command that has the right form.

    Raises
    ------
    FrameError : unknown, or of another form.
    """
    from . import act_cards, act_objects, act_release, act_requests, act_seats, registry  # noqa: F401

    do = header.get("do")
    found = ACTIONS.get(do) if type(do) is str else None
    if found is None:
        raise FrameError("unknown command; a node does what is in its list of commands only")
    given = set(header) - {"do", "free"}
    wanted, possible = set(found.fields), set(found.fields) | set(found.optional)
    if not wanted <= given <= possible:
        raise FrameError(f"the command {do} takes the fields {', '.join(sorted(possible))}")
    for name, check in {**found.fields, **found.optional}.items():
        if name in header and not check(header[name]):
            raise FrameError(f"the command {do} does not take this value as field {name}")
    free = header.get("free", [])
    if type(free) is not list or not all(map(checks.identifier, free)):
        raise FrameError("expected a list of ids to free")
    if len(arrays) > found.arrays:
        raise FrameError(f"the command {do} takes at most {found.arrays} arrays")
    return found


def allow(node: Node, visit: Visit, found: Action) -> None:
    """Refuse what only the owner may.

    Raises
    ------
    PermissionDenied : somebody else.
    """
    if found.owner and visit.caller != node.owner:
        raise PermissionDenied("only the owner of the node may do this", party=node.name)
