"""A closed set of NumPy's functions on arrays of one's own: everything else is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Function = Callable[..., Any]
NO_VALUE = getattr(np, "_NoValue", None)


class ClosedSet:
    """What NumPy's functions do on arrays of one kind.

    Parameters
    ----------
    on : what the arrays are called in messages.
    instead : by a refused function's name, what to use for it.
    otherwise : what to use for any other.
    """

    def __init__(self, on: str, instead: Mapping[str, str], otherwise: str) -> None:
        self.on = on
        self.functions: dict[Function, Function] = {}
        self._instead, self._otherwise = instead, otherwise

    def refusal(self, name: str) -> TypeError:
        """The error for a function that is not in the set."""
        instead = self._instead.get(name, self._otherwise)
        return TypeError(f"numpy.{name} is not available on {self.on}; instead: {instead}")

    def implements(self, *functions: Function) -> Callable[[Function], Function]:
        """Say by a decorator what does the work of NumPy's functions."""

        def register(implementation: Function) -> Function:
            self.functions.update(dict.fromkeys(functions, implementation))
            return implementation

        return register

    def call(self, fn: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Answer `fn(*args, **kwargs)`.

        Raises
        ------
        TypeError : not in the set, or an argument that is not supported.
        """
        if fn not in self.functions:
            raise self.refusal(fn.__name__)
        given = {key: value for key, value in kwargs.items() if value is not NO_VALUE}
        for key in ("out", "dtype"):
            if given.get(key, 0) is None:
                del given[key]
        try:
            return self.functions[fn](*args, **given)
        except TypeError as error:
            if "unexpected keyword" in str(error) or "positional argument" in str(error):
                raise TypeError(f"numpy.{fn.__name__} on {self.on}: {error}") from None
            raise
