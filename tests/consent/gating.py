"""A gate in front of an app that tells what it saw: what its tests share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from starlette.types import Message, Receive, Scope, Send

from consentkit.consent.choice import Choice, ChoiceSigner
from consentkit.consent.csp import Narrowing
from consentkit.consent.gate import Gate, Keys
from consentkit.consent.names import CookieNames
from consentkit.consent.policy import Policy, PolicyState
from consentkit.consent.registry import Registry
from consentkit.consent.seen import Seen
from consentkit.consent.signals import Signal
from consentkit.settings import Settings

Headers: TypeAlias = list[tuple[bytes, bytes]]

COOKIES = [
    {"name": "basket", "category": "necessary", "purpose": "Holds what is bought", "lifetime_days": 2},
    {"name": "theme", "category": "preferences", "purpose": "Light or dark", "lifetime_days": 365},
    {"name": "size", "category": "preferences", "purpose": "Text size", "on_refusal": "session"},
    {"name": "_s_*", "category": "statistics", "purpose": "Counts", "lifetime_days": 30, "path": "/shop"},
    {"name": "ad", "category": "marketing", "purpose": "Adverts", "domain": "example.com"},
]
SERVICES = [
    {
        "id": "video",
        "name": "Example Video",
        "provider": "Example Video Limited",
        "category": "marketing",
        "purpose": "Plays videos",
        "hosts": ["video.example.net"],
        "country": "IE",
        "cookies": [{"name": "vid", "category": "marketing"}],
    },
    {
        "id": "fonts",
        "name": "Example Pay",
        "provider": "Example Pay Limited",
        "category": "necessary",
        "purpose": "Takes payments",
        "hosts": ["*.pay.example.net"],
        "country": "IE",
    },
]
SETTINGS = Settings.from_mapping(
    {
        "site": {"operator": "SIA Piemērs", "contact": "privacy@example.com"},
        "consent": {"cookies": COOKIES, "services": SERVICES},
    },
    base=Path("/srv/site"),
)
REGISTRY = Registry.build(SETTINGS)
SIGNER = ChoiceSigner(b"k" * 32)
POLICY = Policy.of(REGISTRY, PolicyState(1, "h", {}), 184)
KEYS = Keys(SIGNER, POLICY)
ALL = "preferences statistics marketing"


def choice_cookie(granted: str = "", denied: str = "", **more: Any) -> bytes:
    """Return a choice as a browser sends it, over http."""
    choice = Choice(frozenset(granted.split()), frozenset(denied.split()), 1, int(time.time()), **more)
    return b"consentkit=" + SIGNER.write(choice).encode()


def make_gate(
    app: Any,
    *,
    keys: Callable[[], Keys | None] = lambda: KEYS,
    blocks: bool = False,
    seen: Seen | None = None,
    signals: Sequence[Signal] = (),
    narrowing: Narrowing | None = None,
    cookie_domain: str = "",
) -> Gate:
    return Gate(
        app,
        registry=REGISTRY,
        keys=keys,
        names=CookieNames("consentkit", has_prefix=not cookie_domain),
        blocks_undeclared=blocks,
        seen=seen,
        signals=signals,
        narrowing=narrowing,
        cookie_domain=cookie_domain,
    )


STARTS = {
    "http": "http.response.start",
    "websocket": "websocket.accept",
    "denial": "websocket.http.response.start",
}


class Passage:
    """What an app saw of a request, and what left of its response.

    Attributes:
        seen: the request's fields as the app saw them, without Host.
        left: the response's fields as they left.
        scope: as the app saw it.
    """

    def __init__(self, seen: Headers, left: Headers, scope: Scope) -> None:
        self.seen = seen
        self.left = left
        self.scope = scope

    @property
    def set_cookies(self) -> list[bytes]:
        return [value for name, value in self.left if name.lower() == b"set-cookie"]

    def field(self, wanted: bytes) -> bytes | None:
        return next((value for name, value in self.left if name.lower() == wanted), None)


def pass_through(
    request: Iterable[tuple[bytes, bytes]] = (),
    response: Iterable[tuple[bytes, bytes]] = (),
    *,
    kind: str = "http",
    scheme: str = "http",
    host: bytes = b"www.example.com",
    gate: Gate | None = None,
    state: dict[str, Any] | None = None,
    **options: Any,
) -> Passage:
    """Send one request through a gate, and return what passed."""
    found: list[Scope] = []
    sent: list[Message] = []
    start = {"type": STARTS[kind], "status": 200, "headers": list(response), "other": "kept"}

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        found.append(scope)
        scope["state"].update(state or {})
        await send(start)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http" if kind == "http" else "websocket",
        "method": "GET",
        "scheme": scheme,
        "path": "/",
        "headers": [(b"host", host), *request],
    }
    gate = gate or make_gate(app, **options)
    gate.app = app

    async def serve() -> None:
        await gate(scope, receive, send)

    before = list(start["headers"]) if isinstance(start["headers"], list) else []
    asyncio.run(serve())
    assert start["headers"] == before, "the app's own message is never changed"
    assert sent[0]["other"] == "kept", "what a message holds besides passes on"
    return Passage(found[0]["headers"][1:], sent[0]["headers"], found[0])
