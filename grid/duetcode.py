"""Join codes: address, key and one-time secret in one line; proofs that both sides know it.

    code      tcp://host:port#BASE64URL(key of the host, 32 bytes | secret, 16 bytes)
    guest     HMAC-SHA256(secret, ["mpyc-core duet", "guest", key of the host, key of the guest])
    host      HMAC-SHA256(secret, ["mpyc-core duet", "host",  key of the host, key of the guest])

The keys are those of the CURVE connection on which a proof comes. The guest speaks to the holder of
the key in its code alone; whoever sits between the two with keys of his own is refused by both,
because the keys that host and guest see then differ. The secret has 128 bits: it cannot be guessed,
and a code needs no password-authenticated key exchange. Whoever reads the code first can use it, so
it is passed on where only the other side reads.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from typing import Literal

from zmq.utils import z85

from mpyc_core.errors import ConfigError

from .canonical import encode

SECRET_BYTES = 16
KEY_BYTES = 32
TAIL = 64
"""Characters of key and secret in a code."""
DOMAIN = "mpyc-core duet"


@dataclass(frozen=True)
class Code:
    """A join code, read.

    Parameters
    ----------
    address : of the host.
    key : its CURVE key, Z85.
    secret : 128 bits that only the two sides know.
    """

    address: str
    key: str
    secret: bytes = field(repr=False)

    def __str__(self) -> str:
        tail = base64.urlsafe_b64encode(z85.decode(self.key) + self.secret)
        return f"{self.address}#{tail.decode()}"

    @classmethod
    def parse(cls, text: str) -> Code:
        """The code of a line.

        Raises
        ------
        ConfigError : not a code; the message does not repeat it.
        """
        address, mark, tail = text[: -TAIL - 1], text[-TAIL - 1 : -TAIL], text[-TAIL:]
        try:
            raw = base64.b64decode(tail, altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        if mark != "#" or "://" not in address or len(raw) != KEY_BYTES + SECRET_BYTES:
            raise ConfigError(
                "expected a join code like tcp://host:port#CODE, whole and without spaces; the "
                "other side gets one with `duet.invite()`"
            )
        return cls(address, z85.encode(raw[:KEY_BYTES]).decode(), raw[KEY_BYTES:])


def is_code(text: str) -> bool:
    """Whether a line is a join code; a ticket without a secret is none."""
    try:
        Code.parse(text)
    except ConfigError:
        return False
    return True


def proof(side: Literal["guest", "host"], secret: bytes, host: str, guest: str) -> bytes:
    """What one side shows to prove that it knows the secret, on a connection between two keys."""
    return hmac.digest(secret, encode([DOMAIN, side, host, guest]), "sha256")


def proves(given: bytes, wanted: bytes) -> bool:
    """Whether a proof is the right one, in constant time."""
    return hmac.compare_digest(given, wanted)
