"""OpenDP, imported when it is first needed: it is an extra, and loading it takes two seconds."""

from __future__ import annotations

from functools import cache
from typing import Any

from mpyc_core.errors import ConfigError


@cache
def opendp() -> Any:
    """The module `opendp.prelude`, with the proven constructions that we use switched on.

    Raises
    ------
    ConfigError : OpenDP is not installed.
    """
    try:
        import opendp.prelude as dp
    except ImportError:
        raise ConfigError(
            "noise for released values needs OpenDP; install it with: pip install 'mpyc-core[grid]'"
        ) from None
    dp.enable_features("contrib")
    return dp


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
