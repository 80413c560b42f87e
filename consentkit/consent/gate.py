"""The gate: what the visitor did not agree to never reaches the app, and never leaves it.

Owns the decision for each cookie, in both directions, on raw header bytes. What the visitor allows is read by
`visit`, what a cookie is for the registry knows, what a page gets besides is `page`'s.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from consentkit.consent import setcookie
from consentkit.consent.cookieheader import without
from consentkit.consent.fragments import EXEMPT_HEADER
from consentkit.consent.page import PageHeaders
from consentkit.consent.seen import Seen
from consentkit.consent.visit import VISIT, Keys, Visit, VisitReader, host_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from consentkit.consent.cachepolicy import Headers
    from consentkit.consent.choice import Consent
    from consentkit.consent.csp import Narrowing
    from consentkit.consent.names import CookieNames
    from consentkit.consent.registry import Registry
    from consentkit.consent.sightings import Sightings
    from consentkit.consent.signals import Signal

__all__ = ["VISIT", "Gate", "Keys", "Visit", "host_of"]

logger = logging.getLogger("consentkit.gate")

_STARTS: Final = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
_SECONDS_A_DAY: Final = 86_400

# Fields of a response that are looked into; most responses have none of them.
_FILTERED: Final = frozenset({b"set-cookie", EXEMPT_HEADER})


class Gate:
    """Enforce the visitor's choice on every request and response.

    Args:
        app: the next ASGI application.
        registry: what each cookie is for.
        keys: returns signer and policy, or None before the start has succeeded: then nothing is granted.
        names: of consentkit's own cookies.
        seen: counts what is dropped and what nobody declared.
        sightings: notes which cookies are in use; None = nobody asks.
        signals: by which a browser refuses, beside Global Privacy Control.
        narrowing: makes the policy that takes refused services away; None = none is sent.
        cookie_domain: of the choice cookie; empty = host-only.
        blocks_undeclared: drop cookies that nobody declared.
        deny_only: optional cookies are off for everybody.
        is_debug: tell in a response header what was dropped.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        registry: Registry,
        keys: Callable[[], Keys | None],
        names: CookieNames,
        seen: Seen | None = None,
        sightings: Sightings | None = None,
        signals: Sequence[Signal] = (),
        narrowing: Narrowing | None = None,
        cookie_domain: str = "",
        blocks_undeclared: bool = False,
        deny_only: bool = False,
        is_debug: bool = False,
    ) -> None:
        self.app = app
        self._registry = registry
        self._reader = VisitReader(registry, keys, names, signals, deny_only=deny_only)
        self._names = names
        self._seen = Seen() if seen is None else seen
        self._sightings = sightings
        self._page = PageHeaders(
            registry, self._note_undeletable, narrowing=narrowing, cookie_domain=cookie_domain
        )
        self._looks_at_pages = narrowing is not None
        self._blocks_undeclared = blocks_undeclared
        self._is_debug = is_debug

    # Here and in `send_allowed` the app's and the server's own awaitables are handed on: a coroutine around each,
    # for every message, would cost more than what is done in it.
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one "http" or "websocket" scope; others pass through."""
        if scope["type"] not in ("http", "websocket"):
            return self.app(scope, receive, send)
        visit = self._reader.read(scope)
        sightings = self._sightings
        if sightings is not None and visit.has_cookies and sightings.has_room():
            sightings.look(visit.sent, (scope.get("client") or ("",))[0])
        seen = dict(scope)
        seen["state"] = {**scope.get("state", {}), "consent": visit.consent}
        seen[VISIT] = visit
        if visit.refused:
            refused = frozenset(visit.refused)
            seen["headers"] = without(scope["headers"], refused.__contains__)

        def send_allowed(message: Message) -> Awaitable[None]:
            return send(self._filtered(message, seen, visit) if message["type"] in _STARTS else message)

        return self.app(seen, receive, send_allowed)

    def _filtered(self, message: Message, scope: Scope, visit: Visit) -> Message:
        """Return a response's start without what the visitor does not allow; itself where all may pass."""
        headers = message.get("headers", ())
        if not isinstance(headers, list):  # ASGI lets it be any iterable, and some can be read but once
            headers = list(headers)
            message = {**message, "headers": headers}
        has_filtered = not _FILTERED.isdisjoint([name.lower() for name, _ in headers])
        looks_at_page = scope["type"] == "http" and (
            self._looks_at_pages or visit.has_signal or visit.has_rivals or bool(visit.refused)
        )
        if not has_filtered and not looks_at_page:
            return message
        changed = self._allowed_headers(headers, visit.consent) if has_filtered else headers
        if looks_at_page:
            own = self._names.choice(is_secure=visit.is_secure).encode()
            changed, is_page = self._page.complete(changed, scope, visit, own)
            if is_page and visit.has_signal:
                self._seen.signal()
        return message if changed == headers else {**message, "headers": changed}

    def _allowed_headers(self, headers: Headers, consent: Consent) -> Headers:
        kept: Headers = []
        dropped: list[str] = []
        for name, value in headers:
            kind = name.lower()
            if kind == EXEMPT_HEADER:
                continue  # said to us by the app
            if kind != b"set-cookie":
                kept.append((name, value))
            elif (allowed := self._allowed(value, consent, dropped)) is not None:
                kept.append((name, allowed))
        if self._is_debug and dropped:
            kept.append((b"consentkit-dropped", ", ".join(dropped).encode("latin-1", "replace")))
        return kept

    def _allowed(self, field: bytes, consent: Consent, dropped: list[str]) -> bytes | None:
        """Return a Set-Cookie field as it may leave, or None where it may not."""
        name = setcookie.name_of(field)
        declared = self._registry.find(name)
        if declared is None:
            if setcookie.is_deletion(field):
                return field
            self._note_undeclared(name)
            return None if self._blocks_undeclared else field
        if consent.allows_cookie(declared):
            if self._sightings is not None:
                self._sightings.pass_on(declared.name)
            return setcookie.within(field, (declared.lifetime_days or 0) * _SECONDS_A_DAY)
        if setcookie.is_deletion(field):
            return field
        if declared.on_refusal == "session":
            return setcookie.as_session(field)
        self._note_dropped(declared.name, declared.category)
        dropped.append(f"{declared.name};category={declared.category}")
        return None

    def _note_dropped(self, declaration: str, category: str) -> None:
        if self._seen.drop(declaration):
            logger.info("cookie %s is not sent to visitors who have not granted %s", declaration, category)

    def _note_undeclared(self, name: bytes) -> None:
        if self._seen.meet(name):
            fate = "is dropped" if self._blocks_undeclared else "passes without consent"
            logger.warning("cookie %r is declared nowhere and %s", name[:64], fate)

    def _note_undeletable(self, declaration: str) -> None:
        if self._seen.keep(declaration):
            logger.warning(
                "cookie %s can't be deleted: it comes back from browsers that were told to", declaration
            )
