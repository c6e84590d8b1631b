"""`python -m bench kernels|protocols|ml|scaling|grid`: measure, print a table, write files."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from . import peers, report

DEFAULT = ["kernels", "protocols", "ml"]
COMPARED = ["protocols", "ml"]


def main() -> int:
    """Run the chosen benches; all but scaling and grid unless any is named."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=main.__doc__)
    choices = [*DEFAULT, "scaling", "grid", []]
    parser.add_argument("what", nargs="*", choices=choices, default=[])
    parser.add_argument("--protocol", default="replicated")
    parser.add_argument("--repeat", type=int, default=5, help="timed runs of a row")
    parser.add_argument("--only", default="", help="rows whose name contains this text")
    parser.add_argument("--vs-protocol", help="run the same tasks over another protocol too")
    parser.add_argument("--vs", choices=peers.PROGRAMS, help="run the same tasks in other software")
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter that has it")
    parser.add_argument("--json", type=Path, help="write all rows to a file")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--latex", type=Path)
    options = parser.parse_args()
    compares = options.vs or options.vs_protocol
    if compares and not set(options.what or DEFAULT) & set(COMPARED):
        parser.error(f"--vs and --vs-protocol compare {' and '.join(COMPARED)}; name one of them")
    everything: list[report.Row] = []
    for what in options.what or DEFAULT:
        title, rows = _measure(what, options.protocol, options)
        report.show(title, rows)
        everything += rows
        if options.vs_protocol and what in COMPARED:
            everything += _compare_protocols(what, rows, options)
        if options.vs and what in COMPARED:
            everything += _compare(rows, options)
    for path, write in (
        (options.json, report.write_json),
        (options.csv, report.write_csv),
        (options.latex, report.write_latex),
    ):
        if path is not None:
            write(path, everything)
    return 0


def _measure(what: str, protocol: str, options: argparse.Namespace) -> tuple[str, list[report.Row]]:
    if what == "kernels":
        from . import kernels

        return kernels.title(), kernels.rows()
    if what == "grid":
        from . import grid

        return "a node over loopback TCP", grid.rows(options.repeat, options.only)
    chosen = protocol, options.repeat, options.only
    among = f"{protocol}, parties as processes of one machine"
    if what == "protocols":
        from . import protocols

        return among, protocols.rows(*chosen)
    if what == "scaling":
        from . import scaling

        return f"scaling, {among}", scaling.rows(*chosen)
    from . import ml

    return f"models, {among}", ml.rows(*chosen)


def _compare_protocols(
    what: str, ours: list[report.Row], options: argparse.Namespace
) -> list[report.Row]:
    """The same tasks over another protocol, and what they take as ratios."""
    other = options.vs_protocol
    title, rows = _measure(what, other, options)
    report.show(title, rows)
    seconds = {row.name: row.figure / 1e3 for row in rows if row.unit == "ms"}
    report.show_versus(other, f"{what}: ours is {options.protocol}", ours, seconds)
    return [replace(row, name=f"{other}: {row.name}") for row in rows]


def _compare(ours: list[report.Row], options: argparse.Namespace) -> list[report.Row]:
    """The same tasks in other software, with as many threads as a party has."""
    from mpyc_core.parallel import cores

    names = [row.name for row in ours if row.unit == "ms"]
    threads = max(1, cores() // 3)
    found = peers.measure(options.vs, names, options.repeat, threads, options.peer_python)
    report.show_versus(options.vs, found["note"], ours, found["seconds"])
    return [
        report.Row(f"{options.vs}: {name}", 1e3 * seconds, "ms", runs=options.repeat)
        for name, seconds in found["seconds"].items()
    ]


if __name__ == "__main__":
    sys.exit(main())
