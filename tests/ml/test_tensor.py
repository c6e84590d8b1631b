"""Secret tensors against NumPy: operators, methods, NumPy functions, and what is refused."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mpyc_core.errors import (
    EncodingError,
    EncodingOverflow,
    RingMismatch,
    ScaleMismatch,
    ShapeMismatch,
    ShareError,
)
from mpyc_core.ml.tensor import SecretTensor, apply
from mpyc_core.protocols.simulation import Simulation

X = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.5]])
I = np.array([[3, 4, 5], [1, -7, 100]])  # noqa: E741
POSITIVE = np.abs(X) + 0.5


@pytest.fixture(scope="module")
def s() -> Iterator[Simulation]:
    simulation = Simulation(3, protocol="replicated", wrap=SecretTensor)
    yield simulation
    simulation.close()


def same(got: Any, want: Any) -> None:
    """The revealed result has NumPy's shape and value, and NumPy's kind of type."""
    found = got.reveal() if isinstance(got, SecretTensor) else got
    assert np.shape(found) == np.shape(want)
    assert np.asarray(found).dtype.kind == np.asarray(want).dtype.kind
    np.testing.assert_allclose(
        np.asarray(found, float), np.asarray(want, float), atol=3e-4, rtol=2e-4
    )


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "1 + x": lambda x, i: 1 + x,
    "x + 1.5": lambda x, i: x + 1.5,
    "2.5 - x": lambda x, i: 2.5 - x,
    "x - i": lambda x, i: x - i,
    "i + 2.5": lambda x, i: i + 2.5,
    "i * 2.5": lambda x, i: i * 2.5,
    "i * 0.001": lambda x, i: i * 0.001,
    "i * array": lambda x, i: i * I[0],
    "x * 2.0": lambda x, i: x * 2.0,
    "x * 0.3": lambda x, i: x * 0.3,
    "x * -1": lambda x, i: x * -1,
    "x * 1e-5": lambda x, i: x * 1e-5,
    "array * x": lambda x, i: X * x,
    "x - list": lambda x, i: x - [1, 2, 3],
    "np.float64 * x": lambda x, i: np.float64(2) * x,
    "array @ x.T": lambda x, i: np.ones(3) @ x.T,
    "x @ array": lambda x, i: x @ X.T,
    "x.T @ x": lambda x, i: x.T @ x,
    "i @ i.T": lambda x, i: i @ i.T,
    "vectors": lambda x, i: x[0] @ x[1],
    "x / 3": lambda x, i: x / 3,
    "i / 4": lambda x, i: i / 4,
    "-x": lambda x, i: -x,
    "abs": lambda x, i: abs(x),
    "x ** 2": lambda x, i: x**2,
    "x ** 3.0": lambda x, i: x**3.0,
    "x ** 0": lambda x, i: x**0,
    "bits * x": lambda x, i: (x < 0) * x,
    "x * bits": lambda x, i: x * (x < 0),
    "bits * 2.5": lambda x, i: (x < 0) * 2.5,
    "bits + bits": lambda x, i: (x < 0) * 1 + (x > 1),
    "x < 0": lambda x, i: x < 0,
    "array < x": lambda x, i: X[0] < x,
    "x >= array": lambda x, i: x >= X,
    "x <= i": lambda x, i: x <= i,
    "x == array": lambda x, i: x == X,
    "i != 4": lambda x, i: i != 4,
    "bits == bits": lambda x, i: (x < 0) == (x < 1),
    "bits != array": lambda x, i: (x < 0) != np.array([True, False, True]),
    "~bits": lambda x, i: ~(x < 0),
    "bits & bits": lambda x, i: (x < 0) & (x > -3),
    "array | bits": lambda x, i: np.array([True, False, True]) | (x < 0),
    "i & 6": lambda x, i: i & 6,
    "i ^ 3": lambda x, i: i ^ 3,
    "i << 2": lambda x, i: i << 2,
    "i >> 1": lambda x, i: i >> 1,
    "sum()": lambda x, i: sum(x),
}

STRUCTURE: dict[str, Callable[[Any, Any], Any]] = {
    "scalar": lambda x, i: x[0, 1],
    "column": lambda x, i: x[:, 1],
    "ellipsis": lambda x, i: x[..., None],
    "take": lambda x, i: x[:, [0, 2]],
    "rows": lambda x, i: x[np.array([True, False])],
    "public mask": lambda x, i: x[X > 0],
    "reversed": lambda x, i: x[::-1],
    "T": lambda x, i: x.T,
    "mT": lambda x, i: x.mT,
    "reshape": lambda x, i: x.reshape(3, 2),
    "reshape tuple": lambda x, i: x.reshape((-1,)),
    "transpose": lambda x, i: x.transpose(1, 0),
    "swapaxes": lambda x, i: x.swapaxes(0, 1),
    "sum": lambda x, i: x.sum(),
    "sum axis": lambda x, i: x.sum(axis=1, keepdims=True),
    "mean": lambda x, i: x.mean(axis=0),
    "mean of integers": lambda x, i: i.mean(),
    "var": lambda x, i: x.var(),
    "var axis": lambda x, i: x.var(axis=1, ddof=1),
    "var of integers": lambda x, i: i.var(axis=0),
    "cumsum": lambda x, i: x.cumsum(1),
    "max": lambda x, i: x.max(axis=1, keepdims=True),
    "min": lambda x, i: x.min(),
    "argmax": lambda x, i: x.argmax(axis=1),
    "argmin": lambda x, i: x.argmin(),
    "any": lambda x, i: (x < 0).any(axis=0),
    "all": lambda x, i: (x < 6).all(),
}

NUMPY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, i: np.add(1, x),
    "subtract": lambda x, i: np.subtract(X, x),
    "multiply": lambda x, i: np.multiply(x, x),
    "true_divide": lambda x, i: np.true_divide(x, 2),
    "matmul": lambda x, i: np.matmul(X, x.T),
    "dot": lambda x, i: np.dot(x, X.T),
    "outer": lambda x, i: np.outer(x[0], X[1]),
    "power": lambda x, i: np.power(x, 2),
    "square": lambda x, i: np.square(x),
    "negative": lambda x, i: np.negative(x),
    "absolute": lambda x, i: np.abs(x),
    "maximum": lambda x, i: np.maximum(0.5, x),
    "minimum": lambda x, i: np.minimum(x, X[0]),
    "clip": lambda x, i: np.clip(x, -1, 2),
    "less": lambda x, i: np.less(X[0], x),
    "logical_not": lambda x, i: np.logical_not(x < 0),
    "sum": lambda x, i: np.sum(x, axis=(0, 1)),
    "mean": lambda x, i: np.mean(x, axis=0),
    "average": lambda x, i: np.average(x),
    "var": lambda x, i: np.var(x),
    "max": lambda x, i: np.max(x, axis=0),
    "min": lambda x, i: np.min(x),
    "argmax": lambda x, i: np.argmax(x, axis=1),
    "sort": lambda x, i: np.sort(x, axis=1),
    "cumsum": lambda x, i: np.cumsum(x, axis=0),
    "public where": lambda x, i: np.where(X > 0, x, 0.5),
    "concatenate": lambda x, i: np.concatenate([x, X]),
    "concatenate flat": lambda x, i: np.concatenate([x, X], axis=None),
    "stack": lambda x, i: np.stack([x, X], axis=1),
    "vstack": lambda x, i: np.vstack([x, X[0]]),
    "hstack": lambda x, i: np.hstack([x, X]),
    "reshape": lambda x, i: np.reshape(x, (3, 2)),
    "transpose": lambda x, i: np.transpose(x),
    "moveaxis": lambda x, i: np.moveaxis(x, 0, 1),
    "squeeze": lambda x, i: np.squeeze(x[:1]),
    "expand_dims": lambda x, i: np.expand_dims(x, 1),
    "broadcast_to": lambda x, i: np.broadcast_to(x, (4, 2, 3)),
    "pad": lambda x, i: np.pad(x, ((1, 0), (0, 2))),
    "flip": lambda x, i: np.flip(x, 0),
    "ravel": lambda x, i: np.ravel(x),
    "shape": lambda x, i: np.shape(x),
    "ndim": lambda x, i: np.ndim(x),
    "size": lambda x, i: np.size(x, 0),
    "any": lambda x, i: np.any(x < 0),
}


@pytest.mark.parametrize("name", [*ARITHMETIC, *STRUCTURE])
def test_tensors_compute_what_numpy_computes(s: Simulation, name: str) -> None:
    fn = (ARITHMETIC | STRUCTURE)[name]
    same(fn(s.share(X), s.share(I)), fn(X, I))


@pytest.mark.parametrize("name", NUMPY)
def test_numpy_functions_dispatch(s: Simulation, name: str) -> None:
    same(NUMPY[name](s.share(X), s.share(I)), NUMPY[name](X, I))


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "reciprocal", "tanh"])
def test_numpy_elementwise_functions_dispatch(s: Simulation, name: str) -> None:
    fn = getattr(np, name)
    found = fn(s.share(POSITIVE)).reveal()
    np.testing.assert_allclose(found, fn(POSITIVE), rtol=1e-3, atol=1e-3)


def test_where_takes_secret_and_public_operands(s: Simulation) -> None:
    x, i = s.share(X), s.share(I)
    same(np.where(x > 0, x, -x), np.abs(X))
    same(np.where(x > 0, 1.0, 0.5), np.where(X > 0, 1.0, 0.5))
    same(np.where(i > 4, i, 0), np.where(I > 4, I, 0))
    same((x > 0).select(x), np.maximum(X, 0))


def test_whole_factors_cost_nothing(s: Simulation) -> None:
    x = s.share(X)
    before = s.cost()["rounds"]
    same(x * 2.0 + 1 - x * 1.0, X + 1)
    assert s.cost()["rounds"] == before + 1  # the opening


def test_division_by_a_secret(s: Simulation) -> None:
    x = s.share(X)
    np.testing.assert_allclose((1 / x).reveal(), 1 / X, atol=1e-3)
    np.testing.assert_allclose((X / x).reveal(), np.ones_like(X), atol=1e-2)
    np.testing.assert_allclose((x / s.share(I)).reveal(), X / I, atol=1e-3)


def test_bits_bound_and_rounding_reach_the_operation(s: Simulation) -> None:
    x = s.share(X)
    wide = sum(s.declared_cost("lt", [x.ref, x.ref]).sent)
    before = sum(s.cost()["bytes"].values())
    less = x.lt(2.0, bits=24)
    assert sum(s.cost()["bytes"].values()) - before < wide / 2
    same(less, X < 2)
    same(x.mul(X, rounding="exact"), X * X)
    same(x.rescale(0, rounding="exact"), np.floor(X).astype(int))
    with pytest.raises(ShareError, match="bits="):
        x.relu(bits=65)


def test_registered_operations_are_reachable_by_name(s: Simulation) -> None:
    x = s.share(X)
    positive, bit = apply("relu", x)
    same(positive, np.maximum(X, 0))
    same(bit, X >= 0)
    with pytest.raises(ShareError, match="needs a secret tensor"):
        apply("relu")


REFUSED: dict[str, Callable[[Any], Any]] = {
    "bool": bool,
    "float": float,
    "int": int,
    "index": lambda x: [1, 2][x],
    "hash": hash,
    "in": lambda x: 1.0 in x,
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "assignment": lambda x: x.__setitem__(0, 1),
    "asarray": np.asarray,
    "iterate bits": lambda x: iter(x < 0),
    "math": math.sqrt,
    "round": round,
    "sorted": sorted,
    "builtin max": max,
    "x + None": lambda x: x + None,
    "x // 2": lambda x: x // 2,
    "x ** x": lambda x: x**x,
    "2 ** x": lambda x: 2**x,
    "reduce": np.add.reduce,
    "out": lambda x: np.add(x, 1, out=X.copy()),
    "np.full": lambda x: np.full(3, x),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_the_value_is_refused(s: Simulation, name: str) -> None:
    with pytest.raises(TypeError):
        REFUSED[name](s.share(X))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("sin", np.sin),
        ("median", np.median),
        ("unique", np.unique),
        ("round", np.round),
        ("floor_divide", lambda x: np.floor_divide(x, 2)),
        ("isnan", np.isnan),
        ("einsum", lambda x: np.einsum("ij->i", x)),
        ("zeros_like", np.zeros_like),
        ("std", np.std),
    ],
)
def test_other_numpy_functions_are_refused_by_name(
    s: Simulation, name: str, call: Callable[[Any], Any]
) -> None:
    with pytest.raises(TypeError, match=f"numpy.{name} is not available .*instead"):
        call(s.share(X))


def test_operands_that_do_not_fit_leave_the_session_usable(s: Simulation) -> None:
    x = s.share(X)
    other = Simulation(3, ring=32, wrap=SecretTensor)
    with pytest.raises(ShapeMismatch, match="do not broadcast"):
        x + x[:, :2]
    with pytest.raises(ShapeMismatch, match="inner lengths"):
        x @ x
    with pytest.raises(ScaleMismatch, match="rescale"):
        x + s.share(X, f=20)
    with pytest.raises((RingMismatch, ShareError)):
        x + other.share(X)
    with pytest.raises(EncodingOverflow):
        x + 1e20
    with pytest.raises(EncodingError, match="NaN"):
        x + np.nan
    with pytest.raises(EncodingError, match="public 0"):
        x / 0
    with pytest.raises(ShareError, match="secret index"):
        x[x > 0]
    with pytest.raises(ShareError, match="bits or integers"):
        x & x
    same(x + x, X + X)


def test_repr_shows_what_is_public_and_no_value(s: Simulation) -> None:
    text = repr(s.share(np.array([12345.678])))
    assert "(1,)" in text
    assert "fixed" in text
    assert "f=16" in text
    assert "replicated among party0, party1, party2" in text
    assert "12345" not in text


def test_augmented_assignment_rebinds(s: Simulation) -> None:
    x = s.share(X)
    before = x
    x += 1
    same(before, X)
    same(x, X + 1)


def test_importing_tensors_does_not_import_numba() -> None:
    program = (
        "import sys, mpyc_core.ml.tensor, mpyc_core.ml.training; print('numba' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"
