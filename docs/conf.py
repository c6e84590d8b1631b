"""Sphinx configuration; `make docs` builds with warnings as errors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import bibliography  # noqa: E402
import docstrings  # noqa: E402
import operations  # noqa: E402

import mpyc_core  # noqa: E402

project = "mpyc-core"
author = "the mpyc-core authors"
release = mpyc_core.__version__
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist", "colon_fence", "attrs_inline"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]
default_role = "code"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"ArrayLike": "ArrayLike", "npt.ArrayLike": "ArrayLike"}
smartquotes = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "mpyc-core"
html_show_sphinx = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


ROOT_PAGES = {
    "security": "SECURITY.md",
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
}
"""Pages that live at the root of the repository."""


def _source(app: Any, name: str, source: list[str]) -> None:
    if name == "references":
        source[0] = bibliography.page()
    elif name == "api/operations":
        source[0] = operations.page()
    elif name in ROOT_PAGES:
        text = (HERE.parent / ROOT_PAGES[name]).read_text("utf-8").replace("](docs/", "](")
        for page, file in ROOT_PAGES.items():
            text = text.replace(f"]({file}", f"]({page}.md")
        source[0] = text
    else:
        up = "../" * (1 + name.count("/"))
        for page, file in ROOT_PAGES.items():
            source[0] = source[0].replace(f"]({up}{file}", f"]({up[3:]}{page}.md")


def _docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = docstrings.to_rst(lines)


def setup(app: Any) -> None:
    """Hook the written pages and the docstrings in."""
    app.connect("source-read", _source)
    app.connect("autodoc-process-docstring", _docstring)
