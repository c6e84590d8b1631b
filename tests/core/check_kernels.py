"""Products, convolutions and bit planes against Python's integers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import config

from mpyc_core.bits import from_planes, to_planes
from mpyc_core.kernels import amx
from mpyc_core.kernels.octet_operands import Operand, product_into, products_into
from mpyc_core.ring import Z64, Z128, Ring

Array = npt.NDArray[Any]

SMALL = [(0, 3, 2), (2, 0, 3), (1, 1, 1), (1, 7, 20), (9, 3, 2), (7, 5, 17), (13, 9, 40)]
CONVOLUTIONS = [
    ((1, 1, 3, 3), (1, 1, 1, 1), (1, 1), (0, 0)),
    ((2, 3, 6, 11), (4, 3, 3, 2), (1, 1), (0, 0)),
    ((2, 1, 5, 8), (7, 1, 2, 1), (2, 7), (0, 0)),
    ((1, 2, 5, 9), (3, 2, 2, 3), (2, 1), (1, 4)),
    ((3, 2, 4, 4), (2, 2, 4, 4), (3, 3), (0, 0)),
]


def words(rng: np.random.Generator, ring: Ring, *shape: int) -> Array:
    """Elements of which every third is 0, 1, -1, 2^(k-1), 2^(k-1) - 1 or 2^(k/2), read-only."""
    k = ring.bits
    edges = [0, 1, 2**k - 1, 2 ** (k - 1), 2 ** (k - 1) - 1, 2 ** (k // 2)]
    x = np.frombuffer(rng.bytes(ring.bytes * math.prod(shape)), ring.dtype).reshape(shape)
    picked = elements(ring, edges)[rng.integers(0, len(edges), shape)]
    x = np.where(rng.random(shape) < 1 / 3, picked, x)
    return np.frombuffer(x.tobytes(), ring.dtype).reshape(shape)


def elements(ring: Ring, values: list[int]) -> Array:
    """Integers in [0, 2^k) as elements."""
    if ring == Z128:
        return np.array([(v % 2**64, v >> 64) for v in values], ring.dtype)
    return np.array(values, ring.dtype)


def exact(x: Array) -> Array:
    """The unsigned words as Python's integers."""
    if x.dtype.fields:
        flat = [lo + (hi << 64) for lo, hi in x.reshape(-1).tolist()]
    else:
        flat = [int(v) for v in x.reshape(-1)]
    return np.array(flat, object).reshape(x.shape)


def agree(result: Array, expected: Array, ring: Ring) -> None:
    """Same dtype, same shape, same values mod 2^k."""
    assert result.dtype == ring.dtype
    assert result.shape == expected.shape
    modulus = 1 << ring.bits
    assert exact(result).reshape(-1).tolist() == [int(v) % modulus for v in expected.flat]


