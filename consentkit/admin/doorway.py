"""The way to the admin area while nobody may sign in: it is closed, and a worker need load nothing to know.

Owns the page that is shown while the data directory has no mark of staff. With the mark the area itself looks into
the database; who asks is its matter.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import anyio.to_thread
import msgspec
from starlette.requests import Request

from consentkit.admin import replies
from consentkit.admin.asking import Asking
from consentkit.admin.frame import Framer, spoken_texts
from consentkit.admin.mark import has_staff
from consentkit.settings.secret import read_monitoring_token
from consentkit.web.assets import Assets

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from consentkit.settings import Settings

METRICS_PATH: Final = "/metrics"


class ClosedView(msgspec.Struct, frozen=True):
    """What ``closed.html`` is given."""

    command: str = "consentkit admin add NAME --role admin"


class Doorway:
    """ASGI application of everything under the admin area, with its own page while that is closed.

    Args:
        settings: in force.
        admin: the area; not called before somebody may sign in, but for who monitors with a token.
    """

    def __init__(self, settings: Settings, admin: ASGIApp) -> None:
        self._settings = settings
        self._admin = admin
        self._is_open = bool(settings.storage.url)  # on another host somebody may have been let in
        self._is_monitored = bool(read_monitoring_token(os.environ))
        self._texts = spoken_texts(settings.site.languages)
        self._framer = Framer(settings, self._texts, Assets.load(), mount=settings.site.mount)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one "http" scope whose root_path ends with the admin area's."""
        self._is_open = self._is_open or has_staff(self._settings.storage.directory)
        is_metrics = self._is_monitored and scope["path"] == scope["root_path"] + METRICS_PATH
        if self._is_open or is_metrics:
            await self._admin(scope, receive, send)
            return
        response = await anyio.to_thread.run_sync(self._closed, Request(scope, receive))
        await response(scope, receive, send)

    def _closed(self, request: Request) -> Response:
        mount = self._settings.site.mount
        asking = Asking(request, below=f"{mount}/admin", texts=self._texts)
        text = self._framer.render(
            "closed.html",
            asking.say,
            ClosedView(),
            path=asking.path,
            query=asking.query,
            root_path=asking.root_path,
        )
        return replies.html(text, status=404)
