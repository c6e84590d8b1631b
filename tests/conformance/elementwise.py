"""Which operations work element by element, and inputs for them that stay inside a case's range.

Nothing here knows an operation by name: what is elementwise follows from how shapes are inferred,
and what may be fed to it from the values of its own cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpyc_core.errors import ShareError
from mpyc_core.fixed import default_f
from mpyc_core.meta import Meta
from mpyc_core.protocols.backend import encode
from mpyc_core.protocols.registry import Case, Op
from mpyc_core.ring import ring as ring_of
from mpyc_core.transport.mesh import Array

from .runner import cases

LENGTHS = (1, 7, 63, 64, 65, 130)
"""Lengths around the words that bits are packed in."""


@dataclass(frozen=True)
class Template:
    """A case of an elementwise operation, from which others are made."""

    name: str
    op: Op
    case: Case
    ring: int
    broadcasts: bool

    @property
    def exact(self) -> bool:
        """No rounding anywhere: then inputs may be combined at will within their ranges."""
        return self.case.ulps == self.case.atol == self.case.rtol == 0

    @property
    def free(self) -> bool:
        """Whether values other than the case's own make sense."""
        return self.exact or len(self.case.inputs) == 1

    def with_inputs(self, inputs: tuple[Array, ...]) -> Case:
        """The same case on other arrays."""
        case = self.case
        return Case(inputs, case.params, case.public, case.ulps, case.atol, case.rtol, (self.ring,))


def templates(ring: int) -> Iterator[Template]:
    """The first case of every elementwise operation for each combination of kinds."""
    seen = set()
    for name, op, case in cases(ring):
        if op.random:  # edge values and noise on top would leave the ring
            continue
        arrays = [np.asarray(x) for x in case.inputs]
        kinds = tuple(x.dtype.kind for x in arrays)
        key = (op.name, kinds, case.public, tuple(case.params))
        if key not in seen and _elementwise(op, case, ring, [(), (3,), (2, 1, 5)]):
            seen.add(key)
            yield Template(name, op, case, ring, _broadcasts(op, case, ring))


def _metas(case: Case, ring: int, shapes: list[tuple[int, ...]]) -> list[Meta]:
    r = ring_of(ring)
    return [
        encode(np.zeros(shape, np.asarray(x).dtype), r, default_f(r)).meta.with_(
            public=i in case.public
        )
        for i, (x, shape) in enumerate(zip(case.inputs, shapes, strict=True))
    ]


def _shapes(op: Op, case: Case, ring: int, shapes: list[tuple[int, ...]]) -> set[tuple[int, ...]]:
    try:
        return {m.shape for m in op.metas(_metas(case, ring, shapes), case.params)}
    except ShareError:
        return set()


def _elementwise(op: Op, case: Case, ring: int, probes: list[tuple[int, ...]]) -> bool:
    count = len(case.inputs)
    return all(_shapes(op, case, ring, [shape] * count) == {shape} for shape in probes)


def _broadcasts(op: Op, case: Case, ring: int) -> bool:
    if len(case.inputs) == 1:
        return False
    shapes: list[tuple[int, ...]] = [(2, 1, 5), (4, 1), *[()] * (len(case.inputs) - 2)]
    return _shapes(op, case, ring, shapes) == {(2, 4, 5)}


@st.composite
def made_case(draw: st.DrawFn, template: Template) -> Case:
    """The template on shapes and values that hypothesis makes."""
    count = len(template.case.inputs)
    shape = draw(
        hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)
        | st.sampled_from(LENGTHS).map(lambda n: (n,))
    )
    shapes = [shape] * count
    if template.broadcasts and draw(st.booleans()):
        made = draw(hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=3, max_side=4))
        shapes = list(made.input_shapes)
    if not template.free:
        return template.with_inputs(_picked(draw, template, shape))
    pools = [_pool(x, template.ring) for x in template.case.inputs]
    return template.with_inputs(
        tuple(
            pool[draw(hnp.arrays(np.int64, s, elements=st.integers(0, pool.size - 1)))]
            for pool, s in zip(pools, shapes, strict=True)
        )
    )


def _picked(draw: st.DrawFn, template: Template, shape: tuple[int, ...]) -> tuple[Array, ...]:
    """The case's own elements, joined as in the case: inexact results bound them jointly."""
    flat = [x.reshape(-1) for x in np.broadcast_arrays(*template.case.inputs)]
    where = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, flat[0].size - 1)))
    return tuple(x[where] for x in flat)


def edges(x: Array, ring: int) -> Array:
    """0, 1, -1, powers of two, their neighbours and negatives, as far as the case's range goes."""
    x = np.asarray(x)
    if x.dtype == bool:
        return np.array([False, True])
    scale = 1 if x.dtype.kind == "i" else 2 ** default_f(ring_of(ring))
    powers = [1 << j for j in range(ring - 1)]
    whole = {0, *powers, *(p - 1 for p in powers)}
    numbers = np.array(sorted({v for w in whole for v in (w, -w)}), dtype=np.float64) / scale
    inside = numbers[_reachable(x, numbers)]
    return inside.astype(np.int64) if x.dtype.kind == "i" else inside


def _reachable(x: Array, numbers: Array) -> Array:
    """Numbers between two elements of x of one sign: a domain such as x != 0 is kept."""
    ok = np.isin(numbers, x)
    for part in (x[x <= 0], x[x >= 0]):
        if part.size:
            ok |= (part.min() <= numbers) & (numbers <= part.max())
    return ok


def _pool(x: Array, ring: int) -> Array:
    """Values to draw from: the case's own, edges, and a spread over its range."""
    x = np.asarray(x)
    if x.dtype == bool:
        return np.array([False, True])
    grid = 1 if x.dtype.kind == "i" else 2 ** default_f(ring_of(ring))
    spread = np.linspace(float(x.min()), float(x.max()), 101)
    spread = np.rint(spread * grid) / grid
    spread = spread[_reachable(x, spread)].astype(x.dtype)
    return np.unique(np.concatenate([x.reshape(-1), edges(x, ring), spread]))
