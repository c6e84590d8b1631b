"""The one owner of Numba's decorator.

A kernel has explicit signatures, is compiled at its first call, never at import, runs serially
without the interpreter lock, and is cached on disk. The folder of the cache is named by a digest of
all kernel sources, of Numba's version and of the processor's features, because Numba alone does not
notice a change in a function that a cached kernel calls. Numba is imported at the first call.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import pkgutil
import re
import stat
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
_ARRAY = re.compile(r"(?P<const>const )?(?P<dtype>[uif][1248])(?P<dims>\[(:,)*::1\])?")
_SEEN = (
    *("aes", "vaes", "pclmul", "vpclmulqdq", "avx2", "avx512f", "avx512dq", "avx512vbmi"),
    *("amx-tile", "amx-int8"),
)
_lock = threading.RLock()
_kernels: list[Kernel] = []


def kernel(
    *signatures: str, needs: Callable[[], bool] = lambda: True
) -> Callable[[Callable[..., None]], Kernel]:
    """Declare a kernel: a function of arrays and numbers that returns nothing.

    Parameters
    ----------
    signatures : argument types such as "const u8[:,::1], u8[::1], i8", one string for each set of
        types. Arrays are C-contiguous; `const` ones are read-only, and only these take a received
        frame. `u8` is an unsigned word of 8 bytes, as in NumPy. The first argument is an array, and
        its dtype tells the signatures apart.
    needs : says whether this machine can run the kernel; elsewhere it is not compiled ahead.
    """

    def wrap(fn: Callable[..., None]) -> Kernel:
        made = Kernel(fn, signatures, needs)
        _kernels.append(made)
        return made

    return wrap


def device(fn: F) -> F:
    """Declare a function that only kernels call; it takes its types from the call."""
    import numba

    compiled: F = numba.njit(**_OPTIONS)(fn)
    return compiled


def inlined(fn: F) -> F:
    """Declare a function like `device`, for one that works on vectors: a call would spill them."""
    import numba

    compiled: F = numba.njit(forceinline=True, **_OPTIONS)(fn)
    return compiled


class Kernel:
    """A function compiled at its first call for a dtype; made by `kernel`."""

    def __init__(
        self,
        fn: Callable[..., None],
        signatures: tuple[str, ...],
        needs: Callable[[], bool] = lambda: True,
    ) -> None:
        self.needs = needs
        self.py_func = fn
        self.signatures = {_first_dtype(text): text for text in signatures}
        self._ready: set[str] = set()
        self._run: Callable[..., None] = fn
        self.__doc__ = fn.__doc__

    def __call__(self, *args: Any) -> None:
        """Run the kernel on arrays of one of its signatures."""
        if args[0].dtype.char not in self._ready:
            self.prepare(args[0].dtype)
        self._run(*args)

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.py_func.__name__

    def compile(self) -> None:
        """Compile every signature, or load it from the cache."""
        for dtype in self.signatures:
            self.prepare(np.dtype(dtype))

    def prepare(self, dtype: np.dtype[Any]) -> None:
        """Compile the signature whose first argument is of `dtype`, or load it from the cache."""
        import numba

        text = self.signatures.get(f"{dtype.kind}{dtype.itemsize}")
        if text is None:
            raise TypeError(f"{self.name}: there is no signature for {dtype}")
        with _lock:
            if dtype.char in self._ready:
                return
            if numba.config.DISABLE_JIT:
                self._run = np.errstate(over="ignore")(self.py_func)
            else:
                if self._run is self.py_func:
                    self._run = _dispatcher(self.py_func)
                _compile(self._run, _types(text))
            self._ready.add(dtype.char)


def all_kernels() -> list[Kernel]:
    """Every kernel that this machine can run: to compile them ahead of their first call.

    That takes half a minute once and a second from then on. Processes that start together on one
    machine should find it done, by one of them or by their parent.
    """
    from mpyc_core import kernels

    for module in pkgutil.iter_modules(kernels.__path__):
        importlib.import_module(f"{kernels.__name__}.{module.name}")
    return [each for each in _kernels if each.needs()]


def cpu_features() -> list[str]:
    """The processor's features that make a difference to the kernels, as far as they are in use."""
    enabled = {text[1:] for text in _features().split(",") if text.startswith("+")}
    return [name for name in _SEEN if name in enabled]


@cache
def cache_dir() -> Path:
    """Folder of this machine's compiled kernels, private to the user."""
    digest = hashlib.sha256()
    for part in (*_sources(), *_machine()):
        digest.update(len(part).to_bytes(8, "big") + part)
    for root in (_user_cache, _private_temp):
        try:
            path = root() / digest.hexdigest()[:24]
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except (OSError, RuntimeError):  # not writable, or a user without a home
            continue
        if os.access(path, os.W_OK):
            return path
    return Path(tempfile.mkdtemp(prefix="mpyc-core-"))


def _sources() -> list[bytes]:
    here = Path(__file__)
    files = [here, *sorted((here.parent / "kernels").glob("*.py"))]
    return [file.name.encode() + b"\0" + file.read_bytes() for file in files]


def _machine() -> list[bytes]:
    import llvmlite.binding as llvm
    import numba

    name = numba.config.CPU_NAME or llvm.get_host_cpu_name()
    return [text.encode() for text in (numba.__version__, np.__version__, name, _features())]


def _features() -> str:
    """LLVM's list of features, such as "+avx2,-avx512f", of the processor or as Numba was told."""
    import numba
    from numba.core.codegen import get_host_cpu_features

    told = numba.config.CPU_FEATURES
    return str(get_host_cpu_features() if told is None else told)


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mpyc-core"


def _private_temp() -> Path:
    """A folder that nobody else can write to: what is loaded from a cache is run."""
    path = Path(tempfile.gettempdir()) / f"mpyc-core-{os.getuid()}"
    path.mkdir(exist_ok=True, mode=0o700)
    info = path.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid() or info.st_mode & 0o022:
        return Path(tempfile.mkdtemp(prefix="mpyc-core-"))
    return path


def _dispatcher(fn: Callable[..., None]) -> Any:
    import numba

    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_dir())  # read while the dispatcher is made, and only then
    try:
        return numba.njit(cache=True, **_OPTIONS)(fn)
    finally:
        numba.config.CACHE_DIR = before


def _compile(dispatcher: Any, types: tuple[Any, ...]) -> None:
    dispatcher.disable_compile(False)
    dispatcher.compile(types)
    dispatcher.disable_compile()  # any other type is an error from now on


def _types(signature: str) -> tuple[Any, ...]:
    from numba import types
    from numba.np.numpy_support import from_dtype

    found = []
    for text in signature.split(", "):
        match = _match(text)
        scalar = from_dtype(np.dtype(match["dtype"]))
        if match["dims"]:
            ndim = match["dims"].count(":") - 1
            found.append(types.Array(scalar, ndim, "C", readonly=bool(match["const"])))
        else:
            found.append(scalar)
    return tuple(found)


def _first_dtype(signature: str) -> str:
    return _match(signature.split(", ")[0])["dtype"]


def _match(text: str) -> re.Match[str]:
    match = _ARRAY.fullmatch(text)
    if match is None:
        raise ValueError(f"expected an argument type such as 'const u8[:,::1]', got {text!r}")
    return match
