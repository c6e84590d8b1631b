"""512-bit vectors as a Numba type: LLVM's <8 x i64> and <16 x i32>."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

from .simd_numpy import zip_order

_INDEX = ir.IntType(32)


class VectorType(types.Type):  # type: ignore[misc]
    """The Numba type of `count` unsigned words of `bits` bits: of 512 bits unless said."""

    def __init__(self, bits: int, count: int = 0) -> None:
        self.bits = bits
        self.count = count or 512 // bits
        super().__init__(name=f"Vector({self.count} x u{bits})")

    @property
    def llvm(self) -> ir.VectorType:
        return ir.VectorType(ir.IntType(self.bits), self.count)


@register_model(VectorType)
class VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    """A vector is one LLVM value, which the register allocator may hold in a register."""

    def __init__(self, manager: Any, vector: VectorType) -> None:
        super().__init__(manager, vector, vector.llvm)


VECTORS = {bits: VectorType(bits) for bits in (8, 16, 32, 64)}


def _of(array: types.Array) -> VectorType:
    return VECTORS[array.dtype.bitwidth]


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def splat_value(builder: Any, vector: VectorType, scalar: Any) -> Any:
    """A scalar in every lane."""
    undefined = ir.Constant(vector.llvm, ir.Undefined)
    first = builder.insert_element(undefined, scalar, _INDEX(0))
    return builder.shuffle_vector(first, undefined, indices([0] * vector.count))


def indices(values: list[int]) -> ir.Constant:
    """Lanes for a shuffle."""
    return ir.Constant(ir.VectorType(_INDEX, len(values)), values)


@intrinsic  # type: ignore[untyped-decorator]
def lanes(typing: Any, array: Any) -> Any:
    """Words of the array's dtype in one vector, 8 for u8: a constant of the compiled kernel."""
    count = _of(array).count

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_constant(types.intp, count)

    return types.intp(array), code


@intrinsic  # type: ignore[untyped-decorator]
def load(typing: Any, array: Any, index: Any) -> Any:
    """The vector of consecutive words from `index` of the array taken flat."""
    vector = _of(array)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = _address(context, builder, signature.args[0], args[0], args[1])
        value = builder.load(builder.bitcast(at, vector.llvm.as_pointer()))
        value.align = vector.bits // 8
        return value

    return vector(array, types.intp), code


@intrinsic  # type: ignore[untyped-decorator]
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write a vector to consecutive words from `index` of the array taken flat."""
    vector = _of(array)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = _address(context, builder, signature.args[0], args[0], args[1])
        written = builder.store(args[2], builder.bitcast(at, vector.llvm.as_pointer()))
        written.align = vector.bits // 8
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), code


def _mask(builder: Any, vector: VectorType, count: Any) -> Any:
    """Which lanes are below a count."""
    lane_type = ir.VectorType(count.type, vector.count)
    nothing = ir.Constant(lane_type, ir.Undefined)
    first = builder.insert_element(nothing, count, _INDEX(0))
    every = builder.shuffle_vector(first, nothing, indices([0] * vector.count))
    return builder.icmp_signed("<", ir.Constant(lane_type, list(range(vector.count))), every)


def _masked(builder: Any, vector: VectorType, name: str, result: Any, *args: Any) -> Any:
    kind = ir.FunctionType(result, [arg.type for arg in args])
    name = f"llvm.masked.{name}.v{vector.count}i{vector.bits}.p0"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


@intrinsic  # type: ignore[untyped-decorator]
def load_some(typing: Any, array: Any, index: Any, count: Any) -> Any:
    """As `load`, but only `count` lanes if that is less than all; the others are zero."""
    vector = _of(array)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = _address(context, builder, signature.args[0], args[0], args[1])
        at = builder.bitcast(at, vector.llvm.as_pointer())
        mask = _mask(builder, vector, args[2])
        align, zero = _INDEX(vector.bits // 8), ir.Constant(vector.llvm, None)
        return _masked(builder, vector, "load", vector.llvm, at, align, mask, zero)

    return vector(array, types.intp, types.intp), code


@intrinsic  # type: ignore[untyped-decorator]
def store_some(typing: Any, array: Any, index: Any, value: Any, count: Any) -> Any:
    """As `store`, but only `count` lanes if that is less than all."""
    vector = _of(array)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = _address(context, builder, signature.args[0], args[0], args[1])
        at = builder.bitcast(at, vector.llvm.as_pointer())
        mask = _mask(builder, vector, args[3])
        align = _INDEX(vector.bits // 8)
        _masked(builder, vector, "store", ir.VoidType(), args[2], at, align, mask)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector, types.intp), code


@intrinsic  # type: ignore[untyped-decorator]
def splat(typing: Any, array: Any, index: Any) -> Any:
    """The word at `index` of the array taken flat, in every lane."""
    vector = _of(array)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = _address(context, builder, signature.args[0], args[0], args[1])
        return splat_value(builder, vector, builder.load(at))

    return vector(array, types.intp), code


@intrinsic  # type: ignore[untyped-decorator]
def fill(typing: Any, array: Any, word: Any) -> Any:
    """`word`, taken modulo the array's word size, in every lane."""
    vector = _of(array)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        scalar = context.cast(builder, args[1], signature.args[1], array.dtype)
        return splat_value(builder, vector, scalar)

    return vector(array, word), code


