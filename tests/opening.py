"""Pages opened in fresh profiles of a real browser, for tests that look at them or use them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any, Protocol

from playwright.sync_api import Browser, BrowserContext, Page


class OpenPage(Protocol):
    """Open a path of the site as a visitor who was never there."""

    def __call__(self, path: str, *, width: int = 1280, height: int = 800, **options: Any) -> Page: ...


_numbers = itertools.count(1)


@contextlib.contextmanager
def opening(browser: Browser, site: str) -> Iterator[OpenPage]:
    """Yield a function that opens pages; afterwards fail on any script error or policy violation they had.

    Each has an address of its own, since an address may grant only so often a minute.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_one(path: str, *, width: int = 1280, height: int = 800, **options: Any) -> Page:
        context = browser.new_context(
            base_url=site,
            viewport={"width": width, "height": height},
            extra_http_headers={"X-Forwarded-For": f"2001:db8::{next(_numbers):x}"},
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if "Policy" in message.text else None)
        page.goto(path)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not faults
