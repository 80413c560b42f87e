"""Take pictures of what visitors see on the example site, to be looked at and for the README.

    python -m tests.browser.screenshots FOLDER [NAME …]

Each state is taken on a desktop and a phone, light and dark, as WebP. Owns the taking alone: the states that
tests look at are in `tests.browser.looks`.
"""

from __future__ import annotations

import argparse
import base64
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.looks import DESKTOP, PHONE, Look
from tests.conftest import CHROMIUM_OPTIONS
from tests.serving import serving

LOOKS: Final = {
    "desktop": DESKTOP[0],
    "desktop-dark": DESKTOP[1],
    "phone": PHONE[0],
    "phone-dark": PHONE[1],
}
_QUALITY: Final = 82


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="screenshots", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(STATES)} (default all)")
    parser.add_argument("--language", default="en")
    parser.add_argument("--whole", action="store_true", help="the whole length of the page")
    arguments = parser.parse_args(argv)
    names = arguments.names or list(STATES)
    if unknown := set(names) - STATES.keys():
        parser.error(f"no state is called {', '.join(sorted(unknown))}")
    chromium = shutil.which("chromium")
    if chromium is None:
        parser.error("Chromium is missing: apt-get install chromium")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        environment = {"CONSENTKIT_STORAGE_DIRECTORY": f"{folder}/data"}
        with serving("example_app.main:app", Path(folder), environment=environment) as server:
            browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
            for name in names:
                for look_name, look in LOOKS.items():
                    picture = _take(browser, server.url, name, look, arguments.language, is_whole=arguments.whole)
                    file = arguments.folder / f"{name}-{look_name}.webp"
                    file.write_bytes(picture)
                    print(f"{file}  {len(picture) / 1000:.0f} KB")
            browser.close()
    return 0


def _take(browser: Browser, url: str, name: str, look: Look, language: str, *, is_whole: bool) -> bytes:
    """Return one picture as WebP."""
    context = browser.new_context(base_url=url, locale=language, device_scale_factor=1)
    page = context.new_page()
    page.goto("/")
    look.put_on(page)
    STATES[name](page, language)
    look.put_on(page)
    taken = picture(page, is_whole=is_whole)
    context.close()
    return taken


def picture(page: Page, *, is_whole: bool) -> bytes:
    """Return what a window shows as WebP; a whole page may be longer than the window."""
    options: dict[str, Any] = {"format": "webp", "quality": _QUALITY, "captureBeyondViewport": is_whole}
    if is_whole:
        width, height = page.evaluate("[innerWidth, document.documentElement.scrollHeight]")
        options["clip"] = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    answer = page.context.new_cdp_session(page).send("Page.captureScreenshot", options)
    return base64.b64decode(answer["data"])


def _open(path: str) -> Callable[[Page, str], None]:
    def open_page(page: Page, language: str) -> None:
        page.goto(f"{path}?lang={language}")

    return open_page


def _open_dialog(page: Page, language: str) -> None:
    page.goto(f"/?lang={language}")
    page.click("#consentkit [data-action=settings]")
    expect(page.locator("dialog")).to_be_visible()


def _refuse(page: Page, language: str) -> None:
    page.goto(f"/?lang={language}")
    page.click("#consentkit [data-action=reject]")
    expect(page.get_by_role("status").first).not_to_be_empty()


def _after_consent(path: str) -> Callable[[Page, str], None]:
    def open_page(page: Page, language: str) -> None:
        page.click("#consentkit [data-action=accept]")
        expect(page.locator("#consentkit")).to_be_hidden()
        page.goto(f"{path}?lang={language}")

    return open_page


STATES: Final[dict[str, Callable[[Page, str], None]]] = {
    "banner": _open("/"),
    "dialog": _open_dialog,
    "saved": _refuse,
    "settings": _open("/consentkit/settings"),
    "settings-after-consent": _after_consent("/consentkit/settings"),
    "cookies": _open("/consentkit/cookies"),
    "privacy": _open("/consentkit/privacy"),
    "deletions": _open("/consentkit/deletions"),
    "receipt": _after_consent("/consentkit/receipt"),
    "receipt-of-nobody": _open("/consentkit/receipt"),
    "error": _open("/consentkit/no-such-page"),
}


if __name__ == "__main__":
    sys.exit(main())
