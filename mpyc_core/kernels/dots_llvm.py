"""What products by residues need of vectors: dot products of halves, and reductions by floats."""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mpyc_core.jit import cpu_features

from .simd_llvm import VECTORS, indices, splat_value

_WORD = ir.IntType(32)
_X86 = platform.machine() in ("x86_64", "AMD64")


@intrinsic  # type: ignore[untyped-decorator]
def dot_pairs(typing: Any, total: Any, x: Any, y: Any) -> Any:
    """total + x0 * y0 + x1 * y1 in every lane of 32 bits, of signed halves of x and y."""
    halves = ir.VectorType(ir.IntType(16), 2 * total.count)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pair = [builder.bitcast(v, halves) for v in args[1:]]
        dot = _dot_x86 if _X86 else _dot_anywhere
        return builder.add(args[0], dot(builder, *pair))

    return total(total, total, total), code


def _dot_x86(builder: Any, x: Any, y: Any) -> Any:
    """Sums of neighbouring products by VPMADDWD; LLVM makes wider ones, and VPDPWSSD, of them."""
    if "avx2" in cpu_features():
        name, count = "llvm.x86.avx2.pmadd.wd", 16
    else:
        name, count = "llvm.x86.sse2.pmadd.wd", 8
    part, result = ir.VectorType(ir.IntType(16), count), ir.VectorType(_WORD, count // 2)
    kind = ir.FunctionType(result, [part, part])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    found = []
    for start in range(0, 32, count):
        order = indices(list(range(start, start + count)))
        found.append(builder.call(function, [builder.shuffle_vector(v, v, order) for v in (x, y)]))
    while len(found) > 1:
        order = indices(list(range(2 * found[0].type.count)))
        pairs = zip(found[::2], found[1::2], strict=True)
        found = [builder.shuffle_vector(v, w, order) for v, w in pairs]
    return found[0]


def _dot_anywhere(builder: Any, x: Any, y: Any) -> Any:
    """Sums of neighbouring products."""
    sums, words = [], ir.VectorType(_WORD, 16)
    for start in (0, 1):
        order = indices(list(range(start, 32, 2)))
        part = (builder.sext(builder.shuffle_vector(v, v, order), words) for v in (x, y))
        sums.append(builder.mul(*part))
    return builder.add(*sums)


def _scaled(builder: Any, integers: Any, inverse: Any, plus: Any) -> Any:
    """Signed lanes as 32-bit floats, times a 64-bit float, plus floats; rounded once or twice."""
    floats = ir.VectorType(ir.FloatType(), integers.type.count)
    factor = builder.fptrunc(inverse, ir.FloatType())
    first = builder.insert_element(ir.Constant(floats, ir.Undefined), factor, _WORD(0))
    factors = builder.shuffle_vector(first, first, indices([0] * floats.count))
    kind = ir.FunctionType(floats, [floats] * 3)
    name = f"llvm.fmuladd.v{floats.count}f32"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [builder.sitofp(integers, floats), factors, plus])


def _nearest_constant(count: int) -> Any:
    """A float whose neighbours are integers: added to another it leaves the nearest one."""
    return ir.Constant(ir.VectorType(ir.FloatType(), count), [1.5 * 2.0**23] * count)


@intrinsic  # type: ignore[untyped-decorator]
def residue(typing: Any, v: Any, m: Any, inverse: Any) -> Any:
    """In the low half of every 32-bit lane v - q * m, q about v / m; v and halves are signed.

    The high half is anything. The inverse is of m, and |v / m| < 2^22.
    """
    halves = VECTORS[16]

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        q = _scaled(builder, args[0], args[2], _nearest_constant(v.count))
        factor = splat_value(builder, halves, builder.trunc(args[1], halves.llvm.element))
        multiple = builder.mul(builder.bitcast(q, halves.llvm), factor)
        rest = builder.sub(builder.bitcast(args[0], halves.llvm), multiple)
        return builder.bitcast(rest, v.llvm)

    return v(v, types.intp, types.float64), code


@intrinsic  # type: ignore[untyped-decorator]
def add_fraction(typing: Any, total: Any, r: Any, inverse: Any) -> Any:
    """total + r * inverse in 32-bit floats, r the signed low half of every lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        half = ir.VectorType(ir.IntType(16), r.count)
        floats = ir.VectorType(ir.FloatType(), r.count)
        low = builder.sext(builder.trunc(args[1], half), r.llvm)
        found = _scaled(builder, low, args[2], builder.bitcast(args[0], floats))
        return builder.bitcast(found, total.llvm)

    return total(total, r, types.float64), code


@intrinsic  # type: ignore[untyped-decorator]
def nearest(typing: Any, total: Any) -> Any:
    """The signed integer nearest to a 32-bit float of less than 2^22 in every lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        large = _nearest_constant(total.count)
        moved = builder.fadd(builder.bitcast(args[0], large.type), large)
        bits = builder.bitcast(large, total.llvm)
        return builder.sub(builder.bitcast(moved, total.llvm), bits)

    return total(total), code
