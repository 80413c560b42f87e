"""Bytes of script and style that a first visit loads, compressed as they are sent."""

from __future__ import annotations

import asyncio
import posixpath
import re
from typing import TYPE_CHECKING, Final

from bench.asgi_calls import get
from bench.figures import Figure, by_value
from bench.installation import make_installation
from bench.pages import page_app
from consentkit import ConsentKit
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp

_MOST_BYTES: Final = 6_000
_IN_PAGE: Final = re.compile(rb'(?:src|href)="(/consentkit/static/[^"?#]+\.(?:js|css))"')
_IN_SCRIPT: Final = re.compile(rb'(?:\bfrom|\bimport)\s*["\'](\.{1,2}/[^"\']+\.js)["\']')


class NothingLoaded(ConsentKitError):
    """Report that the measurement would be of nothing."""


def measure(folder: Path) -> list[Figure]:
    """Open a page as an undecided visitor and follow what its markup loads, and what that imports."""
    kit = ConsentKit(make_installation(folder / "sizes"))
    total = asyncio.run(_first_visit_bytes(kit))
    return [by_value("script and style of a first visit, gzipped", total / 1000, "KB", bar=_MOST_BYTES / 1000)]


async def _first_visit_bytes(kit: ConsentKit) -> int:
    app = kit.wrap(page_app())
    await kit.start()
    try:
        page = await get(app, "/")
        waiting = {name.decode("ascii") for name in _IN_PAGE.findall(page.body)}
        sizes: dict[str, int] = {}
        while waiting:
            path = waiting.pop()
            sizes[path] = len((await get(app, path, accept_encoding=b"gzip")).body)
            waiting |= await _imports(app, path) - sizes.keys()
    finally:
        await kit.stop()
    if not sizes:
        raise NothingLoaded("the page loads no file of ours")
    return sum(sizes.values())


async def _imports(app: ASGIApp, path: str) -> set[str]:
    script = (await get(app, path)).body
    names = _IN_SCRIPT.findall(script) if path.endswith(".js") else []
    return {posixpath.normpath(posixpath.join(posixpath.dirname(path), name.decode("ascii"))) for name in names}
