"""Runs the demos under every protocol and writes docs/protocols-table.md from what they took.

    python docs/protocols_table.py --data DIR [--only additive-2 shamir-3 ...] [--demos tumour]
    python docs/protocols_table.py > docs/protocols-table.md

The first runs the demos, one after the other, and keeps their figures in protocols-table.json; DIR
holds the MNIST files. The second prints the page.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mpyc_core.protocols.registry import get_protocol, protocols

KEPT = Path(__file__).with_name("protocols-table.json")
COUNTS = (2, 3, 5)
IMAGES, FEW, STEPS = 1000, 100, 20
HEADER = f"""# Protocols side by side

The demos under every protocol that comes with the library: change one word, `--protocol`, and
nothing else. Made by `python docs/protocols_table.py` from runs of

```console
$ python -m mpyc_core demo tumour --protocol NAME --parties N
$ python -m mpyc_core demo mnist --protocol NAME --parties N \\
      --data DIR --images {IMAGES} --steps {STEPS}
```

with the real MNIST files, on 28 November 2026, on 2 cores of an Intel Xeon with AVX-512, VAES and
AMX. Every party is a process of its own, and so is the dealer; they meet over TCP on loopback.
Other work ran on the machine meanwhile: rounds and bytes are exact, seconds only tell magnitudes.
MB per party are those of the party that sent most.
"""
TITLES = {
    "tumour": "Tumour classifier, 30-16-1: 10 epochs of 15 steps, and the test rows",
    "inference": f"784-128-128-10, ReLU: labels of {IMAGES:,} MNIST images ({FEW} under shamir)",
    "training": f"The same network: {STEPS} training steps of 128 MNIST images",
}
COLUMNS = "| protocol | parties | seconds | rounds | MB per party | MB from the dealer | result |"


def places() -> Iterator[tuple[str, int]]:
    """Every protocol that comes with the library and keeps secrets, for 2, 3 and 5 parties."""
    for name, cls in sorted(protocols().items()):
        if cls.__module__.startswith("mpyc_core.") and name != "plain":
            yield from ((name, n) for n in COUNTS if cls.supports(n))


def run(name: str, n: int, demo: str, data: Path) -> dict[str, Any]:
    """The figures of one demo under one protocol, by part."""
    options = ["--protocol", name, "--parties", str(n)]
    if demo == "mnist":
        images = FEW if name == "shamir" else IMAGES
        options += ["--data", str(data), "--images", str(images), "--steps", str(STEPS)]
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "mpyc_core", "demo", demo, *options, "--json", figures]
        subprocess.run(command, check=True, stdout=sys.stderr)
        found: dict[str, Any] = json.loads(figures.read_text("utf-8"))["parts"]
        return found


def row(name: str, n: int, part: dict[str, Any]) -> str:
    """One line of a table."""
    dealer = f"{part['dealt'] / 1e6:,.2f}" if get_protocol(name).needs_dealer else "none"
    sent = max(part["sent"]) / 1e6
    return (
        f"| {name} | {n} | {part['seconds']:,.1f} | {part['rounds']:,} | {sent:,.2f} | {dealer} "
        f"| {part['result']} |"
    )


def page(kept: dict[str, dict[str, Any]]) -> str:
    """The page, of the figures kept by "protocol-parties" and part."""
    text = HEADER
    for part, title in TITLES.items():
        ran = {p: found[part] for p in places() if part in (found := kept.get(key(*p), {}))}
        rows = [row(*p, figures) for p, figures in ran.items()]
        text += "\n".join(["", f"## {title}", "", COLUMNS, "|---" * 7 + "|", *rows, ""])
        missing = [f"{name} among {n}" for name, n in places() if (name, n) not in ran]
        if missing:
            text += f"\nNot run: {', '.join(missing)}.\n"
    return text


def key(name: str, n: int) -> str:
    """Under which the figures of a protocol are kept."""
    return f"{name}-{n}"


def main() -> None:
    """Run demos and keep what they took, or print the page."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--data", type=Path, help="folder of the MNIST files: run the demos")
    options.add_argument("--only", nargs="*", default=[key(*p) for p in places()])
    options.add_argument("--demos", nargs="*", default=["tumour", "mnist"])
    o = options.parse_args()
    if o.data is None:
        print(page(json.loads(KEPT.read_text("utf-8"))), end="")
        return
    for place in o.only:
        for demo in o.demos:
            name, n = place.rsplit("-", 1)
            parts = run(name, int(n), demo, o.data)
            kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
            kept.setdefault(place, {}).update(parts)
            KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
