"""What a party holds of a value: its share of a secret, or a public constant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from mpyc_core.bits import words
from mpyc_core.meta import Meta
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Spec


@dataclass(frozen=True, repr=False)
class Share:
    """One party's share of a secret value.

    Parameters
    ----------
    meta : what is public about the value.
    parts : the components that this party holds. Numbers are ring arrays of `meta.shape`; bits
        are packed planes of shape (planes, ceil(size / 64)), one plane unless the protocol is
        working on the bits of numbers.
    """

    meta: Meta
    parts: tuple[Array, ...]

    def __repr__(self) -> str:
        return f"Share({self.meta})"


@dataclass(frozen=True)
class Public:
    """A value that every party knows, encoded like the components of a share."""

    meta: Meta
    value: Array


Value: TypeAlias = Share | Public


def component_spec(meta: Meta, ring: Ring | None = None) -> Spec:
    """What one component of a share of `meta` looks like.

    `ring` is that of the protocol's shares, where it is not the ring of the values.
    """
    if meta.kind == "bit":
        return Spec(np.dtype(np.uint64), (1, words(meta.size)))
    return Spec((ring or meta.ring).dtype, meta.shape)
