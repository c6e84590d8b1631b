"""The house's rules: floors, packaging, style that tools do not check, and the tree of errors."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpyc_core import errors
from mpyc_core.errors import MpcError, from_wire

ROOT = Path(__file__).parents[1]
FLOORS = {
    "mpyc_core": 1,
    "transport": 2,
    "protocols": 3,
    "ml": 4,
    "privacy": 5,
    "grid": 6,
    "examples": 7,
}
LIBRARY = ("mpyc_core", "transport", "protocols", "ml", "privacy", "grid")
ROOFS = ("mpyc_core/__init__.py", "mpyc_core/__main__.py", "mpyc_core/cli/")
"""Front doors: they may use every floor, lazily."""
MAX_LINES = 450


def files(*folders: str) -> list[Path]:
    """Python files below top-level folders, each once: symlinks are not followed."""
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not any(parent.is_symlink() for parent in path.parents)
    ]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path, root: Path = ROOT) -> Iterator[tuple[int, str]]:
    """(line, absolute name of the module) of every import, also of those inside functions."""
    package = [*path.relative_to(root).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            module = node.module or ""
            yield node.lineno, module
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level <= len(package), f"{path}:{node.lineno} leaves its folder"
            base = package[: len(package) - node.level + 1]
            yield node.lineno, ".".join(["mpyc_core", *base, node.module or ""])


def floor_of(module: str) -> int | None:
    """The floor that a module stands on; None for other packages."""
    first, *rest = module.split(".")
    if first != "mpyc_core":
        return None
    return FLOORS.get(rest[0], 1) if rest else 1


def test_imports_point_down() -> None:
    up = [
        f"{name(path)}:{line} imports {module}"
        for path in files(*FLOORS)
        if not name(path).startswith(ROOFS)
        for line, module in imported(path)
        if (floor_of(module) or 0) > FLOORS[path.relative_to(ROOT).parts[0]]
    ]
    assert up == []


def test_transport_knows_no_numbers() -> None:
    """Bytes, parties and rounds: of the ground floor it uses errors and entropy alone."""
    allowed = ("mpyc_core.errors", "mpyc_core.entropy", "mpyc_core.transport")
    found = [
        f"{name(path)}:{line} imports {module}"
        for path in files("transport")
        for line, module in imported(path)
        if floor_of(module) and not module.startswith(allowed)
    ]
    assert found == []


def test_ml_knows_no_protocol() -> None:
    """What runs below is behind the backend: no import names a protocol's own folder."""
    folders = [p.name for p in (ROOT / "protocols").iterdir() if (p / "protocol.py").is_file()]
    assert {"plain", "replicated"} <= set(folders)
    below = tuple(f"mpyc_core.protocols.{folder}" for folder in folders)
    found = [
        f"{name(path)}:{line} imports {module}"
        for path in files("ml")
        for line, module in imported(path)
        if module.startswith(below)
    ]
    assert found == []


def test_nothing_is_imported_by_a_top_level_name() -> None:
    """`protocols` and its like exist as `mpyc_core.protocols` only."""
    bare = {"protocols", "ml", "transport", "privacy", "grid", "examples"}
    found = [
        f"{name(path)}:{line} imports {module}"
        for path in files(*FLOORS, "tests", "bench", "docs")
        for line, module in imported(path)
        if module.split(".")[0] in bare
    ]
    assert found == []


def test_imports_are_seen_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "transport" / "wrong.py"
    file.parent.mkdir()
    file.write_text(
        "from .mesh import Mesh\nfrom . import zmq\n"
        "def f():\n    from mpyc_core.ml import tensor\n    import protocols\n"
    )
    found = [module for _, module in imported(file, tmp_path)]
    assert found == [
        "mpyc_core.transport.mesh",
        "mpyc_core.transport.",
        "mpyc_core.ml",
        "mpyc_core.ml.tensor",
        "protocols",
    ]
    assert [floor_of(module) for module in found] == [2, 2, 4, 4, None]


def packages() -> dict[str, Path]:
    """Import name and folder of every package there is."""
    found = {"mpyc_core": ROOT / "mpyc_core"}
    for folder in FLOORS:
        for init in sorted((ROOT / folder).rglob("__init__.py")):
            parts = init.relative_to(ROOT).parts[:-1]
            dotted = parts if folder == "mpyc_core" else ("mpyc_core", *parts)
            if not any(parent.is_symlink() for parent in init.parents):
                found[".".join(dotted)] = init.parent
    return found


