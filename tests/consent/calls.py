"""Plain ASGI calls of middleware, and apps that send what they are given."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]


def scope_of(headers: Headers, method: str = "GET") -> Scope:
    return {"type": "http", "method": method, "path": "/", "headers": headers, "state": {}}


def sends(*messages: Message) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))

    return app


def call(app: ASGIApp, headers: Headers, method: str = "GET") -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope_of(headers, method), receive, send))  # type: ignore[arg-type]
    return sent


def answer(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def chunks_of(page: bytes, *sizes: int) -> list[Message]:
    """Cut a page into pieces of these sizes, over and over."""
    parts, at, turn = [], 0, 0
    while at < len(page):
        size = sizes[turn % len(sizes)] if sizes else len(page)
        parts.append(page[at : at + size])
        at, turn = at + size, turn + 1
    last = len(parts) - 1
    return [{"type": "http.response.body", "body": part, "more_body": n < last} for n, part in enumerate(parts)]


def body_of(messages: list[Message]) -> bytes:
    return b"".join(m["body"] for m in messages if m["type"] == "http.response.body")