@intrinsic  # type: ignore[untyped-decorator]
def gather(typing: Any, array: Any, index: Any, offsets: Any, at: Any) -> Any:
    """The words at `index` + offsets[at], index + offsets[at + 1], ... of the array taken flat."""
    vector = _of(array)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base = _address(context, builder, signature.args[0], args[0], args[1])
        first = _address(context, builder, signature.args[2], args[2], args[3])
        value = ir.Constant(vector.llvm, ir.Undefined)
        for lane in range(vector.count):
            offset = builder.load(builder.gep(first, [_INDEX(lane)]))
            word = builder.load(builder.gep(base, [offset]))
            value = builder.insert_element(value, word, _INDEX(lane))
        return value

    return vector(array, types.intp, offsets, types.intp), code


@intrinsic  # type: ignore[untyped-decorator]
def high_product(typing: Any, x: Any, y: Any) -> Any:
    """floor(x * y / 2^64) of two words of 64 bits."""
    wide = ir.IntType(128)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        product = builder.mul(*(builder.zext(word, wide) for word in args))
        return builder.trunc(builder.lshr(product, wide(64)), args[0].type)

    return types.uint64(types.uint64, types.uint64), code


@intrinsic  # type: ignore[untyped-decorator]
def add_product(typing: Any, s0: Any, s1: Any, s2: Any, x: Any, y: Any) -> Any:
    """s + x * y for a number of three words of 64 bits, the lowest first."""
    wide, sum_ = ir.IntType(128), ir.IntType(192)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = [builder.zext(word, sum_) for word in args[:3]]
        total = builder.zext(builder.mul(*(builder.zext(v, wide) for v in args[3:])), sum_)
        middle, top = (builder.shl(words[i], sum_(64 * i)) for i in (1, 2))
        total = builder.add(total, builder.or_(builder.or_(words[0], middle), top))
        found = [builder.trunc(builder.lshr(total, sum_(64 * i)), args[0].type) for i in range(3)]
        return context.make_tuple(builder, signature.return_type, found)

    word = types.uint64
    return types.UniTuple(word, 3)(word, word, word, word, word), code


