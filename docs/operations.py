"""Writes the list of operations from the registry: one entry each, with its docstring."""

from __future__ import annotations

import inspect
from collections import defaultdict
from importlib import import_module

import docstrings

from mpyc_core.protocols.registry import Op, all_ops

INTRODUCTION = """\
# Operations

Every operation of the registry, under the name that commands, counters and the
[table of costs](../costs.md) use. Secret tensors have a method for each of the common ones, and
`mpyc_core.ml.tensor.apply(name, *tensors, **params)` runs any of them. "Local" means that no
message is sent. Domains and errors hold for the default scale of Z/2^64, 16 fraction bits, where
nothing else is said.
"""


def page() -> str:
    """operations.md, in the order of the modules."""
    by_module: dict[str, list[Op]] = defaultdict(list)
    for op in all_ops():
        by_module[op.body.__module__].append(op)
    lines = [INTRODUCTION]
    for name, ops in sorted(by_module.items()):
        module = import_module(name)
        rest = (inspect.getdoc(module) or "").split("\n")
        lines += [f"## {rest[0].rstrip('.')}", "", *_rst(rest[1:])]
        for op in sorted(ops, key=lambda op: inspect.getsourcelines(op.body)[1]):
            lines += _entry(op)
    return "\n".join(lines) + "\n"


def _entry(op: Op) -> list[str]:
    lines = [f"### {op.name}", "", f"`{op.name}{_signature(op)}`", ""]
    text = inspect.getdoc(op.body) or ""
    lines += _rst(text.split("\n"))
    local = not op.interactive and "local" not in text
    facts = ["local" if local else "", "has a gradient" if op.grad else ""]
    known = ", ".join(fact for fact in facts if fact)
    return [*lines, *([f"*{known[0].upper()}{known[1:]}.*", ""] if known else [])]


def _signature(op: Op) -> str:
    """Operands and public parameters, without the protocol."""
    parts = []
    for parameter in list(inspect.signature(op.body).parameters.values())[1:]:
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        parts.append(
            ("*" if parameter.kind is parameter.VAR_POSITIONAL else "") + parameter.name + default
        )
    return f"({', '.join(parts)})"


def _rst(lines: list[str]) -> list[str]:
    body = docstrings.to_rst(lines)
    return ["```{eval-rst}", *body, "```", ""] if any(body) else []
