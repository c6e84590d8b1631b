"""The two registries: operations on values, and protocols that run them.

An operation is declared once. The driver infers shapes from the entry, every party runs its body,
the cost model walks the same body, autograd reads its gradient, NumPy's dispatch its name, and the
conformance suite its oracle and cases. A package outside this one adds entries through the entry
points `mpyc_core.operations` and `mpyc_core.protocols`; loading the entry point must register.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from mpyc_core.errors import ConfigError, ShareError
from mpyc_core.meta import Meta
from mpyc_core.ring import SIZES

from .protocol import Protocol

Body = Callable[..., Any]
Infer = Callable[..., Meta | tuple[Meta, ...]]
Grad = Callable[..., Sequence[Any]]


@dataclass(frozen=True)
class Case:
    """One example of an operation, for the conformance suite.

    Parameters
    ----------
    inputs : NumPy arrays; integers are shared as integers, floats as fixed point, bools as bits.
    params : public parameters.
    public : positions of `inputs` that are public constants.
    ulps : how far a protocol may be from `plain`, in units of the result's last place.
    atol, rtol : how far the result may be from the NumPy oracle.
    rings : bit lengths of the rings in which the case makes sense.
    """

    inputs: tuple[Any, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    public: tuple[int, ...] = ()
    ulps: float = 0
    atol: float = 0.0
    rtol: float = 0.0
    rings: tuple[int, ...] = SIZES


@dataclass(frozen=True)
class Op:
    """A registered operation.

    Parameters
    ----------
    name : what commands, counters and tables call it.
    body : `body(p, *values, **params)` on a protocol `p`; a generator when it communicates.
    infer : `infer(*metas, **params)`: metas of the results, or an error; runs at the caller and
        again at every party.
    oracle : the same function on NumPy arrays.
    grad : `grad(inputs, outputs, grads, **params)` on secret tensors: one gradient (or None) per
        input, given the gradient of each output (or None).
    cases : examples for the conformance suite.
    random : whether the result is drawn, so that a second run gives another one.
    """

    name: str
    body: Body
    infer: Infer
    oracle: Callable[..., Any]
    grad: Grad | None
    cases: tuple[Case, ...]
    random: bool = False

    @cached_property
    def interactive(self) -> bool:
        """Whether the operation communicates."""
        return inspect.isgeneratorfunction(self.body)

    def metas(self, inputs: Sequence[Meta], params: Mapping[str, Any]) -> tuple[Meta, ...]:
        """Infer the results' metas; labels of all inputs join."""
        path = _path(inputs)
        found = self.infer(*inputs, **params)
        outputs = (found,) if isinstance(found, Meta) else tuple(found)
        label = frozenset[str]().union(*[m.label for m in inputs])
        public = all([m.public for m in inputs]) and bool(inputs)
        return tuple([m.with_(label=label, public=public, path=path) for m in outputs])


def _path(metas: Sequence[Meta]) -> tuple[str, ...]:
    """The protocols that values went through which meet in an operation: all, under one now.

    Raises
    ------
    ShareError : they are shared under different protocols.
    """
    paths = {m.path for m in metas if not m.public}
    if len(paths) <= 1:
        return paths.pop() if paths else ()
    present = {path[-1] if path else "" for path in paths}
    if len(present) > 1:
        names = " and ".join(
            repr(name) if name else "the session's own" for name in sorted(present)
        )
        raise ShareError(
            f"operands are shared under different protocols, {names}; convert one of them with "
            ".to(protocol=...)"
        )
    (now,) = present
    before = {name for path in paths for name in path or ("",)} - {now}
    return (*sorted(before), now)


INCLUDED = ("plain", "replicated", "replicated_active", "additive", "shamir", "spdz2k")
"""The packages of the protocols that come with the library."""

_OPS: dict[str, Op] = {}
_PROTOCOLS: dict[str, type[Protocol]] = {}
_loaded: set[str] = set()
_loading = threading.RLock()


def operation(
    name: str,
    *,
    infer: Infer,
    oracle: Callable[..., Any],
    grad: Grad | None = None,
    cases: Sequence[Case] = (),
    random: bool = False,
) -> Callable[[Body], Body]:
    """Register the decorated body as an operation.

    Raises
    ------
    ConfigError : the name is taken.
    """

    def register(body: Body) -> Body:
        if name in _OPS:
            raise ConfigError(f"operation {name!r} is registered already; choose another name")
        _OPS[name] = Op(name, body, infer, oracle, grad, tuple(cases), random)
        return body

    return register


def register_protocol(cls: type[Protocol]) -> type[Protocol]:
    """Register a protocol class under its `name`; usable as a decorator."""
    if _PROTOCOLS.get(cls.name, cls) is not cls:
        raise ConfigError(f"protocol {cls.name!r} is registered already; choose another name")
    _PROTOCOLS[cls.name] = cls
    return cls


def _load(group: str, *modules: str) -> None:
    if group in _loaded:
        return
    with _loading:  # another thread must not see a registry that is half full
        if group in _loaded:
            return
        for module in modules:
            import_module(module)
        for entry in entry_points(group=f"mpyc_core.{group}"):
            entry.load()
        _loaded.add(group)


def get_op(name: str) -> Op:
    """The operation of that name, or ConfigError with the names there are."""
    _load("operations", "mpyc_core.protocols.ops")
    if name not in _OPS:
        raise ConfigError(f"no operation {name!r}; there are: {', '.join(sorted(_OPS))}")
    return _OPS[name]


def all_ops() -> Iterator[Op]:
    """Every registered operation, by name."""
    _load("operations", "mpyc_core.protocols.ops")
    return iter(sorted(_OPS.values(), key=lambda op: op.name))


def get_protocol(name: str, n: int | None = None) -> type[Protocol]:
    """The protocol of that name, able to run with `n` parties.

    Raises
    ------
    ConfigError : no such protocol, or not with that number of parties.
    """
    found = protocols()
    if name not in found:
        raise ConfigError(f"no protocol {name!r}; there are: {', '.join(sorted(found))}")
    cls = found[name]
    if n is not None and not cls.supports(n):
        raise ConfigError(
            f"protocol {name!r} runs with {cls.parties} parties, got {n}; change the number of "
            "parties or the protocol"
        )
    return cls


def protocols() -> dict[str, type[Protocol]]:
    """Every registered protocol, by name."""
    _load("protocols", *(f"mpyc_core.protocols.{name}" for name in INCLUDED))
    return dict(_PROTOCOLS)
