"""A node's keys: one to be known by, one to sign with, one to authenticate its own records.

curve.key   CURVE pair: encrypts and authenticates connections
sign.key    Ed25519: signs data-set cards and the audit log, so that others can check them
mac.key     HMAC-SHA256: binds approvals and graphs; its outputs tell nothing without the key
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConfigError
from mpyc_core.transport.curve import Identity, load_identity

from .canonical import encode


def fresh_id() -> str:
    """An id of 128 unpredictable bits."""
    return fresh_key(16).hex()


def fingerprint(key: str) -> str:
    """A short form of a public key for people to read; never used to decide anything."""
    return key[:8]


@dataclass(frozen=True)
class NodeKeys:
    """The keys of one node; secrets never appear in `repr`."""

    identity: Identity
    signer: Ed25519PrivateKey = field(repr=False)
    mac_key: bytes = field(repr=False)

    @classmethod
    def fresh(cls) -> NodeKeys:
        """New keys, held in memory only."""
        return cls(Identity.fresh(), Ed25519PrivateKey.generate(), fresh_key(32))

    @property
    def public(self) -> bytes:
        """The public key that signatures are checked with."""
        return self.signer.public_key().public_bytes_raw()

    def mac(self, purpose: str, value: object) -> bytes:
        """Authenticate plain data for one purpose."""
        return hmac.digest(self.mac_key, encode([purpose, value]), "sha256")

    def check_mac(self, purpose: str, value: object, mac: bytes) -> bool:
        """Whether `mac` is that of the data, in constant time."""
        return hmac.compare_digest(self.mac(purpose, value), mac)

    def sign(self, purpose: str, value: object) -> bytes:
        """Sign plain data for one purpose."""
        return self.signer.sign(encode([purpose, value]))


def signed_by(public: bytes, purpose: str, value: object, signature: bytes) -> bool:
    """Whether the holder of the key signed this plain data for this purpose."""
    try:
        key = Ed25519PublicKey.from_public_bytes(public)
        key.verify(signature, encode([purpose, value]))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _secret(path: Path, fresh: bytes) -> bytes:
    """The 32 bytes of a key file, which is made when it is missing."""
    if not path.exists():
        _write(path, fresh)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise ConfigError(f"secret key file {path} has mode {mode:03o}; run chmod 600 {path}")
    data = path.read_bytes()
    if len(data) != 32:
        raise ConfigError(f"secret key file {path} has {len(data)} bytes, expected 32")
    return data


def _write(path: Path, data: bytes) -> None:
    """Write a key so that a crash leaves the whole file or none."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def load_keys(folder: Path) -> NodeKeys:
    """The keys in a folder; those that are missing are made.

    Raises
    ------
    ConfigError : a key file is readable by others, or not a key.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    signer = Ed25519PrivateKey.from_private_bytes(
        _secret(folder / "sign.key", Ed25519PrivateKey.generate().private_bytes_raw())
    )
    mac_key = _secret(folder / "mac.key", fresh_key(32))
    return NodeKeys(own_identity(folder / "curve.key"), signer, mac_key)


def own_identity(path: Path) -> Identity:
    """The CURVE pair of a key file, which is made when it is missing.

    Raises
    ------
    ConfigError : the file is readable by others, or not a key.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, Identity.fresh().secret.encode() + b"\n")
    return load_identity(path)
