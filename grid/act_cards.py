"""Commands on data sets: load, replace, set the policy, remove; search, sample rows, budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from mpyc_core.errors import ConfigError, FrameError, PermissionDenied
from mpyc_core.privacy.budget import dataset_account
from mpyc_core.privacy.price import Price

from . import checks, subjects
from .act_objects import Header, received
from .canonical import decode
from .cards import Card, Column, Policy, check_data, columns_of
from .commands import Reply, Visit, action
from .entries import plain
from .graph import DATA, Expr
from .keys import fresh_id
from .node import Node
from .spec import NAMES, Array, Spec, from_wire, normalised, to_wire
from .store import REFUSED, Stored
from .synthetic import synthesise

MAX_SAMPLE = 1 << 20


def _columns(value: Any) -> bool:
    keys = {"name", "lower", "upper", "unit", "description"}
    return type(value) is list and all(type(c) is dict and set(c) == keys for c in value)


POLICY = {"raw", "epsilon", "delta", "max_epsilon", "noisy"}
OF_SUBJECTS = {"subject_epsilon", "subject_delta"}


def _policy(value: Any) -> bool:
    return type(value) is dict and POLICY <= set(value) <= POLICY | OF_SUBJECTS


@action(
    "load",
    owner=True,
    arrays=3,
    name=checks.name,
    group=checks.name,
    tags=checks.tags,
    description=checks.text,
    collected=checks.text,
    columns=_columns,
    policy=_policy,
    sample=lambda value: value in ("", "mock", "synthetic"),
    sample_epsilon=checks.real,
    optional={
        "upload": checks.identifier,
        "subject": checks.name,
        "per_subject": lambda value: checks.natural(value) and value >= 1,
    },
)
def load(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Take a data set of the owner, with its card."""
    arrays, marks = _split(header, arrays)
    mock = [arrays[-1]] if header["sample"] == "mock" else []
    value = received(node, visit, header, arrays[:1] if "upload" not in header else [])
    columns = columns_of([Column(**c) for c in header["columns"]], value)
    check_data(value, columns, header["name"])
    key, version = fresh_id(), fresh_id()
    card = Card(
        id=key,
        version=version,
        node=node.name,
        key=node.keys.public,
        name=header["name"],
        group=header["group"],
        tags=tuple(header["tags"]),
        description=header["description"],
        collected=header["collected"],
        shape=value.shape,
        type=NAMES[value.dtype],
        columns=columns,
        policy=Policy(**header["policy"]),
        policy_version=fresh_id(),
        subject=header.get("subject", ""),
        per_subject=header.get("per_subject", 1),
    )
    _check_group(node, card)
    names = [name for x in marks for name in subjects.names_of(node, x)]
    subjects.check(node, card, names)
    stored = _stored(node, card, value)
    with node.state.transaction():
        node.put_card(card, {})
        node.persist(stored)
        subjects.put(node, card, names)
        _open_account(node, card.group)
        if header["sample"]:
            rows = _sample_rows(node, card, value, mock, header["sample_epsilon"])
            card = _put_sample(node, card, rows, header["sample"], header["sample_epsilon"])
        node.audit.append("loaded", card=card.id, version=version, name=card.name)
    node.objects.add(stored, limited=False)
    node.announce("cards")
    return {"id": key, "spec": to_wire(Spec.of(value))}, []


def _split(header: Header, arrays: Sequence[Array]) -> tuple[Sequence[Array], Sequence[Array]]:
    """The arrays of a command, and the one that says whose rows they are, where it comes."""
    if "subject" not in header:
        return arrays, []
    if not arrays:
        raise FrameError("expected the subjects of the rows beside the command")
    return arrays[:-1], arrays[-1:]


