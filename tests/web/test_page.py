"""The owner's page over HTTP: what it shows, whom it lets in, and what other sites cannot do."""

from __future__ import annotations

import re
import urllib.error
import urllib.request

import pytest

from mpyc_core.errors import ConfigError
from mpyc_core.grid.web.chart import HEIGHT, accounts
from mpyc_core.grid.web.drawing import draw
from mpyc_core.grid.web.guard import Guard
from mpyc_core.grid.web.serving import WebPage

from .conftest import EVIL, TOKEN, Page

PAGES = ("/", "/budgets", "/log")


def test_nothing_is_shown_without_the_token(page: Page) -> None:
    for path in (*PAGES, f"/requests/{page.asked.id}"):
        answer = page.browser.get(path)
        assert answer.status_code == 302 and answer.location == "/login"
        assert "ages" not in answer.text
    for wrong in ("", "the tokem", TOKEN + " "):
        answer = page.browser.post("/login", data={"token": wrong})
        assert answer.status_code == 403 and "Set-Cookie" not in answer.headers
    assert page.browser.post("/login").status_code == 403
    assert page.browser.get("/").status_code == 302


def test_data_sets_requests_budgets_and_log_are_shown(page: Page) -> None:
    page.login()
    home = page.browser.get("/").text
    assert "#ages" in home and "epsilon 1" in home and page.asked.id in home
    one = page.browser.get(f"/requests/{page.asked.id}").text
    assert one.count("<rect") == 5 and one.count('class="edge"') == 5  # data twice into two sums
    assert "mul" in one and "sum axis" not in one and "at most 64 bits" in one
    budgets = page.browser.get("/budgets").text
    assert "<strong>0.75</strong> left of epsilon 1" in budgets and budgets.count("<rect") == 1
    log = page.browser.get("/log").text
    for event in ("loaded", "reserved", "committed", "requested"):
        assert f">{event}</span></td>" in log
    assert str(page.node.node.audit.head()) in log
    assert "43.0" not in home + one + budgets + log


def test_what_others_typed_is_no_markup(page: Page) -> None:
    page.login()
    for path in (*PAGES, f"/requests/{page.asked.id}"):
        text = page.browser.get(path).text
        assert "<script" not in text
    assert "&lt;script&gt;" in page.browser.get("/").text


def test_accept_and_deny(page: Page) -> None:
    form = page.login()
    answer = page.browser.post(f"/requests/{page.asked.id}/accept", data={"form": form})
    assert answer.status_code == 302
    assert page.status() == "accepted"
    assert float(page.asked.get()) == 200 * 43 * 3
    other = page.data.max().request()
    page.browser.post(f"/requests/{other.id}/deny", data={"form": form, "reason": "no maxima"})
    assert other._answer()["reason"] == "no maxima"
    again = page.browser.post(f"/requests/{other.id}/accept", data={"form": form})
    assert again.status_code == 409 and other.status == "denied"


# -- other sites --------------------------------------------------------------------------------
@pytest.mark.parametrize("form", [None, "", "0" * 32, "session of another"])
def test_forms_of_other_sites_do_nothing(page: Page, form: str | None) -> None:
    own = page.login()
    if form == "session of another":
        fresh = page.browser.application.test_client()
        fresh.post("/login", data={"token": TOKEN})
        found = re.search('name="form" value="([0-9a-f]{32})"', fresh.get("/").text)
        assert found is not None and found[1] != own
        form = found[1]
    data = {} if form is None else {"form": form}
    for path in (f"/requests/{page.asked.id}/accept", f"/requests/{page.asked.id}/deny", "/logout"):
        assert page.browser.post(path, data=data).status_code == 403
    assert page.status() == "pending"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_foreign_origin_does_nothing(page: Page, headers: dict[str, str]) -> None:
    """Even with the right token in the form."""
    data = {"form": page.login()}
    path = f"/requests/{page.asked.id}/accept"
    assert page.browser.post(path, data=data, headers=headers).status_code == 403
    assert page.browser.post("/login", data={"token": TOKEN}, headers=headers).status_code == 403
    assert page.status() == "pending"
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert page.browser.post(path, data=data, headers=own).status_code == 302


def test_buttons_are_no_links(page: Page) -> None:
    """What changes something cannot be had by GET, which other sites can cause."""
    form = page.login()
    for path in (f"/requests/{page.asked.id}/accept", f"/requests/{page.asked.id}/deny", "/logout"):
        assert page.browser.get(f"{path}?form={form}").status_code == 405
        assert page.browser.post(f"{path}?form={form}").status_code == 403
    assert page.status() == "pending"


def test_a_form_without_a_session_does_nothing(page: Page) -> None:
    form = page.login()
    stranger = page.browser.application.test_client()
    path = f"/requests/{page.asked.id}/accept"
    assert stranger.post(path, data={"form": form}).status_code == 403
    assert page.browser.post("/logout", data={"form": form}).status_code == 302
    assert page.browser.post(path, data={"form": form}).status_code == 403
    assert page.browser.get("/").status_code == 302
    assert page.status() == "pending"


