from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from consentkit.consent.registry import Registry
from consentkit.settings import Settings
from consentkit.visitor.banner import Banner
from consentkit.visitor.shell import Shell
from consentkit.web.assets import Assets
from consentkit.web.texts import Texts
from tests.opening import OpenPage, opening
from tests.serving import serving

LANGUAGES = ("lv", "ru", "en", "et", "lt")

SETTINGS = """
[site]
operator = "SIA Piemērs"
contact = "privacy@example.com"

[requestlog]
trusted_proxies = ["127.0.0.1/32"]

[[consent.cookies]]
name = "theme"
category = "preferences"
purpose = { lv = "Atceras gaišo vai tumšo izskatu", en = "Remembers light or dark" }
lifetime_days = 365

[[consent.cookies]]
name = "visits_*"
category = "statistics"
purpose = "Counts visits"
lifetime_days = 90

[[consent.services]]
id = "video"
name = "Example Video"
provider = "Example Video Limited"
category = "marketing"
purpose = "Plays videos"
hosts = ["video.example.net"]
country = "IE"
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts whole installations, so that it runs as a group of its own."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item.module, "ConsentKit"):
            item.add_marker(pytest.mark.custody)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    path = tmp_path_factory.mktemp("visitor") / "consentkit.toml"
    path.write_text(SETTINGS, "utf-8")
    return Settings.load(path, {})


@pytest.fixture(scope="session")
def registry(settings: Settings) -> Registry:
    return Registry.build(settings)


@pytest.fixture(scope="session")
def texts() -> Texts:
    return Texts(LANGUAGES)


@pytest.fixture(scope="session")
def assets() -> Assets:
    return Assets.load()


@pytest.fixture
def banner(settings: Settings, registry: Registry, texts: Texts, assets: Assets) -> Banner:
    return Banner(settings, registry, texts, assets, mount="/consentkit")


@pytest.fixture(scope="session")
def shell(settings: Settings, texts: Texts, assets: Assets) -> Shell:
    return Shell(settings, texts, assets, mount="/consentkit")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of `tests.visitor.site` under a real server."""
    folder = tmp_path_factory.mktemp("site")
    config = folder / "consentkit.toml"
    config.write_text(SETTINGS, "utf-8")
    with serving("tests.visitor.site:app", folder, config=config) as server:
        yield server.url


@pytest.fixture
def open_page(browser: Browser, site: str) -> Iterator[OpenPage]:
    """Open a path of the site in a fresh profile."""
    with opening(browser, site) as open_one:
        yield open_one
