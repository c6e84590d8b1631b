"""Noise made by the parties together: nobody ever holds the exact value that is released.

The noise is drawn from jointly random secret bits, by a circuit whose size says nothing about it,
and added to the secret. No allowed coalition knows any part of it, so all of it counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from mpyc_core.bits import ones
from mpyc_core.errors import ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.circuits import Gates, less_than
from mpyc_core.protocols.geometric import BITS, Law, law
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.sampler import MAX_SCALE, gaussian_noise
from mpyc_core.protocols.value import Public, Share
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Steps

from .infer import numbers

UNITS = np.array([0, 1, -1, 1000, -77, 2**20, 5])
REALS = np.linspace(-2, 2, 70).reshape(7, 10)
LEAST = 2.0**10
"""The least sigma of noise in parts, in units."""


def law_of(x: Meta, sensitivity: int, epsilon: Sequence[int]) -> Law:
    """The law of the noise for a value.

    Raises
    ------
    ShareError : parameters out of range, or noise that does not fit the ring.
    """
    numbers(x)
    if len(epsilon) != 2 or epsilon[1] < 1:
        raise ShareError(f"expected epsilon as [numerator, denominator], got {list(epsilon)}")
    found = law(sensitivity, Fraction(*epsilon), x.size)
    if found.digits > x.ring.width - 3:
        raise ShareError(
            f"noise of {found.digits} bits does not fit {x.ring.name}; use a larger epsilon, a "
            "smaller range, or fewer fraction bits"
        )
    return found


def _infer(x: Meta, *, sensitivity: int, epsilon: Sequence[int]) -> Meta:
    law_of(x, sensitivity, epsilon)
    return x


@operation(
    "add_discrete_laplace",
    infer=_infer,
    oracle=lambda x, sensitivity, epsilon: x,
    random=True,
    cases=[
        Case((UNITS,), {"sensitivity": 1, "epsilon": [2, 1]}, ulps=100, atol=100),
        Case((UNITS[:1],), {"sensitivity": 5, "epsilon": [3, 4]}, ulps=600, atol=600),
        Case((REALS,), {"sensitivity": 1, "epsilon": [100, 1]}, ulps=2, atol=0.01),
    ],
)
def add_discrete_laplace(
    p: Protocol, x: Share, *, sensitivity: int, epsilon: Sequence[int]
) -> Steps[Share]:
    """x plus discrete Laplace noise that no allowed coalition knows, elementwise.

    Protocol    1. 64 jointly random bits for every binary digit of two geometric numbers G and G'
                2. a digit is 1 if its 64 bits, as a number, are below the digit's constant
                3. G - G' from its digits, added to x
    Parameters  sensitivity : L1, in units of the last place of x; at least 1
                epsilon : [numerator, denominator]; the noise has scale sensitivity / epsilon
    Cost        the random bits; 6 levels of less than 118 ANDs a digit; a composition
    Security    that of the protocol for its ANDs; the size depends on the parameters alone
    Error       within 2^-40 of the exact law in statistical distance, all elements together; a
                release under epsilon has delta of (1 + e^epsilon) times this distance
    Reference   [DKMMN06; CSU19]
    """
    coins = law_of(x.meta, sensitivity, epsilon).coins
    tossed = [(c, sign) for sign in (1, -1) for c in enumerate(coins) if c[1]]
    if not tossed or not x.meta.size:
        return x
    bits = yield from p.random_bits(x.meta, BITS * len(tossed))
    digits = yield from together(
        *[
            _below(p, p.planes(bits, slice(BITS * i, BITS * (i + 1))), c)
            for i, ((_, c), _) in enumerate(tossed)
        ]
    )
    weights = [sign * (1 << j) for (j, _), sign in tossed]
    noise = yield from p.compose(
        p.stack_planes(*digits),
        x.meta.ring.reduce(np.array(weights, object)),
        x.meta.with_(public=False),
    )
    result: Share = p.add(x, noise)
    return result


def _below(p: Protocol, bits: Share, constant: int) -> Steps[Share]:
    """Whether random bits, as an unsigned number, are below a constant of 1 or more."""
    full = ones(bits.meta.size)
    rows = [full if (constant - 1) >> i & 1 else np.zeros_like(full) for i in range(BITS)]
    least = Public(bits.meta.with_(public=True), np.stack(rows))
    above = yield from less_than(Gates(p, p.and_), least, bits)  # constant - 1 < bits
    result: Share = p.not_(above)
    return result


def _party_infer(*xs: Meta, sigma: float) -> tuple[Meta, ...]:
    numbers(*xs)
    if not LEAST <= sigma <= MAX_SCALE or any(sigma >= 2.0 ** (x.ring.width - 8) for x in xs):
        raise ShareError(
            f"expected sigma from {LEAST:g} units to what the ring holds, got {sigma:g}; choose "
            "another scale of the values"
        )
    return xs


@operation(
    "add_party_gaussian",
    infer=_party_infer,
    oracle=lambda *xs, sigma: xs,
    random=True,
    cases=[
        Case((UNITS, UNITS[::-1].copy()), {"sigma": 2.0**10}, ulps=2**15, atol=2**15),
        Case((REALS,), {"sigma": 2.0**10}, ulps=2**15, atol=2.0**8),
    ],
)
def add_party_gaussian(p: Protocol, *xs: Share, sigma: float) -> Steps[tuple[Share, ...]]:
    """xs plus Gaussian noise of which every party brings a part; for long vectors.

    Protocol    1. every party draws discrete Gaussian noise of variance sigma^2 / h and shares it,
                   where h is the least number of honest parties
                2. all parts are added to x
    Parameters  sigma : standard deviation of what h parties bring together, in units of the last
                place, 2^10 or more
    Cost        an input from every party
    Security    semi-honest: a party may leave its part out, and knows its own. The parts of h
                parties are accounted for, whoever the others are
    Error       from 2^10 on, the sum of h parts is a discrete Gaussian but for a divergence below
                2^-1000 [KLS21]
    """
    honest = p.n - type(p).security(p.n).threshold
    part = sigma / math.sqrt(honest) * (1 + 2.0**-50)  # rounded up
    steps = []
    for owner in range(p.n):
        for x in xs:
            mine = None
            if owner == p.me:
                mine = x.meta.ring.from_int(gaussian_noise(x.meta.shape, part))
            meta = x.meta.with_(label=frozenset(), public=False)
            steps.append(p.input(owner, mine, meta))
    parts = yield from together(*steps)
    found = []
    for i, x in enumerate(xs):
        total = x
        for owner in range(p.n):
            total = p.add(total, parts[owner * len(xs) + i])
        found.append(total)
    return tuple(found)
