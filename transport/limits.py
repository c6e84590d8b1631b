"""Every time and size limit of the transport, in one frozen dataclass."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mpyc_core.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """Limits of one session; all parties should use the same.

    Parameters
    ----------
    heartbeat : seconds between heartbeats, which run in ZeroMQ's own thread, also while a kernel
        computes or Python holds its lock.
    gone : seconds after which a peer that answers no heartbeat is reported as `PeerGone`.
    progress : seconds after which a peer that answers heartbeats, is not known to compute, and
        sends nothing that is waited for, is reported as `PeerTimeout`.
    connect : seconds for all parties to find each other.
    linger : seconds that `close` waits for data that the network has not taken yet.
    max_message : bytes of all arrays of one frame; a larger one is refused unread.

    Raises
    ------
    ConfigError : a limit is not positive, or `gone` is below two heartbeats.
    """

    heartbeat: float = 1.0
    gone: float = 3.0
    progress: float = 10.0
    connect: float = 15.0
    linger: float = 5.0
    max_message: int = 1 << 32

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise ConfigError(f"limit {field.name} is {value!r}; a positive number is expected")
        if self.gone < 2 * self.heartbeat:
            raise ConfigError(
                f"limit gone is {self.gone} s, less than two heartbeats of {self.heartbeat} s; "
                "a healthy peer would be reported as gone"
            )
