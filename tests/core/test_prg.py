"""Streams and key derivation against published vectors, and their addresses."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpyc_core import entropy
from mpyc_core.errors import ConfigError
from mpyc_core.prg import Stream, derive, hkdf, subkeys

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "prg.json").read_text()
)
NIST = VECTORS["aes_ctr"]
KEY = bytes.fromhex(NIST["key"])
SEED = bytes(range(32))


def test_stream_is_nist_counter_mode() -> None:
    counter = bytes.fromhex(NIST["counter"])
    op_id, buffer_id, first = (
        int.from_bytes(part, "big") for part in (counter[:6], counter[6:8], counter[8:])
    )
    mask = Stream(KEY).words(op_id, buffer_id, 64, np.uint8, first=first)
    plain = np.frombuffer(bytes.fromhex(NIST["plain"]), np.uint8)
    assert (mask ^ plain).tobytes().hex() == NIST["cipher"]


@pytest.mark.parametrize("row", VECTORS["addresses"], ids=lambda row: str(row["index"]))
def test_block_of_an_address(row: dict[str, Any]) -> None:
    words = Stream(KEY).words(row["op_id"], row["buffer_id"], 2, first=row["index"])
    assert words.tobytes().hex() == row["block"]


@pytest.mark.parametrize("row", VECTORS["hkdf"], ids=["A.1", "A.2", "A.3"])
def test_hkdf_of_rfc_5869(row: dict[str, Any]) -> None:
    parts = (bytes.fromhex(row[name]) for name in ("secret", "salt", "info"))
    assert hkdf(*parts, row["length"]).hex() == row["output"]


def test_an_address_always_gives_the_same_words() -> None:
    stream = Stream(KEY)
    once = stream.words(7, 3, (5, 100_000))
    stream.words(8, 0, 10)
    assert np.array_equal(stream.words(7, 3, (5, 100_000)), once)
    assert np.array_equal(Stream(KEY).words(7, 3, 500_000).reshape(5, -1), once)
    again = np.empty_like(once)
    stream.fill(7, 3, again)
    assert np.array_equal(again, once)


def test_dtypes_are_views_of_one_stream() -> None:
    stream = Stream(KEY)
    whole = stream.words(1, 2, 33, np.uint8)
    for dtype in (np.uint16, np.uint32, np.uint64):
        words = stream.words(1, 2, 32 // np.dtype(dtype).itemsize, dtype)
        assert words.dtype == dtype
        assert words.tobytes() == whole[:32].tobytes()
    assert stream.words(1, 2, 2, first=1).tobytes() == whole[16:32].tobytes()


def test_keys_operations_and_buffers_are_apart() -> None:
    streams = [Stream(KEY), Stream(bytes(16))]
    drawn = [s.words(op, b, 4) for s in streams for op in (0, 1, 256) for b in (0, 1, 255)]
    assert len(set(np.concatenate(drawn).tolist())) == 4 * len(drawn)


def test_words_are_uniform() -> None:
    words = Stream(KEY).words(0, 0, 100_000)
    ones = np.unpackbits(words.view(np.uint8)).reshape(-1, 64).sum(axis=0, dtype=np.int64)
    assert (np.abs(ones - 50_000) < 6 * np.sqrt(100_000) / 2).all()  # six standard deviations


def test_threads_may_share_a_stream() -> None:
    stream = Stream(KEY)
    expected = [stream.words(i, 0, 3000) for i in range(50)]
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda i: stream.words(i, 0, 3000), range(50)))
    assert all(np.array_equal(a, b) for a, b in zip(drawn, expected, strict=True))


@pytest.mark.parametrize(
    ("op_id", "buffer_id", "shape", "first"),
    [
        (-1, 0, 1, 0),
        (2**48, 0, 1, 0),
        (0, -1, 1, 0),
        (0, 2**16, 1, 0),
        (0, 0, -1, 0),
        (0, 0, (2, -3), 0),
        (0, 0, 1, -1),
        (0, 0, 3, 2**64 - 1),
    ],
)
def test_addresses_out_of_range_are_refused(
    op_id: int, buffer_id: int, shape: int | tuple[int, ...], first: int
) -> None:
    with pytest.raises(ConfigError):
        Stream(KEY).words(op_id, buffer_id, shape, first=first)


def test_fill_takes_only_whole_writeable_arrays_of_words() -> None:
    fixed = np.zeros(4, np.uint64)
    fixed.setflags(write=False)
    for out in (np.zeros(8, np.uint64)[::2], np.zeros(4, np.int64), np.zeros(4), fixed):
        with pytest.raises(ConfigError, match="unsigned"):
            Stream(KEY).fill(0, 0, out)


def test_keys_are_checked_and_never_shown() -> None:
    for key in (b"", bytes(15), bytes(32)):
        with pytest.raises(ConfigError, match="16 bytes, got"):
            Stream(key)
    key = bytes(range(100, 116))
    shown = repr(Stream(key)) + str(Stream(key))
    assert key.hex() not in shown
    assert repr(key) not in shown


def test_derived_keys_depend_on_every_part_of_the_context() -> None:
    contexts: list[tuple[str | int | bytes, ...]] = [
        (),
        ("",),
        ("", ""),
        ("a", "b"),
        ("ab",),
        ("a", "b", ""),
        (b"ab",),
        ("1",),
        (1,),
        (-1,),
        (b"1",),
        (1, 1),
        (11,),
        (2**70,),
    ]
    keys = [derive(SEED, *context) for context in contexts]
    keys += [derive(bytes(32)), derive(SEED, length=32)[:16] + b"?"]
    assert len(set(keys)) == len(keys)
    assert derive(SEED, "a", 1, length=5) == derive(SEED, "a", 1, length=40)[:5]
    assert len(derive(SEED, "a")) == 16


def test_subkeys_are_blocks_of_aes() -> None:
    """The example vector of FIPS 197, appendix C.1."""
    subkey = subkeys(bytes(range(16)))
    text = bytes.fromhex("00112233445566778899aabbccddeeff")
    for _ in range(2):
        assert subkey(text).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"
    with pytest.raises(ConfigError, match="context of 16 bytes"):
        subkey(bytes(15))
    with pytest.raises(ConfigError, match="key of 16 bytes"):
        subkeys(bytes(32))


def test_derivation_checks_its_arguments() -> None:
    with pytest.raises(ConfigError, match="at least 16 bytes"):
        derive(bytes(15), "a")
    for wrong in (1.5, True, None, ["a"]):
        with pytest.raises(ConfigError, match="str, int or bytes"):
            derive(SEED, wrong)  # type: ignore[arg-type]
    for length in (0, 255 * 32 + 1):
        with pytest.raises(ConfigError, match="key length"):
            derive(SEED, length=length)


def test_fresh_keys_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {entropy.fresh_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {32}
    assert len(entropy.fresh_key(16)) == 16
    monkeypatch.setattr("os.urandom", lambda n: bytes(n))
    assert entropy.fresh_key(20) == bytes(20)
