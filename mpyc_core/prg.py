"""Pseudo-random streams: AES-128 in counter mode, addressed by place, and key derivation.

A stream is not consumed: its block at (operation, buffer, index) is
AES_K(op_id | buffer_id | index) [NIST SP 800-38A, section 6.5], the same whenever and in whatever
order it is asked for. So neither batching nor pipelining can reuse or reorder a mask; taking one
address for two purposes is the caller's error. Keys are derived by HKDF-SHA256 [RFC 5869].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mpyc_core import limbs
from mpyc_core.errors import ConfigError
from mpyc_core.kernels.recipe import drawn

Array = npt.NDArray[Any]
Shape: TypeAlias = int | tuple[int, ...]

KEY_BYTES = 16
BLOCK_BYTES = 16
_ZEROS = bytes(1 << 16)
_WORDS = {np.dtype("<u4"), np.dtype("<u8"), np.dtype("<u2"), np.dtype("u1"), limbs.DTYPE}


class Stream:
    """Uniform words under one key, addressed by operation, buffer and index.

    Parameters
    ----------
    key : 16 bytes, secret and uniform; held by everyone who is to draw the same words.

    Raises
    ------
    ConfigError
        The key is not of 16 bytes.

    Notes
    -----
    Made by OpenSSL. Cost: a few microseconds a call and 0.25 nanoseconds a byte, with AES
    instructions. Threads may share a stream.
    """

    __slots__ = ("_aes", "_idle")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ConfigError(f"expected a key of {KEY_BYTES} bytes, got {len(key)} bytes")
        self._aes = AES(key)
        self._idle: list[CipherContext] = []  # making a context costs more than a short buffer

    def __repr__(self) -> str:
        return "Stream(key hidden)"

    def words(
        self,
        op_id: int,
        buffer_id: int,
        shape: Shape,
        dtype: npt.DTypeLike = np.uint64,
        first: int = 0,
    ) -> Array:
        """The words at an address, in a fresh array.

        Parameters
        ----------
        op_id : place of the operation in program order, below 2^48.
        buffer_id : which of the operation's buffers, below 2^16.
        shape : shape of the result; its words have consecutive indices.
        dtype : unsigned words of 8, 16, 32 or 64 bits, or elements of Z/2^128.
        first : index of the first block, of 16 bytes, below 2^64.

        Raises
        ------
        ConfigError
            An id, the shape, the dtype or an index is outside its range.
        """
        out = np.empty(lengths_of(shape), dtype)
        self.fill(op_id, buffer_id, out, first)
        return out

    def fill(self, op_id: int, buffer_id: int, out: Array, first: int = 0) -> None:
        """Write the words at an address over `out`, C-contiguous; see `words`."""
        check_address(op_id, buffer_id, out, first)
        if out.size == 0:
            return
        encryptor = self._at((op_id << 80 | buffer_id << 64 | first).to_bytes(BLOCK_BYTES, "big"))
        view = out.reshape(-1).view(np.uint8).data
        for start in range(0, len(view), len(_ZEROS)):
            part = view[start : start + len(_ZEROS)]
            encryptor.update_into(_ZEROS[: len(part)], part)
        self._idle.append(encryptor)

    def pad(
        self, op_id: int, buffer_id: int, shape: Shape, dtype: npt.DTypeLike = np.uint64
    ) -> Array:
        """The words at an address as a pad for kernels (`mpyc_core.kernels.pads`); see `words`."""
        dt, lengths = np.dtype(dtype), lengths_of(shape)
        pad, mask = drawn(math.prod(lengths) * dt.itemsize)
        self.fill(op_id, buffer_id, mask.view(dt).reshape(lengths))
        return pad

    def _at(self, counter: bytes) -> CipherContext:
        """An encryptor that nobody else uses, whose next block is that of `counter`."""
        try:
            encryptor = self._idle.pop()
        except IndexError:
            return Cipher(self._aes, CTR(counter)).encryptor()
        encryptor.reset_nonce(counter)
        return encryptor


def lengths_of(shape: Shape) -> tuple[int, ...]:
    """The shape as a tuple, checked."""
    lengths = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(n < 0 for n in lengths):
        raise ConfigError(f"expected lengths of at least 0, got shape {lengths}")
    return lengths


def check_address(op_id: int, buffer_id: int, out: Array, first: int) -> None:
    """Raise `ConfigError` unless the words of `out` have an address; see `Stream.words`."""
    if not (0 <= op_id < 1 << 48 and 0 <= buffer_id < 1 << 16):
        raise ConfigError(
            "expected 0 <= op_id < 2^48 and 0 <= buffer_id < 2^16, "
            f"got op_id {op_id} and buffer_id {buffer_id}"
        )
    if out.dtype not in _WORDS or not (out.flags.c_contiguous and out.flags.writeable):
        raise ConfigError(
            "expected a writeable C-contiguous array of unsigned 8, 16, 32, 64 or 128-bit words, "
            f"got dtype {out.dtype}"
        )
    blocks = -(-out.nbytes // BLOCK_BYTES)
    if not 0 <= first <= first + blocks <= 1 << 64:
        raise ConfigError(f"expected block indices below 2^64, got {blocks} from {first} on")


def derive(seed: bytes, *context: str | int | bytes, length: int = KEY_BYTES) -> bytes:
    """Derive a key from a seed, for one purpose.

    Parameters
    ----------
    seed : secret of at least 16 bytes of entropy.
    context : what the key is for. Different sequences of values or types give independent keys:
        each value is encoded with its type and length before they are joined.
    length : bytes wanted.

    Raises
    ------
    ConfigError
        The seed is shorter than 16 bytes, a context value is of another type, or HKDF cannot make
        `length` bytes.

    References
    ----------
    RFC 5869, HKDF-SHA256 without salt.
    """
    if len(seed) < KEY_BYTES:
        raise ConfigError(f"expected a seed of at least {KEY_BYTES} bytes, got {len(seed)} bytes")
    return hkdf(seed, b"", b"".join(_canonical(value) for value in context), length)


def subkeys(key: bytes) -> Callable[[bytes], bytes]:
    """A function that gives a key for each 16-byte context: AES_key(context).

    A pseudorandom permutation gives unrelated keys for different contexts, in less than a
    microsecond where `derive` takes tens. `key` must be used for nothing else.

    Raises
    ------
    ConfigError
        The key or a context is not 16 bytes long.
    """
    if len(key) != KEY_BYTES:
        raise ConfigError(f"expected a key of {KEY_BYTES} bytes, got {len(key)} bytes")
    encryptor = Cipher(AES(key), ECB()).encryptor()

    def subkey(context: bytes) -> bytes:
        if len(context) != KEY_BYTES:
            raise ConfigError(f"expected a context of {KEY_BYTES} bytes, got {len(context)} bytes")
        return encryptor.update(context)

    return subkey


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256, extract and expand [RFC 5869, section 2]; an empty salt is 32 zero bytes."""
    if not 0 < length <= 255 * 32:
        raise ConfigError(f"expected a key length of 1 to {255 * 32} bytes, got {length}")
    return HKDF(algorithm=SHA256(), length=length, salt=salt or None, info=info).derive(secret)


def _canonical(value: str | int | bytes) -> bytes:
    if isinstance(value, bytes):
        tag, data = b"b", value
    elif isinstance(value, str):
        tag, data = b"s", value.encode()
    elif isinstance(value, int) and not isinstance(value, bool):
        tag, data = b"i", str(value).encode()
    else:
        raise ConfigError(f"expected str, int or bytes as context, got {type(value).__name__}")
    return tag + len(data).to_bytes(8, "big") + data