@intrinsic  # type: ignore[untyped-decorator]
def lane(typing: Any, v: Any, index: Any) -> Any:
    """The word of lane `index`."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.extract_element(args[0], args[1])

    return types.Integer(f"uint{v.bits}")(v, types.intp), code


@intrinsic  # type: ignore[untyped-decorator]
def as_words(typing: Any, v: Any, like: Any) -> Any:
    """The same 512 bits as words of the dtype of the array `like`."""
    vector = _of(like)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], vector.llvm)

    return vector(v, like), code


@intrinsic  # type: ignore[untyped-decorator]
def where(typing: Any, packed: Any, index: Any, like: Any) -> Any:
    """All ones in the lanes whose bit is set, from packed bit `index` on, a multiple of `lanes`."""
    vector = _of(like)
    bits, chosen = ir.IntType(vector.count), ir.VectorType(ir.IntType(1), vector.count)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        at = builder.sdiv(args[1], args[1].type(vector.count))
        word = builder.load(builder.gep(builder.bitcast(data, bits.as_pointer()), [at]))
        word.align = 1
        return builder.sext(builder.bitcast(word, chosen), vector.llvm)

    return vector(packed, types.intp, like), code


@intrinsic  # type: ignore[untyped-decorator]
def add_where(typing: Any, total: Any, v: Any, packed: Any, index: Any) -> Any:
    """total + v in the lanes whose bit is set, total in the others; bits as in `where`."""
    bits, chosen = ir.IntType(v.count), ir.VectorType(ir.IntType(1), v.count)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[2])(context, builder, args[2]).data
        at = builder.sdiv(args[3], args[3].type(v.count))
        word = builder.load(builder.gep(builder.bitcast(data, bits.as_pointer()), [at]))
        word.align = 1
        return builder.select(builder.bitcast(word, chosen), builder.add(args[0], args[1]), args[0])

    return v(v, v, packed, types.intp), code


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def widen_some(typing: Any, octets: Any, index: Any, size: Any, count: Any, like: Any) -> Any:
    """Words of `size` bytes, a literal, from word `index` on, one a lane; at most `count`."""
    vector, words = _of(like), VectorType(8 * size.literal_value, _of(like).count)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = _words_of(context, builder, signature, args, words)
        mask, zero = _mask(builder, vector, args[3]), ir.Constant(words.llvm, None)
        value = _masked(builder, words, "load", words.llvm, at, _INDEX(1), mask, zero)
        return _resize(builder, value, vector)

    return vector(octets, types.intp, size, types.intp, like), code


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def narrow_some(typing: Any, octets: Any, index: Any, size: Any, count: Any, v: Any) -> Any:
    """Write the low `size` bytes of lanes, a literal, from word `index` on; at most `count`."""
    words = VectorType(8 * size.literal_value, v.count)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = _words_of(context, builder, signature, args, words)
        mask, value = _mask(builder, v, args[3]), _resize(builder, args[4], words)
        _masked(builder, words, "store", ir.VoidType(), value, at, _INDEX(1), mask)
        return context.get_dummy_value()

    return types.void(octets, types.intp, size, types.intp, v), code


def _words_of(context: Any, builder: Any, signature: Any, args: Any, words: VectorType) -> Any:
    """Address of the vector of words that starts at word args[1] of the bytes args[0]."""
    data = context.make_array(signature.args[0])(context, builder, args[0]).data
    first = builder.gep(builder.bitcast(data, words.llvm.element.as_pointer()), [args[1]])
    return builder.bitcast(first, words.llvm.as_pointer())


def _resize(builder: Any, value: Any, to: VectorType) -> Any:
    """Every lane zero-extended or truncated."""
    width = value.type.element.width
    if width == to.bits:
        return value
    return (builder.zext if width < to.bits else builder.trunc)(value, to.llvm)


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing: Any, array: Any, index: Any) -> Any:
    """Hint that the word at `index` of the array taken flat will be written soon."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        at = _address(context, builder, signature.args[0], args[0], args[1])
        kind = ir.FunctionType(ir.VoidType(), [byte, _INDEX, _INDEX, _INDEX])
        hint = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(hint, [builder.bitcast(at, byte), _INDEX(1), _INDEX(3), _INDEX(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), code


def _lanewise(symbol: Callable[[Any, Any], Any], instruction: str) -> None:
    @intrinsic  # type: ignore[untyped-decorator]
    def apply(typing: Any, x: Any, y: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, instruction)(args[0], args[1])

        return x(x, x), code

    @overload(symbol, strict=False)  # type: ignore[untyped-decorator]
    def _operator(x: Any, y: Any) -> Callable[..., Any] | None:
        if isinstance(x, VectorType) and x == y:
            return lambda x, y: apply(x, y)
        return None


_lanewise(operator.add, "add")
_lanewise(operator.sub, "sub")
_lanewise(operator.mul, "mul")
_lanewise(operator.and_, "and_")
_lanewise(operator.or_, "or_")
_lanewise(operator.xor, "xor")


def _shift(instruction: str, doc: str) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def shift(typing: Any, v: Any, n: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            amount = context.cast(
                builder, args[1], signature.args[1], types.Integer(f"uint{v.bits}")
            )
            return getattr(builder, instruction)(args[0], splat_value(builder, v, amount))

        return v(v, n), code

    shift.__doc__ = doc
    return shift


shl = _shift("shl", "v << n in every lane; n below the word size.")
shr = _shift("lshr", "v >> n in every lane, logical; n below the word size.")


def _zip(half: int, doc: str) -> Any:
    @intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
    def interleave(typing: Any, x: Any, y: Any, run: Any) -> Any:
        order = zip_order(x.count, run.literal_value, half)

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.shuffle_vector(args[0], args[1], indices(order))

        return x(x, y, run), code

    interleave.__doc__ = doc
    return interleave


zip_low = _zip(0, "Even runs of `run` lanes, of x and y in turn; `run` is a literal.")
zip_high = _zip(1, "Odd runs of `run` lanes, of x and y in turn; `run` is a literal.")
