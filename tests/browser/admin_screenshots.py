"""Take pictures of the admin area's pages, to be looked at and for the README.

    python -m tests.browser.admin_screenshots FOLDER [ROUTE …]
    python -m tests.browser.admin_screenshots docs/images --readme

Every page that links lead to is taken on a desktop and a phone, light and dark, over an installation with some
weeks of made-up traffic; for the README two of them, as far as a window shows. Owns the taking and what is in the
pictures; the looks are those of `tests.browser.looks`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import Page, sync_playwright
from sqlalchemy import insert

from bench.ingest import as_record
from bench.traffic import traffic
from consentkit import audit
from consentkit.admin.roles import ROLES
from consentkit.archive.aggregate.hours import Aggregator
from consentkit.archive.sealing import seal
from consentkit.archive.store import Filters
from consentkit.control import consent_rate
from consentkit.requestlog.redact import Redactor
from tests.admin.area import ROOT, STAFF, Area, hashed
from tests.admin.incidents import hold
from tests.browser.adminsite import Site, serving_area
from tests.browser.screenshots import LOOKS, picture
from tests.conftest import CHROMIUM_OPTIONS

if TYPE_CHECKING:
    from consentkit.admin.people import People
    from tests.archive.installation import Installation

_DAYS = 24
_REQUESTS_A_DAY = 300
_RETENTION_DAYS = 30
_HELD_DAYS = 2
_PERSON = "liga"

# Address and height in px.
_README: Final = {"admin-overview": ("/", 960), "admin-search": ("/search?since=7d&status=4xx", 1280)}


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="admin_screenshots", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("routes", nargs="*", metavar="ROUTE", help="as /search (default all)")
    parser.add_argument("--language", default="en")
    parser.add_argument("--readme", action="store_true", help="the README's two, as WebP")
    arguments = parser.parse_args(argv)
    chromium = shutil.which("chromium")
    if chromium is None:
        parser.error("Chromium is missing: apt-get install chromium")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        area = Area(Path(folder), retention_days=_RETENTION_DAYS)
        fill(area.installation, area.people)
        with serving_area(area) as site:
            browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
            page = site.context(browser, _PERSON).new_page()
            if arguments.readme:
                _take_for_readme(page, arguments.folder)
            else:
                _take_all(page, site, arguments)
            browser.close()
    return 0


def _take_for_readme(page: Page, folder: Path) -> None:
    look = LOOKS["desktop"]
    page.emulate_media(color_scheme=look.scheme)
    for name, (address, height_px) in _README.items():
        page.set_viewport_size({"width": look.width, "height": height_px})
        page.goto(f"{ROOT}{address}")
        (folder / f"{name}.webp").write_bytes(picture(page, is_whole=False))


def _take_all(page: Page, site: Site, arguments: argparse.Namespace) -> None:
    for route, address in site.pages(_PERSON).items():
        is_wanted = not arguments.routes or route in arguments.routes
        if not is_wanted or route.endswith((".csv", ".json", "/file")):
            continue
        page.goto(f"{ROOT}{address}{'&' if '?' in address else '?'}lang={arguments.language}")
        for name, look in LOOKS.items():
            page.emulate_media(color_scheme=look.scheme)
            page.set_viewport_size({"width": look.width, "height": look.height})
            page.screenshot(path=arguments.folder / f"{_name(route)}-{name}.png", full_page=True)


def fill(installation: Installation, people: People) -> None:
    """Put in what a small site has after some days: traffic, answers to the banner, an incident, looks."""
    people.add(STAFF, _PERSON, ROLES, hashed())
    now, redactor = datetime.now(UTC), Redactor(("page",))
    for day in range(_DAYS, 0, -1):
        samples = traffic(_REQUESTS_A_DAY, start=now - timedelta(days=day), seed=day)
        installation.store(*(as_record(sample, redactor) for sample in samples))
    Aggregator(installation.holdings).run(time.time_ns() // 1000, budget_seconds=60)
    today = now.strftime("%Y-%m-%d")
    for name, state in installation.states().items():
        if state == "open" and name < today:
            seal(installation.holdings, installation.period(name), audit.Actor("consentkit", "worker"))
    lately = Filters(since_us=int((now - timedelta(days=_HELD_DAYS)).timestamp() * 1_000_000))
    hold(
        installation, case="2026-7", reason="Passwords are guessed from one network", owner="Līga", filters=lately
    )
    look = audit.Look("incident", "2026-7", "Passwords are guessed from one network")
    for rows in (12, 50, 3):
        actor = audit.Actor("investigator", "admin")
        audit.record(installation.control, actor, "log.search", look=look, detail={"filters": {}}, rows=rows)
    answers = (("accepted", 41), ("refused", 62), ("partly", 17), ("changed", 3), ("withdrawn", 2))
    rates = [
        {"day": (now - timedelta(days=day)).strftime("%Y-%m-%d"), "language": language, "category": "",
         "kind": kind, "script": 1, "times": times + day % 7}
        for day in range(_DAYS) for language in ("lv", "en", "ru") for kind, times in answers
    ]  # fmt: skip
    with installation.control.transaction() as connection:
        connection.execute(insert(consent_rate), rates)


def _name(route: str) -> str:
    return re.sub(r"[^a-z]+", "-", route.replace(":int", "")).strip("-") or "overview"


if __name__ == "__main__":
    sys.exit(main())
