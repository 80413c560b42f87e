"""Visiting an ASGI application in this process, without a browser: what its answers set and refer to.

Owns a client of the few requests that a visit takes. Scripts don't run here, so what they set isn't met; a
cookie's value is kept for the length of a visit, to be sent back, and goes nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from urllib.parse import urlencode, urljoin, urlsplit

from consentkit.consent import setcookie
from consentkit.inspection.findings import is_own
from consentkit.inspection.markup import Page, host_of, pages_to_open, path_of, read_page
from consentkit.inspection.observed import (
    Answer,
    Banner,
    CookieFound,
    HostFound,
    InspectionError,
    Notes,
    Visitor,
    Walk,
)

if TYPE_CHECKING:
    from types import TracebackType

    from starlette.types import ASGIApp, Message

    from consentkit.inspection.browsing import Plan

_MAX_BODY_BYTES: Final = 4 * 1024 * 1024
_REDIRECTS: Final = 5
_SECONDS_A_DAY: Final = 86_400


class _Response(NamedTuple):
    url: str
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def field(self, wanted: bytes) -> str:
        return next((value.decode("latin-1") for name, value in self.headers if name.lower() == wanted), "")


class Application:
    """An application that runs in this process, from its start-up to its end.

    Args:
        app: the site, wrapped.

    Raises:
        InspectionError: on entering: its start-up failed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._lifespan = asyncio.ensure_future(self._live())
        await self._to_app.put({"type": "lifespan.startup"})
        if (await self._from_app.get())["type"] == "lifespan.startup.failed":
            raise InspectionError("the application did not start; its log says why")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._to_app.put({"type": "lifespan.shutdown"})
        await self._lifespan

    async def _live(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        # An app that knows no lifespan may raise; it is then used without one (ASGI lifespan, "Scope").
        with contextlib.suppress(Exception):
            await self._app(scope, self._to_app.get, self._from_app.put)
        await self._from_app.put({"type": "lifespan.startup.complete"})

    async def walk(self, visitor: Visitor, plan: Plan) -> Walk:
        """Visit as one visitor."""
        steps = _Steps(self._app, visitor, plan)
        try:
            await asyncio.wait_for(steps.go(), plan.milliseconds(2**31) / 1000)
        except InspectionError as exc:
            steps.notes.faults.append(str(exc))
        except TimeoutError:
            steps.notes.faults.append(
                "the time was over before everything was looked at: give more with --timeout"
            )
        return steps.notes.walk(visitor)


class _Steps:
    """One visitor's steps."""

    def __init__(self, app: ASGIApp, visitor: Visitor, plan: Plan) -> None:
        self.notes = Notes()
        self._app = app
        self._visitor = visitor
        self._plan = plan
        self._jar: dict[tuple[bytes, str], tuple[bytes, CookieFound]] = {}

    async def go(self) -> None:
        """Take them."""
        first = await self._open(self._plan.url)
        if first is None:
            return
        asks = first.has_banner
        self.notes.banner = Banner(
            is_shown=asks, accept=asks and "accept" in first.actions, reject=asks and "reject" in first.actions
        )
        others = pages_to_open(self._plan.url, first.links, count=self._plan.pages, mount=self._plan.mount)
        if self._visitor == "refusing":
            await self._answer("reject")
        elif self._visitor in ("accepting", "withdrawn"):
            await self._answer("accept")
        await self._browse([self._plan.url, *others])
        if self._visitor == "withdrawn":
            await self._answer("reject")
            self.notes.forget()
            await self._browse([self._plan.url, *others])

    async def _browse(self, urls: list[str]) -> None:
        for url in urls:
            await self._open(url)

    async def _open(self, url: str) -> Page | None:
        response = await self._fetch("GET", url)
        path = path_of(url)
        if response is None:
            self.notes.faults.append(f"{path} could not be opened.")
            return None
        self.notes.pages.append(path)
        for _, cookie in self._jar.values():
            self.notes.cookie(cookie)
        page = read_page(response.url, response.body.decode("utf-8", "replace"))
        for address in page.loads:
            host = host_of(address)
            if host and not is_own(host, self._plan.own):
                self.notes.host(HostFound(host=host, page=path))
        return page

    async def _answer(self, answer: Answer) -> None:
        response = await self._fetch(
            "POST", urljoin(self._plan.url, f"{self._plan.mount}/choice"), {"decision": answer, "next": "/"}
        )
        if response is None or response.status >= 400:
            self.notes.faults.append(f'The answer "{answer}" was not taken at {self._plan.mount}/choice.')

    async def _fetch(self, method: str, url: str, form: dict[str, str] | None = None) -> _Response | None:
        """Ask, and follow the site's own redirects; None where the application broke off."""
        for _ in range(_REDIRECTS):
            response = await self._call(method, url, urlencode(form or {}).encode())
            if response is None:
                return None
            self._keep(response)
            location = response.field(b"location")
            if not 300 <= response.status < 400 or not location:
                return response
            method, form, url = "GET", None, urljoin(url, location)
            if host_of(url) != host_of(self._plan.url):
                return response
        return None

    async def _call(self, method: str, url: str, body: bytes) -> _Response | None:
        parts = urlsplit(url)
        start: list[Message] = []
        answer = bytearray()
        is_over = asyncio.Event()
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if waiting:
                return waiting.pop()
            await is_over.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.append(message)
            elif message["type"] == "http.response.body":
                if len(answer) < _MAX_BODY_BYTES:
                    answer.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    is_over.set()

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": parts.scheme,
            "path": parts.path or "/",
            "raw_path": (parts.path or "/").encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": self._headers(parts.netloc, parts.scheme, body),
            "client": ("127.0.0.1", 0),
            "server": (parts.hostname or "", parts.port or 443),
            "state": {},
        }
        # Whatever an application raises, a visitor is told no page; here it is told as one.
        with contextlib.suppress(Exception):
            await self._app(scope, receive, send)
        is_over.set()
        return (
            _Response(url, start[0]["status"], list(start[0].get("headers", ())), bytes(answer)) if start else None
        )

    def _headers(self, host: str, scheme: str, body: bytes) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"host", host.encode()),
            (b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8"),
            (b"accept-language", b"en"),
            (b"user-agent", b"consentkit-inspect"),
            (b"sec-fetch-dest", b"document"),
            (b"sec-fetch-mode", b"navigate"),
            (b"sec-fetch-site", b"same-origin" if body else b"none"),
        ]
        if self._visitor == "gpc":
            headers.append((b"sec-gpc", b"1"))
        if self._jar:
            sent = [b"%b=%b" % (name, value) for (name, _), (value, _) in self._jar.items()]
            headers.append((b"cookie", b"; ".join(sent)))
        if body:
            headers += [
                (b"origin", f"{scheme}://{host}".encode()),
                (b"content-type", b"application/x-www-form-urlencoded"),
                (b"content-length", str(len(body)).encode()),
            ]
        return headers

    def _keep(self, response: _Response) -> None:
        """Keep cookies as a browser does, but for any path and host of the site: the widest view."""
        for field, text in response.headers:
            if field.lower() != b"set-cookie":
                continue
            name = setcookie.name_of(text)
            attributes = {
                key.strip().lower(): value.strip().decode("latin-1")
                for key, _, value in (part.partition(b"=") for part in text.split(b";")[1:])
            }
            domain = attributes.get(b"domain", "").lstrip(".").lower() or host_of(response.url)
            if setcookie.is_deletion(text):
                self._jar.pop((name, domain), None)
                continue
            remaining = setcookie.remaining_seconds(text)
            found = CookieFound(
                name=name.decode("utf-8", "backslashreplace"),
                domain=domain,
                path=attributes.get(b"path", "/"),
                lifetime_days=None if remaining is None else remaining / _SECONDS_A_DAY,
                http_only=b"httponly" in attributes,
                page=path_of(response.url),
            )
            self._jar[name, domain] = (text.partition(b";")[0].partition(b"=")[2].strip(), found)
