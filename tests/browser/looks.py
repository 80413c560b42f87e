"""Everything of ours that a visitor can see, and the ways in which browsers show it.

Owns how each state is brought about and how a browser is made to show it in a way. What must hold of them is
said by the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal
from weakref import WeakKeyDictionary

import msgspec
from playwright.sync_api import CDPSession, Page, expect

from tests.opening import OpenPage

LANGUAGES: Final = ("lv", "ru", "en", "et", "lt")

# Everything declared that our pages can show, names too long for a narrow screen among it.
SETTINGS: Final = """
[site]
operator = "SIA Ļoti Garais Uzņēmuma Nosaukums Piemērs"
contact = "personas-datu-aizsardziba@example.com"
registration = "00000000000"
address = "Piemēra iela 1, Rīga, LV-0000"
dpo = "datu.specialists@example.com"
authority = "LV"
languages = ["lv", "ru", "en", "et", "lt"]

[requestlog]
trusted_proxies = ["127.0.0.1/32"]
truncate_ip_after_days = 30

[consent]
presets = ["starlette"]

[[consent.cookies]]
name = "theme"
category = "preferences"
purpose = { lv = "Atceras gaišo vai tumšo izskatu", en = "Remembers light or dark" }
lifetime_days = 365

[[consent.cookies]]
name = "a_cookie_whose_name_is_longer_than_a_narrow_screen_is_wide_*"
category = "statistics"
purpose = "Counts visits"
lifetime_days = 90

[[consent.services]]
use = "matomo"
hosts = ["stats.example.org"]

[[consent.services]]
id = "video"
name = "Example Video"
provider = "Example Video Limited"
category = "marketing"
purpose = "Plays videos"
hosts = ["video.example.net"]
country = "IE"
privacy_url = "https://video.example.net/privacy"

[[recipients]]
name = "SIA Datu centrs Piemērs"
role = "processor: hosting of the servers"
purpose = "running the site and keeping it secure"
country = "LV"
since = 2026-01-01
"""


# What is emulated lasts as long as the session that asked for it.
_sessions: Final[WeakKeyDictionary[Page, CDPSession]] = WeakKeyDictionary()

_WAIT_UNTIL_SHOWN: Final = """async (width) => {
  const frame = () => new Promise(requestAnimationFrame);
  for (let waited = 0; innerWidth !== width && waited < 300; waited += 1) await frame();
  await frame();
  await frame();
}"""


class Look(msgspec.Struct, frozen=True):
    """One way in which a browser shows a page.

    Attributes:
        width: of the viewport, CSS px.
        height: of the viewport, CSS px.
        pixels: device pixels a CSS pixel.
        scheme: what the visitor prefers.
        is_forced: whether the colours are the visitor's own (CSS Color Adjust, forced colors mode).
    """

    width: int
    height: int
    pixels: int = 1
    scheme: Literal["light", "dark"] = "light"
    is_forced: bool = False

    def put_on(self, page: Page) -> None:
        """Show the open page this way."""
        page.emulate_media(color_scheme=self.scheme, forced_colors="active" if self.is_forced else "none")
        if page not in _sessions:
            _sessions[page] = page.context.new_cdp_session(page)
        _sessions[page].send(
            "Emulation.setDeviceMetricsOverride",
            {"width": self.width, "height": self.height, "deviceScaleFactor": self.pixels, "mobile": False},
        )
        page.evaluate(_WAIT_UNTIL_SHOWN, self.width)

    def __str__(self) -> str:
        return f"{self.width} px{f' at {self.pixels * 100} %' if self.pixels > 1 else ''}, " + (
            "forced colours" if self.is_forced else self.scheme
        )


def _in_all_colours(width: int, height: int, pixels: int = 1) -> tuple[Look, ...]:
    return (
        Look(width, height, pixels),
        Look(width, height, pixels, scheme="dark"),
        Look(width, height, pixels, is_forced=True),
    )


NARROW: Final = _in_all_colours(320, 640)
# WCAG 2.2, 1.4.10: 400 % of a window of 1280 by 1024 px shows 320 by 256 CSS px.
ZOOMED: Final = _in_all_colours(320, 256, pixels=4)
PHONE: Final = _in_all_colours(390, 844)
DESKTOP: Final = _in_all_colours(1280, 800)


def _show_banner(page: Page) -> None:
    expect(page.locator("[data-action=reject]").first).to_be_visible()


def _open_dialog(page: Page) -> None:
    page.click("[data-action=settings]")
    expect(page.locator("dialog")).to_be_visible()


def _refuse(page: Page) -> None:
    page.click("[data-action=reject]")
    expect(page.get_by_role("status")).not_to_be_empty()


def _unfold(page: Page) -> None:
    for summary in page.query_selector_all("details:not([open]) > summary"):
        summary.click()


def _nothing(_: Page) -> None:
    pass


class State(msgspec.Struct, frozen=True):
    """Something of ours that a visitor sees.

    Attributes:
        path: of the page, without the language.
        status: the page's.
        reach: brings it about on the open page.
        has_choice: the visitor accepted all on another page before.
    """

    path: str
    status: int = 200
    reach: Callable[[Page], None] = _nothing
    has_choice: bool = False

    def show(self, open_page: OpenPage, language: str) -> Page:
        """Open it in a fresh profile and return the page."""
        page = open_page("/?lang=en" if self.has_choice else "/ready")
        if self.has_choice:
            page.click("[data-action=accept]")
            expect(page.locator("#consentkit")).to_be_hidden()
        cookies = {"session": "1", "theme": "dark", "a_cookie_of_someone_elses_that_nobody_described": "1"}
        page.context.add_cookies([{"name": name, "value": cookies[name], "url": page.url} for name in cookies])
        response = page.goto(f"{self.path}?lang={language}")
        assert response is not None
        assert response.status == self.status
        self.reach(page)
        return page


STATES: Final[dict[str, State]] = {
    "banner-and-embed": State("/embed", reach=_show_banner),
    "dialog": State("/embed", reach=_open_dialog),
    "saved": State("/embed", reach=_refuse),
    "settings": State("/consentkit/settings", reach=_unfold),
    "settings-after-a-choice": State("/consentkit/settings", reach=_unfold, has_choice=True),
    "cookies": State("/consentkit/cookies", reach=_unfold),
    "privacy": State("/consentkit/privacy", reach=_unfold),
    "deletions": State("/consentkit/deletions", reach=_unfold),
    "receipt": State("/consentkit/receipt", reach=_unfold, has_choice=True),
    "receipt-of-nobody": State("/consentkit/receipt", reach=_unfold),
    "error": State("/consentkit/no-such-page", 404),
    "consent-needed": State("/needs-consent", 403),
}
