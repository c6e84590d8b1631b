"""Prints costs.md from the costs that protocols declare: python docs/costs.py > docs/costs.md

Nothing here is measured and nothing is typed by hand: the cost model walks the body of every
registered operation and charges what the protocol declares. The conformance suite holds declared
and counted costs equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mpyc_core.errors import ShareError
from mpyc_core.fixed import default_f
from mpyc_core.meta import Meta
from mpyc_core.protocols.registry import Op, all_ops, get_op
from mpyc_core.protocols.simulation import Simulation
from mpyc_core.ring import ring as ring_of

SIZE = 1 << 12
"""Elements of the vectors; a multiple of 64, so that no word of packed bits is padded."""
RINGS = (64, 32)
INTRODUCTION = """\
# Costs

Rounds and bytes of every operation under `replicated`, summed over the three parties. The table is
written by `python docs/costs.py` from the costs that the protocol declares; a test holds declared
and counted costs equal for every operation, with no tolerance, and another that this page is
current. Bytes are payload per element of the result; message headers are not counted.

- Vectors have 4096 elements. Bits travel packed, 64 to a word, so short vectors cost up to a word
  per bit plane more.
- Fixed point has the default scale: 16 fraction bits over Z/2^64, 8 over Z/2^32.
- "-" stands where an operation does not run over Z/2^32 at its default scale.
- All operands are secret. Opening is not in the list: to all parties it costs one round and one
  component from each of them (24 bytes over Z/2^64).
- What the operations do is said in [operations](api/operations.md).

What other protocols need is in the second table; what needs no message at all stands at the end.
"""
OTHERS = """\

## Other protocols

The same in the ring that a protocol takes where none is named, GF(2^127 - 1) for `shamir`: rounds,
bytes per element of the result that all parties together send each other, and in brackets what the
dealer sends. Checks that `replicated-active` and `spdz2k` put off until something is opened are
charged there and are not in the table.
"""
COMPARED = (
    ("replicated", 3),
    ("replicated-active", 3),
    ("additive", 2),
    ("additive", 3),
    ("additive-fss", 2),
    ("spdz2k", 2),
    ("spdz2k", 3),
    ("shamir", 3),
    ("shamir", 5),
)
"""Protocols and numbers of parties of the second table."""


@dataclass(frozen=True)
class Row:
    """One example of an operation: kinds and shapes of its operands, and its parameters."""

    op: str
    kinds: str
    shapes: tuple[tuple[int, ...], ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def metas(self, bits: int) -> list[Meta]:
        """What is public about the operands over one ring."""
        ring = ring_of(bits)
        shapes = self.shapes or ((SIZE,),) * len(self.kinds.split())
        found = []
        for kind, shape in zip(self.kinds.split(), shapes, strict=True):
            f = default_f(ring) if kind == "fixed" else 0
            found.append(Meta(shape, kind, ring, f))  # type: ignore[arg-type]
        return found


IMAGES, FILTERS, RESULT = (8, 16, 14, 14), (32, 16, 3, 3), (8, 32, 12, 12)
CONV = {"stride": 1, "padding": 0}
ROWS = (
    Row("mul", "int int"),
    Row("mul", "fixed fixed"),
    Row("mul", "fixed fixed", params={"rounding": "exact"}),
    Row("mul", "fixed fixed", params={"rounding": "local"}),
    Row("matmul", "fixed fixed", ((128, 784), (784, 128))),
    Row("conv2d", "fixed fixed", (IMAGES, FILTERS), CONV),
    Row("conv2d_grad_x", "fixed fixed", (RESULT, FILTERS), {"shape": list(IMAGES), **CONV}),
    Row("conv2d_grad_w", "fixed fixed", (IMAGES, RESULT), {"shape": list(FILTERS), **CONV}),
    Row("rescale", "fixed", params={"f": 4}),
    Row("power", "fixed", params={"exponent": 3}),
    Row("lt", "fixed fixed"),
    Row("lt", "fixed fixed", params={"bits": 24}),
    Row("lt_number", "fixed fixed"),
    Row("eq", "fixed fixed"),
    Row("sign", "fixed"),
    Row("to_number", "bit"),
    Row("select", "bit fixed"),
    Row("where", "bit fixed fixed"),
    Row("relu", "fixed"),
    Row("relu", "fixed", params={"bits": 24}),
    Row("abs", "fixed"),
    Row("maximum", "fixed fixed"),
    Row("max", "fixed", ((SIZE, 10),), {"axis": 1, "keepdims": False}),
    Row("min", "fixed", ((SIZE, 10),), {"axis": 1, "keepdims": False}),
    Row("argmax", "fixed", ((SIZE, 10),), {"axis": 1, "keepdims": False}),
    Row("argmin", "fixed", ((SIZE, 10),), {"axis": 1, "keepdims": False}),
    Row("sort", "fixed", ((64, 64),), {"axis": 1}),
    Row("bit_and", "bit bit"),
    Row("all", "bit", ((SIZE, 64),), {"axis": 1, "keepdims": False}),
    Row("any", "bit", ((SIZE, 64),), {"axis": 1, "keepdims": False}),
    Row("int_and", "int int"),
    Row("rshift", "int", params={"s": 8}),
    Row("softmax", "fixed", ((128, 10),), {"axis": 1}),
    Row("log_softmax", "fixed", ((128, 10),), {"axis": 1}),
    Row("cross_entropy", "fixed fixed", ((128, 10), (128, 10))),
    Row("bce_with_logits", "fixed fixed", ((128, 1), (128, 1))),
    Row("mse", "fixed fixed", ((128, 1), (128, 1))),
)


def rows() -> Iterator[Row]:
    """The rows of the table: those above, and one for every other operation that communicates."""
    named = {row.op for row in ROWS}
    interactive = {op.name: op for op in all_ops() if op.interactive}
    yield from (row for row in ROWS if row.op in interactive)
    for name, op in interactive.items():
        if name not in named:
            yield _from_case(op)


def _from_case(op: Op) -> Row:
    """A row of vectors, of the kinds of the operation's first case."""
    case = op.cases[0]
    kinds = {"b": "bit", "f": "fixed"}
    return Row(
        op.name, " ".join(kinds.get(x.dtype.kind, "int") for x in case.inputs), (), case.params
    )


