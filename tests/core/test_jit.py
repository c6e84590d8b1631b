"""The decorator and its cache: lazy, private, and never stale."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import numpy as np
import pytest

from mpyc_core import jit
from mpyc_core.kernels.terms import multiply

PACKAGE = Path(jit.__file__).parent

CALLER = """
from mpyc_core.jit import kernel
from mpyc_core.kernels.callee import term

@kernel("u8[::1]")
def run(out):
    out[0] = term(out[0])
"""
CALLEE = """
import numpy as np
from mpyc_core.jit import device

@device
def term(x):
    return x + np.uint64({})
"""
MAIN = """
import numpy as np
from mpyc_core.jit import cache_dir
from mpyc_core.kernels.caller import run
out = np.zeros(1, np.uint64)
run(out)
print(cache_dir().name, out[0], sum(run._run.stats.cache_hits.values()))
"""


def python(code: str, cwd: Path | None = None, **environment: str) -> str:
    """What a program prints, in a process of its own; it imports from `cwd` first."""
    command = [sys.executable, "-c", code]
    env = os.environ | environment
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_numba_is_imported_by_the_first_kernel_call_only() -> None:
    code = """
import sys
import mpyc_core.bits, mpyc_core.fixed, mpyc_core.prg, mpyc_core.kernels.replicated
from mpyc_core.ring import Z64
mpyc_core.fixed.decode(Z64.add(*mpyc_core.fixed.encode([[1.5], [2.5]], Z64, 16)), Z64, 16)
print("numba" in sys.modules)
Z64.matmul(Z64.from_int([1]), Z64.from_int([1]))
print("numba" in sys.modules)
"""
    assert python(code).split() == ["False", "True"]


def test_an_edited_callee_is_noticed(tmp_path: Path) -> None:
    copy = tmp_path / "mpyc_core"
    (copy / "kernels").mkdir(parents=True)
    shutil.copy(PACKAGE / "jit.py", copy)
    for folder in (copy, copy / "kernels"):
        (folder / "__init__.py").touch()
    (copy / "kernels" / "caller.py").write_text(CALLER)
    callee = copy / "kernels" / "callee.py"

    def run(constant: int) -> list[str]:
        callee.write_text(CALLEE.format(constant))
        return python(MAIN, tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache")).split()

    first, again, edited = run(1), run(1), run(2)
    assert [first[1:], again[1:], edited[1:]] == [["1", "0"], ["1", "1"], ["2", "0"]]
    assert first[0] == again[0] != edited[0]


def test_cache_depends_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for features in (None, "+avx2", "+avx2,-avx512f"):
        monkeypatch.setattr(numba.config, "CPU_FEATURES", features)
        jit.cache_dir.cache_clear()
        names.add(jit.cache_dir().name)
    jit.cache_dir.cache_clear()
    assert len(names) == 3


@pytest.fixture
def no_cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine where the user's cache cannot be made; returns its folder for temporary files."""
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def test_without_a_home_the_cache_is_private_to_the_user(no_cache_home: Path) -> None:
    path = jit.cache_dir.__wrapped__()
    assert path.parent == no_cache_home / f"mpyc-core-{os.getuid()}"
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_folder_that_others_can_write_to_is_not_trusted(no_cache_home: Path) -> None:
    planted = no_cache_home / f"mpyc-core-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    path = jit.cache_dir.__wrapped__()
    assert planted not in path.parents
    assert path.parent.stat().st_mode & 0o077 == 0


def test_numbas_own_setting_is_left_alone() -> None:
    before = numba.config.CACHE_DIR
    copy = jit.Kernel(multiply.py_func, tuple(multiply.signatures.values()))
    copy.compile()
    assert copy._run.stats.cache_path.startswith(str(jit.cache_dir()))
    assert before == numba.config.CACHE_DIR


def test_other_types_are_refused_not_compiled() -> None:
    words = np.zeros(8, np.uint64)
    multiply(*[words] * 4, 1, 0, 8, words)
    with pytest.raises(TypeError, match="no signature for float64"):
        multiply(*[np.zeros(8)] * 4, 1, 0, 8, words)
    with pytest.raises(TypeError):
        multiply(words[::2], *[words] * 3, 1, 0, 4, words)
    fixed = words.copy()
    fixed.setflags(write=False)
    multiply(*[fixed] * 4, 1, 0, 8, words)
    with pytest.raises(TypeError):
        multiply(*[words] * 4, 1, 0, 8, fixed)


def test_signatures_are_parsed_strictly() -> None:
    for text in ("u8[:]", "const", "u3[::1]", "u8[::1],u8[::1]"):
        with pytest.raises(ValueError, match="argument type"):
            jit.kernel(text)(lambda out: None)


def test_all_kernels_are_found_and_compile() -> None:
    assert len(jit.all_kernels()) > 5
    for found in jit.all_kernels():
        found.compile()
        assert len(found._ready) == len(found.signatures), found.name


def test_features_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CPU_FEATURES", "+sse2,+avx2,-avx512f,+avx512dq")
    assert jit.cpu_features() == ["avx2", "avx512dq"]
    monkeypatch.setattr(numba.config, "CPU_FEATURES", None)
    monkeypatch.setattr(numba.config, "ENABLE_AVX", 0)
    assert not {"avx2", "avx512f", "avx512dq"} & set(jit.cpu_features())


def test_only_one_file_decorates() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.name != "jit.py":
            assert not re.search(
                r"\b(njit|vectorize|prange)\b|numba\.jit|parallel=True", path.read_text()
            )
