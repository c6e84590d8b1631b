"""Words taken apart into planes of octets, in registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .simd_llvm import VECTORS, VectorType, indices

_OCTETS = VECTORS[8].llvm
_WORD = ir.IntType(64)


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def split_octets(
    typing: Any, words: Any, out: Any, at: Any, stride: Any, octets: Any, fours: Any
) -> Any:
    """Octet l of 64 words goes to 64 octets of `out` from `at` + l * `stride` on.

    Parameters
    ----------
    words : the 64 words, each of `octets` octets; aligned to 64.
    octets : a literal power of two.
    fours : a literal. If 1, the words are four rows of 16, and octets of one column come together.
    """
    count = octets.literal_value

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = _first(context, builder, signature.args[0], args[0])
        place = _first(context, builder, signature.args[1], args[1])
        planes = _planes(builder, _load(builder, source, count))
        if fours.literal_value:
            order = [16 * (i % 4) + i // 4 for i in range(64)]
            planes = [_permuted(builder, v, order) for v in planes]
        offset = args[2]
        for plane in planes:
            target = builder.bitcast(builder.gep(place, [offset]), _OCTETS.as_pointer())
            builder.store(plane, target).align = 64
            offset = builder.add(offset, args[3])
        return context.get_dummy_value()

    return types.void(words, out, types.intp, types.intp, octets, fours), code


def _first(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(data, ir.IntType(8).as_pointer())


def _load(builder: Any, source: Any, count: int) -> list[Any]:
    found = []
    for i in range(count):
        at = builder.bitcast(builder.gep(source, [_WORD(64 * i)]), _OCTETS.as_pointer())
        found.append(builder.load(at))
        found[-1].align = 64
    return found


def _permuted(builder: Any, vector: Any, order: list[int]) -> Any:
    """VPERMB by name, in an order that LLVM cannot see: of a shuffle it makes a chain of others."""
    name, kind = "llvm.x86.avx512.permvar.qi.512", ir.FunctionType(_OCTETS, [_OCTETS] * 2)
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    same = ir.FunctionType(_OCTETS, [_OCTETS])
    hidden = builder.asm(same, "", "=v,0", [ir.Constant(_OCTETS, order)], side_effect=False)
    return builder.call(function, [vector, hidden])


def _planes(builder: Any, vectors: list[Any]) -> list[Any]:
    """Within vectors octets are sorted into one group for each plane; then groups change places."""
    count = len(vectors)
    group = 64 // count
    order = [i % group * count + i // group for i in range(64)]
    sorted_ = [_permuted(builder, v, order) for v in vectors]
    kind = VectorType(64, 8) if group == 8 else VectorType(32, 16)
    size = group // (kind.bits // 8)
    found = [builder.bitcast(v, kind.llvm) for v in sorted_]
    distance = 1
    while distance < count:
        for i in range(count):
            if not i & distance:
                pair = found[i], found[i + distance]
                low, high = _exchange(kind.count, size, distance)
                found[i] = builder.shuffle_vector(*pair, low)
                found[i + distance] = builder.shuffle_vector(*pair, high)
        distance *= 2
    return [builder.bitcast(v, _OCTETS) for v in found]


def _exchange(lanes: int, size: int, distance: int) -> tuple[ir.Constant, ir.Constant]:
    """The step of a transposition: groups whose number has the bit `distance` change vectors."""
    low, high = [], []
    for lane in range(lanes):
        if lane // size & distance:
            low.append(lanes + lane - size * distance)
            high.append(lanes + lane)
        else:
            low.append(lane)
            high.append(lane + size * distance)
    return indices(low), indices(high)
