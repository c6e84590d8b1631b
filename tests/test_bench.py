"""Benches run and write what they measured; how fast anything is, no test says."""

from __future__ import annotations

import csv
import importlib
import json
import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.ml.training import predict

ROOT = Path(mpc.__file__).resolve().parent.parent


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the benches, which are no part of the installed package."""
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.chdir(ROOT)
    return lambda name: importlib.import_module(f"bench.{name}")


def test_kernel_rows_are_finite(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = bench("kernels")
    once = partial(bench("timing").median, seconds=0, least=1)
    local = bench("local")
    for module in (kernels, local):
        monkeypatch.setattr(module, "median", once)
    monkeypatch.setattr(local, "keep_freed_memory", lambda: True)  # this process is no party
    found = [
        *kernels.products([(3, 4, 5)]),
        *kernels.convolutions([("tiny", (2, 3, 6, 6), (4, 3, 3, 3))]),
        *kernels.bits(2),
        *kernels.streams(2),
        *kernels.elementwise(2),
        *local.rows(100, 64),
    ]
    assert len({row.name for row in found}) == len(found) == 13
    for row in found:
        assert math.isfinite(row.figure) and row.figure > 0, row
        assert row.ratio is not None and math.isfinite(row.ratio), row


def test_ratios_say_how_much_of_the_limit_is_reached(bench: Any) -> None:
    row = bench("report").Row
    assert row("throughput", 2.0, "GB/s", 8.0).ratio == 0.25
    assert row("time", 8.0, "ms", 2.0).ratio == 0.25
    assert row("no limit", 8.0, "ms").ratio is None


def test_party_rows_take_the_slowest_party_and_the_busiest(bench: Any) -> None:
    timing = bench("timing")
    few, many = timing.DOMINANT - 1, 4 * timing.DOMINANT
    results = {
        "a": {
            "big": {"seconds": 0.5, "rounds": 3, "bytes": many},
            "small": {"seconds": 0.25, "rounds": 1, "bytes": few},
        },
        "b": {
            "big": {"seconds": 2.0, "rounds": 3, "bytes": few},
            "small": {"seconds": 0.125, "rounds": 1, "bytes": few},
        },
    }
    big, small = timing.party_rows(results, repeat=7, wire=8.0 * timing.DOMINANT)
    assert (big.figure, big.unit, big.rounds, big.runs) == (2000.0, "ms", 3, 7)
    assert (big.sent, big.limit, big.ratio) == ((many, few), 500.0, 0.25)
    assert (small.figure, small.limit) == (250.0, None)


def test_machine_limits_are_finite(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = bench("limits")
    monkeypatch.setattr(limits, "median", partial(bench("timing").median, seconds=0, least=1))
    for row in limits.rows(limits.wire(), limits.copy()):
        assert math.isfinite(row.figure) and row.figure > 0, row


def test_lenet_on_shares_computes_what_it_does_in_plaintext(bench: Any) -> None:
    model = bench("ml").lenet()
    images = np.random.default_rng(3).random((2, 1, 28, 28))
    with mpc.simulate(3) as session:
        found = predict(model.share(session), session.share(images)).reveal()
    expected = model(images)
    assert expected.shape == (2, 10) and np.ptp(expected) > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-2)


def test_comparisons_say_who_is_faster(bench: Any, capsys: pytest.CaptureFixture[str]) -> None:
    report = bench("report")
    ours = [report.Row("sum", 2.0, "ms"), report.Row("product", 9.0, "ms"), report.Row("x", 1, "s")]
    report.show_versus("peer", "a note", ours, {"sum": 0.008, "product": 0.003})
    text = capsys.readouterr().out
    lines = {
        name: line for line in text.splitlines() for name in ("sum", "product") if name in line
    }
    assert "a note" in text and "x faster" not in lines["product"]
    assert "4 x faster" in lines["sum"] and "3 x slower" in lines["product"]


def test_two_protocols_stand_beside_each_other(
    bench: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    row, main, file = bench("report").Row, bench("__main__"), tmp_path / "rows.json"
    took = {"first": 12.0, "second": 4.0}

    def rows(protocol: str, repeat: int, only: str) -> list[Any]:
        return [row(f"product of {repeat}", took[protocol], "ms"), row("copy", 1.0, "GB/s")]

    monkeypatch.setattr(bench("protocols"), "rows", rows)
    arguments = "bench protocols --repeat 2 --protocol first --vs-protocol second --json"
    monkeypatch.setattr(sys, "argv", [*arguments.split(), str(file)])
    assert main.main() == 0
    text = capsys.readouterr().out
    assert "ours is first" in text and "3 x slower" in text
    found = {r["name"]: r["figure"] for r in json.loads(file.read_text())["rows"]}
    assert (found["product of 2"], found["second: product of 2"]) == (12.0, 4.0)


@pytest.mark.processes
def test_scaling_rows_count_and_compare(bench: Any) -> None:
    found = bench("scaling").rows(repeat=1, only="product", powers=(3, 6))
    assert [row.name for row in found] == [f"fixed-point product, 10^{p}" for p in (3, 6)]
    small, reference = found
    assert reference.ratio == 1 and small.limit == reference.figure
    assert small.rounds == reference.rounds == 3
    assert [1000 * b for b in small.sent] == pytest.approx(reference.sent, rel=0.01)


@pytest.mark.processes
def test_grid_rows_stand_beside_what_is_aimed_for(bench: Any) -> None:
    found = bench("grid").rows(repeat=1, size=8 * 10**6)
    trip, chain, sent, part = found
    assert (trip.limit, trip.limit_is, chain.limit, sent.limit_is) == (3.0, "aim", 1000.0, "mesh")
    assert (trip.unit, chain.unit, sent.unit) == ("ms", "ms", "GB/s")
    assert all(math.isfinite(row.figure) and row.figure > 0 and row.ratio > 0 for row in found)
    assert "8 MB" in sent.name
    assert (part.unit, part.limit) == ("%", 50.0)
    assert part.figure == pytest.approx(100 * sent.ratio)


@pytest.mark.processes
def test_peers_answer_for_the_tasks_that_they_have(bench: Any) -> None:
    names = ["exp, 10^4", "MLP inference, batch 1", "unheard of"]
    found = bench("peers").measure("numpy", names, repeat=1, threads=1)
    assert "NumPy" in found["note"]
    assert set(found["seconds"]) == set(names[:2])
    assert all(0 < s < math.inf for s in found["seconds"].values())


def test_published_figures_are_scaled_by_what_this_machine_does(bench: Any) -> None:
    published = bench("peers.published")
    there = published.figures()["calibration"]
    seconds = {"matmul 1000x1000x1000": 4.0, "ReLU, 32-bit, 10^6": 0.2}
    assert published.scaled(seconds, there, there) == seconds
    here = {"dgemm": 8 * there["dgemm"], "wire": there["wire"], "copy": there["copy"]}
    assert published.scaled(seconds, there, here) == pytest.approx(
        {"matmul 1000x1000x1000": 0.5, "ReLU, 32-bit, 10^6": 0.1}
    )


def test_peers_have_the_names_of_our_rows(bench: Any) -> None:
    """A task under another name would silently be left out of the comparison."""

    class Everything:
        """Stands for a party and its values: this test needs the names of tasks alone."""

        me = 1

        def __getattr__(self, name: str) -> Any:
            return lambda *args, **kwargs: self

    ours = set(bench("protocols").tasks(Everything()))
    numpy, spu = bench("peers.plain_numpy"), bench("peers.spu_tasks")
    assert set(numpy.operations()) == ours
    crypten = bench("peers.crypten_tfp").tasks(Everything(), Everything())
    published = {
        name
        for peer in bench("peers.published").figures()["peers"].values()
        for name in peer["seconds"]
    }
    models = {*numpy.models(), *spu.models(), *(crypten.keys() - ours), *(published - ours)}
    assert len(published & ours) == 7
    assert len(crypten.keys() & ours) == 10
    text = (ROOT / "bench" / "ml.py").read_text()
    assert models and all(f'"{name}"' in text for name in models)


@pytest.fixture
def rows(bench: Any) -> list[Any]:
    row = bench("report").Row
    return [
        row("x_1 < y, 10^6", 1.5, "ms", 0.5, "wire", rounds=7, sent=(10**6, 2, 3), runs=4),
        row("100 % of it", 2.0, "GB/s"),
    ]


def test_json_holds_rows_and_machine(bench: Any, rows: list[Any], tmp_path: Path) -> None:
    report = bench("report")
    report.write_json(tmp_path / "rows.json", rows)
    data = json.loads((tmp_path / "rows.json").read_text())
    assert data["machine"]["mpyc-core"] == mpc.__version__
    assert [report.Row(**{**row, "sent": tuple(row["sent"])}) for row in data["rows"]] == rows


def test_csv_holds_rows(bench: Any, rows: list[Any], tmp_path: Path) -> None:
    bench("report").write_csv(tmp_path / "rows.csv", rows)
    with (tmp_path / "rows.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["name"] for row in found] == [row.name for row in rows]
    assert [float(row["figure"]) for row in found] == [row.figure for row in rows]
    assert found[0]["sent"] == "(1000000, 2, 3)" and found[1]["limit"] == ""


def test_latex_escapes_names(bench: Any, rows: list[Any], tmp_path: Path) -> None:
    bench("report").write_latex(tmp_path / "rows.tex", rows)
    lines = (tmp_path / "rows.tex").read_text().splitlines()
    assert lines[0].startswith(r"\begin{tabular}") and lines[-1] == r"\end{tabular}"
    assert lines[2] == r"x\_1 $<$ y, 10\^{}6 & 1.5 ms & 7 & 1 \\"
    assert lines[3] == r"100 \% of it & 2 GB/s &  &  \\"
