"""Long-lived CURVE keys and the check that only known keys connect.

CURVE (CurveCP's handshake in ZeroMQ, Curve25519, Salsa20, Poly1305) encrypts and authenticates a
connection. Every party has one key pair; the public keys of all parties stand in the cluster file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import zmq
from zmq.utils import z85

from mpyc_core.errors import ConfigError

DOMAIN = "mpyc-core"
KEYS_HINT = (
    "make keys with `python -m mpyc_core keys` and put the public ones into the cluster file"
)


def check_key(text: str, what: str) -> str:
    """Return a Z85 key of 40 characters, or raise `ConfigError` saying what it was to be."""
    try:
        raw = z85.decode(text) if len(text) == 40 else b""
    except (ValueError, KeyError, TypeError, OverflowError, UnicodeError):
        raw = b""
    if len(raw) != 32:
        raise ConfigError(f"{what} is not a key of 40 Z85 characters; {KEYS_HINT}")
    return text


@dataclass(frozen=True)
class Identity:
    """A party's key pair, Z85 text. The secret never appears in `repr` or in messages."""

    public: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        check_key(self.public, "the public key")
        check_key(self.secret, "the secret key")

    @classmethod
    def fresh(cls) -> Identity:
        """A new pair from libsodium's generator, which the operating system seeds."""
        public, secret = zmq.curve_keypair()
        return cls(public.decode(), secret.decode())


def load_identity(path: str | os.PathLike[str]) -> Identity:
    """Read a secret key file made by `generate_keys`.

    Raises
    ------
    ConfigError : the file is missing, readable by others, or not a key.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"cannot read the secret key file {path}: {error}; {KEYS_HINT}"
        ) from error
    if mode & 0o077:
        raise ConfigError(f"secret key file {path} has mode {mode:03o}; run chmod 600 {path}")
    secret = check_key(text, f"secret key file {path}")
    return Identity(zmq.curve_public(secret.encode()).decode(), secret)


def generate_keys(path: str | os.PathLike[str]) -> str:
    """Write a new secret key to `path`, mode 0600, and return the public key.

    Raises
    ------
    ConfigError : the file exists already or cannot be written; nothing is overwritten.
    """
    identity = Identity.fresh()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigError(f"cannot write a secret key to {path}: {error.strerror}") from error
    with os.fdopen(handle, "w") as file:
        os.fchmod(handle, 0o600)
        file.write(identity.secret + "\n")
    return identity.public


def is_local(address: str) -> bool:
    """Whether only processes of this machine can reach an address."""
    if address.startswith(("ipc://", "inproc://")):
        return True
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_keys(address: str, keys: object) -> None:
    """Raise `ConfigError` when an address is reachable from outside and there are no keys."""
    if not keys and not is_local(address):
        raise ConfigError(
            f"{address} can be reached from other machines and no keys are given, so peers could "
            f"neither be authenticated nor be kept from reading along; {KEYS_HINT}"
        )


class Doorkeeper:
    """Answers ZeroMQ's authentication requests (ZAP, RFC 27): known public keys enter by name.

    It lives in the thread of the socket that it guards: `answer` must be called while peers are
    expected. With the domain enforced, nobody enters while nobody answers.

    Attributes
    ----------
    admit : asked about keys that are not known: the name under which one enters, or None.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keys: Mapping[str, str]) -> None:
        self._names = {z85.decode(key): name for name, key in keys.items()}
        self.admit: Callable[[str], str | None] | None = None
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind("inproc://zeromq.zap.01")

    def answer(self) -> None:
        """Answer every waiting request."""
        while self.socket.poll(0):
            request = self.socket.recv_multipart()
            if len(request) < 6:
                continue
            version, number, _domain, _address, _identity, mechanism, *credentials = request
            name = None
            if mechanism == b"CURVE" and len(credentials) == 1:
                name = self._names.get(credentials[0])
                if name is None and self.admit is not None and len(credentials[0]) == 32:
                    name = self.admit(z85.encode(credentials[0]).decode())
            if name is None:
                verdict = [b"400", b"unknown key", b"", b""]
            else:
                verdict = [b"200", b"OK", name.encode(), b""]
            self.socket.send_multipart([version, number, *verdict])

    def close(self) -> None:
        """Release the socket."""
        self.socket.close()


def make_server(socket: zmq.Socket[bytes], identity: Identity) -> None:
    """Let the socket's next bind accept CURVE connections of known keys only."""
    socket.curve_server = True
    socket.curve_publickey = identity.public.encode()
    socket.curve_secretkey = identity.secret.encode()
    socket.setsockopt_string(zmq.ZAP_DOMAIN, DOMAIN)
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def make_client(socket: zmq.Socket[bytes], identity: Identity, server: str) -> None:
    """Let the socket's next connect speak CURVE to the holder of the key `server` only."""
    socket.curve_server = False
    socket.curve_publickey = identity.public.encode()
    socket.curve_secretkey = identity.secret.encode()
    socket.curve_serverkey = server.encode()
