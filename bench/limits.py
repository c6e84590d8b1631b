"""What the machine allows, without any protocol: bytes a second over loopback and in memory."""

from __future__ import annotations

import socket
import subprocess
import sys
from functools import partial

import numpy as np

from .report import Row
from .timing import median

SIZE = 10**7
ACKNOWLEDGED = b"."
SERVER = f"""
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
link, _ = listener.accept()
link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
room = memoryview(bytearray(1 << 20))
while True:
    left = {SIZE}
    while left:
        got = link.recv_into(room, min(left, len(room)))
        if not got:
            raise SystemExit
        left -= got
    link.sendall({ACKNOWLEDGED!r})
"""


def wire() -> float:
    """Bytes a second of 10 MB sent over loopback TCP to another process, which acknowledges."""
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            if server.stdout is None:
                raise RuntimeError("the receiving process has no output")
            port = int(server.stdout.readline())
            with socket.create_connection(("127.0.0.1", port)) as link:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                seconds, _ = median(partial(_send, link, bytes(SIZE)))
        finally:
            server.kill()
    return SIZE / seconds


def _send(link: socket.socket, data: bytes) -> None:
    link.sendall(data)
    if link.recv(1) != ACKNOWLEDGED:
        raise RuntimeError("expected an acknowledgement from the receiving process, got none")


def copy() -> float:
    """Bytes a second of a copy of 80 MB, read and written; one thread."""
    source = np.ones(SIZE)
    target = np.empty_like(source)
    seconds, _ = median(lambda: np.copyto(target, source))
    return source.nbytes / seconds


def rows(network: float, memory: float) -> list[Row]:
    """The limits themselves, from what `wire` and `copy` found."""
    return [
        Row("raw TCP over loopback, 10 MB", network / 1e9, "GB/s"),
        Row("memory copy, 80 MB", memory / 1e9, "GB/s"),
    ]
