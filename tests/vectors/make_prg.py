"""Write prg.json: published AES-CTR and HKDF vectors, and stream addresses by OpenSSL.

The published values are copied from NIST SP 800-38A (F.5.1) and RFC 5869 (appendix A), and checked
here against the openssl program and against HMAC of the standard library; addresses are one
AES-128-ECB block each, by the openssl program. Run: python tests/vectors/make_prg.py
"""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
from pathlib import Path

NIST_KEY = "2b7e151628aed2a6abf7158809cf4f3c"
NIST_COUNTER = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
NIST_PLAIN = (
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
NIST_CIPHER = (
    "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
    "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"
)
RFC5869 = [
    {
        "secret": "0b" * 22,
        "salt": "000102030405060708090a0b0c",
        "info": "f0f1f2f3f4f5f6f7f8f9",
        "length": 42,
        "output": "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
        "34007208d5b887185865",
    },
    {
        "secret": bytes(range(0x00, 0x50)).hex(),
        "salt": bytes(range(0x60, 0xB0)).hex(),
        "info": bytes(range(0xB0, 0x100)).hex(),
        "length": 82,
        "output": "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
        "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
        "cc30c58179ec3e87c14c01d5c1f3434f1d87",
    },
    {
        "secret": "0b" * 22,
        "salt": "",
        "info": "",
        "length": 42,
        "output": "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
        "9d201395faa4b61a96c8",
    },
]
ADDRESSES = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2**48 - 1, 2**16 - 1, 2**64 - 1)]


def openssl(cipher: str, key: str, data: bytes, *options: str) -> bytes:
    """`data` under a cipher of the openssl program."""
    command = ["openssl", "enc", f"-{cipher}", "-K", key, *options]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 written out with HMAC-SHA256."""
    key = hmac.digest(salt or bytes(32), secret, hashlib.sha256)
    output = block = b""
    for i in range(1, -(-length // 32) + 1):
        block = hmac.digest(key, block + info + bytes([i]), hashlib.sha256)
        output += block
    return output[:length]


def addresses() -> list[dict[str, object]]:
    """The block of each address under the NIST key."""
    rows: list[dict[str, object]] = []
    for op, buffer, index in ADDRESSES:
        counter = op.to_bytes(6, "big") + buffer.to_bytes(2, "big") + index.to_bytes(8, "big")
        block = openssl("aes-128-ecb", NIST_KEY, counter, "-nopad")
        rows.append({"op_id": op, "buffer_id": buffer, "index": index, "block": block.hex()})
    return rows


def main() -> None:
    """Check the copied values, then write the file."""
    made = openssl("aes-128-ctr", NIST_KEY, bytes.fromhex(NIST_PLAIN), "-iv", NIST_COUNTER)
    if made.hex() != NIST_CIPHER:
        raise SystemExit("the AES-CTR vector differs from what openssl computes")
    for row in RFC5869:
        parts = (bytes.fromhex(str(row[name])) for name in ("secret", "salt", "info"))
        if hkdf(*parts, int(str(row["length"]))).hex() != row["output"]:
            raise SystemExit("an HKDF vector differs from what HMAC gives")
    vectors = {
        "aes_ctr": {
            "key": NIST_KEY,
            "counter": NIST_COUNTER,
            "plain": NIST_PLAIN,
            "cipher": NIST_CIPHER,
        },
        "addresses": addresses(),
        "hkdf": RFC5869,
    }
    path = Path(__file__).with_name("prg.json")
    path.write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main()
