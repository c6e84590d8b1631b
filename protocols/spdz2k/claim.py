"""Evidence that a product of matrices was opened rightly, at the cost of a few of its columns.

The masked product C = x * y + R is opened when it is made, and nothing else needs its MAC. What the
parties would open is (d + a) * (e + b) + R for the opened d and e, and its MAC is linear in what
was dealt: party i holds of it

    d * (m_b + alpha_i e) + m_a * e + m_(ab + R)

To compute that, and the evidence for C with it, would take two more products of matrices. A check
wants but one number of it, sum_ij chi_ij E_ij. With chi_ij = sum_t u_it v_jt, t up to `COLUMNS`,
the factors on the right are first multiplied by v, and `COLUMNS` columns are left of all that C
has, as when a product is verified by a random vector [MR95, section 7.1].

Soundness. Let D be an error that is not 0 modulo 2, the case to which others reduce: entry (i, j)
is odd. Row i of D v has uniform entries; all are divisible by 2^m with probability 2^(-rm) for
r = COLUMNS. Given that the least of them is divisible by 2^m only, sum chi D is divisible by 2^w
with probability at most 2^(m-w), as u_i is uniform. So it is with probability at most
2^-w sum_m (1 - 2^-r) 2^(-(r-1) m) = (1 - 2^-r) / (1 - 2^-(r-1)) * 2^-w, that is 15/14 of what it
is for independent chi. A check that misses an error with probability at most
2^(-s + log2(s+1)) misses one in a product with at most 15/14 of that. This composition is the
library's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpyc_core.protocols.bilinear import BILINEAR
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array

COLUMNS = 4
"""r, columns of the vectors that a product is multiplied by."""
AXES = {"matmul": (-1, -1), "conv2d": (0, 1), "conv2d_grad_x": (1, 1), "conv2d_grad_w": (1, 0)}
"""Along which axes of the right factor and of the product the columns lie."""


@dataclass(frozen=True)
class Claim:
    """That what was opened is what the parties' shares add up to.

    Parameters
    ----------
    d, e : the opened factors.
    a_mac, b_mac : this party's shares of the MACs of their masks.
    rest : m_(ab + R) - alpha_i C, the evidence but for what d and e give.
    key : alpha_i.
    twice : whether C is 2 x * y + R, and rest has 2 a * b.
    """

    wide: Ring
    kind: str
    params: Mapping[str, Any]
    d: Array
    e: Array
    a_mac: Array
    b_mac: Array
    rest: Array
    key: Array
    twice: bool

    @property
    def nbytes(self) -> int:
        """Bytes that are held until the check."""
        return sum(part.nbytes for part in (self.d, self.e, self.a_mac, self.b_mac, self.rest))

    def evidence(self, draw: Callable[[tuple[int, int]], Array]) -> Array:
        """Evidence of `COLUMNS` combinations of columns, or of all columns if there are no more.

        Parameters
        ----------
        draw : gives uniform elements of Z/2^s of a shape: v.
        """
        right, out = AXES[self.kind]
        params, e, b_mac, rest = dict(self.params), self.e, self.b_mac, self.rest
        if e.ndim > 1 and rest.shape[out] > COLUMNS:
            v = draw((rest.shape[out], COLUMNS))
            e, b_mac = (_combined(self.wide, part, right, v) for part in (e, b_mac))
            rest = _combined(self.wide, rest, out, v)
            if "shape" in params:
                params["shape"] = rest.shape
        apply, wide = BILINEAR[self.kind], self.wide
        factor = wide.add(b_mac, wide.mul(e, self.key))
        terms = wide.add(apply(wide, self.d, factor, params), apply(wide, self.a_mac, e, params))
        return wide.add(rest, wide.add(terms, terms) if self.twice else terms)


def _combined(wide: Ring, x: Array, axis: int, v: Array) -> Array:
    """x with the axis multiplied by v."""
    moved = np.moveaxis(x, axis, -1)
    columns = np.ascontiguousarray(moved).reshape(-1, moved.shape[-1])
    product = wide.matmul(columns, v).reshape(*moved.shape[:-1], v.shape[1])
    return np.ascontiguousarray(np.moveaxis(product, -1, axis))
