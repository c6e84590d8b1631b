"""`Handle`: what every pointer is below its methods: a reference, and what it refuses.

A pointer never silently becomes data: everything in Python or NumPy that would need the value
raises a TypeError that says what to do instead, and nothing that is shown of a pointer depends on
the value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np

from mpyc_core.errors import Disconnected, MpcError, ShareError

from .commands import CHUNK
from .link import Pending
from .ops import get_op
from .spec import NAMES, Array, Spec, normalised

if TYPE_CHECKING:
    from .client import Client


class Handle:
    """A reference to an array at a node.

    Parameters
    ----------
    client : the connection.
    ref : the id of the object, or the command that makes it.
    spec : type and shape.
    owned : whether the object is this pointer's own and may go when the pointer goes.
    """

    __slots__ = ("__weakref__", "_owned", "_ref", "client", "description", "spec", "tags")
    __array_priority__ = 1000
    _makes: type[Any] | None = None
    """What results are; the same as this when None."""

    def __init__(
        self,
        client: Client,
        ref: str | Pending,
        spec: Spec,
        *,
        owned: bool = False,
        tags: Sequence[str] = (),
        description: str = "",
    ) -> None:
        self.client, self._ref, self.spec, self._owned = client, ref, spec, owned
        self.tags, self.description = tuple(tags), description

    def __del__(self) -> None:
        with suppress(AttributeError):
            if self._owned:
                self.client.dropped.append(self._ref)

    # -- what is public -----------------------------------------------------------------------
    @property
    def reference(self) -> str | int:
        """How commands name the object: by its id, or by the command that makes it.

        A command that failed is named, too: the node then gives its reason to all that rests on it.

        Raises
        ------
        Disconnected : the connection broke before the object was made.
        """
        if not isinstance(self._ref, str):
            number = self._ref.number
            if not self._ref.done:
                return number
            try:
                return self.id
            except Disconnected:
                raise
            except MpcError:
                return number
        return self._ref

    @property
    def id(self) -> str:
        """The id of the object, made by the node; waits until it is known.

        Raises
        ------
        MpcError : the operation that was to make the object failed.
        """
        if not isinstance(self._ref, str):
            self._ref = str(self._ref.result()[0]["id"])
        return self._ref

    def wait(self) -> Self:
        """Wait until the object exists.

        Raises
        ------
        MpcError : the operation that was to make it failed.
        """
        self.id  # noqa: B018
        return self

    @property
    def location(self) -> Client:
        """The node that holds the object."""
        return self.client

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self.spec.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.spec.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.spec.shape, dtype=object))

    def __repr__(self) -> str:
        where = self._ref if isinstance(self._ref, str) else f"command {self._ref.number}"
        tags = f", tags {' '.join(self.tags)}" if self.tags else ""
        return (
            f"<Pointer to {self.client.name}:{where[:12]}, {NAMES[self.dtype]}, "
            f"shape {self.shape}{tags}>"
        )

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a pointer to a single number")
        return self.shape[0]

    # -- running operations ---------------------------------------------------------------------
    def _run(self, op: str, *inputs: Handle | Array, **params: Any) -> Self:
        """Have the node carry out an operation on pointers and constants."""
        operands: list[Any] = []
        arrays: list[Array] = []
        specs = []
        for x in inputs:
            if isinstance(x, Handle):
                if x.client is not self.client:
                    raise ShareError(
                        f"operands lie at {self.client.name} and {x.client.name}; get one of them, "
                        "or share both among the nodes and compute on the shares"
                    )
                operands.append(x.reference)
                specs.append(x.spec)
            else:
                if x.nbytes > CHUNK:  # a large constant is sent like any other array
                    large = self.client.send(x)
                    operands.append(large.id)
                    specs.append(large.spec)
                    continue
                operands.append(["constant", len(arrays)])
                arrays.append(x)
                specs.append(Spec.of(x))
        spec = get_op(op).spec(specs, params)
        header = {"do": "run", "op": op, "inputs": operands, "params": dict(params)}
        made = self._makes or type(self)
        return made(self.client, self.client.submit(header, arrays), spec, owned=True)

    def _other(self, x: Any) -> Handle | Array:
        """An operand beside this one."""
        return x if isinstance(x, Handle) else normalised(x)

    # -- what would need the value --------------------------------------------------------------
    def _refusal(self, what: str) -> TypeError:
        return TypeError(f"{what} of a pointer would need the value; call .get() for it")

    def __bool__(self) -> bool:
        raise self._refusal("the truth")

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self._refusal("a NumPy array")

    def __float__(self) -> float:
        raise self._refusal("float()")

    def __int__(self) -> int:
        raise self._refusal("int()")

    def __complex__(self) -> complex:
        raise self._refusal("complex()")

    def __index__(self) -> int:
        raise self._refusal("an index")

    def __hash__(self) -> int:
        raise self._refusal("hash()")

    def __contains__(self, item: object) -> bool:
        raise self._refusal("`in`")

    def __iter__(self) -> Iterator[Self]:
        if not self.shape:
            raise TypeError("iteration over a pointer to a single number")
        return (self._run("index", self, key=[["at", i]]) for i in range(self.shape[0]))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a pointer cannot be pickled or copied; keep its id and node instead")

    def __setitem__(self, key: object, value: object) -> NoReturn:
        raise TypeError(
            "objects at a node do not change; use numpy.where or numpy.concatenate to make a new "
            "one, or client.update for one that you sent"
        )


def params_of(**given: Any) -> Mapping[str, Any]:
    """Parameters of an operation as plain data: NumPy's numbers become Python's."""
    return {key: plain(value) for key, value in given.items()}


def plain(value: Any) -> Any:
    """A value as plain data."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value
