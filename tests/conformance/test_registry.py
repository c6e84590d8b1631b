"""The registries: names are taken once, what is unknown is answered with what there is."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from mpyc_core.errors import ConfigError
from mpyc_core.protocols import registry
from mpyc_core.protocols.ops.infer import same
from mpyc_core.protocols.plain.protocol import Plain
from mpyc_core.protocols.registry import Case, all_ops, get_op, get_protocol, operation

from .runner import cases, check_cost, check_oracle, main_ring, oracle, run_case
from .test_cases import simulation

CONCURRENT = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from mpyc_core.protocols.registry import get_op, get_protocol

start = Barrier(8)
def look(i):
    start.wait()
    return get_protocol("replicated", 3).name, get_op("matmul").name

with ThreadPoolExecutor(8) as pool:
    print(len(set(pool.map(look, range(8)))))
"""


def test_a_new_operation_is_covered_by_registering_it(monkeypatch: pytest.MonkeyPatch) -> None:
    list(all_ops())
    monkeypatch.setattr(registry, "_OPS", dict(registry._OPS))

    @operation("double", infer=same, oracle=lambda x: 2 * x, cases=[Case((np.arange(5),))])
    def double(p: Plain, x: object) -> object:
        """2x."""
        return p.add(x, x)

    found = [(op, case) for name, op, case in cases(64) if name == "double-0"]
    assert len(found) == 1
    for protocol in registry.protocols():
        outcome = run_case(simulation(protocol, main_ring(get_protocol(protocol))), *found[0])
        check_oracle(outcome, oracle(*found[0]), found[0][1])
        check_cost(outcome)


def test_a_name_is_taken_once() -> None:
    get_op("add")
    with pytest.raises(ConfigError, match="'add' is registered already"):
        operation("add", infer=same, oracle=np.add)(lambda p, x: x)
    with pytest.raises(ConfigError, match="'replicated' is registered already"):
        registry.register_protocol(type("Other", (Plain,), {"name": "replicated"}))
    assert registry.register_protocol(get_protocol("plain")) is get_protocol("plain")


def test_the_unknown_is_answered_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"no operation 'ad'; there are: .*add"):
        get_op("ad")
    with pytest.raises(ConfigError, match=r"no protocol 'replicate'; there are: .*replicated"):
        get_protocol("replicate")
    with pytest.raises(ConfigError, match="exactly 3 parties, got 4"):
        get_protocol("replicated", 4)


def test_threads_that_start_together_see_a_full_registry() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONCURRENT], capture_output=True, text=True, timeout=50
    )
    assert (done.stdout.strip(), done.returncode) == ("1", 0), done.stderr
