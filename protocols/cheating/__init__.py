"""The cheater's kit: one corrupted party that lies as it likes, in a simulation.

    cheat = Tamper("party1", message=12, how="flip")
    with mpc.simulate(3, protocol="replicated-active", cheat=cheat) as s:
        ...                      # raises what the honest parties raise
    cheat.outcomes               # what each honest party opened, and its error if it raised one

A cheater runs the protocol's own code and changes what it sends: `act` is called once a round, when
the messages of the honest parties to it are known (it is rushing), with all its own messages. An
array that is changed in place is a consistent lie: the cheater goes on with the changed value
itself. An array that is replaced is a lie to its receiver alone. A message may be taken away, or
withheld (`Move.late`) until the others have said all that they say without it. `keep` changes the
share with which the cheater goes on.

To write an attack, subclass `Cheater` and override `act`. Honest parties run separately: each ends
with its own outputs or its own error, and one that stops tells the others, who stop at the next
message they want of it. The cheater does not stop at its own checks. Only `mpc.simulate` takes one.

    kit.py         a cheater, its moves, and outcomes
    tamper.py      every alteration of one message
    strategies.py  attacks with a plan
    against.py     the parties, each as far as its messages let it go
"""

from .against import duel
from .kit import Cheater, Move, Outcome
from .strategies import Adder, LastMover, TwoFaced, Waiter, WrongProduct, WrongShare
from .tamper import WAYS, How, Tamper

__all__ = [
    "WAYS",
    "Adder",
    "Cheater",
    "How",
    "LastMover",
    "Move",
    "Outcome",
    "Tamper",
    "TwoFaced",
    "Waiter",
    "WrongProduct",
    "WrongShare",
    "duel",
]
