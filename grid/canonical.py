"""One encoding of plain data: what is signed, hashed or authenticated is encoded like this.

Maps are sorted by key, tuples become lists, and nothing but None, truth values, integers, floats,
text, bytes, lists and maps with text keys is possible, so that equal data has equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgpack

from mpyc_core.errors import FrameError


def _sorted(value: Any) -> Any:
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    if isinstance(value, (list, tuple)):
        return [_sorted(item) for item in value]
    if isinstance(value, Mapping):
        if not all(type(key) is str for key in value):
            raise FrameError("expected text as the keys of a map")
        return {key: _sorted(value[key]) for key in sorted(value)}
    raise FrameError(f"expected plain data, got {type(value).__name__}")


def encode(value: Any) -> bytes:
    """The canonical bytes of plain data.

    Raises
    ------
    FrameError : something else than plain data, or an integer beyond 64 bits.
    """
    try:
        found: bytes = msgpack.packb(_sorted(value), use_bin_type=True)  # type: ignore[no-untyped-call]
    except (OverflowError, ValueError, RecursionError) as error:
        raise FrameError(f"expected plain data: {error}") from None
    return found


def decode(data: bytes) -> Any:
    """Plain data of its canonical bytes.

    Raises
    ------
    FrameError : malformed.
    """
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=True)  # type: ignore[attr-defined, no-untyped-call]
    except (ValueError, TypeError, msgpack.UnpackException):
        raise FrameError("expected plain data in its canonical encoding") from None
