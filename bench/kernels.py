"""Kernels against what the hardware allows: BLAS, memory copy, OpenSSL, all in this run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpyc_core import parallel
from mpyc_core.bits import from_planes, to_planes
from mpyc_core.kernels.streams import KernelStream, in_kernels
from mpyc_core.prg import Stream
from mpyc_core.ring import Z32, Z64, Z128, Ring

from . import local
from .report import Row
from .timing import median, medians

SHAPES = ((1000, 1000, 1000), (128, 784, 128), (64, 800, 500), (1, 784, 128))
Convolution = tuple[str, tuple[int, ...], tuple[int, ...]]
CONVOLUTIONS: tuple[Convolution, ...] = (
    ("conv1", (64, 1, 28, 28), (20, 1, 5, 5)),
    ("conv2", (64, 20, 12, 12), (50, 20, 5, 5)),
)
POWER = 6


def _elements(ring: Ring, shape: tuple[int, ...], buffer: int) -> np.ndarray:  # type: ignore[type-arg]
    return Stream(bytes(16)).words(1, buffer, shape, ring.dtype)


def rows() -> list[Row]:
    """Every kernel row."""
    return [*products(), *convolutions(), *bits(), *streams(), *elementwise(), *local.rows()]


def products(shapes: Sequence[tuple[int, int, int]] = SHAPES) -> list[Row]:
    """Ring matrix products beside BLAS on floats of the same width.

    For 128 bits the limit is a quarter of BLAS in float64: an element's product is four of words.
    """
    found = []
    for ring, real, times in ((Z64, np.float64, 1), (Z32, np.float32, 1), (Z128, np.float64, 4)):
        for m, k, n in shapes:
            a, b = _elements(ring, (m, k), 0), _elements(ring, (k, n), 1)
            x, y = ring.to_float(a).astype(real), ring.to_float(b).astype(real)
            work = m * k * n / 1e9
            (ours, blas), runs = medians(
                lambda a=a, b=b, ring=ring: ring.matmul(a, b), lambda x=x, y=y: x @ y
            )
            name = f"{ring.name} matmul {m}x{k}x{n}"
            limit = f"{np.dtype(real).name} BLAS" + (f" / {times}" if times > 1 else "")
            found.append(Row(name, work / ours, "GMAC/s", work / blas / times, limit, runs=runs))
    return found


def convolutions(cases: Sequence[Convolution] = CONVOLUTIONS) -> list[Row]:
    """LeNet's convolutions beside BLAS on the windows, laid out beforehand."""
    found = []
    for name, images, filters in cases:
        x, w = _elements(Z64, images, 2), _elements(Z64, filters, 3)
        side = images[2] - filters[2] + 1
        pixels, taps = images[0] * side * side, filters[1] * filters[2] * filters[3]
        windows, matrix = np.ones((pixels, taps)), np.ones((taps, filters[0]))
        work = pixels * taps * filters[0] / 1e9
        (ours, blas), runs = medians(
            lambda x=x, w=w: Z64.conv2d(x, w),
            lambda windows=windows, matrix=matrix: windows @ matrix,
        )
        found.append(
            Row(
                f"LeNet {name}, {images[0]} images",
                work / ours,
                "GMAC/s",
                work / blas,
                "BLAS",
                runs=runs,
            )
        )
    return found


def bits(power: int = POWER) -> list[Row]:
    """10^power words to bit planes and back, beside a copy of the same memory."""
    x = _elements(Z64, (10**power,), 4)
    planes = to_planes(x, 64)
    copy, _ = median(lambda: x.copy())
    to, runs = median(lambda: to_planes(x, 64))
    back, _ = median(lambda: from_planes(planes, len(x)))
    size = x.nbytes / 1e9
    return [
        Row(f"10^{power} words to bit planes", size / to, "GB/s", size / copy, "copy", runs=runs),
        Row(f"10^{power} words from planes", size / back, "GB/s", size / copy, "copy", runs=runs),
    ]


def streams(power: int = POWER) -> list[Row]:
    """AES-CTR masks of 10^power words, beside writing the memory."""
    out = np.empty(10**power, np.uint64)
    fill, _ = median(lambda: out.fill(1))
    size, found = out.nbytes / 1e9, []
    by = "kernels" if in_kernels() else "OpenSSL"
    for stream, name in ((Stream(bytes(16)), "OpenSSL"), (KernelStream(bytes(16)), f"party, {by}")):
        aes, runs = median(lambda stream=stream: stream.fill(1, 1, out))
        name = f"10^{power} words of AES-128-CTR ({name})"
        found.append(Row(name, size / aes, "GB/s", size / fill, "fill", runs=runs))
    return found


def elementwise(power: int = POWER) -> list[Row]:
    """Products of 10^power elements, bound by memory."""
    found = []
    for ring in (Z64, Z128):
        x, y = _elements(ring, (10**power,), 5), _elements(ring, (10**power,), 6)
        copy, _ = median(lambda x=x: x.copy())
        mul, runs = median(lambda x=x, y=y, ring=ring: ring.mul(x, y))
        size, name = x.nbytes / 1e9, f"10^{power} products in {ring.name}"
        found.append(Row(name, size / mul, "GB/s", size / copy, "copy", runs=runs))
    return found


def title() -> str:
    """The table's title."""
    return f"kernels, {parallel.threads()} threads"
