"""`Pointer`: an array at a node that one cannot see, with NumPy's manners.

handle.py       what a pointer is, what it shows and what it refuses
operators.py    + - * / @ **, comparisons, logic, shape, sums, functions
dispatch.py     NumPy functions called on pointers: a closed set
pointer.py      getting values, with noise or on request
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpyc_core.errors import Disconnected, MpcError

from .asking import Request, ask
from .keys import fresh_id
from .operators import Operators
from .spec import Array

if TYPE_CHECKING:
    from mpyc_core.ml.tensor import SecretTensor

    from .client import Client


class Pointer(Operators):
    """An array at a node. Operations run there and give pointers; `get` asks for the value.

    Example
    -------
    >>> import numpy as np
    >>> import mpyc_core as mpc
    >>> node = mpc.VirtualNode("May Clinic")
    >>> x = node.send(np.array([1, 3, 4, 5]))
    >>> y = x + x
    >>> y.get()
    array([ 2,  6,  8, 10])
    """

    __slots__ = ("_token",)
    _token: tuple[Any, str] | None

    def get(
        self,
        epsilon: float | None = None,
        *,
        delta: float | None = None,
        error: float | None = None,
        request_block: bool = False,
        name: str = "",
        reason: str = "",
        timeout_secs: float = 30.0,
    ) -> Array:
        """The value, if it may go out.

        What was made of your own data alone is yours. Anything else needs noise, which is charged
        to the budget of the data, or an owner's consent.

        Parameters
        ----------
        epsilon : ask for a noisy value of this price.
        delta : with it, noise is normal instead of Laplace.
        error : ask for noise that stays below this with 95 % probability, at the price that has.
        request_block : ask the owners, and wait for their answers.
        name, reason : what they read; both mean nothing to rules that answer automatically.
        timeout_secs : how long to wait for them.

        Raises
        ------
        PermissionDenied : and how to ask instead.
        BudgetExceeded : the data's budget does not cover the price.
        RequestDenied : an owner refused, and said why.
        RequestTimeout : no answer in time; the request stays open.
        Disconnected : the node cannot be reached; calling `get` again asks for the same release,
            at no further charge.
        """
        terms = {"epsilon": epsilon, "delta": delta, "error": error}
        if request_block:
            wanted = self.request(reason=reason, name=name, **terms)
            return wanted.wait(timeout_secs)
        return self._release(terms)

    def _release(self, terms: dict[str, float | None]) -> Array:
        """One release; after a disconnection the next call asks for the same one."""
        known = getattr(self, "_token", None)
        token = known[1] if known is not None and known[0] == terms else fresh_id()
        self._token = (terms, token)
        try:
            value = self.client.take("release", {"target": self.id, **terms}, token)
        except Disconnected:
            raise
        except MpcError:
            self._token = None
            raise
        self._token = None
        return value

    def share(self, *nodes: Client, crypto_provider: Client | None = None) -> SecretTensor:
        """Share the value among nodes; it goes from its node to them, not through here.

        Parameters
        ----------
        nodes : connections to the parties; the one that holds the value is among them.
        crypto_provider : a node that deals correlated randomness and holds no share.

        Returns
        -------
        SecretTensor : compute with it, `reveal()` it where its owners agree; tensors shared among
            the same nodes work together.
        """
        from .committee import committee_of

        return committee_of(self.client, nodes, crypto_provider).share(self)

    def request(
        self,
        reason: str = "",
        name: str = "",
        *,
        epsilon: float | None = None,
        delta: float | None = None,
        error: float | None = None,
    ) -> Request:
        """Ask the owners for the value, and go on.

        Parameters
        ----------
        reason, name : what they read.
        epsilon, delta, error : as of `get`; all None asks for the exact value.

        Returns
        -------
        Request : its `status`, its `wait()`, or `await` it.
        """
        terms = {"epsilon": epsilon, "delta": delta, "error": error}
        return ask(self, name, reason, terms)
