"""Noise made inside the computation: law, statistical distance, privacy, and who knows what."""

from __future__ import annotations

import math
from fractions import Fraction

import gmpy2
import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import ShareError
from mpyc_core.ml import apply
from mpyc_core.privacy.shared import add_noise, clip, noisy_sum, price_of_noise
from mpyc_core.protocols.geometric import BITS, Law, law

from ..parties import Parties
from .laws import ALPHA, chi_square, kolmogorov, laplace, privacy_loss

N = 100_000


def noise(sensitivity: int, epsilon: tuple[int, int], x: int = 0, n: int = N) -> np.ndarray:
    with mpc.simulate(3) as s:
        secret = s.share(np.full(n, x, np.int64))
        return apply(
            "add_discrete_laplace", secret, sensitivity=sensitivity, epsilon=list(epsilon)
        ).reveal()


def test_noise_has_its_law() -> None:
    found = noise(1, (1, 2))
    assert chi_square(found, laplace(2.0)) > ALPHA
    assert kolmogorov(found, laplace(2.0)) > ALPHA
    assert chi_square(found, laplace(2.12)) < ALPHA  # the test can fail


def test_the_price_is_kept() -> None:
    certain, estimate = privacy_loss(noise(2, (3, 5), 0), noise(2, (3, 5), 2))
    assert certain <= 0.6
    assert estimate > 0.5


def exact_distance(found: Law, rate: Fraction) -> Fraction:
    """Statistical distance of one geometric number, coin by coin, with 300 bits."""
    with gmpy2.context(precision=300):
        total = gmpy2.mpfr(0)
        for j, coin in enumerate(found.coins):
            p = 1 / (1 + gmpy2.exp(gmpy2.mpq(rate) * 2**j))
            total += abs(p - gmpy2.mpq(coin, 2**BITS))
        tail = gmpy2.exp(-gmpy2.mpq(rate) * 2**found.digits)
        return Fraction(str(gmpy2.mpq(total + tail)))


@pytest.mark.parametrize(
    ("sensitivity", "epsilon", "count"),
    [(1, "1", 1), (65536, "0.1", 1), (1, "1/2", 100_000), (7, "20", 3), (3 << 30, "0.001", 10)],
)
def test_distance_is_bounded(sensitivity: int, epsilon: str, count: int) -> None:
    found = law(sensitivity, Fraction(epsilon), count)
    assert all(0 <= c < 1 << (BITS - 1) for c in found.coins)
    assert 2 * count * exact_distance(found, Fraction(epsilon) / sensitivity) <= found.distance
    assert found.distance <= Fraction(1, 1 << 40)


def test_digits_make_a_geometric_number() -> None:
    """P(G = k) from the coins alone, for every k, is (1 - q) q^k."""
    found = law(1, Fraction(1, 3), 1)
    q = math.exp(-1 / 3)
    p = [c / 2**BITS for c in found.coins]
    for k in range(40):
        digits = [(k >> j) & 1 for j in range(found.digits)]
        got = math.prod(p[j] if d else 1 - p[j] for j, d in enumerate(digits))
        assert got == pytest.approx((1 - q) * q**k, rel=1e-12)


def test_delta_covers_the_distance() -> None:
    price = price_of_noise(65536, 1, 3)
    distance = float(law(65536, Fraction(1), 3).distance)
    assert (1 + math.e) * distance <= price.delta <= (1 + math.e) * distance + 2e-18
    assert price.epsilon == 1


def test_too_many_samples_are_refused() -> None:
    with pytest.raises(ShareError, match="distributed"):
        law(1 << 30, Fraction(1, 10), 10**6)


@pytest.mark.parametrize("epsilon", [[1, 0], [0, 1], [-1, 1], [1]])
def test_parameters_are_checked_at_the_caller(epsilon: list[int]) -> None:
    with mpc.simulate(3) as s:
        x = s.share([1.0])
        with pytest.raises(ShareError):
            apply("add_discrete_laplace", x, sensitivity=1, epsilon=epsilon)
        assert x.reveal()[0] == 1.0


def test_noise_that_does_not_fit_the_ring_is_refused() -> None:
    with mpc.simulate(3, ring=32) as s, pytest.raises(ShareError, match="does not fit"):
        add_noise(s.share([1.0]), 1 << 28, "0.01")


def test_two_draws_differ() -> None:
    with mpc.simulate(3) as s:
        x = s.share(np.zeros(50, np.int64))
        first, second = (add_noise(x, 1000, 1)[0].reveal() for _ in range(2))
    assert (first != second).sum() > 40


@pytest.mark.parametrize("protocol", ["plain", "replicated"])
def test_random_bits_are_fair_and_agreed(protocol: str) -> None:
    from mpyc_core.meta import Meta
    from mpyc_core.protocols.registry import get_protocol
    from mpyc_core.ring import Z64

    parties = Parties(get_protocol(protocol), 3)
    shares = parties.run(lambda p: p.random_bits(Meta((1000,), "int", Z64), 100))
    bits = parties.collect(shares)
    assert bits.shape == (100, 1000)
    assert abs(int(bits.sum()) - 50_000) < 5 * math.sqrt(25_000)
    for share in shares:  # bits of the last word that belong to no element
        assert not any((part[:, -1] >> np.uint64(1000 % 64)).any() for part in share.parts)
    again = parties.collect(parties.run(lambda p: p.random_bits(shares[0].meta, 100)))
    assert 40_000 < int((bits ^ again).sum()) < 60_000


def test_replicated_bits_cost_no_message_and_hide_from_each_party() -> None:
    from mpyc_core.meta import Meta
    from mpyc_core.protocols.registry import get_protocol
    from mpyc_core.ring import Z64

    parties = Parties(get_protocol("replicated"), 3)
    shares = parties.run(lambda p: p.random_bits(Meta((6400,), "int", Z64), 1))
    assert parties.sent == []
    bits = parties.collect(shares)[0]
    for share in shares:
        own = share.parts[0] ^ share.parts[1]
        known = np.unpackbits(own.view(np.uint8), bitorder="little")[:6400]
        assert abs(int((known ^ bits).sum()) - 3200) < 5 * 40


def test_clipping_holds_for_any_ring_element() -> None:
    edges = [0, 1, -1, 99, -99, 100, -100, 2**62, -(2**62), 2**63 - 1, -(2**63), 2**63 - 100]
    with mpc.simulate(3) as s:
        x = s.share(np.array(edges, np.int64))
        for low, high in [(-100, 100), (5, 9), (-9, -5), (0, 2**40)]:
            found = clip(x, low, high).reveal()
            assert ((found >= low) & (found <= high)).all()
            near = np.abs(np.array(edges, object)) < 2**61
            assert (found[near] == np.clip(np.array(edges, np.int64)[near], low, high)).all()


def test_a_noisy_sum_is_near_and_priced() -> None:
    ages = np.array([34.0, 61.0, 47.0, 250.0, -3.0])
    with mpc.simulate(3) as s:
        total, price = noisy_sum(s.share(ages), 0, 120, epsilon=100)
        assert total is not None
        assert abs(float(total) - (34 + 61 + 47 + 120)) < 30
        assert price.epsilon == 100
        assert [o.why for o in s.openings()] == ["noisy sum"]


def test_debug_follows_what_was_drawn() -> None:
    with mpc.simulate(3, debug=True) as s:
        x = add_noise(s.share(np.zeros(20, np.int64)), 10**6, 1)[0]
        assert (x * 2).reveal().any()
