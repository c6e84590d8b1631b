"""The registry's page over HTTP: what it shows, and what only its operator can do there."""

from __future__ import annotations

import pytest

from mpyc_core.grid.canonical import encode

from .conftest import Hub


def test_nothing_is_shown_without_the_token(hub: Hub) -> None:
    for path in ("/", "/?tags=ages", "/log"):
        answer = hub.browser.get(path)
        assert answer.status_code == 302 and answer.location == "/login"
        assert "May Clinic" not in answer.text
    assert hub.browser.post("/login", data={"token": "wrong"}).status_code == 403


def test_nodes_and_data_sets_are_shown_and_searched(hub: Hub) -> None:
    hub.login()
    home = hub.browser.get("/").text
    assert "2 nodes, 2 data sets" in home and home.count("live</span>") == 2
    assert "tcp://192.0.2.0:7010#" in home and "#data 2" in home
    assert "<script" not in home and "&lt;script" in home
    found = hub.browser.get("/?tags=%23ages").text
    assert "May Clinic" in found and "St. Anna" not in found
    assert "No node has such data" in hub.browser.get("/?tags=%23ages+images").text
    assert "No tags: &lt;b&gt;" in hub.browser.get("/?tags=<b>").text
    log = hub.browser.get("/log").text
    assert log.count(">registered</span>") == 2


def test_silent_nodes_are_marked(hub: Hub) -> None:
    hub.login()
    first = hub.registry.entries()[0]
    hub.registry.heard.clear()
    packed = encode([first.body(), first.signature, 1.0])
    hub.registry.state.set_fact(f"entry {first.curve}", packed)
    assert hub.browser.get("/").text.count("silent</span>") == 1


@pytest.mark.parametrize("form", ["", "0" * 32])
def test_forms_of_other_sites_strike_nothing_out(hub: Hub, form: str) -> None:
    hub.login()
    key = hub.registry.entries()[0].curve
    assert hub.browser.post("/strike", data={"form": form, "key": key}).status_code == 403
    assert hub.browser.get("/strike").status_code == 405
    assert len(hub.registry.entries()) == 2


def test_a_node_is_struck_out_for_good(hub: Hub) -> None:
    form, key = hub.login(), hub.registry.entries()[0].curve
    assert hub.browser.post("/strike", data={"form": form, "key": "x"}).status_code == 404
    assert hub.browser.post("/strike", data={"form": form, "key": key}).status_code == 302
    assert [e.name for e in hub.registry.entries()] == ["St. Anna"]
    assert key in hub.registry.struck()
    assert ">struck out</span>" in hub.browser.get("/log").text
