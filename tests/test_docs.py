"""What the documentation says is true: examples run, links lead somewhere, tables are current.

Blocks of one page run one after the other in one namespace, like the cells of a notebook. A block
whose first line is "# not run" is skipped; one whose first line is "# file: NAME" is written to a
file of that name first.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import importlib.util
import io
import json
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import mpyc_core
from mpyc_core.protocols.registry import get_protocol

ROOT = Path(mpyc_core.__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("**/*.md")])
CODE = ("mpyc_core", "transport", "protocols", "ml", "privacy", "grid", "examples")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="docs are not installed")


def _page(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _docs_module(name: str) -> ModuleType:
    """A script of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations that a page registers are gone afterwards."""
    from mpyc_core.protocols import registry

    assert list(registry.all_ops()) and registry.protocols()
    monkeypatch.setattr(registry, "_OPS", dict(registry._OPS))
    monkeypatch.setattr(registry, "_PROTOCOLS", dict(registry._PROTOCOLS))


def run_page(path: Path) -> None:
    namespace: dict[str, object] = {"__name__": "__docs__"}
    for found in BLOCK.finditer(path.read_text("utf-8")):
        code = found[1]
        first = code.split("\n", 1)[0]
        if first == "# not run":
            continue
        if first.startswith("# file: "):
            Path(first.removeprefix("# file: ")).write_text(code)
        line = path.read_text("utf-8")[: found.start(1)].count("\n")
        exec(compile("\n" * line + code, str(path), "exec"), namespace)


@pytest.mark.parametrize("path", [p for p in PAGES if p.name != "README.md"], ids=_page)
@pytest.mark.filterwarnings("ignore:the program cannot be imported")
@pytest.mark.usefixtures("own_registry")
def test_examples_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()):
        run_page(path)


@pytest.mark.processes
def test_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()):
        run_page(ROOT / "README.md")


def _modules() -> Iterator[str]:
    for found in pkgutil.walk_packages(mpyc_core.__path__, "mpyc_core."):
        if not found.name.endswith("__main__"):
            yield found.name


@pytest.mark.parametrize("name", ["mpyc_core", *_modules()])
def test_docstring_examples(name: str) -> None:
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def _anchors(path: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ +(.*)$", path.read_text("utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", h.lower()) for h in headings)
    return {h.strip().replace(" ", "-") for h in plain}


@pytest.mark.parametrize("path", PAGES, ids=_page)
def test_links_resolve(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in LINK.findall(text):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{_page(path)} links to {link}"
        if anchor:
            assert anchor in _anchors(target), f"{_page(path)} links to {link}"


def test_cost_table_is_current() -> None:
    """If this fails: python docs/costs.py > docs/costs.md"""
    assert (DOCS / "costs.md").read_text("utf-8") == _docs_module("costs").page()


def test_every_citation_is_in_the_bibliography() -> None:
    bibliography = _docs_module("bibliography")
    known = bibliography.read()
    assert len(known) >= 8
    sources = [p for folder in CODE for p in (ROOT / folder).glob("**/*.py")]
    cited = {
        (key, _page(path))
        for path in [*sources, *PAGES]
        for key in bibliography.CITATION.findall(path.read_text("utf-8"))
    }
    assert cited
    assert not {(key, where) for key, where in cited if key not in known}


def test_bibliography_is_complete() -> None:
    for entry in _docs_module("bibliography").read().values():
        assert {"author", "title", "year"} <= entry.fields.keys(), entry.key
        assert {"eprint", "doi", "url", "isbn"} & entry.fields.keys(), entry.key
        assert entry.key.endswith(entry.fields["year"][-2:]), entry.key


def test_errors_of_functions_are_those_of_the_docstrings() -> None:
    from mpyc_core.protocols.registry import all_ops

    page = (DOCS / "numbers.md").read_text("utf-8").replace("\\|", "|")
    table = dict(re.findall(r"^\| `(\w+)` \| .* \| (\|error\| < .*) \|$", page, re.MULTILINE))
    docs = {op.name: " ".join((op.body.__doc__ or "").split()) for op in all_ops()}
    assert {name for name, text in docs.items() if "|error| <" in text} == table.keys()
    assert [name for name, stated in table.items() if stated not in docs[name]] == []


def test_versions_agree() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert project["version"] == mpyc_core.__version__
    assert f"version: {mpyc_core.__version__}\n" in citation
    assert f"## [{mpyc_core.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_protocols_stand_side_by_side() -> None:
    """If a protocol is missing, run its demos: docs/protocols_table.py says how."""
    table = _docs_module("protocols_table")
    kept = json.loads(table.KEPT.read_text("utf-8"))
    assert (DOCS / "protocols-table.md").read_text("utf-8") == table.page(kept)
    for place in table.places():
        for part in kept.get(table.key(*place), {}).values():
            assert part["holds"] and part["seconds"] > 0 and part["rounds"] > 0
            assert len(part["sent"]) == place[1] and min(part["sent"]) > 0
            assert (part["dealt"] > 0) == get_protocol(place[0]).needs_dealer