def _check_group(node: Node, card: Card) -> None:
    """Data sets of one group have the same records and share one budget."""
    for other, _ in node.cards():
        if other.name == card.name and other.id != card.id:
            raise ConfigError(f"there is a data set {card.name!r} already")
        if other.group != card.group or other.id == card.id:
            continue
        if other.rows != card.rows:
            raise ConfigError(
                f"group {card.group!r} has {other.rows} records, {card.name!r} has {card.rows}"
            )
        budgets = [(c.policy.epsilon, c.policy.delta) for c in (other, card)]
        if budgets[0] != budgets[1]:
            raise ConfigError(f"group {card.group!r} has the budget {budgets[0]}; give the same")


def _stored(node: Node, card: Card, value: Array) -> Stored:
    """A data set as an object that everybody may refer to."""
    params = {"id": card.id, "version": card.version}
    return Stored(
        id=card.id,
        version=card.version,
        value=value,
        holder=node.owner,
        owners=frozenset({node.owner}),
        cards=frozenset({card.id}),
        graph=Expr(node.keys, DATA, params, (), Spec.of(value)),
        tags=card.tags,
        description=card.description,
        searchable=True,
        durable=True,
    )


def _open_account(node: Node, group: str) -> None:
    """The account of a group has the smallest budget that one of its cards states."""
    limits = [
        Price.limit(card.policy.epsilon, card.policy.delta)
        for card, _ in node.cards()
        if card.group == group
    ]
    smallest = Price(min(p.nano_epsilon for p in limits), min(p.atto_delta for p in limits))
    node.ledger.open_account(dataset_account(group), smallest)
    subjects.open_accounts(node)


# -- sample rows --------------------------------------------------------------------------------
def _sample_rows(
    node: Node, card: Card, value: Array, mock: Sequence[Array], epsilon: float
) -> Array:
    if mock:
        rows = normalised(mock[0])
        fits = rows.dtype == value.dtype and rows.shape[1:] == value.shape[1:]
        if not fits or rows.ndim == 0 or rows.nbytes > MAX_SAMPLE:
            raise ConfigError(
                f"mock rows of {rows.dtype} {rows.shape} do not look like {card.name!r}"
            )
        check_data(rows, card.columns, f"the mock rows of {card.name!r}")
        return rows
    return synthesise(node, card, value, epsilon)


def _terms(node: Node, key: str) -> dict[str, Any]:
    """What only the node knows of a card."""
    found = node.state.row("SELECT terms FROM cards WHERE id = ?", key)
    return {} if found is None else dict(decode(found[0]))


def _put_sample(node: Node, card: Card, rows: Array, kind: str, epsilon: float) -> Card:
    label = kind if kind == "mock" else f"synthetic, epsilon={epsilon:g}, columns independent"
    card = replace(card, sample=label)
    node.put_card(card, {"sample": to_wire(Spec.of(rows))})
    node.state.put_blob(f"sample {card.id}", rows.tobytes())
    return card


