"""Compression of one response in the app's stead, begun when there is something to compress.

Owns the gzip coding and the header fields that tell of it. Which responses gain by it is told by `documents`.

Starlette's GZipMiddleware codes the same bytes, but stands around an app: it must be entered before it is known
whether the answer is a page, so it would need a made-up scope to be told what the client takes, holds back starts
that must go out, and writes Vary a second time where it stands.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import TYPE_CHECKING, Final

from consentkit.consent.cachepolicy import Headers, fields_of

if TYPE_CHECKING:
    import anyio
    from anyio.lowlevel import RunVar

# What Starlette's middleware leaves alone: the headers of a small answer outweigh what is saved.
MINIMUM_BYTES: Final = 500
_LEVEL: Final = 6  # zlib's default; 9 takes longer for hardly a byte
_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS  # zlib manual, deflateInit2
_THREAD_BYTES: Final = 128 * 1024  # at once in the event loop, more would keep other requests waiting
_THREADS: Final = 40


class Compression:
    """Code the body of one response, piece by piece."""

    __slots__ = ("_coder",)

    def __init__(self) -> None:
        self._coder = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_FORMAT)

    async def code(self, body: bytes, *, more_body: bool) -> bytes:
        """Return the coded piece, which a client can decode up to its end."""
        if len(body) < _THREAD_BYTES:
            return self._code(body, not more_body)
        import anyio.to_thread  # noqa: PLC0415 - heavy, and few pages are so large

        return await anyio.to_thread.run_sync(self._code, body, not more_body, limiter=_limiter())

    def _code(self, body: bytes, is_last: bool) -> bytes:  # noqa: FBT001 - a thread's call takes no keywords
        return self._coder.compress(body) + self._coder.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)


def gains(status: int, headers: Headers, size: int, *, more_body: bool) -> bool:
    """Say whether a compressible response that begins with so many bytes is to be coded."""
    if size < MINIMUM_BYTES and not more_body:
        return False
    return status != 206 and b"content-encoding" not in fields_of(headers)


def coded_headers(headers: Headers, size: int | None) -> Headers:
    """Return the header fields of a coded response; of unknown length where `size` is None."""
    kept = [line for line in headers if line[0].lower() != b"content-length"]
    if size is not None:
        kept.append((b"content-length", b"%d" % size))
    kept.append((b"content-encoding", b"gzip"))
    return kept


def _limiter() -> anyio.CapacityLimiter:
    """Return a limit of this event loop's own, so that pages don't wait for the app's blocked threads."""
    import anyio  # noqa: PLC0415 - see `code`

    try:
        return _limiter_of_run().get()
    except LookupError:
        limiter = anyio.CapacityLimiter(_THREADS)
        _limiter_of_run().set(limiter)
        return limiter


@cache
def _limiter_of_run() -> RunVar[anyio.CapacityLimiter]:
    from anyio.lowlevel import RunVar  # noqa: PLC0415 - see `code`

    return RunVar("consentkit.compression")
