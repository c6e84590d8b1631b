"""Programs for any number of parties against a cheater, and what honest parties may output."""

from __future__ import annotations

from typing import Any

import numpy as np

import mpyc_core as mpc
from mpyc_core.errors import MpcError
from mpyc_core.protocols.backend import decode
from mpyc_core.protocols.cheating import Cheater
from mpyc_core.transport.mesh import Array

from ..active.programs import Program, Ran, programs

PROGRAMS: dict[str, Program] = programs()


def committed(s: Any, ref: Any) -> Array:
    """What the shares of all parties add up to when the input phase closes.

    An owner that tells its peers different values fixes none: then nothing may be output at all.
    """
    key = ref.ref.id
    shares = [e.values[key] for e in s.evaluators]
    total = s.protocol.from_parties([x.parts[0] for x in shares], shares[0].meta)
    return decode(total, shares[0].meta)


def play(program: Program, cheat: Cheater, n: int, client: bool = False, **options: Any) -> Ran:
    """Run against a cheater; `cheat.outcomes` says how the honest parties ended.

    Parameters
    ----------
    client : whether a client brings the values, which then are right or the run stops.
    """
    wanted: list[Array] = []
    defined = True
    try:
        with mpc.simulate(n, protocol="spdz2k", cheat=cheat, **options) as s:
            owners = [None if client else f"party{i % n}" for i in range(len(program.inputs))]
            xs = [s.share(x, owner=o) for x, o in zip(program.inputs, owners, strict=True)]
            values = [
                x if client else committed(s, r) for x, r in zip(program.inputs, xs, strict=True)
            ]
            defined = program.defined(values)
            with np.errstate(all="ignore"):
                wanted.append(np.asarray(program.body(*values)))
            program.body(*xs).reveal()
    except MpcError as error:
        return Ran(wanted, error, defined)
    return Ran(wanted, None, defined)
