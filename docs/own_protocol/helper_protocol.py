"""Two parties compute, a third one helps: a protocol of one's own, outside the package.

Parties 0 and 1 hold the terms of x = x_0 + x_1. Party 2 holds nothing: it makes Beaver triples
[Bea91]. All three are semi-honest and none works with another.
"""

import numpy as np

from mpyc_core.protocols.bilinear import BILINEAR
from mpyc_core.protocols.building import SumProtocol, minus, plus, size_of
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.registry import register_protocol
from mpyc_core.protocols.security import Security
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Round, Spec

HELPER = 2


@register_protocol
class Helped(SumProtocol):
    """Two holders and a helper."""

    name = "helped"
    parties = "exactly 3"

    @classmethod
    def supports(cls, n):
        return n == 3

    @classmethod
    def security(cls, n):
        lost = ("a party that deviates from the protocol", "two parties that pool what they hold")
        return Security("semi-honest", "none", 1, 3, None, 128, not_covered=lost)

    def holders(self):
        return (0, 1)

    def multiply(self, kind, x, y, meta, params):
        def times(a, b):
            return BILINEAR[kind](meta.ring, a, b, params)

        return (yield from self.beaver(times, x.parts[0], y.parts[0], meta, meta.shape))

    def and_(self, x, y):
        left, right = np.broadcast_arrays(x.parts[0], y.parts[0])
        return (yield from self.beaver(np.bitwise_and, left, right, x.meta, left.shape))

    def beaver(self, times, x, y, meta, shape):
        """z = c + d b + a e + d e, where d = x - a and e = y - b are opened and c = a b."""
        masks, dtype = self.masks(), x.dtype

        def block(peer, k, like):
            return masks.small(peer, "dealer", k, dtype, like)

        if self.me == HELPER:
            a, b = (
                plus(meta, block(0, k, like), block(1, k, like))
                for k, like in enumerate((x.shape, y.shape))
            )
            c = minus(meta, times(a, b), block(0, 2, shape))
            yield Round(send={1: [c]})  # hidden by c_0, which party 1 does not know
            return Share(meta, (np.zeros(shape, dtype),))
        a, b = block(HELPER, 0, x.shape), block(HELPER, 1, y.shape)
        d, e, other = minus(meta, x, a), minus(meta, y, b), 1 - self.me
        came = yield Round(
            send={other: [d, e]},  # hidden by a and b, this party's own terms
            recv={other: [Spec.of(d), Spec.of(e)]}
            | ({HELPER: [Spec(dtype, shape)]} if self.me == 1 else {}),
        )
        c = came[HELPER][0] if self.me == 1 else block(HELPER, 2, shape)
        d, e = plus(meta, d, came[other][0]), plus(meta, e, came[other][1])
        if self.me == 0:
            b = plus(meta, b, e)
        return Share(meta, (plus(meta, c, plus(meta, times(d, b), times(a, e))),))

    def price(self, primitive, x, y, z, planes):
        if primitive == "and_":
            each = plane_bytes(planes, z.size)
            return Cost(1, (2 * each, 2 * each, each))
        return Cost(1, (size_of(x) + size_of(y),) * 2 + (size_of(z),))
