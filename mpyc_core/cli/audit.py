"""`mpc audit`: look at a node's audit log, and check that nobody changed it."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """verify or show; --data, --head, --key."""
    parser.add_argument("what", choices=("verify", "show"), help="check the log, or print it")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the node's folder")
    parser.add_argument(
        "--head",
        action="append",
        default=[],
        metavar="NUMBER:HEX",
        help="a head that the node handed out earlier, which the log must extend",
    )
    parser.add_argument(
        "--key", help="the node's public signing key in hex (default: that of the folder)"
    )


def main(options: argparse.Namespace) -> int:
    """Print the entries, or the verdict; an altered log ends with exit code 1."""
    from mpyc_core.errors import ConfigError
    from mpyc_core.grid.audit import Head, verify
    from mpyc_core.grid.keys import load_keys
    from mpyc_core.grid.state import State

    if not (options.data / "state.db").is_file():
        raise ConfigError(f"there is no node's state in {options.data}")
    state = State(options.data, read_only=True)
    try:
        if options.what == "show":
            return _show(state)
        public = bytes.fromhex(options.key) if options.key else load_keys(options.data).public
        count = verify(state, public, [Head.parse(text) for text in options.head])
    finally:
        state.close()
    print(f"{count} entries, each chained to all before it and signed by {public.hex()}")
    return 0


def _show(state: object) -> int:
    """One line for every entry."""
    from time import localtime, strftime

    from mpyc_core.grid.canonical import decode
    from mpyc_core.grid.state import State

    if not isinstance(state, State):
        return 1
    for number, packed in state.rows("SELECT seq, body FROM audit ORDER BY seq"):
        body = decode(packed)
        when = strftime("%Y-%m-%d %H:%M:%S", localtime(body["time"]))
        shown = {k: v for k, v in body.items() if k not in ("event", "time", "salt")}
        facts = ", ".join(f"{k}={v.hex() if isinstance(v, bytes) else v}" for k, v in shown.items())
        print(f"{number:6d}  {when}  {body['event']:10s}  {facts}")
    return 0
