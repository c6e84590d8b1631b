"""Local terms of products of replicated shares, one pass over memory.

A party holds two of three components of each operand: `n` next, `p` previous. It adds its three
cross products and a zero-share; the terms of all parties sum to the product
[Araki, Furukawa, Lindell, Nof, Ohara 2016, section 3].
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def replicated_terms(
    xn: Array, xp: Array, yn: Array, yp: Array, zn: Array, zp: Array, out: Array
) -> None:
    """out = xn*yn + xn*yp + xp*yn + zn - zp, elementwise mod 2^k."""
    np.multiply(xn, yn + yp, out=out)
    out += xp * yn
    out += zn
    out -= zp


def and_terms(xn: Array, xp: Array, yn: Array, yp: Array, zn: Array, zp: Array, out: Array) -> None:
    """out = (xn & yn) ^ (xn & yp) ^ (xp & yn) ^ zn ^ zp, on packed bits."""
    np.bitwise_and(xn, yn ^ yp, out=out)
    out ^= xp & yn
    out ^= zn
    out ^= zp
