"""Operations on values, written once for every protocol.

infer.py        shape, ring and scale rules
shape.py        reshape, transpose, concatenate, pad: local
index.py        indexing by public indices
sums.py         sums along axes
arithmetic.py   add, multiply, matrix product, convolution, change of scale
combine.py      linear combinations with one truncation
compare.py      sign, order and equality
choose.py       selection, ReLU, maximum, absolute value
order.py        max, argmax and sort along an axis
bitwise.py      logic on bits, bit operations on integers
axis.py         an axis brought to the front
domain.py       what approximations take, and the scale they work in
fit.py          their constants, in decimal arithmetic
lookup.py       functions of a few secret bits
normalise.py    the leading one of a number
exponential.py  exp
division.py     reciprocal, div
roots.py        log, sqrt, rsqrt
spline.py       sigmoid, tanh
softmax.py      softmax and its logarithm
batch.py        what losses share
clipping.py     bounds that hold for any operand
losses.py       cross-entropy, logistic loss, squared error
noise.py        noise that the parties draw together
"""

from . import (
    arithmetic,
    bitwise,
    choose,
    clipping,
    combine,
    compare,
    convolution,
    division,
    exponential,
    index,
    losses,
    noise,
    order,
    roots,
    shape,
    softmax,
    spline,
    sums,
)

__all__ = [
    "arithmetic",
    "bitwise",
    "choose",
    "clipping",
    "combine",
    "compare",
    "convolution",
    "division",
    "exponential",
    "index",
    "losses",
    "noise",
    "order",
    "roots",
    "shape",
    "softmax",
    "spline",
    "sums",
]