def test_a_name_that_was_made_to_point_here_leads_nowhere(page: Page) -> None:
    page.login()
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80"):
        answer = page.browser.get("/", headers={"Host": host})
        assert answer.status_code == 421 and "ages" not in answer.text


def test_every_answer_has_the_headers(page: Page) -> None:
    paths = ("/login", "/", "/nothing", "/static/page.css")
    for answer in [page.browser.get(path) for path in paths]:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
    cookie = page.browser.post("/login", data={"token": TOKEN}).headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Domain" not in cookie
    for path in PAGES:
        text = page.browser.get(path).text
        assert " style=" not in text and " onclick=" not in text


@pytest.mark.parametrize("key", ["0" * 32, "..", "%2e%2e%2fpage.css", "' OR 1=1 --", EVIL])
def test_strange_addresses_are_not_found(page: Page, key: str) -> None:
    form = page.login()
    for answer in (
        page.browser.get(f"/requests/{key}"),
        page.browser.post(f"/requests/{key}/accept", data={"form": form}),
    ):
        assert answer.status_code in (302, 308, 404, 405)
        assert "<script>" not in answer.text
    assert page.status() == "pending"


def test_forms_are_small(page: Page) -> None:
    data = {"form": page.login(), "reason": "x" * 5000}
    path = f"/requests/{page.asked.id}/deny"
    assert page.browser.post(path, data=data).status_code == 400
    data["reason"] = "x" * 20_000
    assert page.browser.post(path, data=data).status_code == 413
    assert page.status() == "pending"


def test_sessions_end(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = Guard("t", ["localhost"], 0.0)
    session = guard.login("t")
    assert session is not None and guard.session(session.id) is session
    monkeypatch.setattr("time.monotonic", lambda: session.ends + 1)
    assert guard.session(session.id) is None


# -- pictures -----------------------------------------------------------------------------------
def test_boxes_do_not_overlap_and_lines_lead_down() -> None:
    lines = [f"v{i} = data set 'x{i}'  # float (5, 2)" for i in range(6)]
    lines += [f"v{6 + i} = add(v{i}, v{(i + 1) % 6})  # float (5, 2)" for i in range(6)]
    lines += ["v12 = concatenate(v6, v7, v8, v9, v10, v11, axis=0)  # float (30, 2)"]
    found = draw("\n".join(lines))
    assert [b.kind for b in found.boxes] == ["leaf"] * 6 + ["step"] * 6 + ["result"]
    assert len({(b.x, b.y) for b in found.boxes}) == 13 and len(found.lines) == 18
    assert all(y1 < y2 <= found.height for _, y1, _, y2 in found.lines)
    assert all(b.x + 190 <= found.width for b in found.boxes)
    assert found.boxes[12].label == "concatenate axis=0"


def test_inputs_stand_above_what_needs_them() -> None:
    """So that lines do not run through boxes between: a constant of the last step is next to it."""
    lines = ["v0 = data set 'x'  # float (5,)", "v1 = neg(v0)  # float (5,)"]
    lines += ["v2 = neg(v1)  # float (5,)", "v3 = 7  # int ()", "v4 = add(v2, v3)  # float (5,)"]
    place = {b.label: b for b in draw("\n".join(lines)).boxes}
    data, constant, result = place["data set 'x'"], place["7"], place["add"]
    assert data.y < constant.y < result.y and result.y - constant.y < 2 * (constant.y - data.y)
    assert constant.x != data.x


def test_a_name_cannot_draw_lines() -> None:
    found = draw("v0 = 1  # int ()\nv1 = data set 'add(v0, v0)'  # float (5,)")
    assert found.lines == () and [b.kind for b in found.boxes] == ["result", "result"]


def test_long_computations_are_cut() -> None:
    steps = "\n".join(f"v{i} = neg(v{i - 1})  # int ()" for i in range(1, 500))
    found = draw("v0 = 1  # int ()\n" + steps)
    assert len(found.boxes) == 120 and found.skipped == 380


def test_bars_fall_with_every_charge() -> None:
    log = [{"time": float(t), "charges": [["dataset:a", 0.25, 0.0]]} for t in range(3)]
    (found,) = accounts({"dataset:a": (1.0, 0.75)}, [{"time": 0.0}, *log])
    assert [b.left for b in found.bars] == [0.75, 0.5, 0.25] and found.left == 0.25
    assert [round(b.height / HEIGHT, 6) for b in found.bars] == [0.75, 0.5, 0.25]


# -- live ---------------------------------------------------------------------------------------
def test_a_live_server(page: Page) -> None:
    shown = WebPage(page.node.node)
    try:
        assert shown.address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(shown.address, timeout=10) as answer:
            assert answer.url.endswith("/login") and "May Clinic" in answer.read().decode()
        wrong = urllib.request.Request(shown.address, headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="421"):
            urllib.request.urlopen(wrong, timeout=10)
    finally:
        shown.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_the_page_stays_on_loopback(page: Page, host: str) -> None:
    with pytest.raises(ConfigError, match="tunnel"):
        WebPage(page.node.node, host)
