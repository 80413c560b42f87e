"""The way in: the lifespan around a site, and the fork between our pages and its own.

Owns what is done with a scope before any room sees it. What is started, and what stands behind the fork, is
told by the composition root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from consentkit.consent.cachepolicy import fields_of
from consentkit.consent.documents import is_html_document
from consentkit.consent.signals import WELL_KNOWN_BODY, WELL_KNOWN_PATH
from consentkit.consent.visit import PAGES, VISIT
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Startable(Protocol):
    """Whatever must have started before a request is served in full."""

    @property
    def is_started(self) -> bool:
        """Whether it has."""

    async def start(self) -> None:
        """Start, or raise ConsentKitError where the site must not be served."""

    async def try_start(self) -> None:
        """Start where no lifespan did; never raises."""

    async def stop(self) -> None:
        """Stop."""


class Site:
    """The outermost layer: the lifespan, and the start where there is none.

    Args:
        kit: started and stopped.
        entrance: the first of the layers that a request goes through.
        app: the site itself, for its lifespan and for what a kit around it has taken care of.
    """

    def __init__(self, kit: Startable, entrance: ASGIApp, app: ASGIApp) -> None:
        self._kit = kit
        self._entrance = entrance
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif VISIT in scope or scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        else:
            if not self._kit.is_started:
                await self._kit.try_start()
            await self._entrance(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start before the app's own start and stop after its own stop; its messages pass unchanged."""
        first = await receive()
        try:
            await self._kit.start()
        except ConsentKitError as exc:
            # Raising would be swallowed by the server, which would then serve the site without us.
            await send({"type": "lifespan.startup.failed", "message": f"consentkit: {exc}"})
            return
        waiting = [first]
        answered: set[str] = set()

        async def receive_again() -> Message:
            return waiting.pop() if waiting else await receive()

        async def send_after_stop(message: Message) -> None:
            answered.add(message["type"])
            if message["type"] in (
                "lifespan.shutdown.complete",
                "lifespan.shutdown.failed",
                "lifespan.startup.failed",
            ):
                await self._kit.stop()
            await send(message)

        await self._app(scope, receive_again, send_after_stop)
        if not answered:
            await self._lifespan_alone(receive, send)

    async def _lifespan_alone(self, receive: Receive, send: Send) -> None:
        """Answer for an app that returned without a word: it has no lifespan of its own."""
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._kit.stop()
        await send({"type": "lifespan.shutdown.complete"})


class Later:
    """An application that is made with its first request, in a thread, so that no start waits for it.

    Args:
        make: returns the application; may block.
    """

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if self._app is None:
            import anyio.to_thread  # noqa: PLC0415 - brings asyncio along

            app = await anyio.to_thread.run_sync(self._make)
            self._app = self._app or app  # of several first requests
        await self._app(scope, receive, send)


class Mount:
    """Send what lies under the mount to the visitor's pages or the admin area, the rest to the app.

    Args:
        pages: served with a root_path that ends with the mount.
        app: the rest.
        mount: path below the root_path, as ``/consentkit``.
        admin: served with a root_path that ends with the mount and ``/admin``, and a path that begins with it.
    """

    def __init__(self, pages: ASGIApp, app: ASGIApp, mount: str, *, admin: ASGIApp) -> None:
        self._pages = pages
        self._app = app
        self._mount = mount
        self._below = f"{mount}/"
        self._admin = admin
        self._admin_mount = f"{mount}/admin"
        self._admin_below = f"{mount}/admin/"

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one "http" or "websocket" scope."""
        path, root = scope["path"], scope.get("root_path", "")
        if root and path.startswith(f"{root}/"):
            path = path[len(root) :]
        if (path == self._mount or path.startswith(self._below)) and scope["type"] == "http":
            if path == self._admin_mount or path.startswith(self._admin_below):
                own = {"root_path": f"{root}{self._admin_mount}", "path": f"{root}{path}"}
                return self._admin({**scope, **own}, receive, send)
            return self._pages({**scope, "root_path": f"{root}{self._mount}"}, receive, send)
        scope[PAGES] = self._pages  # the gate's copy, which no one else has
        if path == WELL_KNOWN_PATH and scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            return _serve_well_known(self._app, scope, receive, send)
        return self._app(scope, receive, send)


async def _serve_well_known(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Let the app state what it does with Global Privacy Control, else state what is done here.

    An app that has nothing there may answer with an error, a redirect to its sign-in or a page for all addresses.
    """
    is_own: bool | None = None

    async def send_statement(message: Message) -> None:
        nonlocal is_own
        if message["type"] == "http.response.start":
            is_own = message["status"] in (200, 304) and not is_html_document(
                fields_of(message.get("headers", ()))
            )
        if is_own is not False:
            await send(message)

    await app(scope, receive, send_statement)
    if is_own is False:
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(WELL_KNOWN_BODY)),
            (b"cache-control", b"public, max-age=86400"),
        ]
        body = WELL_KNOWN_BODY if scope["method"] == "GET" else b""
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
