"""Lumo's pages and routes, and the application made of them.

Owns what each address answers. Wording is in `texts/`, markup in `templates/`, language and theme in `view`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from example_app import offers
from example_app.forms import MAX_NAME_CHARACTERS, local_address, message_faults, read_own_form, require_own
from example_app.headers import SecurityHeaders, map_origin
from example_app.texts import LANGUAGES, format_date, format_price, load_texts
from example_app.view import THEMES, View, allows, keep_preference, remember, view_of

PASSWORD: Final = "demo"  # no secret: the sign-in page shows it
_SESSION_SECONDS: Final = 43_200  # half a day
_HERE: Final = Path(__file__).parent


class Pages:
    """What the site answers."""

    def __init__(self, template_context: Callable[[Request], dict[str, object]]) -> None:
        self._texts = load_texts()
        environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"price": format_price, "date": format_date}
        self._templates = Jinja2Templates(env=environment, context_processors=[template_context])

    def routes(self) -> list[Route | Mount]:
        """Return every address of the site."""
        return [
            Route("/", self.home),
            Route("/plans", self.plans),
            Route("/help", self.help),
            Route("/help", self.send_message, methods=["POST"]),
            Route("/sign-in", self.sign_in),
            Route("/sign-in", self.check_sign_in, methods=["POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            Route("/account", self.account),
            Route("/theme", self.set_theme, methods=["POST"]),
            Route("/partner/map", self.partner_map),
            Route("/favicon.ico", self.icon),
            Route("/healthz", self.healthz),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ]

    async def home(self, request: Request) -> Response:
        """Show the home page, with the coverage map that waits for consent."""
        return self._page(
            request, "home.html", fibre=offers.FIBRE, mobile=offers.MOBILE, map_origin=map_origin(request)
        )

    async def plans(self, request: Request) -> Response:
        """Show plans and prices."""
        return self._page(request, "plans.html", fibre=offers.FIBRE, mobile=offers.MOBILE, fees=offers.FEES)

    async def help(self, request: Request) -> Response:
        """Show common questions and the contact form, or thanks for a message."""
        return self._page(
            request, "help.html", fields={}, faults={}, is_sent=request.query_params.get("sent") == "1"
        )

    async def send_message(self, request: Request) -> Response:
        """Check a message. Nothing is sent or kept: the operator is invented."""
        fields = await read_own_form(request)
        faults = message_faults(fields)
        if faults:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            return self._page(request, "help.html", status, fields=fields, faults=faults, is_sent=False)
        address = local_address(view_of(request).address("/help"), sent="1")
        return RedirectResponse(f"{address}#contact", HTTPStatus.SEE_OTHER)

    async def sign_in(self, request: Request) -> Response:
        """Show the sign-in form."""
        return self._page(request, "sign_in.html", password=PASSWORD, name="", fault="")

    async def check_sign_in(self, request: Request) -> Response:
        """Sign a visitor in under any name, with the password that the page shows."""
        fields = await read_own_form(request)
        name = fields.get("name", "").strip()
        fault = ""
        if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
            fault = "name_missing"
        elif not secrets.compare_digest(fields.get("password", "").encode(), PASSWORD.encode()):
            fault = "password_wrong"
        if fault:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            return self._page(request, "sign_in.html", status, password=PASSWORD, name=name, fault=fault)
        request.session.clear()
        request.session["name"] = name
        return RedirectResponse(view_of(request).address("/account"), HTTPStatus.SEE_OTHER)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        require_own(request)
        request.session.clear()
        return RedirectResponse(view_of(request).address("/"), HTTPStatus.SEE_OTHER)

    async def account(self, request: Request) -> Response:
        """Show the visitor's plan, use and bills, or ask to sign in."""
        if "name" not in request.session:
            return RedirectResponse(view_of(request).address("/sign-in"), HTTPStatus.SEE_OTHER)
        plan = offers.MOBILE[1]
        bills = _last_months(datetime.now(UTC).date(), 3)
        return self._page(request, "account.html", plan=plan, used_gb=17, bills=bills)

    async def set_theme(self, request: Request) -> Response:
        """Keep the theme in a cookie, without asking about consent: consentkit's gate does that.

        Where the cookie won't be kept, the theme goes on in the address.
        """
        fields = await read_own_form(request)
        theme = fields.get("theme", "")
        if theme not in THEMES:
            raise HTTPException(HTTPStatus.BAD_REQUEST)
        in_address = "" if allows(request, "preferences") else theme
        address = local_address(fields.get("next", "/"), theme=in_address)
        response = RedirectResponse(address, HTTPStatus.SEE_OTHER)
        keep_preference(request, response, "theme", theme)
        return response

    async def partner_map(self, request: Request) -> Response:
        """Play the map's provider, which in truth is another company's server."""
        return FileResponse(
            _HERE / "partner" / "map.svg",
            media_type="image/svg+xml",
            headers={
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
                "Referrer-Policy": "no-referrer",
            },
        )

    async def icon(self, request: Request) -> Response:
        """Show the icon to pages that name none, such as consentkit's."""
        return FileResponse(_HERE / "static" / "icon.svg")

    async def healthz(self, request: Request) -> Response:
        """Tell a load balancer that the site answers."""
        return PlainTextResponse("ok")

    async def error(self, request: Request, exc: Exception) -> Response:
        """Show a refusal or a missing page in the site's own clothes."""
        status, headers = HTTPStatus.INTERNAL_SERVER_ERROR, None
        if isinstance(exc, HTTPException):
            status, headers = HTTPStatus(exc.status_code), exc.headers
        response = self._page(request, "error.html", status, is_missing=status == HTTPStatus.NOT_FOUND)
        response.headers.update(headers or {})
        return response

    def _page(
        self, request: Request, template: str, status: HTTPStatus = HTTPStatus.OK, **content: object
    ) -> Response:
        view = view_of(request)
        context = content | self._frame(request, view)
        response = self._templates.TemplateResponse(request, template, context, status_code=status)
        response.headers["Cache-Control"] = "private, no-cache"
        response.headers["Vary"] = "Accept-Language, Cookie"
        remember(request, response)
        return response

    def _frame(self, request: Request, view: View) -> dict[str, object]:
        return {
            "t": self._texts[view.language],
            "view": view,
            "languages": {language: self._texts[language]["language"] for language in LANGUAGES},
            "signed_in_as": request.session.get("name", ""),
        }


def build_site(*, session_key: str, template_context: Callable[[Request], dict[str, object]]) -> Starlette:
    """Return Lumo's application, without consentkit around it.

    Args:
        session_key: signs session cookies; the same in all workers.
        template_context: gives templates `consent_embed`, as `ConsentKit.template_context` does.
    """
    pages = Pages(template_context)
    session = partial(SessionMiddleware, secret_key=session_key, max_age=_SESSION_SECONDS, same_site="lax")
    site = Starlette(
        routes=pages.routes(),
        middleware=[Middleware(SecurityHeaders), Middleware(session)],
        exception_handlers={HTTPException: pages.error},
    )
    site.router.redirect_slashes = False  # an unknown address is a 404, never a detour
    return site


def _last_months(today: date, count: int) -> list[date]:
    first = today.year * 12 + today.month - 1
    return [date((first - back) // 12, (first - back) % 12 + 1, 1) for back in range(count)]
