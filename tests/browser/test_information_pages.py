"""The notice, the deletions and the cookie policy in a real browser: readable by everybody, on every screen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from consentkit.archive.published import Deletions, Destroyed
from consentkit.consent.inventory import Inventory, Sighting
from tests.browser.measures import MISFITS
from tests.serving import serving

pytestmark = pytest.mark.browser

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = ("privacy", "deletions", "cookies")

SETTINGS = """
[site]
operator = "Sabiedrība ar ierobežotu atbildību Piemērs"
contact = "privacy@example.com"
dpo = "https://www.example.com/data-protection-officer/and-a-path-that-is-long"
authority = "LT"
privacy_url = "https://www.example.com/policies/privacy/for-everybody-who-visits-us"

[requestlog]
ingest = "external"
truncate_ip_after_days = 30

[[consent.cookies]]
name = "theme"
category = "preferences"
purpose = "Remembers light or dark"

[[consent.services]]
id = "video"
name = "Example Video"
provider = "Example Video Limited"
category = "marketing"
purpose = "Plays videos"
hosts = ["video.example.net"]
country = "US"
privacy_url = "https://video.example.net/privacy"

[[recipients]]
name = "SIA Mitināšana"
country = "LV"
role = "processor: hosting of the servers"
purpose = "running the site"
basis = "GDPR art. 28"
data = "all that is kept"
since = 2026-01-01

[[recipients]]
name = "Old Hosting Limited"
country = "US"
transfer = "standard contractual clauses"
until = 2025-12-31
"""


@pytest.fixture(scope="module")
def information(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a site with something on each page."""
    folder = tmp_path_factory.mktemp("information")
    (folder / "consentkit.toml").write_text(SETTINGS, "utf-8")
    published = folder / "var/consentkit/published"
    published.mkdir(parents=True)
    at = datetime(2026, 11, 20, 0, 1, tzinfo=UTC)
    gone = tuple(
        Destroyed(
            period=f"2026-08-22T{hour:02}",
            at=at - timedelta(hours=24 - hour),
            early=hour == 7,
            certificate="ab" * 32,
        )
        for hour in reversed(range(24))
    )
    older = Destroyed(period="2026-07-01", at=at, certificate="")
    (published / "deletions.json").write_bytes(
        msgspec.json.encode(Deletions(destroyed=(*gone, older), next_due=at))
    )
    day = date(2026, 11, 23)
    inventory = Inventory(last=day, days=1, names={"undeclared": {"c" * 64: Sighting(day, day, 1)}})
    (published.parent / "inventory.json").write_bytes(msgspec.json.encode(inventory))
    with serving("tests.visitor.site:app", folder, config=folder / "consentkit.toml") as server:
        yield server.url


@pytest.fixture
def page(browser: Browser, information: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    options = getattr(request, "param", {})
    context = browser.new_context(base_url=information, **options)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    "page",
    [
        {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
        for scheme in ("light", "dark")
        for width in (360, 1280)
    ],
    indirect=True,
    ids=["phone-light", "desktop-light", "phone-dark", "desktop-dark"],
)
def test_axe_finds_nothing(page: Page, name: str) -> None:
    page.goto(f"/consentkit/{name}?lang=en")
    results = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
    assert [
        (found["id"], node["html"]) for found in results.response["violations"] for node in found["nodes"]
    ] == []


@pytest.mark.parametrize("language", ["lv", "ru", "en", "et", "lt"])
@pytest.mark.parametrize("page", [{"viewport": {"width": 320, "height": 600}}], indirect=True, ids=["320"])
def test_nothing_needs_scrolling_sideways(page: Page, language: str) -> None:
    """WCAG 2.2, 1.4.10: 320 px are 1280 at 400 %."""
    for name in PAGES:
        page.goto(f"/consentkit/{name}?lang={language}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert page.evaluate(MISFITS) == []


def test_the_pages_print_without_what_only_a_screen_needs(page: Page) -> None:
    page.goto("/consentkit/privacy?lang=en")
    page.emulate_media(media="print", color_scheme="dark")
    for hidden in (".ck-masthead nav", ".ck-foot", ".ck-contents"):
        assert not page.locator(hidden).is_visible()
    for shown in ("h1", "#objection", "#log", ".ck-operator"):
        assert page.locator(shown).is_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


@pytest.mark.parametrize("page", [{"forced_colors": "active"}], indirect=True, ids=["forced"])
def test_forced_colours_keep_what_stands_apart(page: Page) -> None:
    page.goto("/consentkit/privacy?lang=en")
    for box in (".ck-short", ".ck-apart"):
        assert page.locator(box).evaluate("element => getComputedStyle(element).borderTopStyle") == "solid"


def test_a_link_of_the_contents_leads_to_a_heading_that_nothing_covers(page: Page) -> None:
    page.goto("/consentkit/privacy?lang=en")
    page.locator(".ck-contents a[href='#incidents']").click()
    on_top = page.evaluate(
        """() => {
          const {left, top, height} = document.getElementById("incidents").getBoundingClientRect();
          return document.elementFromPoint(left + 5, top + height / 2).id;
        }"""
    )
    assert on_top == "incidents"
