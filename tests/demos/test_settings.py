"""Which protocol a demo runs with, and among how many."""

from __future__ import annotations

import numpy as np
import pytest

from mpyc_core.cli.demo import setting
from mpyc_core.errors import ConfigError
from mpyc_core.examples import tumour
from mpyc_core.protocols.registry import get_protocol, protocols


@pytest.mark.parametrize("protocol", sorted(protocols()))
def test_every_protocol_has_a_setting(protocol: str) -> None:
    chosen = setting(protocol, None, None)
    cls = get_protocol(protocol, chosen.parties)
    assert chosen.ring in cls.rings and (chosen.provider == "openmined") == cls.needs_dealer


def test_what_does_not_fit_is_refused() -> None:
    assert setting("additive", 5, "theo") == ("additive", 5, 64, "theo")
    for protocol, parties, provider, words in (
        ("additive", 8, None, "2 to 7 parties"),
        ("replicated", 2, None, "exactly 3"),
        ("replicated", None, "openmined", "needs no crypto provider"),
        ("nonsense", None, None, "there are: additive"),
    ):
        with pytest.raises(ConfigError, match=words):
            setting(protocol, parties, provider)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_hospitals_have_every_patient_once(count: int) -> None:
    rows = np.concatenate(
        [tumour.hospital_rows(i, test, count)[0] for i in range(count) for test in (False, True)]
    )
    assert len(rows) == 569 and len(tumour.NAMES[:count]) == count
    assert len(np.unique(rows, axis=0)) == 569
