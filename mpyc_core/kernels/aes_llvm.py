"""AES-128 as Numba intrinsics: four blocks in a vector, counter mode, and the key schedule.

For processors with AES instructions only: LLVM ends the process where they are missing. With VAES
and AVX-512 one instruction makes a round of four blocks. Nothing branches or indexes on a secret.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mpyc_core.jit import cpu_features

from .simd_llvm import VECTORS

_WIDE = {"vaes", "avx512f"} <= set(cpu_features())
_WORD, _HALF = ir.IntType(64), ir.IntType(32)
_BLOCK, _ROWS = ir.VectorType(_WORD, 2), ir.VectorType(_HALF, 4)
_BLOCKS = ir.VectorType(_WORD, 8)
_ROUNDS = 10
_ASSIST = "llvm.x86.aesni.aeskeygenassist"
_CONSTANTS = (1, 2, 4, 8, 16, 32, 64, 128, 27, 54)


def _keys(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    data = context.make_array(signature.args[0])(context, builder, args[0]).data
    return builder.bitcast(data, _BLOCK.as_pointer())


def _shuffle(builder: Any, x: Any, y: Any, order: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_HALF, len(order)), order)
    return builder.shuffle_vector(x, y, mask)


def _call(builder: Any, name: str, *args: Any) -> Any:
    kind = ir.FunctionType(args[0].type, [arg.type for arg in args])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, args)


def _counters(builder: Any, head: Any, block: Any) -> Any:
    """Four counter blocks: the head as it lies in memory, then the index in big-endian."""
    nothing = ir.Constant(_BLOCKS, ir.Undefined)
    both = builder.insert_element(nothing, head, _HALF(0))
    both = builder.insert_element(both, block, _HALF(1))
    heads = _shuffle(builder, both, nothing, [0] * 8)
    steps = ir.Constant(_BLOCKS, [0, 0, 0, 1, 0, 2, 0, 3])
    indices = builder.add(_shuffle(builder, both, nothing, [1] * 8), steps)
    indices = _call(builder, "llvm.bswap.v8i64", indices)
    return _shuffle(builder, heads, indices, [0, 9, 2, 11, 4, 13, 6, 15])


def _encrypt(builder: Any, keys: Any, states: list[Any]) -> list[Any]:
    """AES-128 of states of one block each, or of four; all go through a round together."""
    for r in range(_ROUNDS + 1):
        key = builder.load(builder.gep(keys, [_HALF(r)]))
        key.align = 8
        if _WIDE:
            key = _shuffle(builder, key, ir.Constant(_BLOCK, ir.Undefined), [0, 1] * 4)
        if r == 0:
            states = [builder.xor(state, key) for state in states]
            continue
        name = "llvm.x86.aesni.aesenc" + ("last" if r == _ROUNDS else "")
        states = [_call(builder, name + (".512" if _WIDE else ""), s, key) for s in states]
    return states


def _blocks(builder: Any, keys: Any, head: Any, block: Any, count: int) -> list[Any]:
    """Vectors of four blocks each that hold the `count` blocks from `block` on."""
    vectors = [
        _counters(builder, head, builder.add(block, _WORD(first))) for first in range(0, count, 4)
    ]
    if _WIDE:
        return _encrypt(builder, keys, vectors)
    states = [half for vector in vectors for half in _split(builder, vector)][:count]
    return _join(builder, _encrypt(builder, keys, states))


def _split(builder: Any, vector: Any) -> list[Any]:
    """The four blocks of a vector."""
    nothing = ir.Constant(_BLOCKS, ir.Undefined)
    return [_shuffle(builder, vector, nothing, [2 * i, 2 * i + 1]) for i in range(4)]


def _join(builder: Any, states: list[Any]) -> list[Any]:
    """Blocks as vectors of four; the last one is filled up with anything."""
    states = states + [ir.Constant(_BLOCK, ir.Undefined)] * (-len(states) % 4)
    for width in (2, 4):
        order = list(range(2 * width))
        states = [
            _shuffle(builder, a, b, order) for a, b in zip(states[::2], states[1::2], strict=True)
        ]
    return states


@intrinsic  # type: ignore[untyped-decorator]
def encrypt(typing: Any, p: Any, x: Any, y: Any) -> Any:
    """AES-128 of the four blocks of each of two vectors; `p` begins with the round keys."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        keys, vectors = _keys(context, builder, signature, args), list(args[1:])
        if _WIDE:
            done = _encrypt(builder, keys, vectors)
        else:
            halves = [half for vector in vectors for half in _split(builder, vector)]
            done = _join(builder, _encrypt(builder, keys, halves))
        return context.make_tuple(builder, signature.return_type, done)

    return types.UniTuple(x, 2)(p, x, y), code


@intrinsic  # type: ignore[untyped-decorator]
def counter_mode(typing: Any, p: Any, head: Any, block: Any) -> Any:
    """Four blocks of the stream, from block `block` on.

    The round keys are the first 22 words of `p`; `head` is the first half of the counter.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        keys = _keys(context, builder, signature, args)
        return _blocks(builder, keys, args[1], args[2], 4)[0]

    return VECTORS[64](p, types.uint64, types.uint64), code


@intrinsic  # type: ignore[untyped-decorator]
def counter_mode_odd(typing: Any, p: Any, head: Any, block: Any) -> Any:
    """Eight words of the stream, from the second word of block `block` on."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        keys = _keys(context, builder, signature, args)
        four, fifth = _blocks(builder, keys, args[1], args[2], 5)
        return _shuffle(builder, four, fifth, list(range(1, 9)))

    return VECTORS[64](p, types.uint64, types.uint64), code


@intrinsic  # type: ignore[untyped-decorator]
def expand_key(typing: Any, p: Any) -> Any:
    """The key schedule: the key is the first 2 words of `p`, its round keys become the first 22."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        keys = _keys(context, builder, signature, args)
        key = builder.load(keys)
        key.align = 8
        zero = ir.Constant(_ROWS, None)
        for r, constant in enumerate(_CONSTANTS):
            mixed = _call(builder, _ASSIST, key, ir.IntType(8)(constant))
            mixed = _shuffle(builder, builder.bitcast(mixed, _ROWS), zero, [3] * 4)
            rows = builder.bitcast(key, _ROWS)
            for shift in (1, 2):  # every word becomes the XOR of itself and all before it
                order = [4] * shift + list(range(4 - shift))
                rows = builder.xor(rows, _shuffle(builder, rows, zero, order))
            key = builder.bitcast(builder.xor(rows, mixed), _BLOCK)
            builder.store(key, builder.gep(keys, [_HALF(r + 1)])).align = 8
        return context.get_dummy_value()

    return types.void(p), code
