"""HTTP/1.1 by hand: what is sent goes out byte for byte, and nothing is ever sent twice.

Owns framing over one keep-alive connection. Client libraries normalise request targets and retry on a
closed connection; either would falsify a replay.

Source: RFC 9112 §6.3 (message body length), §7.1 (chunked), §9.3 (persistence); RFC 9110 §15.2 (1xx).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import msgspec

from consentkit.errors import ConsentKitError

EXCHANGE_SECONDS: Final = 30.0
_MAX_HEAD_BYTES: Final = 64 * 1024
_PIECE_BYTES: Final = 64 * 1024
_MAX_INTERIM: Final = 16


class ExchangeFailed(ConsentKitError):
    """Report a request that got no whole answer; whether it arrived is not known.

    Attributes:
        reason: what happened, in words.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Answer(msgspec.Struct, frozen=True):
    """A whole response.

    Attributes:
        status: the final status.
        fields: header fields in order, names in lower case.
        body_bytes: length of the body; the body itself is not kept.
    """

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body_bytes: int

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of all fields of that name, given in lower case."""
        return [value for key, value in self.fields if key == name]


class Connection:
    """One connection to a server, opened when needed, and again where the server closed it in between.

    Use it from one task at a time.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, request: bytes, *, method: bytes = b"GET") -> Answer:
        """Send one request and read its whole response, within `EXCHANGE_SECONDS`.

        Args:
            request: the whole message, head and body.
            method: its method, which decides whether the response has a body.

        Raises:
            ExchangeFailed: no connection, no answer in time, or one that is no HTTP. Never sent again.
        """
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                reader, writer = await self._open()
                writer.write(request)
                answer, keep_alive = await _read_answer(reader, method)
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError, ValueError) as exc:
            self._drop()
            raise ExchangeFailed(type(exc).__name__) from exc
        except BaseException:
            self._drop()  # cancelled in the middle of a message: the connection is of no more use
            raise
        if not keep_alive:
            self._drop()
        return answer

    async def close(self) -> None:
        """Close the connection and wait until it is; a further exchange would open a new one."""
        writer = self._drop()
        if writer is not None:
            with suppress(OSError):  # the other end may have been faster, or ruder
                await writer.wait_closed()

    def _drop(self) -> asyncio.StreamWriter | None:
        streams, self._streams = self._streams, None
        if streams is None:
            return None
        streams[1].close()
        return streams[1]

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and (self._streams[0].at_eof() or self._streams[1].is_closing()):
            self._drop()
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, limit=_MAX_HEAD_BYTES)
        return self._streams


async def _read_answer(reader: asyncio.StreamReader, method: bytes) -> tuple[Answer, bool]:
    """Return the final response, and whether the connection can be used again."""
    for _ in range(_MAX_INTERIM):
        version, status, fields = _parse_head(await reader.readuntil(b"\r\n\r\n"))
        if status >= 200 or status == 101:
            break
    else:
        raise ValueError("more interim responses than any server sends")
    body_bytes, delimited = await _read_body(reader, method, status, fields)
    options = b",".join(value for name, value in fields if name == b"connection").lower()
    keep_alive = delimited and version == b"HTTP/1.1" and b"close" not in options
    return Answer(status, fields, body_bytes), keep_alive


def _parse_head(head: bytes) -> tuple[bytes, int, tuple[tuple[bytes, bytes], ...]]:
    first, *lines = head[:-4].split(b"\r\n")
    version, _, rest = first.partition(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ValueError("not HTTP/1")
    pairs = (line.partition(b":") for line in lines)
    return version, int(rest[:3]), tuple((name.lower(), value.strip()) for name, _, value in pairs)


async def _read_body(
    reader: asyncio.StreamReader, method: bytes, status: int, fields: tuple[tuple[bytes, bytes], ...]
) -> tuple[int, bool]:
    """Read the body away; return its length, and whether its end was told other than by closing."""
    named = dict(fields)  # a repeated length or coding can't be trusted either way: the last one is taken
    if status == 101 or (method == b"CONNECT" and 200 <= status < 300):
        return 0, False
    if method == b"HEAD" or status in {204, 304}:
        return 0, True
    if b"chunked" in named.get(b"transfer-encoding", b"").lower():
        return await _read_chunks(reader), True
    if b"content-length" in named:
        length = int(named[b"content-length"])
        await _discard(reader, length)
        return length, True
    total = 0
    while piece := await reader.read(_PIECE_BYTES):
        total += len(piece)
    return total, False


async def _read_chunks(reader: asyncio.StreamReader) -> int:
    total = 0
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        await _discard(reader, size + 2)
        total += size
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailer fields say nothing that is counted here
    return total


async def _discard(reader: asyncio.StreamReader, length: int) -> None:
    while length > 0:
        length -= len(await reader.readexactly(min(length, _PIECE_BYTES)))
