"""A night at work in the admin area with scripts switched off: all but what renews itself goes by links."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.admin.area import ROOT
from tests.admin.hostile import EVERYTHING
from tests.browser.adminsite import REASON, Site, admin_site, sign_in

pytestmark = pytest.mark.browser

CASE = "INC-7"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with admin_site(tmp_path_factory.mktemp("admin")) as running:
        yield running


@pytest.fixture
def page(site: Site, browser: Browser) -> Iterator[Page]:
    """A window without scripts, of nobody yet."""
    context = site.context(browser, "", java_script_enabled=False, accept_downloads=True)
    yield context.new_page()
    context.close()


def start(page: Page, path: str) -> None:
    """Go to a page as nobody: sign in, say why, and be there."""
    page.goto(ROOT + path)
    sign_in(page, EVERYTHING)
    if page.locator("[name=look-purpose]").count():
        page.check("[name=look-purpose][value=incident]")
        page.fill("[name=look-reason]", REASON)
        page.fill("[name=look-case]", CASE)
        page.click("main button")
    assert urlsplit(page.url).path == ROOT + path.partition("?")[0]


def wait_for(page: Page, selector: str) -> None:
    """Wait for what a page that renews itself will show."""
    page.locator(selector).first.wait_for(timeout=30_000)


def test_requests_are_found_and_their_addresses_shown_for_a_case(page: Page) -> None:
    start(page, "/search?since=7d")
    page.fill("form[method=get] [name=path]", "/plain")
    page.click("form[method=get] button:not([name])")
    assert "path=%2Fplain" in page.url
    rows = page.locator("tr.ck-row")
    expect(rows).to_have_count(3)
    assert "192.0.2.1" not in rows.first.inner_text()
    page.click("form[action*='/search/reveal'] button")
    assert "192.0.2.1" in page.locator("tr.ck-row").first.inner_text()
    page.locator("tr.ck-row summary").first.click()
    assert "request_id" in page.locator("tr.ck-row dl").first.inner_text()


def test_rows_are_paged_both_ways(page: Page) -> None:
    start(page, "/search?since=7d")
    first = page.locator("tr.ck-row time").first.get_attribute("datetime")
    page.click("a[rel=next]")
    older = page.locator("tr.ck-row time").first.get_attribute("datetime")
    assert older is not None
    assert first is not None
    assert older < first
    page.click("a[rel=prev]")
    assert page.locator("tr.ck-row time").first.get_attribute("datetime") == first


def test_an_incident_is_opened_noted_exported_and_closed(page: Page) -> None:
    start(page, "/search?since=7d&path=%2Fplain")
    page.click(".ck-heading a[href*='/incidents/new']")
    page.fill("[name=case]", CASE)
    page.fill("[name=owner]", "Anna")
    page.fill("[name=reason]", "attempts at the sign-in")
    page.fill("[name=review]", (datetime.now(UTC).date() + timedelta(days=14)).isoformat())
    page.click("form[method=post][action*='/incidents/new'] button")
    wait_for(page, "form[action$='/note']")
    page.fill("[name=note]", "Looked at with the hosting company.")
    page.click("form[action$='/note'] button")
    expect(page.locator("#journal")).to_contain_text("Looked at with the hosting company.")
    page.click(".ck-heading a[href$='/export']")
    page.fill("[name=recipient]", "CERT")
    page.click("form[action$='/export'] button")
    wait_for(page, "a[href$='/file']")
    with page.expect_download() as got:
        page.click("a[href$='/file']")
    assert Path(got.value.path()).read_bytes()[:4] == b"PK\x03\x04"
    page.click("main a[href*='/incidents/']")
    page.click(".ck-heading a[href$='/close']")
    page.fill("[name=reason]", "handed to the police")
    page.click("form[action$='/close'] button")
    expect(page.locator("main")).to_contain_text("Certificate of destruction")


def test_requests_are_exported(page: Page) -> None:
    start(page, "/search?since=7d&path=%2Fplain")
    page.click(".ck-heading a[href*='/search/export']")
    page.check("[name=format][value=csv]")
    page.click("form[method=post][action*='/search/export'] button")
    wait_for(page, "a[href$='/file']")
    with page.expect_download() as got:
        page.click("a[href$='/file']")
    lines = Path(got.value.path()).read_text("utf-8").splitlines()
    assert len(lines) == 4
    assert got.value.suggested_filename.endswith(".csv")


def test_a_persons_request_is_entered_and_answered(page: Page) -> None:
    start(page, "/people")
    page.click("main a[href$='/people/new']")
    page.check("[name=kind][value=export]")
    page.fill("[name=received]", datetime.now(UTC).date().isoformat())
    page.fill("[name=reference]", "letter 2026/114")
    page.click("form[action$='/people/new'] button")
    page.locator("details:has(form[action$='/identify']) > summary").click()
    today = datetime.now(UTC).date()
    for name, value in {
        "address": "192.0.2.1",
        "since": (today - timedelta(days=2)).isoformat(),
        "until": today.isoformat(),
        "reason": "the provider's bill",
    }.items():
        page.fill(f"form[action$='/identify'] [name={name}]", value)
    page.click("form[action$='/identify'] button")
    page.click("main a[href$='/preview']")
    with page.expect_download() as got:
        page.click("form[action$='/export'] button")
    assert Path(got.value.path()).read_bytes()[:4] == b"PK\x03\x04"


def test_the_audit_is_reviewed(page: Page) -> None:
    start(page, "/audit")
    page.click("form[action$='/audit/review'] button")
    expect(page.locator("#review")).not_to_contain_text("Never reviewed yet")


def test_every_page_says_what_it_is_without_a_script(site: Site, page: Page) -> None:
    start(page, "/")
    for route, address in site.pages().items():
        if not route.endswith(("/file", ".csv", ".json")):
            answer = page.goto(ROOT + address)
            assert answer is not None
            assert answer.status == 200, address
            assert page.locator("h1").inner_text(), address
