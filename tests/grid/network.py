"""Nodes as real processes, for the tests that need some."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import mpyc_core as mpc
from mpyc_core.grid.connect import connect_node
from mpyc_core.grid.owner import Owner
from mpyc_core.transport.limits import Limits

QUICK = Limits(heartbeat=1.0, gone=5.0, connect=30.0, max_message=1 << 26)


class NodeProcess:
    """`mpc node` in a process of its own; `start` again after a kill takes up the same folder."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *options: str,
        main: Sequence[str] = (),
        kind: str = "node",
    ) -> None:
        self.name, self.folder, self.options, self.kind = name, folder, options, kind
        self.main = list(main) or [sys.executable, "-m", "mpyc_core"]
        self.address = "tcp://127.0.0.1:0"
        self.process: subprocess.Popen[str] | None = None
        self.ticket = ""

    def start(self, **environment: str) -> NodeProcess:
        command = [*self.main, self.kind, "--name", self.name, "--data", str(self.folder)]
        command += ["--address", self.address, *self.options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        atexit.register(self.process.kill)  # also when a test fails
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        assert "listens" in first, first
        self.ticket = self.process.stdout.readline().strip()
        self.address = self.ticket[:-41]
        return self

    def kill(self, how: int = signal.SIGKILL) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.wait()

    def wait(self) -> int:
        assert self.process is not None and self.process.stdout is not None
        code = self.process.wait(60)
        self.process.stdout.close()
        return code

    def owner(self) -> Owner:
        found = connect_node(self.ticket, identity=self.folder / "curve.key", limits=QUICK)
        assert isinstance(found, Owner)
        return found

    def client(self, key: Path) -> mpc.Client:
        return connect_node(self.ticket, identity=key, limits=QUICK)