def check_matmul(ring: Ring, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    """Product of random arrays of these shapes."""
    rng = np.random.default_rng([*left, *right])
    a, b = words(rng, ring, *left), words(rng, ring, *right)
    agree(ring.matmul(a, b), np.asarray(np.matmul(exact(a), exact(b))), ring)


def check_octets(ring: Ring, m: int, k: int, n: int) -> None:
    """Product by octets, of matrices and of a stack of transposed ones, added to nothing."""
    rng = np.random.default_rng([m, k, n])
    a, b = words(rng, ring, 2, k, m), words(rng, ring, k, n)
    out = np.empty((2, m, n), ring.dtype)
    left = Operand(a.reshape(-1), np.arange(m), np.arange(k) * m, k * m)
    products_into(left, Operand.matrix(b), out)
    agree(out, np.matmul(exact(a).transpose(0, 2, 1), exact(b)), ring)
    square = np.empty((k, k), ring.dtype)
    turned = Operand(b.reshape(-1), np.arange(n), np.arange(k) * n)
    product_into(Operand.matrix(b), turned, square)
    agree(square, np.matmul(exact(b), exact(b).T), ring)


def check_conv2d(
    ring: Ring,
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> None:
    """Convolution, and its adjoints by <g, y> = <grad_x, x> = <grad_w, w> for unit vectors."""
    rng = np.random.default_rng([*x_shape, *w_shape])
    x, w = words(rng, ring, *x_shape), words(rng, ring, *w_shape)
    y = correlate(exact(x), exact(w), stride, padding)
    agree(ring.conv2d(x, w, stride, padding), y, ring)
    g = words(rng, ring, *y.shape)
    grad_x, grad_w = adjoints(exact(g), exact(x), exact(w), stride, padding)
    agree(ring.conv2d_grad_x(g, w, x.shape, stride, padding), grad_x, ring)
    agree(ring.conv2d_grad_w(x, g, w.shape, stride, padding), grad_w, ring)


def correlate(x: Array, w: Array, stride: tuple[int, int], padding: tuple[int, int]) -> Array:
    """The definition of cross-correlation, on Python's integers."""
    padded = pad(x, padding)
    oh = (padded.shape[2] - w.shape[2]) // stride[0] + 1
    ow = (padded.shape[3] - w.shape[3]) // stride[1] + 1
    y = np.zeros((x.shape[0], w.shape[0], oh, ow), object)
    for i, j in np.ndindex(oh, ow):
        y[:, :, i, j] = np.tensordot(window(padded, w, i, j, stride), w, ([1, 2, 3], [1, 2, 3]))
    return y


def adjoints(
    g: Array, x: Array, w: Array, stride: tuple[int, int], padding: tuple[int, int]
) -> tuple[Array, Array]:
    """Gradients at x and w by the chain rule, one output position after the other."""
    padded = pad(x, padding)
    grad_x, grad_w = np.zeros_like(padded), np.zeros_like(w)
    for i, j in np.ndindex(*g.shape[2:]):
        here = g[:, :, i, j]
        view = window(grad_x, w, i, j, stride)
        view += np.tensordot(here, w, 1)
        grad_w += np.tensordot(here, window(padded, w, i, j, stride), ([0], [0]))
    h, v = padding
    return grad_x[:, :, h : h + x.shape[2], v : v + x.shape[3]], grad_w


def pad(x: Array, padding: tuple[int, int]) -> Array:
    """`x` with zeros around its two last axes."""
    n, c, h, w = x.shape
    padded = np.zeros((n, c, h + 2 * padding[0], w + 2 * padding[1]), object)
    padded[:, :, padding[0] : padding[0] + h, padding[1] : padding[1] + w] = x
    return padded


def window(x: Array, w: Array, i: int, j: int, stride: tuple[int, int]) -> Array:
    """What the filter sees at output position (i, j)."""
    top, left = i * stride[0], j * stride[1]
    return x[:, :, top : top + w.shape[2], left : left + w.shape[3]]


def check_planes(ring: Ring, n: int, nbits: int) -> None:
    """Bit i of element j is bit j % 64 of word j // 64 of plane i, and back."""
    x = words(np.random.default_rng([n, nbits]), ring, n)
    planes = to_planes(x, nbits)
    assert planes.shape == (nbits, (n + 63) // 64)
    assert planes.dtype == np.uint64
    agree(planes, slices(exact(x), nbits), Z64)
    for plus in (1, -1):
        agree(to_planes(x, nbits, plus), slices(exact(x) + plus, nbits), Z64)
    planes.setflags(write=False)
    agree(from_planes(planes, n, ring.dtype), exact(x) % (1 << nbits), ring)


def slices(x: Array, nbits: int) -> Array:
    """The bit planes of Python's integers."""
    planes = np.zeros((nbits, (x.size + 63) // 64), object)
    for j, v in enumerate(x):
        for i in range(nbits):
            planes[i, j // 64] |= (v >> i & 1) << j % 64
    return planes


def check_all(*rings: Ring) -> None:
    """Everything on small sizes."""
    for ring in rings:
        for m, k, n in SMALL:
            check_matmul(ring, (m, k), (k, n))
        check_matmul(ring, (3, 2, 5), (3, 5, 2))
        if amx.available() or config.DISABLE_JIT:
            check_octets(ring, 19, 70, 18)
        for case in CONVOLUTIONS:
            check_conv2d(ring, *case)
        check_planes(ring, 65, ring.bits)
        check_planes(ring, 530, 3)
