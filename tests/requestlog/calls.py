"""Capture over a real spool, and the calls of a server, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from starlette.types import Message, Receive, Scope, Send

from consentkit.archive.spoolreader import SpoolReader
from consentkit.crypto import Keyring
from consentkit.requestlog.address import TrustedProxies, resolve_forwarding
from consentkit.requestlog.capture import Capture
from consentkit.requestlog.record import Record
from consentkit.requestlog.redact import Redactor
from consentkit.requestlog.spool import Spool

App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"x", b"1"), (b"x", b"2")]}
END: Message = {"type": "http.response.body", "body": b"whole"}
DISCONNECT: Message = {"type": "http.disconnect"}


class Log:
    """A capture over a real spool, and what it wrote."""

    def __init__(self, folder: Path, keyring: Keyring) -> None:
        self._folder = folder
        self._keyring = keyring
        self.spool = Spool(folder, keyring, max_bytes=2**30)

    def around(self, app: App, *, proxies: tuple[str, ...] = (), exclude_paths: tuple[str, ...] = ()) -> Capture:
        return Capture(
            app,
            spool=lambda: self.spool,
            redactor=Redactor(("page",)),
            forwarding=partial(resolve_forwarding, trusted=TrustedProxies(proxies)),
            exclude_paths=exclude_paths,
        )

    def records(self) -> list[Record]:
        segments = SpoolReader(self._folder, self._keyring).segments()
        entries = [entry for segment in segments for _, entry in segment.read(complete=True)]
        return [entry for entry in entries if isinstance(entry, Record)]

    def last(self) -> Record:
        return self.records()[-1]


def request(**more: Any) -> Scope:
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "scheme": "https",
        "path": "/a",
        "raw_path": b"/a",
        "query_string": b"",
        "headers": [(b"host", b"www.example.lv")],
        "client": ("192.0.2.7", 4711),
    }
    return {**scope, **more}


def saying(*messages: Message) -> App:
    """Return an app that sends these messages."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


def ask(app: App, scope: Scope | None = None, *incoming: Message) -> list[Message]:
    """Call an app as a server does, and return what it sent."""
    sent: list[Message] = []
    waiting = list(incoming)

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(_as_coroutine(app(scope or request(), receive, send)))
    return sent


async def _as_coroutine(call: Awaitable[None]) -> None:
    await call
