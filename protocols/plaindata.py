"""Plain data with arrays: what program arguments and results are made of, on their way by msgpack.

Numbers, text, None, lists, string-keyed maps and arrays of bools, integers and floats; nothing
that would need code to rebuild.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mpyc_core.errors import ConfigError, FrameError
from mpyc_core.ring import Z128

ARRAY = "__array__"
DTYPES = frozenset({"bool", "uint8", "uint32", "uint64", "int32", "int64", "float32", "float64"})
WIDE = "int128"
"""The name of an array of Python's integers in [-2^127, 2^127): what Z/2^128 opens to."""


def freeze(value: Any, what: str = "value") -> Any:
    """The value as msgpack can carry it.

    Raises
    ------
    ConfigError : a part of it is not plain data.
    EncodingError : an array of objects that are not integers, or do not fit 128 bits.
    """
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.name in DTYPES:
        return {ARRAY: [value.dtype.name, list(value.shape), np.ascontiguousarray(value).tobytes()]}
    if isinstance(value, np.ndarray) and value.dtype == object:
        return {ARRAY: [WIDE, list(value.shape), Z128.from_int(value).tobytes()]}
    if isinstance(value, (list, tuple)):
        return [freeze(item, what) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) and key != ARRAY for key in value):
        return {key: freeze(item, f"{what}[{key!r}]") for key, item in value.items()}
    raise ConfigError(
        f"{what} is a {type(value).__name__}; programs take and return plain data: numbers, text, "
        "lists, string-keyed dicts and arrays. Reveal secrets before returning them"
    )


def thaw(value: Any) -> Any:
    """The inverse of `freeze`, checked: it may come from another process."""
    if isinstance(value, list):
        return [thaw(item) for item in value]
    if not isinstance(value, dict):
        return value
    if ARRAY not in value:
        return {key: thaw(item) for key, item in value.items()}
    try:
        name, shape, data = value[ARRAY]
        dims = tuple(int(n) for n in shape)
        dtype = Z128.dtype if name == WIDE else np.dtype(name)
    except (TypeError, ValueError) as error:
        raise FrameError(f"expected an array as [dtype, shape, bytes]: {error}") from None
    size = math.prod(dims) * dtype.itemsize
    if name not in DTYPES | {WIDE} or min(dims, default=0) < 0 or len(data) != size:
        raise FrameError(f"expected {size} bytes of a plain array {name} {dims}")
    array = np.frombuffer(data, dtype).reshape(dims)
    return Z128.to_int(array) if name == WIDE else array.copy()
