"""Programs by their place: "file.py:function" or "module:function"."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpyc_core.errors import ConfigError

Program = Callable[..., Any]


def load(place: str, default: str = "main") -> Program:
    """The function at a place; without ":function" it is `default`.

    Raises
    ------
    ConfigError : no such file, module or function.
    """
    source, _, name = place.rpartition(":") if ":" in place else (place, "", "")
    module = _load_file(Path(source)) if source.endswith(".py") else _load_module(source)
    program = getattr(module, name or default, None)
    if not callable(program):
        there = [n for n, v in vars(module).items() if inspect.isfunction(v) and n[0] != "_"]
        raise ConfigError(
            f"{source} has no function {name or default!r}; it has: {', '.join(there) or 'none'}"
        )
    return program


def _load_file(path: Path) -> Any:
    if not path.is_file():
        raise ConfigError(f"no program file {path}; give file.py:function or module:function")
    name = f"mpc_program_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"no module {error.name!r} for the program {name!r}; give file.py:function or "
            "module:function"
        ) from error


def place_of(program: Program) -> str | None:
    """Where another process can import a function from, or None when it cannot."""
    name = getattr(program, "__qualname__", "<")
    module = sys.modules.get(getattr(program, "__module__", ""))
    path = getattr(module, "__file__", None)
    if module is None or path is None or "<" in name or "." in name:
        return None
    if module.__name__ != "__main__" and _importable(module.__name__, path):
        return f"{module.__name__}:{name}"
    return f"{Path(path).resolve()}:{name}"


def _importable(name: str, path: str) -> bool:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin == path and getattr(spec, "loader", None) is not None
