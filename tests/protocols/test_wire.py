"""Commands and plain data on their way: what goes in comes out, anything else is refused."""

from __future__ import annotations

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpyc_core import errors
from mpyc_core.meta import Kind, Meta
from mpyc_core.protocols.choice import default_ring
from mpyc_core.protocols.command import Command, ProgramHash, from_wire, to_wire
from mpyc_core.protocols.plaindata import freeze, thaw
from mpyc_core.protocols.registry import get_protocol, protocols
from mpyc_core.protocols.value import Public, component_spec
from mpyc_core.ring import Z64, ring
from mpyc_core.transport.mesh import Spec

META = Meta((2,), "int", Z64, public=True)
CONSTANT = Public(META, np.array([1, 2], np.uint64))


def test_a_command_survives_the_wire() -> None:
    key = [["slice", None, 3, None], ["take", np.array([2, 0])]]
    command = Command("index", (7, CONSTANT), (8, 9), {"key": key, "meta": META, "n": 3}, "a.py:1")
    buffers: list[np.ndarray] = []  # type: ignore[type-arg]
    header = msgpack.unpackb(msgpack.packb(to_wire(command, buffers)))
    back = from_wire(header, buffers)
    assert (back.op, back.outputs, back.where) == ("index", (8, 9), "a.py:1")
    assert back.inputs[0] == 7 and isinstance(back.inputs[1], Public)
    np.testing.assert_array_equal(back.inputs[1].value, [1, 2])
    np.testing.assert_array_equal(back.params["key"][1][1], [2, 0])
    assert back.params["meta"] == META and back.params["n"] == 3


@pytest.mark.parametrize(
    "change",
    [
        {"op": "add"},
        {"inputs": (7, Public(META, np.array([1, 3], np.uint64)))},
        {"outputs": (9,)},
        {"params": {"n": 4}},
    ],
)
def test_the_hash_of_a_program_sees_every_part(change: dict[str, object]) -> None:
    base = {"op": "mul", "inputs": (7, CONSTANT), "outputs": (8,), "params": {"n": 3}}
    one, other = ProgramHash(), ProgramHash()
    one.update(Command(**base), [META, META])  # type: ignore[arg-type]
    other.update(Command(**{**base, **change}), [META, META])  # type: ignore[arg-type]
    assert one.digest != other.digest
    other, third = ProgramHash(), ProgramHash()
    other.update(Command(**base, where="elsewhere"), [META, META])  # type: ignore[arg-type]
    third.update(Command(**base), [META, META.with_(shape=(3,))])  # type: ignore[arg-type]
    assert one.digest == other.digest != third.digest


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"op": "mul", "inputs": ["x"], "outputs": [], "params": {}, "where": ""},
        {"op": "mul", "inputs": [{"buffer": 9}], "outputs": [], "params": {}, "where": ""},
        {"op": "mul", "inputs": 3, "outputs": [], "params": {}, "where": ""},
        {"op": "mul", "inputs": [], "outputs": [], "params": [], "where": ""},
        {"op": "mul", "inputs": [], "outputs": ["x"], "params": {}, "where": ""},
    ],
)
def test_other_headers_are_refused(header: dict[str, object]) -> None:
    with pytest.raises(errors.FrameError):
        from_wire(header, [])


leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5)
plain = st.recursive(
    leaves | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=50, derandomize=True)
@given(plain)
def test_plain_data_comes_back(value: object) -> None:
    assert thaw(msgpack.unpackb(msgpack.packb(freeze(value)))) == value


@pytest.mark.parametrize("dtype", ["bool", "int64", "float64", "uint8"])
def test_arrays_come_back(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    back = thaw(msgpack.unpackb(msgpack.packb(freeze({"a": [array, array[0]]}))))
    np.testing.assert_array_equal(back["a"][0], array)
    assert back["a"][0].dtype == array.dtype and back["a"][1].shape == (3,)


@pytest.mark.parametrize("value", [object(), {1: 2}, np.array(["x"]), {"__array__": 3}, {1, 2}])
def test_other_data_is_refused(value: object) -> None:
    with pytest.raises(errors.ConfigError):
        freeze(value)


@pytest.mark.parametrize(
    "data", [["object", [1], b"12345678"], ["int64", [2], b"123"], ["int64", [-1], b""], 5, []]
)
def test_malformed_arrays_are_refused(data: object) -> None:
    with pytest.raises(errors.FrameError):
        thaw({"__array__": data})


def test_large_integers_survive_the_wire() -> None:
    value = np.array([[10**30, -5], [-(2**127), 2**127 - 1]], object)
    back = thaw(msgpack.unpackb(msgpack.packb(freeze(value))))
    assert back.tolist() == value.tolist()
    assert back.dtype == object


@pytest.mark.parametrize("kind", ["int", "bit"])
@pytest.mark.parametrize("name", protocols())
def test_a_client_must_deal_every_component_in_its_form(name: str, kind: Kind) -> None:
    cls = get_protocol(name)
    n = next(n for n in (2, 3) if cls.supports(n))
    meta = Meta((70,), kind, ring(default_ring(cls)))
    spec = component_spec(meta)
    parts = cls.deal(np.zeros(spec.shape, spec.dtype), meta, n)[0]
    here = cls(0, n)
    here.check_dealt(meta, parts)
    for wrong in ((), parts[:-1], (*parts, parts[0]), (parts[0][:1].copy(), *parts[1:])):
        if [Spec.of(part) for part in wrong] != [Spec.of(part) for part in parts]:
            with pytest.raises(errors.ShapeMismatch):
                here.check_dealt(meta, wrong)
