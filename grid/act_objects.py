"""Commands on objects: send, upload, run, look at, replace, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mpyc_core.errors import FrameError, PermissionDenied

from . import checks
from .commands import Reply, Visit, action
from .graph import Expr, constant
from .keys import fresh_id
from .node import Node
from .ops import get_op
from .spec import Array, Spec, from_wire, normalised, to_wire
from .store import Stored, joined

Header = Mapping[str, Any]


def _spec(value: Any) -> bool:
    try:
        from_wire(value)
    except Exception:
        return False
    return True


def _operand(value: Any) -> bool:
    """A reference, or ["constant", number of the array beside the command]."""
    if type(value) is list:
        return len(value) == 2 and value[0] == "constant" and checks.natural(value[1])
    return checks.reference(value)


def _operands(value: Any) -> bool:
    return type(value) is list and len(value) <= 256 and all(map(_operand, value))


def _params(value: Any) -> bool:
    return type(value) is dict and all(type(key) is str for key in value)


def _known(stored: Stored) -> dict[str, Any]:
    """What a holder is told of an object; never a value."""
    return {"id": stored.id, "spec": to_wire(stored.spec), "tags": list(stored.tags)}


@action("hello")
def hello(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Who the node is."""
    return {
        "name": node.name,
        "key": node.keys.public,
        "curve": node.keys.identity.public,
        "kind": node.kind,
        "owner": visit.caller == node.owner,
        "you": visit.caller,
    }, []


# -- sending ------------------------------------------------------------------------------------
@action("upload", upload=checks.identifier, spec=_spec)
def upload(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Make room for a large array that comes in pieces, or go on with one that broke off."""
    return {"done": node.uploads.begin(visit, header["upload"], from_wire(header["spec"]))}, []


@action("piece", arrays=1, upload=checks.identifier, offset=checks.natural)
def piece(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """The next bytes of an array that is under way; they come in order."""
    if len(arrays) != 1:
        raise FrameError("expected one piece beside the command")
    return {"done": node.uploads.add(visit, header["upload"], header["offset"], arrays[0])}, []


def received(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Array:
    """The array of a command: beside it, or uploaded before."""
    if "upload" not in header:
        if len(arrays) != 1:
            raise FrameError("expected one array beside the command, or an upload")
        return normalised(arrays[0])
    if arrays:
        raise FrameError("expected an upload or an array beside the command, got both")
    return node.uploads.take(visit.caller, header["upload"])


@action(
    "put",
    arrays=1,
    tags=checks.tags,
    description=checks.text,
    searchable=checks.flag,
    optional={"upload": checks.identifier},
)
def put(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Keep an array for its sender, who owns it. What has tags or can be found is durable."""
    value = received(node, visit, header, arrays)
    key, version = fresh_id(), fresh_id()
    stored = Stored(
        id=key,
        version=version,
        value=value,
        holder=visit.caller,
        owners=frozenset({visit.caller}),
        cards=frozenset(),
        graph=node.sent(visit.caller, key, version, value),
        tags=tuple(header["tags"]),
        description=header["description"],
        searchable=header["searchable"],
        durable=bool(header["tags"] or header["searchable"]),
    )
    node.objects.add(stored)
    if stored.durable:
        node.persist(stored)
    node.note(visit, key)
    return _known(stored), []


# -- computing ----------------------------------------------------------------------------------
@action("run", arrays=64, op=checks.name, inputs=_operands, params=_params)
def run(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Carry out one operation; the result is a new object of the caller."""
    objects: list[Stored] = []
    graphs: list[Expr | None] = []
    values: list[Array] = []
    for operand in header["inputs"]:
        if isinstance(operand, list):
            value = _constant(operand[1], arrays)
            graphs.append(None)
        else:
            found = node.objects.usable(node.resolve(visit, operand), visit.caller)
            objects.append(found)
            graphs.append(found.graph)
            value = found.value
        values.append(value)
    if not objects:
        raise FrameError("an operation needs an object of this node among its operands")
    op, params = get_op(header["op"]), header["params"]
    result = op(values, params)
    owners, cards = joined(objects)
    key = fresh_id()
    own = owners == {visit.caller} and not cards
    if own:  # all of it is the caller's: how it was made needs nobody's consent
        graph = node.sent(visit.caller, key, key, result)
    else:
        below = [
            g or node.objects.hold(visit.caller, constant(node.keys, v))
            for g, v in zip(graphs, values, strict=True)
        ]
        graph = Expr(node.keys, op.name, params, below, Spec.of(result))
    stored = Stored(key, key, result, visit.caller, owners, cards, graph)
    node.objects.add(stored)
    node.note(visit, key)
    return {"id": key, "spec": to_wire(stored.spec)}, []


def _constant(number: int, arrays: Sequence[Array]) -> Array:
    if number >= len(arrays):
        raise FrameError("an operand is a constant that did not come with the command")
    return normalised(arrays[number])


# -- managing -----------------------------------------------------------------------------------
@action("look", target=checks.reference)
def look(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """What is public about an object."""
    found = node.objects.usable(node.resolve(visit, header["target"]), visit.caller)
    return {**_known(found), "description": found.description, "cards": sorted(found.cards)}, []


@action("mine")
def mine(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """What the caller holds and what is found by everybody: tagged objects only."""
    held = [x for x in node.objects.of(visit.caller) if x.tags or x.durable]
    found = {x.id: x for x in [*held, *node.objects.searchable()]}
    return {"objects": [{**_known(x), "description": x.description} for x in found.values()]}, []


@action("update", arrays=1, target=checks.reference, optional={"upload": checks.identifier})
def update(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Replace what the caller sent by another version; approvals of the old one become void."""
    value = received(node, visit, header, arrays)
    old = node.objects.held(node.resolve(visit, header["target"]), visit.caller)
    if old.owners != {visit.caller} or old.cards:
        raise PermissionDenied("only what you sent yourself can be replaced", party=node.name)
    version = fresh_id()
    new = Stored(
        id=old.id,
        version=version,
        value=value,
        holder=old.holder,
        owners=old.owners,
        cards=old.cards,
        graph=node.sent(old.holder, old.id, version, value),
        tags=old.tags,
        description=old.description,
        searchable=old.searchable,
        durable=old.durable,
    )
    node.objects.replace(old, new)
    if new.durable:
        node.persist(new, instead_of=old.version)
    return _known(new), []


@action("delete", target=checks.reference)
def delete(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Drop an object of the caller, also from the disk."""
    found = node.objects.held(node.resolve(visit, header["target"]), visit.caller)
    if found.cards and found.durable:
        raise PermissionDenied("a data set is removed with `remove`", party=node.name)
    node.forget(found)
    return {}, []
