"""Decorators for the site's own endpoints, of Starlette, FastAPI and what is built on them.

Owns how a decorated endpoint gets at its request without a change to its signature. What a visitor is shown
who has not granted what it needs is rendered by our pages.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, cast

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from consentkit.consent.declared import OPTIONAL
from consentkit.consent.visit import PAGES
from consentkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Endpoint = TypeVar("Endpoint", bound="Callable[..., object]")

_ADDED: Final = "consentkit_request"  # a parameter that no endpoint has by itself
_EXEMPT: Final = "consentkit_exempt"  # key of the request's state: `consent.inject` leaves the page as it is


class _Pages(Protocol):
    def consent_page(self, request: Request, category: str) -> Response: ...


def requires_consent(category: str) -> Callable[[Endpoint], Endpoint]:
    """Serve an endpoint only to visitors who have granted a category; others get 403 and the way to the settings.

        @app.get("/my-shop")
        @requires_consent("preferences")
        async def my_shop() -> Page: ...

    The endpoint may be sync or async, a function or a method of an ``HTTPEndpoint``; in FastAPI it needs no
    ``request`` of its own. Where consentkit does not run around the app nothing is granted.

    Args:
        category: ``preferences``, ``statistics`` or ``marketing``.

    Raises:
        SettingsError: there is no such category.
    """
    if category not in OPTIONAL:
        raise SettingsError("requires_consent", f"{category!r} is no optional category", ", ".join(OPTIONAL))

    def refuse(request: Request) -> Response | None:
        consent = request.scope.get("state", {}).get("consent")
        if consent is not None and consent.allows(category):
            return None
        pages: _Pages | None = request.scope.get(PAGES)
        if pages is None:
            return PlainTextResponse("Consent is needed", 403, headers={"Cache-Control": "no-store"})
        return pages.consent_page(request, category)

    return lambda endpoint: _with_check(endpoint, refuse)


def exempt(endpoint: Endpoint) -> Endpoint:
    """Leave the pages of an endpoint as they are: no banner and no other markup of ours is put into them.

    Cookies are kept from those who have not granted them here as everywhere. An app without Starlette says the
    same by the response header ``ConsentKit-Exempt: 1``, which does not leave the server.
    """

    def mark(request: Request) -> None:
        request.scope.setdefault("state", {})[_EXEMPT] = True

    return _with_check(endpoint, mark)


def _with_check(endpoint: Endpoint, check: Callable[[Request], Response | None]) -> Endpoint:
    """Return the endpoint with a check before it, whose answer, if it has one, is the endpoint's."""
    signature, has_own = _signature_of(endpoint)

    def answer(args: tuple[object, ...], kwargs: dict[str, object]) -> Response | None:
        given = [*args, *kwargs.values()]
        if not has_own:
            kwargs.pop(_ADDED, None)
        request = next((each for each in given if isinstance(each, Request)), None)
        if request is None:
            raise TypeError(f"{getattr(endpoint, '__qualname__', 'the endpoint')} was called without its request")
        return check(request)

    if inspect.iscoroutinefunction(endpoint):
        awaited = cast("Callable[..., Awaitable[object]]", endpoint)

        @wraps(endpoint)
        async def checked(*args: object, **kwargs: object) -> object:
            refusal = answer(args, kwargs)
            return await awaited(*args, **kwargs) if refusal is None else refusal
    else:

        @wraps(endpoint)
        def checked(*args: object, **kwargs: object) -> object:
            refusal = answer(args, kwargs)
            return endpoint(*args, **kwargs) if refusal is None else refusal

    checked.__signature__ = signature  # type: ignore[attr-defined]  # what `inspect.signature` reads
    return cast("Endpoint", checked)


def _signature_of(endpoint: Callable[..., object]) -> tuple[inspect.Signature, bool]:
    """Return the signature to show, and whether the endpoint itself takes the request.

    FastAPI gives what a signature asks for, so where it asks for no request one is added.
    """
    try:
        signature = inspect.signature(endpoint, eval_str=True)
    except NameError:  # a name that only a type checker sees
        signature = inspect.signature(endpoint)
    parameters = list(signature.parameters.values())
    if any(_takes_request(each) for each in parameters):
        return signature, True
    at = next((i for i, each in enumerate(parameters) if each.kind is each.VAR_KEYWORD), len(parameters))
    added = inspect.Parameter(_ADDED, inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    return signature.replace(parameters=[*parameters[:at], added, *parameters[at:]]), False


def _takes_request(parameter: inspect.Parameter) -> bool:
    kind = parameter.annotation
    if isinstance(kind, type):
        return issubclass(kind, Request) or (kind is inspect.Parameter.empty and parameter.name == "request")
    return parameter.name == "request" or kind in ("Request", "requests.Request")
