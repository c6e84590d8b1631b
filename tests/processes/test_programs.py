"""Programs at real party processes: results, errors of every kind, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core import errors

pytestmark = pytest.mark.processes
HERE = Path(__file__).parent / "programs.py"


def run(name: str, parties: int | list[str] = 3, **options: object) -> dict[str, object]:
    return mpc.run(f"{HERE}:{name}", parties, **options)  # type: ignore[arg-type]


def test_a_program_runs_at_every_party_and_returns() -> None:
    results = run("product", ["ann", "ben", "cy"], args={"factor": 3})
    assert list(results) == ["ann", "ben", "cy"]
    for result in results.values():
        np.testing.assert_allclose(result["all"], [6.75, 12.0, 27.0], atol=2**-14)
    assert results["ann"]["last"] is None and results["ben"]["last"] is None
    np.testing.assert_array_equal(results["cy"]["last"], [True, False, True])


@pytest.mark.parametrize("name", ["different", "other_constant"])
def test_different_programs_are_a_mismatch(name: str) -> None:
    with pytest.raises(errors.ProgramMismatch):
        run(name)


def test_an_error_of_the_program_names_party_and_line_but_not_the_data() -> None:
    with pytest.raises(errors.MpcError) as caught:
        run("fails")
    assert caught.value.party == "party1"
    assert "ValueError" in str(caught.value) and "programs.py:" in str(caught.value)
    assert "4711" not in str(caught.value)


def test_a_killed_party_is_named_in_time() -> None:
    start = time.monotonic()
    with pytest.raises(errors.PeerGone) as caught:
        run("dies")
    assert caught.value.party == "party1" and time.monotonic() - start < 20


@pytest.mark.parametrize(
    ("name", "error"),
    [("wrong_shape", errors.ShapeMismatch), ("not_a_number", errors.EncodingError)],
)
def test_bad_data_is_a_clear_error(name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        run(name)


@pytest.mark.parametrize(
    ("program", "options", "words"),
    [
        (f"{HERE}:product", {"parties": 2}, "exactly 3"),
        (f"{HERE}:product", {"parties": 3, "protocol": "nonsense"}, "replicated"),
        (f"{HERE}:product", {"parties": ["a", "a", "b"]}, "differ"),
        ("no_such_file.py:main", {"parties": 3}, "no_such_file.py"),
        (f"{HERE}:absent", {"parties": 3}, "product"),
        (f"{HERE}:product", {"parties": 3, "args": {"factor": object()}}, "plain data"),
    ],
)
def test_bad_set_ups_say_what_there_is(
    program: str, options: dict[str, object], words: str
) -> None:
    with pytest.raises(errors.ConfigError, match=words):
        mpc.run(program, **options)  # type: ignore[arg-type]


def _children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


def _gone(pids: list[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_no_orphan_stays_when_the_launcher_is_stopped(sign: signal.Signals) -> None:
    """Neither processes nor the folder of their sockets, which nobody else could enter."""
    command = [sys.executable, "-m", "mpyc_core", "run", f"{HERE}:sleeps"]
    # a socket's name must be short, and pytest's folders are not
    temporary = tempfile.mkdtemp(prefix="t")
    launcher = subprocess.Popen(
        command,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "TMPDIR": temporary},
    )
    deadline = time.monotonic() + 30
    children: list[int] = []
    while len(children) < 3 and time.monotonic() < deadline:
        children = _children_of(launcher.pid)
        time.sleep(0.05)
    assert len(children) == 3
    time.sleep(2)
    (folder,) = [path for path in Path(temporary).iterdir() if path.name.startswith("mpc-")]
    assert folder.stat().st_mode & 0o777 == 0o700
    os.kill(launcher.pid, sign)
    code = launcher.wait(15)
    assert code != 0
    assert _gone(children, 5)
    assert list(Path(temporary).glob("mpc-*")) == []
    shutil.rmtree(temporary)


def test_the_command_ends_with_a_code_and_one_line() -> None:
    command = [sys.executable, "-m", "mpyc_core", "run", f"{HERE}:not_a_number"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "EncodingOverflow" in done.stderr or "EncodingError" in done.stderr