@action("sample", target=checks.identifier, rows=checks.natural)
def sample(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Rows that look like those of a data set: made up, or drawn under a stated epsilon."""
    card = _found(node, header["target"])
    spec = _terms(node, card.id).get("sample")
    if spec is None:
        raise PermissionDenied(f"the owner gave no sample rows of {card.name!r}", party=node.name)
    rows = node.array(f"sample {card.id}", from_wire(spec))
    return {"kind": card.sample}, [rows[: header["rows"]]]


def _found(node: Node, key: str) -> Card:
    """The card of an id, in the words that hide whether there is an object of it."""
    try:
        return node.card(key)
    except ConfigError:
        raise PermissionDenied(REFUSED, party=node.name) from None


# -- what everybody may ask ---------------------------------------------------------------------
@action("search", tags=checks.tags)
def search(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Cards of the data sets, and searchable objects, that have all the tags."""
    wanted = {plain(tag) for tag in header["tags"]}
    cards = [
        {"card": card.to_wire(), "signature": signature}
        for card, signature in node.cards()
        if wanted <= {plain(tag) for tag in card.tags}
    ]
    objects = [
        {
            "id": x.id,
            "spec": to_wire(x.spec),
            "tags": list(x.tags),
            "description": x.description,
        }
        for x in node.objects.searchable()
        if not (x.cards and x.durable) and wanted <= {plain(tag) for tag in x.tags}
    ]
    return {"cards": cards, "objects": objects}, []


@action("budget", target=checks.identifier)
def budget(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """What is left of a data set's budget, for all who ask together."""
    card = _found(node, header["target"])
    left = node.ledger.remaining(dataset_account(card.group))
    spent = node.ledger.spent(dataset_account(card.group))
    return {
        "left": [left.epsilon, left.delta],
        "spent": [spent.epsilon, spent.delta],
        "max_epsilon": card.policy.max_epsilon,
    }, []


# -- the owner's changes ------------------------------------------------------------------------
@action(
    "reload",
    owner=True,
    arrays=2,
    target=checks.identifier,
    optional={"subject": checks.name, "upload": checks.identifier},
)
def reload(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Replace the rows of a data set: a new version, which voids approvals of the old one."""
    arrays, marks = _split(header, arrays)
    value, old = received(node, visit, header, arrays), node.card(header["target"])
    check_data(value, old.columns, old.name)
    if value.shape[1:] != old.shape[1:] or NAMES[value.dtype] != old.type:
        raise ConfigError(f"{old.name!r} has {old.type} columns of shape {old.shape[1:]}")
    card = replace(old, version=fresh_id(), shape=value.shape)
    _check_group(node, card)
    names = [name for x in marks for name in subjects.names_of(node, x)]
    subjects.check(node, card, names)
    stored = _stored(node, card, value)
    with node.state.transaction():
        node.put_card(card, _terms(node, card.id))
        node.persist(stored, instead_of=old.version)
        subjects.put(node, card, names)
        subjects.open_accounts(node)
        node.audit.append("reloaded", card=card.id, version=card.version)
    node.objects.drop(card.id)
    node.objects.add(stored, limited=False)
    node.announce("cards")
    return {}, []


@action("policy", owner=True, target=checks.identifier, policy=_policy)
def policy(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Change what may go out; approvals under the old policy become void."""
    old, new = node.card(header["target"]), Policy(**header["policy"])
    with node.state.transaction():
        for card, _ in node.cards():
            same_group = card.group == old.group
            if card.id != old.id and not same_group:
                continue
            changed = new
            if card.id != old.id:
                changed = replace(card.policy, epsilon=new.epsilon, delta=new.delta)
            card = replace(card, policy=changed, policy_version=fresh_id())
            node.put_card(card, _terms(node, card.id))
        _open_account(node, old.group)
        node.audit.append("policy", card=old.id, policy=asdict(new))
    node.announce("cards")
    return {}, []


@action("remove", owner=True, target=checks.identifier)
def remove(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Remove a data set. Its account stays: what was spent of its records stays spent."""
    card = node.card(header["target"])
    stored = node.objects.find(card.id)
    with node.state.transaction():
        node.state.run("DELETE FROM cards WHERE id = ?", card.id)
        node.state.drop_blob(f"sample {card.id}")
        subjects.put(node, card, [])
        node.audit.append("removed", card=card.id)
        if stored is not None:
            node.forget(stored)
    node.announce("cards")
    return {}, []


@action("subject", owner=True, arrays=1)
def subject(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """What a person's account has and spent."""
    if len(arrays) != 1 or len(arrays[0]) != 1:
        raise FrameError("expected one subject beside the command")
    (name,) = subjects.names_of(node, arrays[0])
    account = subjects.account_of(name)
    left, spent = node.ledger.remaining(account), node.ledger.spent(account)
    return {"left": [left.epsilon, left.delta], "spent": [spent.epsilon, spent.delta]}, []


@action("accounts", owner=True)
def accounts(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Budgets and what was spent of them."""
    found = {
        name: [limit.epsilon, limit.delta, spent.epsilon, spent.delta]
        for name, (limit, spent) in node.accounts.limits().items()
    }
    return {"accounts": found}, []
