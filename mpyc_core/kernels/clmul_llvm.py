"""The carry-less product of two words by one instruction: LLVM's `pclmulqdq`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_WORD = ir.IntType(64)
_PAIR = ir.VectorType(_WORD, 2)


@intrinsic  # type: ignore[untyped-decorator]
def clmul(typing: Any, x: Any, y: Any) -> Any:
    """(low, high) words of the product of x and y as polynomials over GF(2)."""
    result = types.UniTuple(types.uint64, 2)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero, index = ir.Constant(_PAIR, None), ir.IntType(32)
        a, b = (builder.insert_element(zero, arg, index(0)) for arg in args)
        kind = ir.FunctionType(_PAIR, [_PAIR, _PAIR, ir.IntType(8)])
        name = "llvm.x86.pclmulqdq"
        product = builder.call(
            cgutils.get_or_insert_function(builder.module, kind, name),
            [a, b, ir.IntType(8)(0)],
        )
        words = [builder.extract_element(product, index(i)) for i in range(2)]
        return context.make_tuple(builder, result, words)

    return result(types.uint64, types.uint64), code
