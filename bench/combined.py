"""Lines of Apache's combined log format, read back into the requests that they were written for.

Owns the format and its escapes. What becomes of a request is `replay`'s job.

    %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"

Source: Apache HTTP Server, mod_log_config, "Custom Log Formats" and "Security Considerations".
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Servers refuse request lines and fields far shorter than this; a longer line is damage.
MAX_LINE_BYTES: Final = 64 * 1024

# Each piece ends at a byte that it can't contain, so a line is read in one pass whatever stands in it.
_LINE: Final = re.compile(
    rb"""
    ([^ ]+)\ [^\[]*                          # client, identity, user
    \[[^\]]*\]\                              # time
    "([^"\\]*(?:\\.[^"\\]*)*)"\            # request line
    (\d{3}|-)\ (?:\d+|-)\                   # status, size
    "([^"\\]*(?:\\.[^"\\]*)*)"\            # referrer
    "([^"\\]*(?:\\.[^"\\]*)*)"(?:\ .*)?    # user agent, and what some servers add
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_ESCAPED: Final = {b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"f": b"\f"}
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_VERSION: Final = re.compile(rb"HTTP/\d\.\d")  # RFC 9112 §2.3
_BREAKS_TARGET: Final = re.compile(rb"[\x00-\x20\x7f]")  # RFC 9112 §3.2: no whitespace, no control
_BREAKS_FIELD: Final = re.compile(rb"[\x00\r\n]")  # RFC 9110 §5.5


class UnreadableLine(ConsentKitError):
    """Refuse a line that no request can be made from.

    Attributes:
        reason: what is wrong with it, in words; nothing of the line itself.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class LoggedRequest(msgspec.Struct, frozen=True):
    """One line of a log.

    Attributes:
        address: the client's address, canonical text.
        method: a token of RFC 9110, in the line's own case.
        target: the request target byte for byte, never normalised.
        status: the status that was answered then; 0 where the line has none.
        referrer: the Referer field; empty where there was none.
        user_agent: the User-Agent field; empty where there was none.
    """

    address: str
    method: bytes
    target: bytes
    status: int
    referrer: bytes
    user_agent: bytes


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield each line of a file without its end, in memory that does not grow with the file.

    A line past `MAX_LINE_BYTES` is yielded cut at that length, which no parser takes for a whole one.
    """
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            whole = line.endswith(b"\n") or len(line) <= MAX_LINE_BYTES
            yield line.rstrip(b"\r\n") if whole else line
            while not whole:
                rest = file.readline(MAX_LINE_BYTES)
                whole = not rest or rest.endswith(b"\n")


def parse_line(line: bytes) -> LoggedRequest:
    """Read one line of the combined format; further fields behind the user agent are passed over.

    Raises:
        UnreadableLine: the line is not of that format, or what it logs was no request of HTTP/1.
    """
    found = _LINE.fullmatch(line) if len(line) <= MAX_LINE_BYTES else None
    if found is None:
        raise UnreadableLine("not a line of the combined format")
    client, request, status, referrer, user_agent = found.groups()
    method, target = _request_line(unescape(request))
    return LoggedRequest(
        address=_address(client),
        method=method,
        target=target,
        status=0 if status == b"-" else int(status),
        referrer=_field(referrer),
        user_agent=_field(user_agent),
    )


def unescape(text: bytes) -> bytes:
    """Take back the escapes that a server writes inside quotes: ``\\"``, ``\\\\``, ``\\n``, ``\\xhh`` …

    An escape that no server writes is left as it stands.
    """
    return _ESCAPE.sub(_unescape_one, text) if b"\\" in text else text


def _unescape_one(found: re.Match[bytes]) -> bytes:
    code = found[1]
    if len(code) == 3:
        return bytes.fromhex(code[1:].decode("ascii"))
    if code in b'"\\':
        return code
    return _ESCAPED.get(code, found[0])


def _request_line(request: bytes) -> tuple[bytes, bytes]:
    method, _, rest = request.partition(b" ")
    target, _, version = rest.rpartition(b" ")
    if not _VERSION.fullmatch(version) or not _TOKEN.fullmatch(method):
        raise UnreadableLine("no request line of HTTP/1")
    if not target or _BREAKS_TARGET.search(target):
        raise UnreadableLine("a request target with whitespace or control characters")
    return method, target


def _address(client: bytes) -> str:
    try:
        return str(ipaddress.ip_address(client.decode("ascii")))
    except ValueError as exc:
        raise UnreadableLine("the client is no IP address") from exc


def _field(logged: bytes) -> bytes:
    if logged == b"-":
        return b""
    value = unescape(logged).strip(b" \t")
    if _BREAKS_FIELD.search(value):
        raise UnreadableLine("a header field with a line break or a null byte")
    return value
