"""Nothing in the library draws randomness, or runs received data, but where it is said."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("mpyc_core", "transport", "protocols", "ml", "privacy")
FILES = [
    path
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not any(part.is_symlink() for part in (path, *path.parents))
]
MODULES = {"random", "pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "secrets"}
ENTROPY = {"urandom", "getrandom"}
CALLS = {"eval", "exec", "compile", "__import__"}
PUBLIC_CHOICES = {"Generator", "default_rng"}
"""What `ml` may take from NumPy for choices that everyone knows: first weights, order of rows."""


def offences(path: Path) -> Iterator[str]:
    folder = path.relative_to(ROOT).parts[0]
    for node in ast.walk(ast.parse(path.read_text())):
        for offence in _offences(node, folder, path.name):
            yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}: {offence}"


def _offences(node: ast.AST, folder: str, file: str) -> Iterator[str]:
    match node:
        case ast.Import():
            for name in (alias.name for alias in node.names):
                if name.split(".")[0] in MODULES or name.startswith("numpy.random"):
                    yield f"imports {name}"
        case ast.ImportFrom():
            yield from _taken(node.module or "", {alias.name for alias in node.names}, folder, file)
        case ast.Call(func=ast.Name(id=name)) if name in CALLS:
            yield f"calls {name}"
        case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="random"):
            yield "uses np.random"
        case ast.Attribute(value=ast.Name(id="os"), attr=name) if name in ENTROPY:
            if file != "entropy.py":
                yield "draws entropy"
        case ast.keyword(arg="allow_pickle", value=value) if ast.unparse(value) != "False":
            yield "allows pickles"


def _taken(module: str, names: set[str], folder: str, file: str) -> Iterator[str]:
    """Offences of `from module import names`."""
    if module.split(".")[0] in MODULES or (module == "numpy" and "random" in names):
        yield f"imports {module}"
    if module.startswith("numpy.random") and (folder != "ml" or names - PUBLIC_CHOICES):
        yield f"imports {sorted(names)} from {module}"
    if module == "os" and names & ENTROPY and file != "entropy.py":
        yield "draws entropy"


def test_files_are_found() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(FOLDERS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_forbidden_source(path: Path) -> None:
    assert list(offences(path)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import random",
        "from random import shuffle",
        "import pickle",
        "from numpy import random",
        "import numpy.random",
        "from numpy.random import default_rng",
        "np.random.normal()",
        "eval('1')",
        "exec('1')",
        "import os\nos.urandom(8)",
        "from os import urandom",
        "np.load(f, allow_pickle=True)",
    ],
)
def test_the_search_finds(text: str) -> None:
    assert [o for node in ast.walk(ast.parse(text)) for o in _offences(node, "protocols", "x.py")]
