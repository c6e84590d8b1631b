"""The introductory examples of remote execution, search, shared ownership and Duets, run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from mpyc_core.examples import snippets


def test_remote_execution() -> None:
    assert snippets.remote_execution().tolist() == [2, 6, 8, 10]


def test_search_and_sample(capsys: pytest.CaptureFixture[str]) -> None:
    count, described, sample = snippets.search_and_sample()
    printed = capsys.readouterr().out
    assert "Found 6 results in total." in printed
    assert "Tag profile: #diabetes found 6, #data found 3, #target found 3" in printed
    assert count == 6 and "bmi in [18, 43]" in described and "sample rows: mock" in described
    rows = load_diabetes(scaled=False).data
    assert not any((row == rows).all(axis=1).any() for row in sample)


def test_noisy_get() -> None:
    refused, advice, mean = snippets.noisy_get()
    assert "private" in refused and ".get(epsilon=0.1)" in refused
    assert "sum" in advice or "mean" in advice
    truth = np.array_split(load_diabetes().target, 3)[0].mean()
    assert 0 < abs(mean - truth) < 400 / 148 / 0.1 * 25  # exp(-25) that the noise is larger


def test_shared_ownership() -> None:
    assert snippets.shared_ownership().tolist() == [2, 4, 6, 8, 10]


def test_encrypted_training() -> None:
    first, last = snippets.encrypted_training()
    assert last < first / 20


def test_the_nine_steps_of_a_duet(tmp_path: Path) -> None:
    assert snippets.nine_steps(tmp_path) == 1


def test_federated_learning_is_training_on_all_the_rows() -> None:
    """The same steps on data in one place, in plain NumPy."""
    found = load_diabetes(scaled=False)
    low, high = np.floor(found.data.min(0)), np.ceil(found.data.max(0))
    rows, labels = (found.data - (low + high) / 2) / ((high - low) / 2), (found.target - 200) / 200
    model, bias = np.zeros(10), 0.0
    for _ in range(2):
        for x, y in zip(np.array_split(rows, 3), np.array_split(labels, 3), strict=True):
            for i in range(0, len(x), 64):
                error = x[i : i + 64] @ model + bias - y[i : i + 64]
                model = model - 0.3 * x[i : i + 64].T @ error / len(error)
                bias -= 0.3 * error.mean()
    assert np.allclose(snippets.federated_learning(epochs=2), [*model, bias], atol=1e-9)
