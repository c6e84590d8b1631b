"""Which numbers approximations take, and the scale that they work in.

All approximations compute with 16 fraction bits inside, over rings of 64 bits or more. Fewer
fraction bits are lifted to 16, which is local, and the last truncation drops them again; the stated
errors are in units of 2^-16 and then grow by one unit of the coarser last place.
"""

from __future__ import annotations

from mpyc_core.errors import ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.value import Public, Share, Value

from .compare import width
from .infer import numbers

FRACTION = 16
LEAST_RING = 64
RINGS = (64,)
"""Rings that cases of approximations run in."""


def approximable(x: Meta, *, bits: int | None = None) -> Meta:
    """The result looks like the operand, of which an approximation exists.

    Raises
    ------
    ShareError : not fixed point, a ring that is too small, or more than 16 fraction bits.
    """
    numbers(x)
    width(x, bits)
    if x.ring.width < LEAST_RING:
        raise ShareError(
            f"this function needs a ring of {LEAST_RING} bits for its intermediate results, got "
            f"{x.ring.name}; share the data with ring={LEAST_RING}"
        )
    if x.kind != "fixed":
        raise ShareError("this function needs fixed point, got integers; use .to_fixed() first")
    if x.f > FRACTION:
        raise ShareError(
            f"this function works with up to {FRACTION} fraction bits, got {x.f}; use "
            f".rescale({FRACTION}) first"
        )
    return x


def plain_integer(meta: Meta) -> Meta:
    """The meta of intermediate results, whose scale is the code's business."""
    return meta.with_(kind="int", f=0, public=False)


def lifted(p: Protocol, x: Value, bits: int | None) -> tuple[Share, int, int]:
    """x in units of 2^-16, the bits it may have, and the fraction bits to drop at the end."""
    share = p.embed(x) if isinstance(x, Public) else x
    drop = FRACTION - x.meta.f
    k = x.meta.ring.width
    wide = k if bits is None else min(k, width(x.meta, bits) + drop)
    return p.scale(share, 1 << drop, plain_integer(x.meta)), wide, drop
