from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.looks import SETTINGS
from tests.opening import OpenPage, opening
from tests.serving import Server, serving


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The example site under two workers, with storage of its own."""
    folder: Path = tmp_path_factory.mktemp("example")
    environment = {"CONSENTKIT_STORAGE_DIRECTORY": str(folder / "data")}
    with serving("example_app.main:app", folder, workers=2, environment=environment) as running:
        yield running


@pytest.fixture(scope="session")
def look_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the site on which all that a visitor can see of ours is looked at."""
    folder = tmp_path_factory.mktemp("look")
    (folder / "consentkit.toml").write_text(SETTINGS, "utf-8")
    with serving("tests.visitor.site:app", folder, config=folder / "consentkit.toml") as server:
        yield server.url


@pytest.fixture
def look(browser: Browser, look_site: str) -> Iterator[OpenPage]:
    """Open a path of that site in a fresh profile."""
    with opening(browser, look_site) as open_page:
        yield open_page
