"""Security as a type: which adversary a protocol withstands, under which assumptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Adversary = Literal["none", "semi-honest", "malicious"]
Abort = Literal["none", "selective", "unanimous"]
Dealer = Literal["none", "honest, non-colluding", "INSECURE local"]


@dataclass(frozen=True)
class Security:
    """What a protocol guarantees, and what it rests on.

    Parameters
    ----------
    adversary : how corrupted parties may behave; "none" protects nothing.
    abort : whether a malicious adversary can make honest parties stop without a result.
    threshold : how many of the `parties` may be corrupted together.
    parties : number of parties that hold shares.
    stat_bits : statistical security in bits; None where no statistical argument is used.
    comp_bits : computational security in bits (AES-128 streams, HKDF-SHA256).
    dealer : who deals correlated randomness.
    not_covered : what a user must not expect.
    provider : name of the dealer of a session.
    """

    adversary: Adversary
    abort: Abort
    threshold: int
    parties: int
    stat_bits: int | None
    comp_bits: int
    dealer: Dealer = "none"
    not_covered: tuple[str, ...] = ()
    provider: str = ""

    def __str__(self) -> str:
        bits = f"{self.comp_bits} computational bits"
        if self.stat_bits is not None:
            bits += f", {self.stat_bits} statistical bits"
        lines = [
            f"{self.adversary}, {self.threshold} of {self.parties} parties corrupted, "
            f"abort: {self.abort}",
            bits,
            f"dealer: {', '.join(filter(None, (self.provider, self.dealer)))}",
            *(f"not covered: {item}" for item in self.not_covered),
        ]
        return "\n".join(lines)