Found = tuple[int, float, float] | None
"""Rounds, and bytes per element of the result, sent and dealt; None where a ring is refused."""


def cost(row: Row, simulation: Simulation) -> Found:
    """What the protocol of a simulation declares."""
    metas = row.metas(simulation.ring.bits)
    try:
        result = get_op(row.op).metas(metas, row.params)[-1 if row.op in LOSSES else 0]
    except ShareError:
        return None
    refs = [simulation.new_ref(meta) for meta in metas]
    declared = simulation.declared_cost(row.op, refs, **row.params)
    return declared.rounds, declared.total / result.size, declared.dealt / result.size


def simulate(protocol: str, parties: int, ring: int | None = None) -> Simulation:
    """Parties to ask; they compute nothing."""
    return Simulation(parties, protocol=protocol, ring=ring, wrap=lambda ref: ref)


LOSSES = ("cross_entropy", "bce_with_logits", "mse")
"""Their first result is one number; bytes are given per element of the second, the gradient."""


def _operands(row: Row) -> str:
    shapes = row.shapes or ((),) * len(row.kinds.split())
    parts = []
    for kind, shape in zip(row.kinds.split(), shapes, strict=True):
        parts.append(kind + (f" {'x'.join(map(str, shape))}" if shape else ""))
    return ", ".join(parts)


def _figures(found: Found) -> str:
    return "- | -" if found is None else f"{found[0]} | {found[1]:.4g}"


def _together(found: Found) -> str:
    if found is None:
        return "-"
    dealt = f" [{found[2]:.4g}]" if found[2] else ""
    return f"{found[0]}, {found[1]:.4g}{dealt}"


def _parameters(row: Row) -> str:
    shown = {k: v for k, v in row.params.items() if k in ("rounding", "bits", "f", "s", "exponent")}
    return ", ".join(f"{k}={v!r}" if isinstance(v, str) else f"{k}={v}" for k, v in shown.items())


def page() -> str:
    """costs.md."""
    by_ring = [simulate("replicated", 3, bits) for bits in RINGS]
    lines = [
        INTRODUCTION,
        "| operation | operands | parameters | rounds, 64 bits | bytes | rounds, 32 bits | bytes |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for row in rows():
        figures = " | ".join(_figures(cost(row, simulation)) for simulation in by_ring)
        lines.append(f"| `{row.op}` | {_operands(row)} | {_parameters(row)} | {figures} |")
    lines += _others()
    local = ", ".join(f"`{op.name}`" for op in all_ops() if not op.interactive)
    lines += [
        "",
        "## No message",
        "",
        f"{local}; and products of a secret with public whole numbers.",
    ]
    return "\n".join(lines) + "\n"


def _others() -> Iterator[str]:
    """The second table."""
    yield OTHERS
    yield "| operation | " + " | ".join(f"`{name}`, {n}" for name, n in COMPARED) + " |"
    yield "|---|" + "---|" * len(COMPARED)
    simulations = [simulate(*chosen) for chosen in COMPARED]
    for row in ROWS:
        if row.op in SHOWN and not (row.params.keys() & {"rounding", "bits"}):
            title = f"`{row.op}` {_operands(row)}"
            yield f"| {title} | " + " | ".join(_together(cost(row, s)) for s in simulations) + " |"


SHOWN = ("mul", "matmul", "lt", "eq", "select", "relu", "max", "bit_and", "softmax")
"""Operations of the second table."""


if __name__ == "__main__":
    print(page(), end="")
