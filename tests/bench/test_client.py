"""Framing of responses by hand, over real connections."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from bench.client import Answer, Connection, ExchangeFailed

REQUEST = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"
NEXT = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


class Scripted:
    """A server that answers the n-th request with the n-th of the given bytes, then closes where told to."""

    def __init__(self, *answers: bytes, closes: bool = False) -> None:
        self.dialled = 0
        self.requests = 0
        self._answers = iter(answers)
        self._closes = closes
        self._serving: set[asyncio.Task[None] | None] = set()

    async def exchange(self, times: int, *, method: bytes) -> list[Answer]:
        """Serve, and exchange so many requests over one `Connection`."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        connection = Connection("127.0.0.1", server.sockets[0].getsockname()[1])
        try:
            return [await connection.exchange(REQUEST, method=method) for _ in range(times)]
        finally:
            await connection.close()
            server.close()
            await asyncio.gather(*filter(None, self._serving))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.current_task())
        self.dialled += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.requests += 1
                writer.write(next(self._answers))
                if self._closes:
                    break
        except asyncio.IncompleteReadError:
            assert reader.at_eof()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    ("first", "method", "status", "body_bytes", "dialled"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"GET", 200, 5, 1, id="content-length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3;x=y\r\nabc\r\n0a\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
            b"GET",
            200,
            13,
            1,
            id="chunked-with-extension-and-trailer",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"HEAD", 200, 0, 1, id="head-has-no-body"),
        pytest.param(b"HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", b"GET", 304, 0, 1, id="304-has-no-body"),
        pytest.param(
            b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\n.",
            b"GET",
            404,
            1,
            1,
            id="interim-response-first",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"GET", 200, 13, 2, id="ended-by-closing"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            b"GET",
            200,
            0,
            2,
            id="asked-to-close",
        ),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"GET", 200, 2, 2, id="http-1.0"),
    ],
)
def test_a_response_ends_where_http_says_and_the_next_one_is_read_whole(
    first: bytes, method: bytes, status: int, body_bytes: int, dialled: int
) -> None:
    server = Scripted(first, NEXT, closes=dialled == 2)

    answers = asyncio.run(server.exchange(2, method=method))

    assert [(answer.status, answer.body_bytes) for answer in answers] == [(status, body_bytes), (201, 0)]
    assert server.dialled == dialled


def test_repeated_fields_are_kept_in_order() -> None:
    first = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\nset-cookie: b=2\r\n\r\n"

    answers = asyncio.run(Scripted(first).exchange(1, method=b"GET"))

    assert answers[0].values(b"set-cookie") == [b"a=1", b"b=2"]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="cut-in-the-head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", id="cut-in-the-body"),
        pytest.param(b"SSH-2.0-x\r\n\r\n", id="another-protocol"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 50, id="interim-responses-without-end"),
    ],
)
def test_a_request_without_a_whole_answer_fails_and_is_not_sent_again(broken: bytes) -> None:
    server = Scripted(broken, closes=True)

    with pytest.raises(ExchangeFailed):
        asyncio.run(server.exchange(1, method=b"GET"))

    assert server.requests == 1
