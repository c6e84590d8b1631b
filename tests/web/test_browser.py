"""The owner's page in a real browser: looks, clicks, and what its policy blocks."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mpyc_core.grid.web.serving import WebPage

from .conftest import Hub, Page

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def browser() -> Iterator[Any]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs chromium and chromedriver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    service = webdriver.ChromeService(executable_path=driver)
    found = webdriver.Chrome(options=options, service=service)
    found.set_page_load_timeout(40)
    yield found
    found.quit()


@pytest.mark.processes
@pytest.mark.timeout(180)
def test_an_owner_logs_in_looks_and_answers(page: Page, browser: Any) -> None:
    shown = WebPage(page.node.node)
    other = page.data.max().request(name="max")

    def element(name: str) -> Any:
        return browser.find_element("css selector", name)

    def until(condition: Callable[[], bool]) -> None:
        """A click returns before the next page is there."""
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def rows() -> int:
        return len(browser.find_elements("css selector", "#requests tbody tr"))

    try:
        browser.get(shown.address)
        element("#token").send_keys(shown.token)
        element("#enter").click()
        until(lambda: rows() == 2)
        assert element("body").value_of_css_property("background-color") != "rgba(0, 0, 0, 0)"
        element("#requests a.button").click()
        until(lambda: bool(browser.find_elements("css selector", "#accept")))
        boxes = browser.find_elements("css selector", "#graph rect")
        assert len(boxes) == 5 and all(b.size["width"] > 100 for b in boxes)
        element("#accept").click()
        until(lambda: rows() == 1)
        assert page.status() == "accepted"
        element("#requests a.button").click()
        until(lambda: bool(browser.find_elements("css selector", "#reason")))
        element("#reason").send_keys("no maxima")
        element("#deny").click()
        until(lambda: bool(browser.find_elements("css selector", "p.none")))
        assert other._answer() == {"status": "denied", "reason": "no maxima"}
        browser.get(shown.address + "budgets")
        assert element(".bars rect").size["height"] > 30
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
        browser.get(shown.address)
        width = browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= 400
        element("#logout").click()
        until(lambda: browser.current_url.endswith("/login"))
    finally:
        shown.close()


@pytest.mark.processes
@pytest.mark.timeout(180)
def test_an_operator_searches_and_strikes_out(hub: Hub, browser: Any) -> None:
    shown = WebPage(hub.registry)

    def elements(name: str) -> list[Any]:
        return list(browser.find_elements("css selector", name))

    def until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    try:
        browser.get(shown.address)
        elements("#token")[0].send_keys(shown.token)
        elements("#enter")[0].click()
        until(lambda: len(elements(".entry")) == 2)
        assert elements(".entry h2")[0].size["height"] > 10
        elements("#tags")[0].send_keys("#ages")
        elements("#search")[0].click()
        until(lambda: len(elements(".entry")) == 1)
        assert "May Clinic" in elements(".entry h2")[0].text
        elements(".entry button.refuse")[0].click()
        until(lambda: len(elements(".entry")) == 1 and not elements("#tags[value='#ages']"))
        assert [e.name for e in hub.registry.entries()] == ["St. Anna"]
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
        browser.get(shown.address)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 400
    finally:
        shown.close()


PHONE = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
