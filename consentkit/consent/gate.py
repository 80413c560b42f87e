"""The gate: what the visitor did not agree to never reaches the app, and never leaves it.

Owns the decision for each cookie, in both directions, on raw header bytes. How a choice is read is
`choice`'s and `policy`'s job, what a cookie is for is the registry's.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from consentkit.consent import setcookie, sweep
from consentkit.consent.choice import Choice, ChoiceSigner, Consent, agreed
from consentkit.consent.cookieheader import cookie_fields, pairs, values_of, without
from consentkit.consent.fragments import EXEMPT_HEADER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from consentkit.consent.names import CookieNames
    from consentkit.consent.policy import Policy
    from consentkit.consent.registry import Registry

logger = logging.getLogger("consentkit.gate")

VISIT: Final = "consentkit"  # the scope's key under which this room leaves what it found
_STARTS: Final = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
_SECONDS_A_DAY: Final = 86_400

# Fields of a response that are looked into; most responses have none of them.
_FILTERED: Final = frozenset({b"set-cookie", EXEMPT_HEADER})

# Names told of: an app that invents cookie names must not fill the log or the memory.
_NAMES_TOLD: Final = 200


class Visit:
    """What the gate found out about one request; the visitor's pages read it.

    Attributes:
        consent: what the visitor allows.
        choice: the valid choice behind it, if any.
        refused: names of the cookies that are hidden from the app.
        is_secure: the request came over https or wss.
    """

    __slots__ = ("_fields", "_id_name", "choice", "consent", "is_secure", "refused")

    def __init__(self, consent: Consent, fields: list[bytes], id_name: bytes, *, is_secure: bool) -> None:
        self.consent = consent
        self.choice: Choice | None = None
        self.refused: tuple[bytes, ...] = ()
        self.is_secure = is_secure
        self._fields = fields
        self._id_name = id_name

    # Most requests end without a question for these, so they are read when they are asked for.

    @property
    def sent(self) -> tuple[bytes, ...]:
        """Names of all cookies that came, the hidden ones too; without values."""
        return tuple([name for field in self._fields for name, _ in pairs(field)])

    @property
    def consent_id(self) -> bytes:
        """Value of the id cookie, unchecked; empty if none came, the last of several."""
        return ([value for field in self._fields for value in values_of(field, self._id_name)] or [b""])[-1]


class Keys:
    """What the gate needs that exists only once consentkit has started."""

    __slots__ = ("policy", "signer")

    def __init__(self, signer: ChoiceSigner, policy: Policy) -> None:
        self.signer = signer
        self.policy = policy


class Gate:
    """Enforce the visitor's choice on every request and response.

    Args:
        app: the next ASGI application.
        registry: what each cookie is for.
        keys: returns signer and policy, or None before the start has succeeded: then nothing is granted.
        names: of consentkit's own cookies.
        blocks_undeclared: drop cookies that nobody declared.
        is_debug: tell in a response header what was dropped.

    Attributes:
        dropped: times that each declared cookie was dropped, by declaration.
        undeclared: names that the app set and nobody declared.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        registry: Registry,
        keys: Callable[[], Keys | None],
        names: CookieNames,
        blocks_undeclared: bool = False,
        is_debug: bool = False,
    ) -> None:
        self.app = app
        self.dropped: dict[str, int] = {}
        self.undeclared: set[bytes] = set()
        self._registry = registry
        self._keys = keys
        self._plain_name = names.choice(is_secure=False).encode()
        self._secure_name = names.choice(is_secure=True).encode()
        self._id_name = names.consent_id.encode()
        self._blocks_undeclared = blocks_undeclared
        self._is_debug = is_debug
        self._undecided = Consent(frozenset(), frozenset(), registry.categories)

    # Here and in `send_allowed` the app's and the server's own awaitables are handed on: a coroutine around each,
    # for every message, would cost more than what is done in it.
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one "http" or "websocket" scope; others pass through."""
        if scope["type"] not in ("http", "websocket"):
            return self.app(scope, receive, send)
        visit = self.visit(scope)
        seen = dict(scope)
        seen["state"] = {**scope.get("state", {}), "consent": visit.consent}
        seen[VISIT] = visit
        if visit.refused:
            refused = frozenset(visit.refused)
            seen["headers"] = without(scope["headers"], refused.__contains__)

        def send_allowed(message: Message) -> Awaitable[None]:
            if message["type"] in _STARTS:
                self._filter(message, scope, visit)
            return send(message)

        return self.app(seen, receive, send_allowed)

    def visit(self, scope: Scope) -> Visit:
        """Read the choice from a request, and tell which of its cookies are refused."""
        fields = cookie_fields(scope)
        is_secure = scope.get("scheme") in ("https", "wss")
        visit = Visit(self._undecided, fields, self._id_name, is_secure=is_secure)
        if not fields:
            return visit
        own = self._secure_name if is_secure else self._plain_name
        texts = values_of(fields[0], own)
        for field in fields[1:]:
            texts += values_of(field, own)
        keys = self._keys()
        if keys is not None and texts:
            read = keys.signer.read
            visit.choice = agreed([choice for text in texts if (choice := read(text)) is not None])
            visit.consent = keys.policy.consent(visit.choice)
        if not visit.consent.allows_all:
            visit.refused = tuple([name for name in visit.sent if self._is_refused(name, visit.consent)])
        return visit

    def _is_refused(self, name: bytes, consent: Consent) -> bool:
        declared = self._registry.find(name)
        return declared is not None and declared.on_refusal == "drop" and not consent.allows(declared.category)

    def _is_denied(self, name: bytes, consent: Consent) -> bool:
        declared = self._registry.find(name)
        return declared is not None and consent.answer(declared.category) is False

    def _filter(self, message: Message, scope: Scope, visit: Visit) -> None:
        """Take out of a response's start what the visitor does not allow, and expire what came refused."""
        headers = message.get("headers", ())
        if not isinstance(headers, list):  # ASGI lets it be any iterable, and some can be read but once
            headers = message["headers"] = list(headers)
        if not visit.refused and _FILTERED.isdisjoint([name.lower() for name, _ in headers]):
            return
        kept: list[tuple[bytes, bytes]] = []
        dropped: list[str] = []
        for name, value in headers:
            kind = name.lower()
            if kind == EXEMPT_HEADER:
                continue  # said to us by the app
            if kind != b"set-cookie":
                kept.append((name, value))
            elif (allowed := self._allowed(value, visit.consent, dropped)) is not None:
                kept.append((name, allowed))
        if self._is_debug and dropped:
            kept.append((b"consentkit-dropped", ", ".join(dropped).encode("latin-1", "replace")))
        if visit.refused and _is_uncached_document(scope, headers):
            kept += [(b"set-cookie", field) for field in self._expirations(scope, visit, headers)]
        if kept != headers:
            message["headers"] = kept

    def _allowed(self, field: bytes, consent: Consent, dropped: list[str]) -> bytes | None:
        """Return a Set-Cookie field as it may leave, or None where it may not."""
        name = setcookie.name_of(field)
        declared = self._registry.find(name)
        if declared is None:
            if setcookie.is_deletion(field):
                return field
            self._note_undeclared(name)
            return None if self._blocks_undeclared else field
        if consent.allows(declared.category):
            limit = (declared.lifetime_days or 0) * _SECONDS_A_DAY
            remaining = setcookie.remaining_seconds(field) if limit else None
            return setcookie.with_lifetime(field, limit) if remaining is not None and remaining > limit else field
        if setcookie.is_deletion(field):
            return field
        if declared.on_refusal == "session":
            return setcookie.as_session(field)
        self._note_dropped(declared.name, declared.category)
        dropped.append(f"{declared.name};category={declared.category}")
        return None

    def _expirations(self, scope: Scope, visit: Visit, headers: list[tuple[bytes, bytes]]) -> list[bytes]:
        set_here = {setcookie.name_of(value) for name, value in headers if name.lower() == b"set-cookie"}
        names = [name for name in visit.refused if name not in set_here and self._is_denied(name, visit.consent)]
        return sweep.expirations(names, self._registry, host=host_of(scope), is_secure=visit.is_secure)

    def _note_dropped(self, declaration: str, category: str) -> None:
        if declaration not in self.dropped:
            logger.info("cookie %s is not sent to visitors who have not granted %s", declaration, category)
        self.dropped[declaration] = self.dropped.get(declaration, 0) + 1

    def _note_undeclared(self, name: bytes) -> None:
        if name not in self.undeclared and len(self.undeclared) < _NAMES_TOLD:
            self.undeclared.add(name)
            fate = "is dropped" if self._blocks_undeclared else "passes without consent"
            logger.warning("cookie %r is declared nowhere and %s", name[:64], fate)


def host_of(scope: Scope) -> str:
    """Return the request's host without its port, lower case; empty where there is none."""
    for name, value in scope["headers"]:
        if name == b"host":
            host: str = value.decode("latin-1").lower()
            return host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
    return ""


def _is_uncached_document(scope: Scope, headers: list[tuple[bytes, bytes]]) -> bool:
    """Tell whether a response is a page that no shared cache keeps: there alone cookies are expired."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "POST"):
        return False
    is_page = False
    for name, value in headers:
        kind = name.lower()
        if kind == b"content-type":
            is_page = value.lower().startswith(b"text/html")
        elif kind == b"cache-control" and (b"public" in value or b"s-maxage" in value):
            return False
    return is_page
