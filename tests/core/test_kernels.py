"""Kernels against Python's integers: edge values, odd shapes, read-only inputs, result dtypes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpyc_core import parallel
from mpyc_core.jit import _features
from mpyc_core.kernels import amx, conv, matmul
from mpyc_core.ring import Z32, Z64, Z128, Ring

from . import check_kernels as check

ROOT = Path(__file__).parents[2]
WITHOUT_AMX = _features().replace("+amx-int8", "-amx-int8").replace("+amx-tile", "-amx-tile")
RINGS = pytest.mark.parametrize("ring", [Z32, Z64, Z128], ids=lambda ring: ring.name)
PLAIN = (
    "+64bit,+adx,-aes,+avx,+avx2,+bmi,+bmi2,+cmov,+cx16,+f16c,+fma,+lzcnt,+mmx,+movbe,+pclmul,"
    "+popcnt,+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3,+xsave,"
    "-amx-int8,-amx-tile,-avx512f,-avx512bw,-avx512cd,-avx512dq,-avx512vl,-avx512vnni"
)


@pytest.fixture(autouse=True, params=["tiles", "vectors"])
def products(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs with AMX wherever tiles fit, where there is AMX, and without it."""
    if request.param == "vectors":
        monkeypatch.setattr(amx, "available", lambda: False)
    elif not amx.available():
        pytest.skip("this machine has no AMX, or does not let the process use it")
    else:
        monkeypatch.setattr(matmul, "worthwhile", lambda *_: True)
        monkeypatch.setattr(conv, "worthwhile", lambda *_: True)


@RINGS
@pytest.mark.parametrize("size", [1, 7, 63, 64, 65, 129])
def test_matmul_of_odd_sizes(ring: Ring, size: int) -> None:
    check.check_matmul(ring, (size, 33), (33, 65))
    check.check_matmul(ring, (20, size), (size, 35))
    check.check_matmul(ring, (20, 33), (33, size))


@RINGS
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3,), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((5, 2, 3), (3,)),
        ((3,), (5, 3, 2)),
        ((5, 2, 3), (3, 7)),
        ((2, 3), (5, 3, 7)),
        ((4, 1, 2, 3), (5, 3, 7)),
        ((5, 2, 3), (1, 3, 7)),
        ((0, 2, 3), (0, 3, 2)),
        ((2, 20, 20), (2, 20, 20)),
        ((0, 3), (3, 4)),
        ((3, 0), (0, 4)),
        ((0,), (0,)),
    ],
)
def test_matmul_has_numpys_shapes(
    ring: Ring, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    check.check_matmul(ring, left, right)


@given(st.integers(0, 2**30), st.sampled_from([Z32, Z64]))
@settings(max_examples=20, derandomize=True, deadline=None)
def test_matmul_of_any_shape(seed: int, ring: Ring) -> None:
    rng = np.random.default_rng(seed)
    m, k, n = (int(v) for v in rng.integers(0, [60, 300, 60]))
    a, b = check.words(rng, ring, m, k), check.words(rng, ring, k, n)
    # NumPy's unsigned product wraps modulo 2^k too: an independent and fast oracle.
    assert np.array_equal(ring.matmul(a, b), np.matmul(a, b))


@pytest.mark.parametrize("ring", [Z32, Z64], ids=lambda ring: ring.name)
def test_matmul_wider_and_deeper_than_one_block(ring: Ring) -> None:
    rng = np.random.default_rng(1)
    a, b = check.words(rng, ring, 50, 515), check.words(rng, ring, 515, 1050)
    assert np.array_equal(ring.matmul(a, b), np.matmul(a, b))


@pytest.mark.parametrize("shape", [(9, 1445, 9), (137, 3, 33), (8, 2, 261)], ids=str)
def test_wide_matmul_wider_and_deeper_than_one_block(shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    check.check_matmul(Z128, (m, k), (k, n))


def test_wide_matmul_of_the_largest_numbers() -> None:
    """Every product is as large as it gets, so that sums of residues are near their bounds."""
    for left, right in ((-(2**127), -(2**127)), (2**127 - 1, -(2**127)), (2**127 - 1, 2**127 - 1)):
        a, b = Z128.full((8, 1440), left), Z128.full((1440, 8), right)
        want = np.full((8, 8), 1440 * left * right, object)
        check.agree(Z128.matmul(a, b), want, Z128)


def test_matmul_takes_transposed_and_unaligned_operands() -> None:
    rng = np.random.default_rng(2)
    a, b = check.words(rng, Z64, 20, 30), check.words(rng, Z64, 25, 30)
    shifted = np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view(np.uint64).reshape(a.shape)
    assert not shifted.flags.aligned
    assert np.array_equal(Z64.matmul(shifted, b.T), np.matmul(a, b.T))


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_threads", threads)
    monkeypatch.setattr(parallel, "_pool", None)
    rng = np.random.default_rng(3)
    a, b = check.words(rng, Z64, 200, 150), check.words(rng, Z64, 150, 170)
    assert np.array_equal(Z64.matmul(a, b), np.matmul(a, b))
    check.check_conv2d(Z64, (5, 2, 6, 7), (3, 2, 2, 3), (1, 2), (1, 0))


@RINGS
@pytest.mark.parametrize("case", check.CONVOLUTIONS, ids=str)
def test_conv2d_and_adjoints(
    ring: Ring,
    case: tuple[tuple[int, ...], tuple[int, ...], tuple[int, int], tuple[int, int]],
) -> None:
    check.check_conv2d(ring, *case)


def test_conv2d_deeper_than_one_block() -> None:
    check.check_conv2d(Z64, (1, 70, 3, 5), (2, 70, 2, 2), (1, 1), (0, 0))


def test_conv2d_with_more_filters_than_one_block() -> None:
    check.check_conv2d(Z64, (2, 1, 3, 3), (195, 1, 2, 2), (1, 1), (0, 1))


def test_conv2d_takes_one_number_for_both_directions() -> None:
    rng = np.random.default_rng(4)
    x, w = check.words(rng, Z64, 1, 2, 7, 6), check.words(rng, Z64, 3, 2, 3, 3)
    assert np.array_equal(Z64.conv2d(x, w, 2, 1), Z64.conv2d(x, w, (2, 2), (1, 1)))


@RINGS
@pytest.mark.parametrize("n", [0, 1, 7, 63, 64, 65, 129, 512, 1030])
def test_bit_planes(ring: Ring, n: int) -> None:
    check.check_planes(ring, n, ring.bits)
    check.check_planes(ring, n, 5)


@pytest.mark.parametrize(
    ("environment", "rings"),
    [
        pytest.param({"NUMBA_DISABLE_JIT": "1"}, ["32", "64", "128"], id="not compiled"),
        pytest.param(
            {"NUMBA_CPU_FEATURES": WITHOUT_AMX},
            ["32", "64", "128"],
            id="without AMX",
            marks=pytest.mark.timeout(300),
        ),
        pytest.param(
            {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": PLAIN},
            ["64", "128"],
            id="without AVX-512 and AES",
            marks=pytest.mark.timeout(300),
        ),
    ],
)
def test_kernels_in_another_environment(environment: dict[str, str], rings: list[str]) -> None:
    command = [sys.executable, "-m", "tests.core.check_all", *rings]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
