"""Kernels of verified protocols at odd sizes."""

from __future__ import annotations

import pytest

from . import check_verified as check


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 600])
def test_against_integers(n: int) -> None:
    if n < 100:
        check.check_all(n)
    else:  # several blocks
        check.check_field(n)
        check.check_choices(n)
        check.check_correlations(n)
