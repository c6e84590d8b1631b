"""House-style docstrings as reStructuredText.

    Title underlined by dashes       a heading; `name : text` below it is an item
    Title, two spaces or more, text  the same on one line (Cost, Security, Error, ...)
    indented by four spaces          shown as it stands
    >>> lines                        an example

Everything else is text, in which single backquotes are code and [Key99, section 3] is a citation.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from bibliography import CITATION, read

_SHORT = re.compile(r"^([A-Z][a-z]+)(?:  +|: +)(\S.*)$")
_ITEM = re.compile(r"^([\w*][\w*, ]*?) : (.*)$")
_CODE = re.compile(r"(`[^`]+`)")
TITLES = (
    "Parameters",
    "Returns",
    "Raises",
    "Protocol",
    "Method",
    "Domain",
    "Range",
    "Rounding",
    "Cost",
    "Security",
    "Error",
    "Errors",
    "Outside",
    "Gradient",
    "Reference",
    "References",
    "Example",
    "Notes",
)
_KEYS = read()


def to_rst(lines: list[str]) -> list[str]:
    """The docstring as reStructuredText."""
    out: list[str] = []
    for block in _blocks(lines):
        out += [*block, ""]
    return out


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    rest = [line.rstrip() for line in lines]
    title = ""
    while rest:
        if not rest[0]:
            rest.pop(0)
        elif len(rest) > 1 and rest[1] and not rest[1].strip("-") and rest[0] in TITLES:
            title = rest[0]
            yield [f"**{title}**"]
            rest = rest[2:]
        elif rest[0].startswith(">>>"):
            block, rest = _until(rest, lambda line: not line)
            yield block
        elif rest[0].startswith("    "):
            block, rest = _until(rest, lambda line: bool(line) and not line.startswith("    "))
            while block and not block[-1]:
                block.pop()
            yield [
                "::",
                "",
                *("    " + line for line in textwrap.dedent("\n".join(block)).split("\n")),
            ]
        elif (short := _SHORT.match(rest[0])) and short[1] in TITLES:
            block, rest = _hanging(rest)
            yield from _one_line(short[1], short[2], block[1:])
        elif title in ("Parameters", "Returns", "Raises") and (item := _ITEM.match(rest[0])):
            block, rest = _hanging(rest)
            yield [f"``{item[1]}``", *("    " + line for line in _text([item[2], *block[1:]]))]
        else:
            block, rest = _paragraph(rest)
            yield _text(block)


def _until(lines: list[str], stop: object) -> tuple[list[str], list[str]]:
    n = next((i for i, line in enumerate(lines) if i and stop(line)), len(lines))  # type: ignore[operator]
    return lines[:n], lines[n:]


def _hanging(lines: list[str]) -> tuple[list[str], list[str]]:
    """A line and the indented ones that continue it."""
    return _until(lines, lambda line: not line.startswith("    "))


def _paragraph(lines: list[str]) -> tuple[list[str], list[str]]:
    """Lines up to an empty one, an indented one, an example or a title."""
    return _until(lines, lambda line: not line or line.startswith(("    ", ">>>")) or _titled(line))


def _titled(line: str) -> bool:
    short = _SHORT.match(line)
    return short is not None and short[1] in TITLES


def _one_line(title: str, first: str, more: list[str]) -> Iterator[list[str]]:
    if title == "Protocol" or any(line.startswith(" " * 16) for line in more):
        yield [f"**{title}**"]
        yield ["::", "", f"    {first}", *("    " + line.strip() for line in more)]
    else:
        yield _text([f"**{title}** {first}", *more], bold=title)


def _text(lines: list[str], bold: str = "") -> list[str]:
    """A paragraph with everything that means something to reStructuredText escaped."""
    text = " ".join(line.strip() for line in lines)
    lead = ""
    if bold:
        lead, text = f"**{bold}** ", text.removeprefix(f"**{bold}** ")
    parts = _CODE.split(text)
    for i in range(1, len(parts), 2):
        glued = parts[i + 1][:1].isalnum()  # `Parameter`s
        parts[i] = _code(parts[i]) + ("\\ " if glued else "")
    for i in range(0, len(parts), 2):
        parts[i] = _escape(parts[i])
    return [lead + "".join(parts)]


def _code(text: str) -> str:
    """`x` as a literal, which needs no escapes."""
    return f"`{text}`"


def _escape(text: str) -> str:
    text = re.sub(r"([\\*|_`])", r"\\\1", text)
    return CITATION.sub(_cite, text)


def _cite(found: re.Match[str]) -> str:
    key = found[1]
    if key not in _KEYS:
        return found[0]
    return f":ref:`{found[0]} <ref-{key.lower()}>`"
