"""Plain data (maps, lists, numbers, text, bytes) as msgpack; nothing that could run code."""

from __future__ import annotations

from typing import Any

import msgpack

from mpyc_core.errors import FrameError


def pack_map(message: dict[str, Any], limit: int) -> bytes:
    """Encode a map of plain data.

    Raises
    ------
    FrameError : it holds something else, or takes more than `limit` bytes.
    """
    try:
        body: bytes = msgpack.packb(message, use_bin_type=True)  # type: ignore[no-untyped-call]
    except (TypeError, ValueError, OverflowError) as error:
        raise FrameError(f"a control message is not plain data: {error}") from error
    if len(body) > limit:
        raise FrameError(f"a control message takes {len(body)} bytes, at most {limit} may go")
    return body


def unpack_map(body: bytes, sender: str) -> dict[str, Any]:
    """Decode a map of plain data with text keys.

    Raises
    ------
    FrameError : naming the sender, for anything else.
    """
    try:
        message = msgpack.unpackb(body, raw=False, strict_map_key=True)  # type: ignore[attr-defined, no-untyped-call]
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise FrameError(f"{sender} sent a malformed control message", party=sender) from error
    if not isinstance(message, dict) or not all(isinstance(key, str) for key in message):
        raise FrameError(f"{sender} sent a control message that is not a map", party=sender)
    return message
