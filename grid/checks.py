"""Checks of plain data that came from elsewhere: each says whether a value is of a form."""

from __future__ import annotations

import math
import re
from typing import Any

MAX_TEXT = 4096
IDENTIFIER = re.compile(r"[0-9a-f]{32}")
TAG = re.compile(r"#?[\w.+-]{1,64}")


def whole(value: Any) -> bool:
    """An integer of 64 bits."""
    return type(value) is int and -(2**63) <= value < 2**63


def natural(value: Any) -> bool:
    """An integer of 0 or more."""
    return whole(value) and value >= 0


def real(value: Any) -> bool:
    """A finite number."""
    return whole(value) or (type(value) is float and math.isfinite(value))


def positive(value: Any) -> bool:
    """A finite number above 0."""
    return real(value) and value > 0


def flag(value: Any) -> bool:
    """True or False."""
    return type(value) is bool


def text(value: Any) -> bool:
    """Text of printable characters and line breaks, of at most 4096 characters."""
    return (
        type(value) is str
        and len(value) <= MAX_TEXT
        and all(c.isprintable() or c in "\n\t" for c in value)
    )


def name(value: Any) -> bool:
    """One line of 1 to 128 characters."""
    return text(value) and 0 < len(value) <= 128 and value.isprintable() and value.strip() == value


def tag(value: Any) -> bool:
    """Letters, digits and . _ + - behind an optional #."""
    return type(value) is str and TAG.fullmatch(value) is not None


def tags(value: Any) -> bool:
    """At most 32 tags."""
    return type(value) is list and len(value) <= 32 and all(map(tag, value))


def identifier(value: Any) -> bool:
    """An id that a node made."""
    return type(value) is str and IDENTIFIER.fullmatch(value) is not None


def reference(value: Any) -> bool:
    """An id, or the number of an earlier command whose result is meant."""
    return identifier(value) or natural(value)


def axis(value: Any) -> bool:
    """One axis."""
    return whole(value) and -8 <= value < 8


def axes(value: Any) -> bool:
    """None, one axis, or a list of axes."""
    return value is None or axis(value) or (type(value) is list and all(map(axis, value)))


def lengths(value: Any) -> bool:
    """A list of at most 8 whole numbers."""
    return type(value) is list and len(value) <= 8 and all(map(whole, value))


def optional(check: Any) -> Any:
    """None, or what another check accepts."""
    return lambda value: value is None or check(value)
