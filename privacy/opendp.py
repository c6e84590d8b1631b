"""dp-accounting, imported when it is first needed; OpenDP likewise."""

from __future__ import annotations

from functools import cache
from typing import Any

from mpyc_core.errors import ConfigError
from mpyc_core.protocols.sampler import opendp


@cache
def accounting() -> Any:
    """The module `dp_accounting`.

    Raises
    ------
    ConfigError : it is not installed.
    """
    try:
        import dp_accounting
    except ImportError:
        raise ConfigError(
            "accounting for training needs dp-accounting; install it with: "
            "pip install 'mpyc-core[grid]'"
        ) from None
    return dp_accounting


__all__ = ["accounting", "opendp"]
