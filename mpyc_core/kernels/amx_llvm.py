"""Tiles of AMX: sums of four levels, to which products of octets are added."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_OCTET, _WORD = ir.IntType(8), ir.IntType(64)
_POINTER = _OCTET.as_pointer()
_ROW_BYTES, _TILE_BYTES, _ROWS = 64, 1024, 16
_SUMS, _LEFT, _RIGHT = (0, 1, 2, 3), 4, (5, 6, 7)


def _call(builder: Any, name: str, *args: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [arg.type for arg in args])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}"), args)


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _POINTER)


def _tile_at(builder: Any, address: Any, which: int) -> Any:
    return builder.gep(address, [_WORD(which * _TILE_BYTES)])


@intrinsic  # type: ignore[untyped-decorator]
def configure(typing: Any, height: Any) -> Any:
    """Shape the tiles: sums and left operands have `height` rows, right operands 16.

    The layout is that of palette 1 [Intel SDM, volume 1, section 18.2]: its number, then from byte
    16 on the bytes of a tile's row, and from byte 48 on its rows.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        layout = ir.ArrayType(_OCTET, 64)
        place = cgutils.alloca_once(builder, layout)
        octets = [1] + [0] * 15 + [_ROW_BYTES, 0] * 8 + [0] * 16 + [_ROWS] * 8 + [0] * 8
        builder.store(ir.Constant(layout, octets), place)
        first = builder.bitcast(place, _POINTER)
        height = builder.trunc(args[0], _OCTET)
        for tile in (*_SUMS, _LEFT):
            builder.store(height, builder.gep(first, [_WORD(48 + tile)]))
        _call(builder, "ldtilecfg", first)
        return context.get_dummy_value()

    return types.void(types.intp), code


@intrinsic  # type: ignore[untyped-decorator]
def release(typing: Any) -> Any:
    """Give the tiles back, so that nobody saves them from now on."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _call(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), code


@intrinsic  # type: ignore[untyped-decorator]
def clear(typing: Any) -> Any:
    """All sums become zero."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for tile in _SUMS:
            _call(builder, "tilezero", _OCTET(tile))
        return context.get_dummy_value()

    return types.void(), code


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def add_products(
    typing: Any, left: Any, a: Any, a_step: Any, right: Any, b: Any, b_step: Any, first: Any
) -> Any:
    """Add to the sums of level t the products of left tile i and right tile first + t - i.

    Every tile is loaded once: of right ones three are kept, and the fourth takes the place of the
    one that is not needed any more.

    Parameters
    ----------
    left : octets; tile i, of 16 rows of 64 octets, starts at octet a + i * a_step.
    right : octets; tile j starts at b + j * b_step. Row q has for each of 16 columns the octets
        that octets 4q to 4q + 3 of a row of a left tile are multiplied by.
    first : a literal. There are first + 4 tiles of each operand.
    """
    s, levels = first.literal_value, len(_SUMS)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, y = (_address(context, builder, signature.args[i], *args[i : i + 2]) for i in (0, 3))

        def load(tile: int, base: Any, step: Any, which: int) -> None:
            place = builder.gep(base, [builder.mul(step, _WORD(which))])
            _call(builder, "tileloadd64", _OCTET(tile), place, _WORD(_ROW_BYTES))

        for j in range(s + levels - 1, s, -1):
            load(_RIGHT[j % 3], y, args[5], j)
        for i in range(s + levels):
            load(_LEFT, x, args[2], i)
            for t in range(levels - 1, max(i - s, 0) - 1, -1):
                j = s + t - i
                if t == 0:
                    load(_RIGHT[j % 3], y, args[5], j)
                tiles = _SUMS[t], _LEFT, _RIGHT[j % 3]
                _call(builder, "tdpbuud", *(_OCTET(tile) for tile in tiles))
        return context.get_dummy_value()

    return types.void(left, types.intp, types.intp, right, types.intp, types.intp, first), code


@intrinsic  # type: ignore[untyped-decorator]
def keep(typing: Any, sums: Any, index: Any) -> Any:
    """Write the sums of all levels from octet `index` on: four tiles of 16 rows of 16 words."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = _address(context, builder, signature.args[0], *args)
        for which, tile in enumerate(_SUMS):
            place = _tile_at(builder, first, which)
            _call(builder, "tilestored64", _OCTET(tile), place, _WORD(_ROW_BYTES))
        return context.get_dummy_value()

    return types.void(sums, types.intp), code
