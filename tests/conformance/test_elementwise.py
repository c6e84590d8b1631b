"""Elementwise operations on edge values, and on shapes and values that hypothesis makes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpyc_core.protocols.registry import Case, get_protocol, protocols
from mpyc_core.protocols.simulation import Simulation

from .elementwise import Template, edges, made_case, templates
from .runner import check_cost, check_oracle, check_plain, oracle, parties_of, run_case, suits

FOUND = [t for ring in (64, 32) for t in templates(ring)]
BY_OP = {t.op.name: [other for other in FOUND if other.op is t.op] for t in FOUND}
SECURE = [name for name in protocols() if name != "plain"]
SESSIONS: dict[tuple[str, int], Simulation] = {}


def session(protocol: str, ring: int) -> Simulation:
    """A simulation that goes on from example to example, so that operations take their turns."""
    if (protocol, ring) not in SESSIONS:
        n = parties_of(get_protocol(protocol))
        SESSIONS[protocol, ring] = Simulation(n, protocol=protocol, ring=ring, wrap=lambda ref: ref)
    return SESSIONS[protocol, ring]


def stand_in(protocol: str, template: Template) -> int | None:
    """The ring in which a protocol can show a template: its own, or a field in its place."""
    rings = {template.ring, 127} if template.ring == 64 else {template.ring}
    fit = (r for r in get_protocol(protocol).rings if r in rings)
    return next((r for r in fit if suits(template.op, template.case, r)), None)


def check(protocol: str, ring: int, template: Template, case: Case) -> None:
    plain = run_case(session("plain", ring), template.op, case)
    check_oracle(plain, oracle(template.op, case), case)
    try:
        outcome = run_case(session(protocol, ring), template.op, case)
    except Exception:
        del SESSIONS[protocol, ring]  # an error ends a session; the next example gets a new one
        raise
    check_plain(outcome, plain, case.ulps)
    check_cost(outcome)


def test_elementwise_operations_are_found() -> None:
    assert {"add", "mul", "lt", "eq", "relu", "where", "select"} <= set(BY_OP)
    assert not {"matmul", "sum", "index", "reshape", "concatenate"} & set(BY_OP)


@pytest.mark.parametrize("name", BY_OP)
@settings(
    derandomize=True,
    max_examples=20,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_made_shapes_and_values(name: str, data: st.DataObject) -> None:
    """Examples take the protocols in turn, as hypothesis has it."""
    template = data.draw(st.sampled_from(BY_OP[name]))
    able = [(p, ring) for p in SECURE if (ring := stand_in(p, template)) is not None]
    protocol, ring = data.draw(st.sampled_from(able))
    check(protocol, ring, template, data.draw(made_case(template)))


@pytest.mark.parametrize("protocol", SECURE)
@pytest.mark.parametrize(
    "template", [t for t in FOUND if t.free], ids=lambda t: f"{t.name}-{t.ring}"
)
def test_edge_values(template: Template, protocol: str) -> None:
    """Every edge value that the case's range admits, in all combinations of the operands."""
    ring = stand_in(protocol, template)
    if ring is None:
        pytest.skip(f"{protocol} has no ring for this case")
    pools = [edges(x, template.ring) for x in template.case.inputs]
    grids = np.meshgrid(*pools, indexing="ij") if len(pools) > 1 else pools
    inputs = tuple(np.ascontiguousarray(g).reshape(-1) for g in grids)
    check(protocol, ring, template, template.with_inputs(inputs))
