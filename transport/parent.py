"""The child's side of the pipes to the process that started it."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import Any

from mpyc_core.errors import ConfigError, PeerTimeout

from .pipe import Unpacker, pack, write_all

ORPHANED = 3
CHUNK = 1 << 20


class ParentPipe:
    """Messages from and to the launcher. When the launcher ends, so does this process, at once.

    Parameters
    ----------
    argument : the two descriptors as the launcher passes them on the command line, "READ,WRITE".
    on_orphan : called before the process ends because the launcher has, for instance to remove
        files; it must be quick.

    Raises
    ------
    ConfigError : the argument does not name two open descriptors.
    """

    def __init__(self, argument: str, on_orphan: Callable[[], None] | None = None) -> None:
        try:
            read, write = (int(part) for part in argument.split(","))
            os.fstat(read)
            os.fstat(write)
        except (ValueError, OSError) as error:
            raise ConfigError(
                f"--child {argument!r} does not name two open descriptors READ,WRITE; parties are "
                "started with it by the launcher only"
            ) from error
        os.set_inheritable(read, False)
        os.set_inheritable(write, False)
        self._read, self._write = read, write
        self._on_orphan = on_orphan
        self._lock = threading.Lock()
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="mpyc-core parent pipe", daemon=True).start()

    def send(self, message: dict[str, Any]) -> None:
        """Send plain data to the launcher; may be called from any thread."""
        data = pack(message)
        with self._lock:
            write_all(self._write, data)

    def receive(self, timeout: float | None = None) -> dict[str, Any]:
        """The next message of the launcher.

        Raises
        ------
        PeerTimeout : none came within `timeout` seconds.
        """
        try:
            return self._messages.get(timeout=timeout)
        except queue.Empty:
            raise PeerTimeout(f"the launcher sent nothing for {timeout:g} s") from None

    def _listen(self) -> None:
        """Queue messages until the pipe ends, then end the process: no orphan stays."""
        unpacker = Unpacker("the launcher")
        try:
            while data := os.read(self._read, CHUNK):
                for message in unpacker.feed(data):
                    self._messages.put(message)
            if self._on_orphan is not None:
                self._on_orphan()
        finally:
            os._exit(ORPHANED)
