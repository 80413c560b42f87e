"""What leaves the admin area: pages, redirects, files and data, each with the same strict headers.

Owns HTTP. What is shown, and that it was written down first, is the application's.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
import msgspec
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from consentkit.admin.answer import Stream

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_CONTENT_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]+(?:; charset=[a-z0-9-]+)?")
_CHUNK_BYTES: Final = 64 * 1024


def html(text: str, *, status: int = 200) -> Response:
    """Return a page."""
    return Response(text, status, {**HEADERS, "Content-Type": "text/html; charset=utf-8"})


def see_other(location: str) -> Response:
    """Return a 303 to an address of this site, percent-encoded by the caller."""
    return Response(b"", 303, {**HEADERS, "Location": location})


def data(value: object) -> Response:
    """Return JSON."""
    return Response(msgspec.json.encode(value), 200, {**HEADERS, "Content-Type": "application/json"})


def download(content: bytes | Path | Stream, *, file_name: str, content_type: str) -> Response:
    """Return a file to be saved; one on the disk is removed when it was sent, or could not be.

    Raises:
        ValueError: the name or the type could say more in a header than they should.
    """
    if not _FILE_NAME.fullmatch(file_name) or not _CONTENT_TYPE.fullmatch(content_type):
        raise ValueError("a download's name or type holds what it must not")
    headers = {
        **HEADERS,
        "Content-Type": content_type,
        "Content-Disposition": f'attachment; filename="{file_name}"',
    }
    if isinstance(content, bytes):
        return Response(content, 200, headers)
    return FileReply(content, headers) if isinstance(content, Path) else StreamReply(content, headers)


class FileReply(Response):
    """Send a finished file and remove it, also when the client goes away."""

    def __init__(self, path: Path, headers: dict[str, str]) -> None:
        self._path = path
        super().__init__(b"", 200, {**headers, "Content-Length": str(path.stat().st_size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async with await anyio.open_file(self._path, "rb") as file:
                while chunk := await file.read(_CHUNK_BYTES):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._path.unlink(missing_ok=True)


class StreamReply(Response):
    """Send what is made meanwhile, until the client goes away."""

    def __init__(self, stream: Stream, headers: dict[str, str]) -> None:
        self._stream = stream
        super().__init__(b"", 200, {**headers, "Content-Length": str(stream.size_bytes)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        async with anyio.create_task_group() as group:
            group.start_soon(_until_gone, receive, group.cancel_scope)
            await self._send(send)
            group.cancel_scope.cancel()

    async def _send(self, send: Send) -> None:
        with contextlib.closing(self._stream.chunks()) as chunks:
            chunk = await anyio.to_thread.run_sync(next, chunks, b"")  # proved before anything is sent
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await anyio.to_thread.run_sync(next, chunks, b"")
        with anyio.CancelScope(shield=True):  # with the last byte the client may be gone, and has all of it
            await send({"type": "http.response.body", "body": b""})
            await anyio.to_thread.run_sync(self._stream.sent)


async def _until_gone(receive: Receive, sending: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    sending.cancel()
