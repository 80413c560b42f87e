"""A coded body decodes to what was given, piece by piece, in the event loop and beside it."""

from __future__ import annotations

import asyncio
import random
import zlib

import pytest

from consentkit.consent.compression import MINIMUM_BYTES, Compression, coded_headers, gains


@pytest.mark.parametrize("size", [600, 200 * 1024], ids=["small", "large enough for a thread"])
def test_each_piece_can_be_decoded_when_it_comes(size: int) -> None:
    pieces = [random.Random(number).randbytes(size) for number in range(3)]
    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)

    async def code() -> list[bytes]:
        compression = Compression()
        return [await compression.code(piece, more_body=piece is not pieces[-1]) for piece in pieces]

    assert [decoder.decompress(coded) for coded in asyncio.run(code())] == pieces
    assert decoder.eof


@pytest.mark.parametrize(
    ("status", "fields", "size", "more_body", "gained"),
    [
        pytest.param(200, [], MINIMUM_BYTES, False, True, id="large enough"),
        pytest.param(200, [], MINIMUM_BYTES - 1, False, False, id="too small"),
        pytest.param(200, [], 1, True, True, id="the first of several pieces"),
        pytest.param(206, [], MINIMUM_BYTES, False, False, id="a part"),
        pytest.param(
            200, [(b"Content-Encoding", b"identity")], MINIMUM_BYTES, False, False, id="coded by the app"
        ),
    ],
)
def test_only_what_gains_is_coded(
    status: int, fields: list[tuple[bytes, bytes]], size: int, more_body: bool, gained: bool
) -> None:
    assert gains(status, fields, size, more_body=more_body) is gained


@pytest.mark.parametrize(("size", "length"), [(7, [b"7"]), (None, [])], ids=["known", "in chunks"])
def test_headers_give_the_coded_length_where_it_is_known(size: int | None, length: list[bytes]) -> None:
    headers = coded_headers([(b"Content-Length", b"900"), (b"x", b"y")], size)
    assert [value for name, value in headers if name.lower() == b"content-length"] == length
    assert (b"content-encoding", b"gzip") in headers
    assert (b"x", b"y") in headers
