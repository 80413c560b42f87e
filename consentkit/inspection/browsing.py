"""Visiting with Chromium: one fresh profile a visitor, scripts and all, as a person's browser does it.

Owns the driving of the browser by Playwright, which is loaded when it is asked for: sites do without it. What is
met goes into `observed.Notes`, values of cookies nowhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from consentkit.inspection.findings import is_own
from consentkit.inspection.markup import host_of, pages_to_open, path_of
from consentkit.inspection.observed import (
    Answer,
    Banner,
    CookieFound,
    HostFound,
    InspectionError,
    Notes,
    Size,
    StorageFound,
    Visitor,
    Walk,
)

if TYPE_CHECKING:
    from types import TracebackType

    from playwright.sync_api import BrowserContext, Frame, Page

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OPTIONS: Final = (
    "--disable-gpu",
    "--disable-background-networking",  # else the browser's maker is asked for things at every start
    "--disable-component-update",
    "--disable-sync",
)
_LOAD_MS: Final = 15_000
_QUIET_MS: Final = 3_000
_SETTLE_MS: Final = 400
_ANSWER_MS: Final = 5_000
_SECONDS_A_DAY: Final = 86_400

# Source: the Global Privacy Control specification, §3.3.
_SIGNAL: Final = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true });"
_KEYS: Final = """() => ["localStorage", "sessionStorage"].map((area) => {
  try { return Object.keys(window[area]).slice(0, 500) } catch { return [] }
})"""
_LINKS: Final = "() => [...document.querySelectorAll('a[href]')].slice(0, 2000).map((link) => link.href)"

_WAY_OUT: Final = "or visit without a browser: consentkit inspect --app module:name"


class Plan(NamedTuple):
    """What is visited.

    Attributes:
        url: the first page.
        pages: how many, the first one included.
        own: the site's host, or the domain that its hosts share.
        mount: path below which consentkit's pages lie.
        deadline: monotonic seconds; nothing is begun after it.
    """

    url: str
    pages: int
    own: str
    mount: str
    deadline: float

    def milliseconds(self, most: int) -> int:
        """Return the time that one step may take.

        Raises:
            InspectionError: there is none left.
        """
        left = int((self.deadline - time.monotonic()) * 1000)
        if left <= 0:
            raise InspectionError("the time was over before everything was looked at: give more with --timeout")
        return min(most, left)


class Chromium:
    """A running browser.

    Args:
        executable: its path; empty = the one that the system has.

    Attributes:
        version: of the browser.

    Raises:
        InspectionError: on entering: Playwright or the browser is missing, with the way out.
    """

    def __init__(self, executable: str = "") -> None:
        self._executable = executable or next(filter(None, map(shutil.which, _NAMES)), "")
        self._exits = contextlib.ExitStack()
        self.version = ""

    def __enter__(self) -> Self:
        try:
            from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 - no site needs it to run
        except ImportError as exc:
            raise InspectionError(
                f"Playwright is not installed: pip install playwright, and a Chromium; {_WAY_OUT}"
            ) from exc
        is_root = os.geteuid() == 0  # whom Chromium's sandbox refuses
        playwright = self._exits.enter_context(sync_playwright())
        try:
            self._browser = playwright.chromium.launch(
                executable_path=self._executable or None, args=[*_OPTIONS, *(["--no-sandbox"] if is_root else [])]
            )
        except Error as exc:
            self._exits.close()
            raise InspectionError(
                "no Chromium starts: install one (apt-get install chromium), name it with --browser PATH,"
                f" {_WAY_OUT}"
            ) from exc
        self._exits.callback(self._browser.close)
        self.version = f"Chromium {self._browser.version}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def walk(self, visitor: Visitor, plan: Plan) -> Walk:
        """Visit the site as one visitor, with a profile of his own."""
        from playwright.sync_api import Error  # noqa: PLC0415 - as above

        headers = {"Sec-GPC": "1"} if visitor == "gpc" else {}
        context = self._browser.new_context(
            locale="en-GB", viewport={"width": 1280, "height": 900}, extra_http_headers=headers
        )
        if visitor == "gpc":
            context.add_init_script(_SIGNAL)
        steps = _Steps(context, plan)
        try:
            steps.go(visitor)
        except InspectionError as exc:
            steps.notes.faults.append(str(exc))
        except Error:  # its text may hold addresses
            steps.notes.faults.append("The browser broke off the visit.")
        finally:
            with contextlib.suppress(Error):
                context.close()
        return steps.notes.walk(visitor)


class _Steps:
    """One visitor's steps."""

    def __init__(self, context: BrowserContext, plan: Plan) -> None:
        self.notes = Notes()
        self._context = context
        self._plan = plan
        self._page: Page = context.new_page()
        self._now_on = path_of(plan.url)
        self._mount = plan.mount
        context.on("request", lambda request: self._asked(request.url))
        self._page.on("websocket", lambda socket: self._asked(socket.url))

    def go(self, visitor: Visitor) -> None:
        """Take them."""
        if not self._open(self._plan.url):
            return
        self.notes.banner = self._banner()
        others = pages_to_open(
            self._plan.url, self._page.evaluate(_LINKS), count=self._plan.pages, mount=self._mount
        )
        if visitor == "refusing":
            self._answer("reject")
        elif visitor in ("accepting", "withdrawn"):
            self._answer("accept")
        self._browse(others)
        if visitor == "withdrawn":
            self._withdraw()
            self._browse([self._plan.url, *others])

    def _open(self, url: str) -> bool:
        from playwright.sync_api import Error  # noqa: PLC0415 - as above

        self._now_on = path_of(url)
        try:
            self._page.goto(url, wait_until="load", timeout=self._plan.milliseconds(_LOAD_MS))
        except Error:
            self.notes.faults.append(f"{self._now_on} could not be opened.")
            return False
        self.notes.pages.append(self._now_on)
        self._settle()
        return True

    def _browse(self, urls: list[str]) -> None:
        for url in urls:
            self._open(url)

    def _settle(self) -> None:
        """Wait until the page is quiet, scroll to its end for what loads late, and note what is there."""
        from playwright.sync_api import Error  # noqa: PLC0415 - as above

        for _ in range(2):
            with contextlib.suppress(Error):  # some pages never are
                self._page.wait_for_load_state("networkidle", timeout=self._plan.milliseconds(_QUIET_MS))
            self._page.mouse.wheel(0, 20_000)
            self._page.wait_for_timeout(self._plan.milliseconds(_SETTLE_MS))
        self._note()

    def _banner(self) -> Banner:
        root = self._page.locator("#consentkit").first
        if root.count() == 0:
            return Banner()
        self._mount = root.get_attribute("data-mount") or self._mount
        sizes = {}
        for action in ("accept", "reject"):
            button = self._page.locator(f'#consentkit .ck-first [data-action="{action}"]').first
            box = button.bounding_box() if button.count() and button.is_visible() else None
            sizes[action] = Size(box["width"], box["height"]) if box else None
        return Banner(
            is_shown=root.is_visible(),
            accept=sizes["accept"] is not None,
            reject=sizes["reject"] is not None,
            accept_size=sizes["accept"],
            reject_size=sizes["reject"],
        )

    def _answer(self, answer: Answer, within: str = "#consentkit") -> None:
        from playwright.sync_api import Error  # noqa: PLC0415 - as above

        button = self._page.locator(f'{within} [data-action="{answer}"]').first
        try:
            button.click(timeout=self._plan.milliseconds(_ANSWER_MS))
        except Error:
            self.notes.faults.append(f'There was no button "{answer}" to press (data-action="{answer}").')
            return
        self._settle()

    def _withdraw(self) -> None:
        """Take consent back on the settings page; from then on everything counts anew."""
        origin = self._plan.url.partition("://")
        host = origin[2].partition("/")[0]
        if self._open(f"{origin[0]}://{host}{self._mount}/settings"):
            self._answer("reject", within="main")
        self.notes.forget()

    def _note(self) -> None:
        now = time.time()
        for cookie in self._context.cookies():
            expires = cookie.get("expires", -1)
            self.notes.cookie(
                CookieFound(
                    name=cookie.get("name", ""),
                    domain=cookie.get("domain", "").lstrip(".").lower(),
                    path=cookie.get("path", "/"),
                    lifetime_days=None if expires < 0 else (expires - now) / _SECONDS_A_DAY,
                    http_only=cookie.get("httpOnly", False),
                    page=self._now_on,
                )
            )
        for frame in self._page.frames:
            self._note_storage(frame)

    def _note_storage(self, frame: Frame) -> None:
        from playwright.sync_api import Error  # noqa: PLC0415 - as above

        host = host_of(frame.url)
        if not host:
            return
        try:
            local, session = frame.evaluate(_KEYS)
        except Error:
            return  # the frame went away meanwhile
        for key in local:
            self.notes.store(StorageFound(key=key, area="localStorage", host=host, page=self._now_on))
        for key in session:
            self.notes.store(StorageFound(key=key, area="sessionStorage", host=host, page=self._now_on))

    def _asked(self, url: str) -> None:
        host = host_of(url)
        if host and not is_own(host, self._plan.own):
            self.notes.host(HostFound(host=host, page=self._now_on))
