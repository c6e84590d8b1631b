"""The check of all opened values since the last one; only then anything may be shown to a user.

    1. commit to a coin, and compare the digests of all opened values; between two parties there
       are no others to agree with, and nothing is digested
    2. open the coins; all together are the seed of coefficients chi_i, uniform in Z/2^s for
       numbers, in GF(2^128) for words of bits
    3. sigma_j = sum_i chi_i * E_ij, of the evidence E_ij = m_ij - alpha_j * x_i of party j; commit
    4. open them; they must add up to 0, for each ring of shares and for bits
    5. say that the check passed, and wait until everybody has said so

Soundness (malicious, all but one party). When the seed is drawn, all opened values are fixed and
alike at all honest parties, and so are the errors: sum_j E_ij = alpha * d_i + d'_i, where d_i is by
how much x_i is wrong and d'_i what is wrong in its MAC shares, both known to who made them before
chi was. The sigmas are committed to before any is opened, so the adversary adds a constant c that
it chose without them. The check passes if alpha * sum chi_i d_i + sum chi_i d'_i + c = 0 modulo
2^(k+s), which for a d_i that is not 0 modulo 2^k has probability at most 2^(-s + log2(s+1)) over
alpha and chi: if 2^v is the highest power of two in all d_i, v < k, then sum chi_i d_i has w more
factors 2 with probability 2^-w, and alpha, of s uniform bits, is then one of 2^max(0, v + w - k)
in 2^s values. At worst, for v = k - 1, that adds up to (s + 5)/4 * 2^-s. Errors in the s bits above
change no value modulo 2^k. For bits it is a linear equation over GF(2^128): at most 2 / 2^128. For
products of matrices chi is not independent, at the price of a factor 15/14 (`claim.py`).

It is the batch check of [CDESX18, sections 3.1 to 3.3], but for this: values that are opened on the
way need no mask of their own there, as what is opened is uniform modulo 2^(k+s) already, so the
masked sum of their upper bits is left out, and whole shares are sent. Outputs are masked one by one
as in section 3.1 there. That bits have another MAC, and products of matrices such evidence, is not
in that paper.

Secrecy. d_i, d'_i and c do not depend on secrets, so neither does whether the check passes. The
sigmas of honest parties are uniform up to their sum: the E_ij are sums of dealt MAC shares, which
are uniform up to the sum. If a check fails, the keys and shares are erased and nothing is opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial

import numpy as np

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConsistencyCheckFailed, MacCheckFailed
from mpyc_core.limbs import flat_words
from mpyc_core.prg import Stream
from mpyc_core.protocols.additive.turn import cost_of
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.refusal import refuse
from mpyc_core.ring import Ring, ring
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .claim import Claim
from .commit import Place, commit_then_open, message_bytes
from .transcript import Transcript
from .turn import unsigned

SIGMA = 16
"""Bytes of a sigma."""
PASSED = np.frombuffer(b"checks passed   ", np.uint64)


def settle(place: Place, transcript: Transcript, strength: int | None) -> Steps[None]:
    """Verify a transcript, taken from the protocol's; return only if it passed everywhere.

    Parameters
    ----------
    strength : s; None for all bits that there are.

    Cost        `settle_cost`: 5 rounds
    Raises      MacCheckFailed, ConsistencyCheckFailed
    """
    coins = yield from commit_then_open(
        place, "MAC check, opened values", fresh_key(32), transcript.digest()
    )
    seed = hashlib.sha256(b"".join(coins)).digest()
    sizes = sorted(transcript.numbers)
    sigmas = [
        number_sigma(seed, i, ring(size), transcript.numbers[size], strength)
        for i, size in enumerate(sizes)
    ]
    if transcript.bits:
        sigmas.append(bits_sigma(seed, len(sizes), transcript.bits))
    said = yield from commit_then_open(place, "MAC check, sums", b"".join(sigmas))
    for i, size in enumerate(sizes):
        s = size // 2 if strength is None else strength
        left = sum(_at(words, i) for words in said) % (1 << (size // 2 + s))
        _require(left == 0, f"numbers over Z/2^{size // 2}")
    if transcript.bits:
        left = 0
        for words in said:
            left ^= _at(words, len(sizes))
        _require(left % (1 << (strength or 8 * SIGMA)) == 0, "bits")
    yield from _confirm(place)


def number_sigma(
    seed: bytes,
    which: int,
    wide: Ring,
    evidence: Sequence[Array | Claim],
    strength: int | None,
) -> bytes:
    """sum_i chi_i * E_i over Z/2^(k+s), as bytes."""
    s = wide.bits // 2 if strength is None else strength
    small, chis = ring(wide.bits // 2), Stream(hashlib.sha256(seed + bytes([which])).digest()[:16])
    total = np.zeros(2, np.uint64)

    def draw(i: int, buffer: int, shape: tuple[int, ...]) -> Array:
        return chis.words(i, buffer, shape, np.dtype(np.uint64)) & np.uint64((1 << s) - 1)

    def columns(i: int, shape: tuple[int, int]) -> Array:
        return unsigned(wide, small, draw(i, 1, shape))

    for i, part in enumerate(evidence):
        if isinstance(part, Claim):
            part = part.evidence(partial(columns, i))
        chi = draw(i, 0, (part.size,))
        if wide.bits == 128:
            from mpyc_core.kernels.tags import weigh_wide

            weigh_wide(chi, flat_words(part), total)
        else:
            total[:1] += np.sum(chi * part.reshape(-1), dtype=np.uint64)
    return total.tobytes()


def bits_sigma(seed: bytes, which: int, evidence: Sequence[Array]) -> bytes:
    """sum_i chi_i * E_i over GF(2^128), as bytes."""
    from mpyc_core.kernels.tags import weigh

    chis = Stream(hashlib.sha256(seed + bytes([which])).digest()[:16])
    total = np.zeros(2, np.uint64)
    for i, part in enumerate(evidence):
        weigh(chis.words(i, 0, part.shape), np.ascontiguousarray(part), total)
    return total.tobytes()


def settle_cost(n: int, sums: int) -> Cost:
    """What a check sends of a transcript with evidence in that many groups (rings, and bits)."""
    messages = [*message_bytes(32), *message_bytes(SIGMA * sums), PASSED.nbytes]
    return cost_of(n, messages)


def _at(words: bytes, i: int) -> int:
    return int.from_bytes(words[SIGMA * i : SIGMA * (i + 1)], "little")


def _require(right: bool, what: str) -> None:
    if not right:
        refuse(
            MacCheckFailed,
            f"MAC check of {what}: some party opened a wrong value, or has another MAC key or "
            "other dealt randomness, since the last check; nothing that depends on it was shown",
        )


def _confirm(place: Place) -> Steps[None]:
    """Tell all peers that the check passed here; a party that found a fault never does."""
    me, n, _ = place
    peers = [p for p in range(n) if p != me]
    received = yield Round(
        send={p: [PASSED] for p in peers},  # public
        recv={p: [Spec.of(PASSED)] for p in peers},
    )
    for p in peers:
        if not np.array_equal(received[p][0], PASSED):
            refuse(ConsistencyCheckFailed, f"MAC check: party {p} does not say that it passed")
