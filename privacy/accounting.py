"""What training with Gaussian noise costs, by Renyi accounting of dp-accounting.

Discrete Gaussian noise of standard deviation sigma satisfies the Renyi bounds of the continuous one
[CKS20, proposition 5], which is all that is used here. Batches are public, so there is no
amplification by sampling: in an epoch every row is in one batch, and an epoch costs one release of
the Gaussian mechanism, however many batches it has.
"""

from __future__ import annotations

from mpyc_core.errors import ConfigError

from .opendp import accounting
from .price import Price, Real, exact

ORDERS = [1 + x / 10 for x in range(1, 100)] + [*range(11, 64), 80, 96, 128, 192, 256, 512, 1024]
STEPS = 60


def gaussian_price(noise: float, releases: int, delta: Real) -> Price:
    """The price of several Gaussian releases.

    Parameters
    ----------
    noise : standard deviation over L2 sensitivity, more than 0.
    releases : how often a subject's rows are used.
    delta : in (0, 1).
    """
    d = exact(delta, "delta")
    if not noise > 0 or releases < 1 or not 0 < d < 1:
        raise ConfigError(
            f"expected noise above 0, at least one release and delta in (0, 1), got {noise}, "
            f"{releases}, {delta}"
        )
    dp = accounting()
    accountant = dp.rdp.RdpAccountant(ORDERS)
    accountant.compose(dp.GaussianDpEvent(noise), releases)
    return Price.of(float(accountant.get_epsilon(float(d))), d)


def noise_for(epsilon: Real, releases: int, delta: Real) -> float:
    """The least noise, over sensitivity, with which releases stay within (epsilon, delta)."""
    limit = Price.limit(epsilon, delta)
    if not limit.nano_epsilon:
        raise ConfigError(f"expected epsilon above 0, got {epsilon}")
    low, high = 0.0, 1.0
    while gaussian_price(high, releases, delta).nano_epsilon > limit.nano_epsilon:
        low, high = high, 2 * high
        if high > 1e6:
            raise ConfigError(f"no noise is enough for epsilon {epsilon}; ask for a larger one")
    for _ in range(STEPS):
        middle = (low + high) / 2
        if gaussian_price(middle, releases, delta).nano_epsilon > limit.nano_epsilon:
            low = middle
        else:
            high = middle
        if high - low < 1e-6 * high:
            break
    return high
