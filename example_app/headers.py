"""The security headers of every answer. consentkit adds to a policy and never replaces it."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOOPBACK = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}


class SecurityHeaders:
    """Add the site's headers to answers that don't bring their own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        frames = map_origin(HTTPConnection(scope)) or "'self'"
        policy = (
            "default-src 'self'; base-uri 'none'; form-action 'self'; object-src 'none'; "
            f"frame-ancestors 'none'; frame-src {frames}"
        )

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("content-security-policy", policy)
                headers.setdefault("x-content-type-options", "nosniff")
                # Not "no-referrer": it would send forms with "Origin: null", which no check can tell apart.
                headers.setdefault("referrer-policy", "same-origin")
                headers.setdefault("cache-control", "no-cache")
            await send(message)

        await self.app(scope, receive, send_with_headers)


def map_origin(connection: HTTPConnection) -> str:
    """Return the origin that plays the map's provider: this computer under its other name.

    A browser takes `localhost` and `127.0.0.1` for two sites. Empty where the site has neither name: the map
    then comes from the site itself.
    """
    host, _, port = connection.headers.get("host", "").partition(":")
    other = _LOOPBACK.get(host)
    if other is None or not (port == "" or (port.isascii() and port.isdigit() and len(port) <= 5)):
        return ""
    scheme = connection.scope["scheme"]
    return f"{scheme}://{other}:{port}" if port else f"{scheme}://{other}"
