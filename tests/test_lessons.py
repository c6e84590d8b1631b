"""The lessons run from top to bottom, and are kept as they came out."""

from __future__ import annotations

from pathlib import Path

import pytest

import mpyc_core

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")

LESSONS = Path(mpyc_core.__file__).resolve().parent.parent / "docs" / "lessons"
FOUND = sorted(LESSONS.glob("*.ipynb"))


def test_there_are_five() -> None:
    assert [p.name[0] for p in FOUND] == ["1", "2", "3", "4", "5"]


@pytest.mark.processes
@pytest.mark.timeout(240)
@pytest.mark.parametrize("path", FOUND, ids=lambda p: p.stem)
def test_a_lesson_runs(path: Path, tmp_path: Path) -> None:
    """Its assertions hold; an error in any cell fails the test."""
    lesson = nbformat.read(path, 4)
    nbformat.validate(lesson)
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(lesson, timeout=200, kernel_name="python3", resources=where).execute()


@pytest.mark.parametrize("path", FOUND, ids=lambda p: p.stem)
def test_a_lesson_is_kept_with_its_outputs(path: Path) -> None:
    lesson = nbformat.read(path, 4)
    cells = [c for c in lesson.cells if c.cell_type == "code"]
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    outputs = [o for c in cells for o in c.outputs]
    assert len(outputs) >= len(cells) // 2
    assert not [o for o in outputs if o.output_type == "error"]
    shown = path.read_text("utf-8")
    for private in ("/tmp/", "/home/", "/root/", "Traceback"):
        assert private not in shown
