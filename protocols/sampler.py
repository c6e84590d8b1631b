"""Noise that a party draws alone: discrete Gaussian, sampled by OpenDP in exact arithmetic.

OpenDP is an extra, and loading it takes two seconds, so it is imported when it is first needed.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from mpyc_core.errors import ConfigError
from mpyc_core.transport.mesh import Array

MAX_SCALE = 2.0**56
"""Noise beyond 2^63, where OpenDP saturates, is then less likely than 2^-150."""


@cache
def opendp() -> Any:
    """The module `opendp.prelude`, with the proven constructions that we use switched on.

    Raises
    ------
    ConfigError : OpenDP is not installed.
    """
    try:
        import opendp.prelude as dp
    except ImportError:
        raise ConfigError(
            "noise for released values needs OpenDP; install it with: pip install 'mpyc-core[grid]'"
        ) from None
    dp.enable_features("contrib")
    return dp


def checked_scale(scale: float) -> float:
    """A scale of noise that does not saturate.

    Raises
    ------
    ConfigError : above 2^56, or not a number.
    """
    if not 0 <= scale <= MAX_SCALE:
        raise ConfigError(
            f"noise of scale {scale:.3g} units exceeds 2^56; ask for a larger epsilon, or release "
            "in coarser units"
        )
    return scale


def vector_space(metric: str) -> tuple[Any, Any]:
    """OpenDP's domain of integer vectors with "l1", "l2" or "linf"."""
    dp = opendp()
    domain = dp.vector_domain(dp.atom_domain(T="i64"))
    if metric == "l2":
        return domain, dp.l2_distance(T="f64")
    return domain, (dp.l1_distance if metric == "l1" else dp.linf_distance)(T="i64")


def gaussian(sigma: float) -> Any:
    """OpenDP's measurement that adds discrete Gaussian noise [CKS20, algorithm 3]."""
    return opendp().m.make_gaussian(*vector_space("l2"), scale=checked_scale(sigma))


def gaussian_noise(shape: tuple[int, ...], sigma: float) -> Array:
    """Discrete Gaussian noise, P(z) proportional to e^(-z^2 / 2 sigma^2), as int64."""
    size = int(np.prod(shape, dtype=object))
    drawn = gaussian(sigma)([0] * size) if size else []
    return np.array(drawn, np.int64).reshape(shape)