def test_every_package_is_listed() -> None:
    """One that is forgotten imports in an editable install and is missing from the wheel."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        setup = tomllib.load(file)["tool"]["setuptools"]
    assert sorted(setup["packages"]) == sorted(packages())
    mapped = {name: ROOT / folder for name, folder in setup["package-dir"].items()}
    for package, folder in packages().items():
        nearest = max((p for p in mapped if (package + ".").startswith(p + ".")), key=len)
        rest = package[len(nearest) :].strip(".").replace(".", "/")
        assert mapped[nearest] / rest == folder


def test_every_folder_with_modules_is_a_package() -> None:
    bare = {p.parent for p in files(*FLOORS) if not (p.parent / "__init__.py").is_file()}
    assert bare == set()


def test_symlinks_are_relative_and_lead_home() -> None:
    links = {path.name: path for path in (ROOT / "mpyc_core").iterdir() if path.is_symlink()}
    assert set(links) == set(FLOORS) - {"mpyc_core"}
    for folder, link in links.items():
        assert str(link.readlink()) == f"../{folder}"
        assert link.resolve() == ROOT / folder


def test_checks_are_no_assertions() -> None:
    """`python -O` drops assertions; a check raises an error of the tree."""
    found = [
        f"{name(path)}:{node.lineno}"
        for path in files(*LIBRARY)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert)
    ]
    assert found == []


def test_files_are_short() -> None:
    lengths = {name(p): p.read_text().count("\n") for p in files(*FLOORS, "tests", "bench")}
    assert {file: lines for file, lines in lengths.items() if lines > MAX_LINES} == {}


def test_files_say_what_they_are() -> None:
    texts = {name(p): p.read_text() for p in files(*FLOORS, "tests", "bench")}
    silent = [
        file
        for file, text in texts.items()
        if (text.strip() or not file.startswith("tests/"))
        and not (ast.get_docstring(ast.parse(text)) or "").strip()
    ]
    assert silent == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'numba', 'zmq', 'cryptography', 'rich'}"
    code = f"import sys, mpyc_core; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert found.stdout.strip() == "[]"


# -- errors --------------------------------------------------------------------------------
def classes() -> dict[str, type[MpcError]]:
    return {
        key: value
        for key, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, MpcError)
    }


def drawn() -> dict[str, tuple[str | None, str | None]]:
    """{class: (parent, built-in twin)} as the docstring of the module draws it."""
    found: dict[str, tuple[str | None, str | None]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        words = line.replace("│", " ").replace("├──", "   ").replace("└──", "   ").split()
        if not words or (words[0] != "MpcError" and "──" not in line):
            continue
        depth = (len(line) - len(line.lstrip(" │├└─"))) // 4 - 1
        twin = line.split("(also ")[1].split(")")[0] if "(also " in line else None
        path = [*path[:depth], words[0]]
        found[words[0]] = (path[-2] if depth else None, twin)
    return found


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    real = {
        key: (
            next((b.__name__ for b in cls.__bases__ if issubclass(b, MpcError)), None),
            next((b.__name__ for b in cls.__bases__ if b.__module__ == "builtins"), None),
        )
        for key, cls in classes().items()
    }
    assert real.pop("MpcError") == (None, "Exception")
    tree = drawn()
    assert tree.pop("MpcError") == (None, None)
    assert tree == real


@pytest.mark.parametrize("cls", classes().values(), ids=lambda c: c.__name__)
@pytest.mark.parametrize("party", [None, "alice"])
def test_errors_travel(cls: type[MpcError], party: str | None) -> None:
    sent = cls("expected 3, got 4; do this", party=party)
    came = from_wire(json.loads(json.dumps(sent.to_wire())))
    assert type(came) is cls
    assert (came.message, came.party, str(came)) == (sent.message, party, sent.message)


def test_an_error_of_a_newer_version_is_still_an_error() -> None:
    came = from_wire({"type": "SomethingNew", "message": "what happened", "party": "bob"})
    assert (type(came), came.message, came.party) == (MpcError, "what happened", "bob")
