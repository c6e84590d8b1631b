"""Every error this library raises on purpose.

    MpcError
    ├── ConfigError                 the set-up is wrong: names, addresses, keys, protocol
    ├── ShareError                  the operands do not fit together
    │   ├── RingMismatch
    │   ├── ShapeMismatch
    │   ├── ScaleMismatch
    │   └── EncodingError           (also ValueError)
    │       └── EncodingOverflow    (also OverflowError)
    ├── ProtocolAbort               a party left the protocol, by fault or by malice
    │   ├── MacCheckFailed
    │   ├── ConsistencyCheckFailed
    │   └── ProgramMismatch         parties run different programs
    ├── PreprocessingExhausted
    ├── SessionClosed
    ├── TransportError              a peer cannot be reached or does not speak the protocol
    │   ├── PeerTimeout             (also TimeoutError)
    │   ├── PeerGone                (also ConnectionError)
    │   ├── FrameError
    │   ├── AuthenticationFailed
    │   └── Disconnected            (also ConnectionError)
    ├── PermissionDenied            (also PermissionError)
    │   ├── RequestDenied
    │   ├── BudgetExceeded
    │   └── UnboundedSensitivity    no noise that is finite would cover what was asked for
    └── RequestTimeout              (also TimeoutError)

A message says what was expected, what came, from which party, and what to do. It never holds a
secret, a share, a key or a MAC. Errors are data: `to_wire` and `from_wire` carry them between
processes by name, so that every party and the driver raise the first cause.
"""

from __future__ import annotations

from typing import TypedDict


class WireError(TypedDict):
    """An error on its way to another process."""

    type: str
    message: str
    party: str | None


class MpcError(Exception):
    """Root of all errors of this library.

    Parameters
    ----------
    message : what was expected, what came, and what to do.
    party : name of the party at which the cause lies or arose, when that is known.
    """

    def __init__(self, message: str, *, party: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.party = party

    def to_wire(self) -> WireError:
        """The error as plain data."""
        return {"type": type(self).__name__, "message": self.message, "party": self.party}


class ConfigError(MpcError):
    """The set-up is wrong: party names, addresses, keys, protocol or program."""


class ShareError(MpcError):
    """Operands that do not fit together; raised at the calling line, the session stays usable."""


class RingMismatch(ShareError):
    """Operands live in different rings."""


class ShapeMismatch(ShareError):
    """Shapes do not fit the operation."""


class ScaleMismatch(ShareError):
    """Fixed-point operands carry different numbers of fraction bits."""


class EncodingError(ShareError, ValueError):
    """A value cannot be represented: NaN, infinity, wrong type."""


class EncodingOverflow(EncodingError, OverflowError):
    """A value lies outside the range of the ring and scale."""


class ProtocolAbort(MpcError):
    """A protocol stopped because a party failed or deviated."""


class MacCheckFailed(ProtocolAbort):
    """An opened value does not carry a valid MAC."""


class ConsistencyCheckFailed(ProtocolAbort):
    """Parties hold inconsistent copies of one share."""


class ProgramMismatch(ProtocolAbort):
    """Parties run different programs, or were told different things by the driver."""


class PreprocessingExhausted(MpcError):
    """More correlated randomness was asked for than was dealt."""


class SessionClosed(MpcError):
    """The session has ended; nothing of it can be used any more."""


class TransportError(MpcError):
    """A peer cannot be reached, or what it sends is not the protocol."""


class PeerTimeout(TransportError, TimeoutError):
    """A peer is connected but did not make progress in time."""


class PeerGone(TransportError, ConnectionError):
    """A peer's connection broke: the process died or the network was cut."""


class FrameError(TransportError):
    """A frame is not what the protocol expects at this place."""


class AuthenticationFailed(TransportError):
    """A peer could not prove who it is."""


class Disconnected(TransportError, ConnectionError):
    """The driver lost the connection to a party."""


class PermissionDenied(MpcError, PermissionError):
    """An owner's policy does not allow this."""


class RequestDenied(PermissionDenied):
    """An owner refused a request."""


class BudgetExceeded(PermissionDenied):
    """A privacy budget does not cover the request."""


class UnboundedSensitivity(PermissionDenied):
    """What one subject changes in a value cannot be bounded, so no finite noise covers it."""


class RequestTimeout(MpcError, TimeoutError):
    """A request was not answered in time."""


def _descendants(cls: type[MpcError]) -> dict[str, type[MpcError]]:
    found = {cls.__name__: cls}
    for sub in cls.__subclasses__():
        found |= _descendants(sub)
    return found


def from_wire(data: WireError) -> MpcError:
    """Rebuild an error that came from another process; an unknown name becomes `MpcError`."""
    cls = _descendants(MpcError).get(str(data["type"]), MpcError)
    return cls(str(data["message"]), party=data["party"])
