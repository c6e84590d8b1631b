"""Every operation over every protocol and ring: result, error bound and declared cost.

The tests read the registry. An operation or a protocol is covered once it is registered.
"""

from __future__ import annotations

from functools import cache

import pytest

from mpyc_core.protocols.registry import Case, Op, all_ops, get_op, get_protocol, protocols
from mpyc_core.protocols.simulation import Simulation

from .runner import (
    Outcome,
    cases,
    check_cost,
    check_oracle,
    check_plain,
    declared_cost,
    main_ring,
    oracle,
    parties_of,
    run_case,
)

SECURE = [name for name in protocols() if name != "plain"]
SIMPLE = ["add", "sum", "mul", "matmul", "conv2d", "rescale", "lt", "eq", "relu", "where"]
"""Operations that stand for all others where the number of parties varies."""


def simulation(protocol: str, ring: int, n: int | None = None) -> Simulation:
    n = n or parties_of(get_protocol(protocol))
    return Simulation(n, protocol=protocol, ring=ring, wrap=lambda ref: ref)


@cache
def lasting(protocol: str, ring: int) -> Simulation:
    """One simulation for all cases of a protocol and ring."""
    return simulation(protocol, ring)


@cache
def plain(name: str, ring: int) -> Outcome:
    """The outcome of one case under the plaintext protocol."""
    op, case = next((op, case) for found, op, case in cases(ring) if found == name)
    return run_case(simulation("plain", ring), op, case)


@cache
def origin(protocol: str) -> str | None:
    """The registered protocol of which this one replaces some primitives; None if it is its own."""
    parents = get_protocol(protocol).__mro__[1:]
    return next((name for name, cls in protocols().items() if cls in parents), None)


def inherited(protocol: str, ring: int, op: Op, case: Case) -> bool:
    """Whether a case runs no primitive but those of the protocol that this one is derived from.

    Its cost is then the same, for a primitive that is replaced takes other messages or
    correlations; some operations are tested all the same.
    """
    name = origin(protocol)
    if name is None or op.name in SIMPLE:
        return False
    mine, theirs = (declared_cost(lasting(p, ring), op, case) for p in (protocol, name))
    return mine == theirs


def parameters(names: list[str]) -> list[object]:
    return [
        pytest.param(name, ring, case_name, op, case, id=f"{name}-{case_name}-{ring}")
        for name in names
        for ring in get_protocol(name).rings
        for case_name, op, case in cases(ring)
    ]


PARAMETERS = ("protocol", "ring", "name", "op", "case")


@pytest.mark.parametrize(PARAMETERS, parameters(["plain"]))
def test_plain_agrees_with_numpy(protocol: str, ring: int, name: str, op: Op, case: Case) -> None:
    outcome = plain(name, ring)
    check_oracle(outcome, oracle(op, case), case)
    check_cost(outcome)


@pytest.mark.parametrize(PARAMETERS, parameters(SECURE))
def test_protocol_agrees_with_plain(
    protocol: str, ring: int, name: str, op: Op, case: Case
) -> None:
    """As often as there are turns, so that where roles rotate every party plays every role."""
    if inherited(protocol, ring, op, case):
        pytest.skip(f"runs what {origin(protocol)} runs")
    s, turns = lasting(protocol, ring), get_protocol(protocol).turns
    for turn in range(turns):
        while s.evaluators[0].protocol.position % turns != turn:
            s.share(0, owner="party0")
        outcome = run_case(s, op, case)
        check_plain(outcome, plain(name, ring), case.ulps)
        check_cost(outcome)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("protocol", list(protocols()))
def test_other_numbers_of_parties(protocol: str, n: int) -> None:
    ring = main_ring(get_protocol(protocol))
    if not get_protocol(protocol).supports(n):
        with pytest.raises(Exception, match="parties"):
            simulation(protocol, ring, n)
        return
    s = simulation(protocol, ring, n)
    for name in SIMPLE:
        op = get_op(name)
        outcome = run_case(s, op, op.cases[0])
        check_plain(outcome, plain(f"{name}-0", ring), op.cases[0].ulps)
        check_cost(outcome)


@pytest.mark.parametrize("op", list(all_ops()), ids=lambda op: op.name)
def test_operation_is_documented_and_has_a_case(op: Op) -> None:
    assert op.cases, f"{op.name} has no case: the suite cannot see it"
    assert (op.body.__doc__ or "").strip(), f"{op.name} has no docstring"


@pytest.mark.parametrize("protocol", list(protocols().values()), ids=list(protocols()))
def test_protocol_is_documented(protocol: type) -> None:
    assert (protocol.__doc__ or "").strip()
    assert protocol.parties
    assert protocol.security(parties_of(protocol)).adversary
