"""Security as a type: which adversary a protocol withstands, under which assumptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Adversary = Literal["none", "semi-honest", "malicious"]
Abort = Literal["none", "selective", "unanimous"]
Dealer = Literal["none", "honest, non-colluding", "INSECURE local"]
STRENGTH: tuple[Adversary, ...] = ("none", "semi-honest", "malicious")
"""Adversaries, from the weakest promise to the strongest."""


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

    def withstands(self, other: Security) -> bool:
        """Whether nothing that `other` promises is lost: adversary, corruptions, dealer."""
        return (
            STRENGTH.index(self.adversary) >= STRENGTH.index(other.adversary)
            and self.threshold >= other.threshold
            and self.dealer in ("none", other.dealer)
        )

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


CONVERTED = "a party that lies about its part of a value that changes protocols"


def weakest(*all_: Security) -> Security:
    """What is left for a value that went through several protocols: of everything the least.

    Nobody verifies what parties bring from one protocol to the next, so that even between two that
    withstand malicious parties no more is left than what semi-honest ones respect.
    """
    first, *rest = all_
    for other in rest:
        bits = [b for b in (first.stat_bits, other.stat_bits) if b is not None]
        weaker = min(first, other, key=lambda s: STRENGTH.index(s.adversary))
        with_dealer = other if first.dealer == "none" else first
        missing = dict.fromkeys((*first.not_covered, *other.not_covered))
        verified = weaker.adversary == "malicious"
        if verified:
            missing[CONVERTED] = None
        first = Security(
            "semi-honest" if verified else weaker.adversary,
            "none" if verified else weaker.abort,
            min(first.threshold, other.threshold),
            first.parties,
            min(bits) if bits else None,
            min(first.comp_bits, other.comp_bits),
            with_dealer.dealer,
            tuple(missing),
            first.provider or other.provider,
        )
    return first
