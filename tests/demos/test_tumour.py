"""The tumour demo, whole: three party processes against the same training in plaintext."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core import errors
from mpyc_core.examples import tumour

pytestmark = pytest.mark.processes
PROGRAM = "mpyc_core.examples.tumour:main"


@pytest.fixture(scope="module", params=["mlp", "logistic"])
def run(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """One encrypted training of each model."""
    epochs = 10 if request.param == "mlp" else 3
    options = {"model": request.param, "epochs": epochs}
    return request.param, mpc.run(PROGRAM, tumour.HOSPITALS, args=options) | options


@pytest.mark.timeout(180)
def test_accuracy_is_that_of_plaintext(run: tuple[str, dict[str, Any]]) -> None:
    model, results = run
    first = results[tumour.HOSPITALS[0]]
    plain = tumour.plaintext(model=model, epochs=results["epochs"])
    encrypted = 100 * first["correct"] / first["test rows"]
    assert abs(encrypted - plain["accuracy"]) <= 1.0
    assert encrypted >= 95.0
    answers = tumour.pooled(test=True)[1][:, None]
    assert first["correct"] == np.sum(first["predictions"] == answers)


def test_statistics_agree_within_one_percent(run: tuple[str, dict[str, Any]]) -> None:
    first = run[1][tumour.HOSPITALS[0]]
    rows = tumour.pooled(test=False)[0] / tumour.UNITS
    np.testing.assert_allclose(first["mean"], rows.mean(0), rtol=0.01)
    np.testing.assert_allclose(first["deviation"], rows.std(0), rtol=0.01)


def test_predictions_reach_the_first_hospital_alone(run: tuple[str, dict[str, Any]]) -> None:
    for name in tumour.HOSPITALS[1:]:
        assert run[1][name]["predictions"] is None and run[1][name]["correct"] is None


def test_nothing_else_was_opened(run: tuple[str, dict[str, Any]]) -> None:
    entries = run[1][tumour.HOSPITALS[0]]["openings"]
    losses = [e for e in entries if e[2].startswith("mean loss")]
    assert len(losses) == 15 * run[1]["epochs"]
    others = [(why, to) for _, to, why, _ in entries if not why.startswith("mean loss")]
    first = tumour.HOSPITALS[0]
    assert others == [
        ("column means, times the public number of rows", "all parties"),
        ("column variances, times the number of rows", "all parties"),
        ("predictions on the test rows", first),
        ("how many predictions are right", first),
    ]


def test_every_hospital_has_rows_of_its_own() -> None:
    rows = [tumour.hospital_rows(i, test)[0] for i in range(3) for test in (False, True)]
    assert sum(len(r) for r in rows) == 569
    assert len(np.unique(np.concatenate(rows), axis=0)) == 569


def test_a_column_that_hardly_varies_is_refused_with_advice() -> None:
    with mpc.simulate(list(tumour.HOSPITALS)) as s:
        for name in s.names:
            values = np.full((10, 30), 0.5)
            values[:, 7] += np.linspace(0, 1e-4, 10)
            values[:, :7] += np.linspace(0, 1, 10)[:, None]
            sums = np.stack([values.sum(0), (values**2).sum(0)])
            s.offer(name, "sums", sums, f=tumour.SUM_BITS)
        with pytest.raises(errors.EncodingError, match=r"concave points.*smaller unit"):
            tumour.statistics(s, 30)


def test_the_policy_lets_no_table_out() -> None:
    from mpyc_core.meta import Meta
    from mpyc_core.ring import Z64

    allow = tumour.Allowance()
    vector, table = Meta((30,), "fixed", Z64, 32), Meta((2, 30), "fixed", Z64, 16)
    assert not allow(table, "the driver")
    assert [allow(vector, "the driver") for _ in range(3)] == [True, True, False]
    assert allow(Meta((), "fixed", Z64, 16), "the driver")
