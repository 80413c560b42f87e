"""The narrowing policy in a real Chromium: a refused service's script is not asked for, all else goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.browser.policy_site import SETTINGS
from tests.serving import serving

pytestmark = pytest.mark.browser

Visit = Callable[[str], AbstractContextManager[tuple[Page, list[str], Path]]]


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Visit:
    """Open the page under a mode; gives it with the other hosts that it asked, and the settings' file."""

    @contextmanager
    def open_one(mode: str) -> Iterator[tuple[Page, list[str], Path]]:
        config = tmp_path / "consentkit.toml"
        config.write_text(SETTINGS.format(mode=mode), "utf-8")
        asked: list[str] = []

        def answer(route: Route) -> None:
            host = urlsplit(route.request.url).hostname or ""
            asked.append(host)
            name = host.partition(".")[0]
            route.fulfill(content_type="text/javascript", body=f"window.{name} = (window.{name} ?? 0) + 1")

        with serving("tests.browser.policy_site:app", tmp_path, config=config) as server:
            context = browser.new_context(base_url=server.url)
            context.route("**/*.example.net/**", answer)
            page = context.new_page()
            page.goto("/")
            yield page, asked, config
            context.close()

    return open_one


def seen(config: Path) -> str:
    command = [
        str(Path(sys.executable).with_name("consentkit")),
        "cookies",
        "seen",
        "--json",
        "--config",
        str(config),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_refused_services_script_is_not_asked_for_until_it_is_agreed_to(visit: Visit) -> None:
    with visit("enforce") as (page, asked, _):
        assert asked == ["assets.example.net"]
        assert page.evaluate("[window.own, window.assets, window.counter ?? null]") == [1, 1, None]
        with page.expect_navigation():
            page.locator(".ck-first [data-action=accept]").click()
        page.wait_for_function("window.counter === 1")
        assert "counter.example.net" in asked


def test_a_report_alone_lets_it_pass_and_names_the_host(visit: Visit) -> None:
    with visit("report") as (page, asked, config):
        assert sorted(asked) == ["assets.example.net", "counter.example.net"]
        assert page.evaluate("window.counter") == 1
        deadline = time.monotonic() + 20
        while "counter.example.net" not in (told := seen(config)) and time.monotonic() < deadline:
            time.sleep(0.5)
        hosts = [line for line in map(json.loads, told.splitlines()) if "counter.example.net" in str(line)]
        assert hosts
        assert "assets.example.net" not in told
