"""Starting local party processes, talking to them through pipes, and ending them for certain.

A child gets two pipes. Parent to child: when it ends, because the parent closed it or was killed,
the child exits. Child to parent: when it ends, the child is dead. There is no fork without exec and
no pickle; messages are msgpack maps with a size limit.
"""

from __future__ import annotations

import os
import queue
import selectors
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from mpyc_core.errors import ConfigError, FrameError, PeerGone, PeerTimeout

from .pipe import Unpacker, pack

PARTY = (sys.executable, "-m", "mpyc_core", "party", "--child")
CHUNK = 1 << 20
TAIL_LINES = 20
EXIT = 1.0
TERMINATE = 0.5
SEND = 10.0


@dataclass
class _Child:
    """One party process and the parent's ends of its pipes."""

    name: str
    process: subprocess.Popen[bytes]
    write: int
    read: int
    unpacker: Unpacker
    line: bytes = b""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    ended: threading.Event = field(default_factory=threading.Event)


class LocalProcesses:
    """Party processes on this machine.

    Parameters
    ----------
    names : one process per name.
    env : variables to set or replace in the children's environment.
    argv : command of a child; the descriptors of its pipes, "READ,WRITE", are appended.

    What children write to stderr goes to this process's stderr, each line with the party's name.

    Example
    -------
    with LocalProcesses(["alice", "bob"]) as parties:
        parties.send("alice", {"do": "listen"})
        name, message = parties.receive(10)
    """

    def __init__(
        self,
        names: Sequence[str],
        env: Mapping[str, str] | None = None,
        argv: Sequence[str] = PARTY,
    ) -> None:
        if len(set(names)) != len(names):
            raise ConfigError(f"party names must differ, got {', '.join(names)}")
        self._messages: queue.SimpleQueue[tuple[str, dict[str, Any] | Exception | None]]
        self._messages = queue.SimpleQueue()
        self._selector = selectors.DefaultSelector()
        self._children: dict[str, _Child] = {}
        self._closed = False
        self._thread: threading.Thread | None = None
        try:
            for name in names:
                self._children[name] = self._start(name, {**os.environ, **(env or {})}, argv)
        except BaseException:
            self.close()
            raise
        self._thread = threading.Thread(target=self._listen, name="mpyc-core launcher", daemon=True)
        self._thread.start()

    def _start(self, name: str, env: Mapping[str, str], argv: Sequence[str]) -> _Child:
        child_read, write = os.pipe()
        read, child_write = os.pipe()
        try:
            process = subprocess.Popen(
                [*argv, f"{child_read},{child_write}"],
                env=env,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(child_read, child_write),
                process_group=0,
            )
        except OSError as error:
            os.close(write)
            os.close(read)
            raise ConfigError(f"cannot start a process for {name}: {error}") from error
        finally:
            os.close(child_read)
            os.close(child_write)
        os.set_blocking(write, False)
        child = _Child(name, process, write, read, Unpacker(name))
        self._selector.register(read, selectors.EVENT_READ, child)
        if process.stderr is not None:
            self._selector.register(process.stderr, selectors.EVENT_READ, child)
        return child

    def _listen(self) -> None:
        """Queue messages and pass stderr on, until every pipe has ended."""
        while self._selector.get_map():
            for key, _ in self._selector.select():
                data = os.read(key.fd, CHUNK)
                if key.fd == key.data.read:
                    self._take(key.data, data)
                else:
                    self._pass_on(key.data, data)
                if not data:
                    self._selector.unregister(key.fileobj)

    def _take(self, child: _Child, data: bytes) -> None:
        try:
            for message in child.unpacker.feed(data):
                self._messages.put((child.name, message))
        except FrameError as error:
            self._messages.put((child.name, error))
        if not data:
            self._messages.put((child.name, None))

    def _pass_on(self, child: _Child, data: bytes) -> None:
        *lines, child.line = (child.line + data).split(b"\n")
        if not data:
            lines, child.line = [child.line] if child.line else [], b""
            child.ended.set()
        for raw in lines:
            line = raw.decode(errors="replace")
            child.tail.append(line)
            with suppress(OSError, ValueError):
                sys.stderr.write(f"[{child.name}] {line}\n")
        with suppress(OSError, ValueError):
            sys.stderr.flush()

    def send(self, name: str, message: dict[str, Any]) -> None:
        """Send plain data to one child.

        Raises
        ------
        PeerGone : the child is dead; with its exit code and last words.
        PeerTimeout : the child does not take it.
        """
        child = self._children[name]
        view, deadline = memoryview(pack(message)), time.monotonic() + SEND
        with selectors.DefaultSelector() as selector:
            selector.register(child.write, selectors.EVENT_WRITE)
            while view:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise PeerTimeout(f"{name} took no message for {SEND:g} s", party=name)
                try:
                    view = view[os.write(child.write, view) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    raise self._gone(child) from None

    def receive(self, timeout: float | None = None) -> tuple[str, dict[str, Any]]:
        """The next message of any child: (name, message).

        Raises
        ------
        PeerGone : a child has died; with its exit code and last words.
        PeerTimeout : no message within `timeout` seconds.
        FrameError : a child sent something else.
        """
        try:
            name, message = self._messages.get(timeout=timeout)
        except queue.Empty:
            raise PeerTimeout(f"no party sent anything for {timeout:g} s") from None
        if message is None:
            raise self._gone(self._children[name])
        if isinstance(message, Exception):
            raise message
        return name, message

    def _gone(self, child: _Child) -> PeerGone:
        """How a child ended and what it wrote last."""
        child.ended.wait(EXIT)
        try:
            code = child.process.wait(EXIT)
        except subprocess.TimeoutExpired:
            return PeerGone(f"{child.name} closed its control pipe", party=child.name)
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        words = "; its last lines:\n" + "\n".join(child.tail) if child.tail else ""
        return PeerGone(f"the process of {child.name} {how}{words}", party=child.name)

    def alive(self) -> dict[str, bool]:
        """Whether each process still runs."""
        return {name: child.process.poll() is None for name, child in self._children.items()}

    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {name: child.process.pid for name, child in self._children.items()}

    def close(self) -> None:
        """End all children, by force after about a second, and reap them; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        children = list(self._children.values())
        for child in children:
            os.close(child.write)
        self._reap(children, EXIT)
        for child in children:
            child.process.terminate()
        self._reap(children, TERMINATE)
        for child in children:
            child.process.kill()
            child.process.wait()
        if self._thread is not None:
            self._thread.join(EXIT)
        self._selector.close()
        for child in children:
            os.close(child.read)
            if child.process.stderr is not None:
                child.process.stderr.close()

    def _reap(self, children: Sequence[_Child], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for child in children:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
