"""Shares of a secret on their own: split, reconstruct, find wrong ones. No parties, no messages.

For lessons and for keeping keys: `split` makes n shares of an integer or of bytes, any t + 1 of
which give it back and any t of which say nothing about it. With more than t + 1 shares, wrong ones
are noticed, and corrected if they are few: [WB86], as in [Gao03].

>>> from mpyc_core.protocols.shamir import reconstruct, split
>>> shares = split(b"a key of 32 bytes, for instance.", n=5, t=2)
>>> reconstruct(shares[1:4])
b'a key of 32 bytes, for instance.'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gmpy2

from mpyc_core.errors import ConfigError, ConsistencyCheckFailed, ShareError
from mpyc_core.gmp_field import require_prime, uniform

from .scalars import Prime, Scalars

PRIME = (1 << 521) - 1
"""The field of `split` where no other is asked for: secrets of up to 64 bytes."""


class TooManyErrors(ValueError):
    """No polynomial of the degree agrees with enough of the values."""


@dataclass(frozen=True, repr=False)
class KeyShare:
    """One share of a secret.

    Parameters
    ----------
    index : which one, from 1 on: the point at which the polynomial has this value.
    value : a number below the prime.
    t : how many shares say nothing; t + 1 reconstruct.
    prime : of the field.
    length : bytes of the secret; None if it is an integer.
    """

    index: int
    value: int
    t: int
    prime: int = PRIME
    length: int | None = None

    def __repr__(self) -> str:
        return f"KeyShare(index={self.index}, t={self.t}, value hidden)"


def split(secret: int | bytes, n: int, t: int, *, prime: int = PRIME) -> list[KeyShare]:
    """Share a secret among n holders, so that any t + 1 of them can reconstruct it.

    Parameters
    ----------
    secret : an integer in [0, prime), or bytes that, as a number, are below the prime.
    n : number of shares, below the prime.
    t : how many shares together say nothing about the secret; 0 < t < n.
    prime : of the field; its primality is checked.

    Raises
    ------
    ConfigError : impossible numbers, or a secret that is too large.

    Security    perfect against t holders: their values are uniform. The coefficients come from the
                operating system's entropy.
    Reference   [Sha79]
    """
    if not 0 < t < n < prime:
        raise ConfigError(f"expected 0 < t < n < prime, got t = {t} and n = {n}")
    if prime != PRIME:
        require_prime(prime)
    number = int.from_bytes(secret, "big") if isinstance(secret, bytes) else secret
    if not 0 <= number < prime:
        raise ConfigError(
            f"expected a secret below a prime of {prime.bit_length()} bits; use a larger prime, or "
            "share an encryption key instead of the data"
        )
    length = len(secret) if isinstance(secret, bytes) else None
    polynomial = [number, *(uniform(prime) for _ in range(t))]
    field = Prime(gmpy2.mpz(prime))
    values = [int(field.value(polynomial, i)) for i in range(1, n + 1)]
    return [KeyShare(i, value, t, prime, length) for i, value in enumerate(values, 1)]


def reconstruct(shares: Sequence[KeyShare]) -> int | bytes:
    """The secret of t + 1 or more shares, in any order.

    Up to (m - t - 1) / 2 wrong values among m shares are corrected, silently; see `wrong_shares`.

    Raises
    ------
    ShareError : too few shares, or shares of different secrets.
    ConsistencyCheckFailed : the shares contradict each other, and too many are wrong to correct.
    """
    polynomial, _ = _decoded(shares)
    length = shares[0].length
    if length is None:
        return polynomial[0]
    if polynomial[0].bit_length() > 8 * length:
        raise ConsistencyCheckFailed("the shares are of no secret of the length that they state")
    return polynomial[0].to_bytes(length, "big")


def wrong_shares(shares: Sequence[KeyShare]) -> list[int]:
    """The indices of wrong shares; see `reconstruct`.

    >>> shares = split(42, n=5, t=1)
    >>> from dataclasses import replace
    >>> shares[3] = replace(shares[3], value=7)
    >>> reconstruct(shares), wrong_shares(shares)
    (42, [4])
    """
    _, errors = _decoded(shares)
    return sorted(shares[i].index for i in errors)


def _decoded(shares: Sequence[KeyShare]) -> tuple[list[int], list[int]]:
    if not shares:
        raise ShareError("expected shares, got none")
    facts = {(s.t, s.prime, s.length) for s in shares}
    indices = [s.index for s in shares]
    if len(facts) > 1 or len(set(indices)) < len(indices) or min(indices) < 1:
        raise ShareError("expected shares of one secret, each once")
    ((t, prime, _),) = facts
    if len(shares) <= t:
        raise ShareError(f"{len(shares)} shares say nothing about the secret; {t + 1} are needed")
    try:
        found, errors = decode(
            Prime(gmpy2.mpz(prime)), indices, [s.value % prime for s in shares], t
        )
    except TooManyErrors as error:
        raise ConsistencyCheckFailed(
            f"the {len(shares)} shares contradict each other, and more than "
            f"{(len(shares) - t - 1) // 2} are wrong; bring more shares"
        ) from error
    return [int(c) for c in found], errors


def decode(
    field: Scalars, points: Sequence[int], values: Sequence[int], degree: int
) -> tuple[list[int], list[int]]:
    """The polynomial that agrees with most values, and the positions of those that are wrong.

    Protocol    with e errors at most, find E of degree e with leading coefficient 1 and Q of degree
                degree + e such that Q(x_i) = y_i * E(x_i) for all i; the polynomial is Q / E
    Error       right whenever at most e = (m - degree - 1) / 2 of the m values are wrong
    Raises      TooManyErrors
    Reference   [WB86]
    """
    most = (len(points) - degree - 1) // 2
    for e in range(most, -1, -1):
        found = _berlekamp_welch(field, points, values, degree, e)
        if found is not None:
            pairs = zip(points, values, strict=True)
            errors = [i for i, (x, y) in enumerate(pairs) if field.value(found, x) != y]
            if len(errors) <= most:
                return found, errors
    raise TooManyErrors


def _berlekamp_welch(
    field: Scalars, points: Sequence[int], values: Sequence[int], degree: int, e: int
) -> list[int] | None:
    """Q / E for e errors; None if there is no such quotient."""
    rows = []
    for x, y in zip(points, values, strict=True):
        powers = [1]
        for _ in range(degree + e):
            powers.append(field.mul(powers[-1], x))
        below = [field.sub(0, field.mul(y, powers[k])) for k in range(e)]
        rows.append([*powers, *below, field.mul(y, powers[e])])
    solved = _solve(field, rows)
    if solved is None:
        return None
    return _quotient(field, solved[: degree + e + 1], [*solved[degree + e + 1 :], 1], degree)


def _solve(field: Scalars, rows: list[list[int]]) -> list[int] | None:
    """A solution of linear equations whose last column is the right side; None if there is none."""
    unknowns = len(rows[0]) - 1
    pivots: list[int] = []
    for column in range(unknowns):
        at = next((r for r in range(len(pivots), len(rows)) if rows[r][column]), None)
        if at is None:
            continue
        rows[len(pivots)], rows[at] = rows[at], rows[len(pivots)]
        pivot = rows[len(pivots)]
        scale = field.inverse(pivot[column])
        pivot[:] = [field.mul(scale, v) for v in pivot]
        for row in rows:
            if row is not pivot and row[column]:
                times = row[column]
                row[:] = [
                    field.sub(v, field.mul(times, w)) for v, w in zip(row, pivot, strict=True)
                ]
        pivots.append(column)
    if any(row[-1] for row in rows[len(pivots) :]):
        return None
    solution = [0] * unknowns
    for row, column in zip(rows, pivots, strict=False):
        solution[column] = row[-1]
    return solution


def _quotient(field: Scalars, above: list[int], below: list[int], degree: int) -> list[int] | None:
    """above / below, of at most that degree, where the leading coefficient of below is 1."""
    rest, found = list(above), [0] * (degree + 1)
    for k in range(degree, -1, -1):
        found[k] = rest[k + len(below) - 1]
        for i, c in enumerate(below):
            rest[k + i] = field.sub(rest[k + i], field.mul(found[k], c))
    return None if any(rest) else found
