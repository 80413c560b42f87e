"""How a visitor sees the site: language, theme, and which of these choices may be remembered.

Owns the cookies `lang`, `theme` and `visits`. What is agreed to is consentkit's; here it is only asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from example_app.forms import local_address
from example_app.texts import LANGUAGES, preferred_language

THEMES: Final = ("light", "dark")

_DAY_SECONDS: Final = 86_400
_PREFERENCE_SECONDS: Final = 365 * _DAY_SECONDS
_VISITS_SECONDS: Final = 30 * _DAY_SECONDS
_MAX_VISIT_DIGITS: Final = 6


class _Consent(Protocol):
    @property
    def decided(self) -> bool: ...

    def allows(self, category: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class View:
    """One visitor's view of one page.

    Attributes:
        language: one of `LANGUAGES`.
        theme: one of `THEMES`, or empty: as the device likes it.
        here: path and query of this page.
        carried: choices that no cookie may hold, and that links therefore carry in the address.
        is_forgetful: the visitor refused preferences and then chose something: it is not remembered.
        pages_opened: pages opened on this device with this one; None = not counted.
    """

    language: str
    theme: str
    here: str
    carried: dict[str, str]
    is_forgetful: bool
    pages_opened: int | None

    def address(self, path: str) -> str:
        """Return the address of one of our pages, with the choices that links carry."""
        return local_address(path, **self.carried)

    def address_here(self, **query: str) -> str:
        """Return this page's address with some of its query replaced."""
        return local_address(self.here, **query)


def allows(request: Request, category: str) -> bool:
    """Return whether the visitor agreed to a category. Nobody agreed where consentkit is not in front."""
    consent = _consent_of(request)
    return consent is not None and consent.allows(category)


def view_of(request: Request) -> View:
    """Return the view that address, cookies and browser ask for, in this order."""
    chosen = _chosen(request)
    usual = {
        "lang": _one_of(LANGUAGES, request.cookies.get("lang"))
        or preferred_language(request.headers.get("accept-language", "")),
        "theme": _one_of(THEMES, request.cookies.get("theme")),
    }
    unusual = {name: value for name, value in chosen.items() if value != usual[name]}
    remembers = allows(request, "preferences")
    consent = _consent_of(request)
    return View(
        language=chosen.get("lang", usual["lang"]),
        theme=chosen.get("theme", usual["theme"]),
        here=_here(request),
        carried={} if remembers else unusual,
        is_forgetful=bool(unusual) and not remembers and consent is not None and consent.decided,
        pages_opened=_visits(request) + 1 if allows(request, "statistics") else None,
    )


def remember(request: Request, response: Response) -> None:
    """Set the cookies of a page.

    A choice is kept only where consent allows it. The visit counter is set without asking, as careless code
    does: consentkit's gate stops it until statistics are allowed.
    """
    if allows(request, "preferences"):
        for name, value in _chosen(request).items():
            keep_preference(request, response, name, value)
    response.set_cookie(
        "visits",
        str(_visits(request) + 1),
        max_age=_VISITS_SECONDS,
        httponly=True,
        samesite="lax",
        secure=_is_secure(request),
    )


def keep_preference(request: Request, response: Response, name: str, value: str) -> None:
    """Set a preference's cookie for a year."""
    response.set_cookie(
        name, value, max_age=_PREFERENCE_SECONDS, httponly=True, samesite="lax", secure=_is_secure(request)
    )


def _consent_of(request: Request) -> _Consent | None:
    consent: _Consent | None = getattr(request.state, "consent", None)
    return consent


def _chosen(request: Request) -> dict[str, str]:
    query = request.query_params
    chosen = {"lang": _one_of(LANGUAGES, query.get("lang")), "theme": _one_of(THEMES, query.get("theme"))}
    return {name: value for name, value in chosen.items() if value}


def _one_of(allowed: tuple[str, ...], value: str | None) -> str:
    return value if value in allowed else ""


def _here(request: Request) -> str:
    query: bytes = request.scope["query_string"]
    path = quote(request.scope["path"], errors="replace")
    return local_address(f"{path}?{quote(query, safe='=&%+')}")


def _visits(request: Request) -> int:
    text = request.cookies.get("visits", "")
    is_count = text.isascii() and text.isdigit() and len(text) <= _MAX_VISIT_DIGITS
    return int(text) if is_count else 0


def _is_secure(request: Request) -> bool:
    return str(request.scope["scheme"]) == "https"
