from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from playwright.sync_api import Browser, sync_playwright

SITE = """
[site]
operator = "SIA Piemērs"
contact = "privacy@example.lv"
languages = ["lv", "ru", "en", "et", "lt"]

[storage]
directory = "data"

[requestlog]
trusted_proxies = {proxies}

[[consent.cookies]]
name = "theme"
category = "preferences"
purpose = "Remembers light or dark"
lifetime_days = 365

[[consent.cookies]]
name = "visits"
category = "statistics"
purpose = "Counts visits"
lifetime_days = 30
"""

pytest_plugins = ["tests.readymade", "tests.servers.postgresql", "tests.servers.clickhouse", "tests.servers.chdb"]

Rows = list[dict[str, Any]]

# Without the flags Chromium asks its maker's hosts at every start.
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Machines that run tests are busy: how long an example takes says nothing of the code.
hypothesis.settings.register_profile("consentkit", deadline=None)
hypothesis.settings.load_profile("consentkit")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file in a folder of its own; data and keys lie beside it."""
    path = tmp_path / "site" / "consentkit.toml"
    path.parent.mkdir()
    path.write_text(SITE.format(proxies='["127.0.0.1/32"]'), "utf-8")
    return path


@pytest.fixture
def consentkit(config: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command ``consentkit`` over the site of `config`."""

    def run(*arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("consentkit"), *arguments],
            env={**os.environ, "CONSENTKIT_CONFIG": str(config), **options},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def search(consentkit: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., Rows]:
    """The rows that ``consentkit log search --json`` prints."""

    def run(*filters: str) -> Rows:
        whole = ("--limit", "0", "--time-limit", "0")
        done = consentkit("log", "search", "--json", "--purpose", "operation", *whole, *filters)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium, Debian's."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        yield running
        running.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is required, as on CI, a test that was skipped has failed."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CONSENTKIT_REQUIRE_ALL"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and nothing may be: {report.longrepr}"
    return report
