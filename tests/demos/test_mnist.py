"""MNIST: the whole claims on the real files, and clear words where they are missing or broken."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mpyc_core.errors import ConfigError
from mpyc_core.examples import mnist


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mpyc_core", "demo", "mnist", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=1700, check=False)


@pytest.mark.mnist
@pytest.mark.full
@pytest.mark.timeout(1800)
def test_inference_and_training_keep_their_promises(mnist_dir: Path) -> None:
    done = demo("--data", str(mnist_dir))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.mnist
@pytest.mark.processes
@pytest.mark.timeout(300)
def test_a_part_of_it(mnist_dir: Path) -> None:
    done = demo("--data", str(mnist_dir), "--images", "1000", "--steps", "10")
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_the_files_the_demo_says_what_to_put_where(tmp_path: Path) -> None:
    done = demo("--data", str(tmp_path))
    assert done.returncode == 2
    for name in mnist.FILES.values():
        assert name in done.stderr


def test_idx_files_are_read_gzipped_or_not(tmp_path: Path) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    header = b"\0\0\x08\x03" + np.array(images.shape, ">u4").tobytes()
    (tmp_path / "plain").write_bytes(header + images.tobytes())
    (tmp_path / "packed.gz").write_bytes(gzip.compress(header + images.tobytes()))
    np.testing.assert_array_equal(mnist.read_idx(tmp_path / "plain"), images)
    np.testing.assert_array_equal(mnist.read_idx(tmp_path / "packed.gz"), images)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("short", b"\0\0\x08\x01\0\0\0\x05\1\2"),
        ("other", b"hello, this is no IDX file"),
        ("empty", b""),
        ("broken.gz", b"\x1f\x8b\x08 broken"),
        ("cut.gz", gzip.compress(bytes(10000), mtime=0)[:20]),
    ],
)
def test_unreadable_files_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=name):
        mnist.read_idx(path)
