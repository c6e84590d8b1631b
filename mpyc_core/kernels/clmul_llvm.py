"""Carry-less products by instructions: LLVM's `pclmulqdq`, of words and of vectors."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mpyc_core.jit import cpu_features

from .simd_llvm import indices

_WORD = ir.IntType(64)
_INDEX = ir.IntType(32)
_PAIR = ir.VectorType(_WORD, 2)
_WIDE = {"vpclmulqdq", "avx512f"} <= set(cpu_features())
"""Whether one instruction takes four pairs of words."""


def _product(builder: Any, x: Any, y: Any, choice: int) -> Any:
    """The products of one word of each pair of x with one of each pair of y; see `clmul_pairs`."""
    width = "" if x.type.count == 2 else ".512"
    kind = ir.FunctionType(x.type, [x.type, x.type, ir.IntType(8)])
    name = f"llvm.x86.pclmulqdq{width}"
    call = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(call, [x, y, ir.IntType(8)(choice)])


@intrinsic  # type: ignore[untyped-decorator]
def clmul(typing: Any, x: Any, y: Any) -> Any:
    """(low, high) words of the product of x and y as polynomials over GF(2)."""
    result = types.UniTuple(types.uint64, 2)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(_PAIR, None)
        a, b = (builder.insert_element(zero, arg, _INDEX(0)) for arg in args)
        product = _product(builder, a, b, 0)
        words = [builder.extract_element(product, _INDEX(i)) for i in range(2)]
        return context.make_tuple(builder, result, words)

    return result(types.uint64, types.uint64), code


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def clmul_pairs(typing: Any, x: Any, y: Any, odd_x: Any, odd_y: Any) -> Any:
    """For each pair of lanes the product of one lane of x and one of y, its low word first.

    `odd_x` and `odd_y` are literals: 0 takes the first lane of a pair, 1 the second.
    """
    choice = odd_x.literal_value | odd_y.literal_value << 4

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _WIDE:
            return _product(builder, args[0], args[1], choice)
        parts = []
        for at in range(0, x.count, 2):
            a, b = (builder.shuffle_vector(v, v, indices([at, at + 1])) for v in args[:2])
            parts.append(_product(builder, a, b, choice))
        while len(parts) > 1:
            joined = indices(list(range(2 * parts[0].type.count)))
            parts = [
                builder.shuffle_vector(parts[i], parts[i + 1], joined)
                for i in range(0, len(parts), 2)
            ]
        return parts[0]

    return x(x, y, odd_x, odd_y), code
