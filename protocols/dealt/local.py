"""A dealer inside a simulation. It shows what a dealer does and protects nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConfigError
from mpyc_core.transport.mesh import Array

from .correlation import correlation
from .provider import Provider
from .source import SEED_BYTES, Source
from .want import Want

Observer = Callable[[Want, int, list[Array]], None]
"""Sees (want, party, corrections)."""
GATE = object()
"""What a simulation shows to be let in."""
WARNING = (
    "INSECURE local dealer: this one process plays all parties and their dealer and holds every "
    "secret. Use test data only; for real parties start a dealer of its own (mpc dealer)"
)


class InsecureLocalDealer:
    """All seeds of all parties in this process.

    Parameters
    ----------
    n : number of parties.
    gate : held by simulations alone.
    observer : sees what each party is sent.

    Raises
    ------
    ConfigError : made anywhere but in a simulation.
    """

    name = "INSECURE local"

    def __init__(self, n: int, *, gate: object = None, observer: Observer | None = None) -> None:
        if gate is not GATE:
            raise ConfigError(
                "a local dealer exists in mpc.simulate only; elsewhere name a crypto provider of "
                "its own with crypto_provider=... and start it with `mpc dealer`"
            )
        self._n = n
        self._observer = observer
        self._seeds = [fresh_key(SEED_BYTES) for _ in range(n)]
        self._sources: list[Source] = []
        print(WARNING, file=sys.stderr)

    def providers(self) -> list[LocalProvider]:
        """One for each party."""
        return [LocalProvider(self) for _ in range(self._n)]

    def seed(self, party: int) -> bytes:
        """The seed in common with a party."""
        return self._seeds[party]

    def begin(self, session: bytes) -> None:
        """Begin a session for all parties."""
        self._sources = [Source(seed, session, i) for i, seed in enumerate(self._seeds)]

    def deal(self, program: bytes, want: Want, party: int) -> list[Array]:
        """What a dealer sends to one party for a want."""
        kind = correlation(want.kind)
        if party not in kind.specs(want, self._n):
            return []
        for source in self._sources:
            source.bind(program)
        arrays = kind.corrections(self._sources, want)[party]
        if self._observer is not None:
            self._observer(want, party, arrays)
        return arrays


class LocalProvider(Provider):
    """One party's side of an `InsecureLocalDealer`."""

    name = InsecureLocalDealer.name

    def __init__(self, dealer: InsecureLocalDealer) -> None:
        super().__init__()
        self._dealer = dealer
        self._source: Source | None = None

    def setup(self, session: bytes, me: int, n: int) -> None:
        self.me, self.n = me, n
        self._source = Source(self._dealer.seed(me), session, me)
        self._dealer.begin(session)

    @property
    def source(self) -> Source:
        if self._source is None:
            raise ConfigError("the session with the dealer has not begun")
        return self._source

    def expect(self, program: bytes, wants: Sequence[Want]) -> None:
        """Nothing to do: this dealer deals when it is asked."""

    def fetch(self, want: Want) -> list[Array]:
        return self._dealer.deal(self.program, want, self.me)

    def close(self) -> None:
        self._source = None
