"""Differential privacy: what one person can change, noise that hides it, budgets that add up.

label.py        what follows a value from its owner to its release
sensitivity.py  from a typed graph to a plan of release
mechanisms.py   noisy integers and their price
shared.py       the same for shared values, with noise made by the parties
budget.py       accounts, and the states of a release that is paid for
local.py        randomised response
dpsgd.py        training on shared values, with clipped and noisy gradients
regression.py   linear and logistic regression at one data holder

Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .accounting import gaussian_price, noise_for
    from .budget import Charge, Ledger, Release, State, Store, dataset_account, subject_account
    from .dpsgd import Clip, private_fit
    from .label import Label, Source, constant
    from .local import estimate, randomise
    from .mechanisms import choose, discrete_gaussian, discrete_laplace, epsilon_for_error
    from .memory import MemoryStore
    from .price import Price
    from .regression import private_regression
    from .sensitivity import Plan, analyse
    from .shared import add_noise, noisy_sum, price_of_noise
    from .transfer import LabelTable

_HOMES = {
    "accounting": ("gaussian_price", "noise_for"),
    "budget": (
        "Charge",
        "Ledger",
        "Release",
        "State",
        "Store",
        "dataset_account",
        "subject_account",
    ),
    "dpsgd": ("Clip", "private_fit"),
    "label": ("Label", "Source", "constant"),
    "local": ("estimate", "randomise"),
    "mechanisms": ("choose", "discrete_gaussian", "discrete_laplace", "epsilon_for_error"),
    "memory": ("MemoryStore",),
    "price": ("Price",),
    "regression": ("private_regression",),
    "sensitivity": ("Plan", "analyse"),
    "shared": ("add_noise", "noisy_sum", "price_of_noise"),
    "transfer": ("LabelTable",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Charge",
    "Clip",
    "Label",
    "LabelTable",
    "Ledger",
    "MemoryStore",
    "Plan",
    "Price",
    "Release",
    "Source",
    "State",
    "Store",
    "add_noise",
    "analyse",
    "choose",
    "constant",
    "dataset_account",
    "discrete_gaussian",
    "discrete_laplace",
    "epsilon_for_error",
    "estimate",
    "gaussian_price",
    "noise_for",
    "noisy_sum",
    "price_of_noise",
    "private_fit",
    "private_regression",
    "randomise",
    "subject_account",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
