"""Reads references.bib, and writes it as a page; the tests check docstrings against it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

BIBLIOGRAPHY = Path(__file__).with_name("references.bib")
CITATION = re.compile(r"\[([A-Z][A-Za-z]+[0-9]{2})(?:, [^\]]*)?\]")
"""A citation in a docstring: [AFLNO16], or [AFLNO16, section 3]."""
PLACES = ("booktitle", "journal", "publisher")
_ENTRY = re.compile(r"@(\w+)\{(\w+),\n(.*?)\n\}", re.DOTALL)
_FIELD = re.compile(r"^\s*(\w+)\s*=\s*\{(.*)\},$", re.MULTILINE)
_ACCENTS = {
    r"{\'e}": "é",
    r"{\'a}": "á",
    r"{\"o}": "ö",
    r"{\"u}": "ü",
    r"{\"a}": "ä",
    r"{\aa}": "å",
}


@dataclass(frozen=True)
class Entry:
    """One paper."""

    key: str
    kind: str
    fields: dict[str, str]

    def line(self) -> str:
        """The paper as one sentence of Markdown, with a link when there is one."""
        authors = [" ".join(a.split(", ")[::-1]) for a in self.fields["author"].split(" and ")]
        text = f"{', '.join(authors)}. *{self.fields['title']}*."
        place = next((self.fields[k] for k in PLACES if k in self.fields), None)
        text += f" {place}, {self.fields['year']}." if place else f" {self.fields['year']}."
        if "eprint" in self.fields:
            number = self.fields["eprint"]
            text += f" [ePrint {number}](https://eprint.iacr.org/{number})."
        elif "doi" in self.fields:
            text += f" [doi:{self.fields['doi']}](https://doi.org/{self.fields['doi']})."
        elif "url" in self.fields:
            text += f" <{self.fields['url']}>"
        return text


def _plain(text: str) -> str:
    for code, letter in _ACCENTS.items():
        text = text.replace(code, letter)
    return text.replace("{", "").replace("}", "")


def read(path: Path = BIBLIOGRAPHY) -> dict[str, Entry]:
    """Entries by key."""
    found = {}
    for kind, key, body in _ENTRY.findall(path.read_text("utf-8")):
        fields = {name: _plain(value) for name, value in _FIELD.findall(body)}
        found[key] = Entry(key, kind, fields)
    return found


def page() -> str:
    """The page of references, one anchor per key."""
    lines = ["# References", "", "Keys are those of the docstrings.", ""]
    for entry in read().values():
        lines += [f"(ref-{entry.key.lower()})=", f"**{entry.key}** {entry.line()}", ""]
    return "\n".join(lines)
