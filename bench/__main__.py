"""`python -m bench kernels|protocols|ml`: measure, print a table, write files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import report


def main() -> int:
    """Run the chosen benches."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=main.__doc__)
    parser.add_argument("what", nargs="*", choices=["kernels", "protocols", "ml", []], default=[])
    parser.add_argument("--protocol", default="replicated")
    parser.add_argument("--repeat", type=int, default=5, help="timed runs of a row")
    parser.add_argument("--only", default="", help="rows whose name contains this text")
    parser.add_argument("--json", type=Path, help="write all rows to a file")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--latex", type=Path)
    options = parser.parse_args()
    everything: list[report.Row] = []
    for what in options.what or ["kernels", "protocols", "ml"]:
        title, rows = _measure(what, options)
        report.show(title, rows)
        everything += rows
    for path, write in (
        (options.json, report.write_json),
        (options.csv, report.write_csv),
        (options.latex, report.write_latex),
    ):
        if path is not None:
            write(path, everything)
    return 0


def _measure(what: str, options: argparse.Namespace) -> tuple[str, list[report.Row]]:
    if what == "kernels":
        from . import kernels

        return kernels.title(), kernels.rows()
    if what == "protocols":
        from . import protocols

        found = protocols.rows(options.protocol, options.repeat, options.only)
        return f"{options.protocol}, parties as processes over loopback TCP", found
    from . import ml

    return "models", ml.rows(options.protocol, options.repeat, options.only)


if __name__ == "__main__":
    sys.exit(main())
