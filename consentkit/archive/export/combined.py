r"""Rows as lines of Apache's combined log format, for the many tools that read it.

Owns what stands where a record has nothing to say, and that no client can write a line or a field of its own:
inside quotes only visible ASCII and spaces stand as they are, a quote is ``\x22`` and a backslash ``\x5c``.
Apache itself writes ``\"`` and ``\\``. Filters that know no escapes end a field at any quote, and a user agent
that looks like the rest of a line then gets an innocent address banned.

    %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"

Source: Apache HTTP Server, mod_log_config, "Custom Log Formats" and "Security Considerations".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from consentkit.archive.store import FoundRequest

# Readers want an address: with "-" they reject the line. This one belongs to nobody (RFC 1122 §3.2.1.3).
UNKNOWN_ADDRESS: Final = "0.0.0.0"  # noqa: S104 (nothing is bound to it)
# The protocol is not recorded, and readers want one.
_PROTOCOL: Final = b"HTTP/1.1"
_CLIENT_GONE: Final = 499  # nginx's, which readers know
_SERVER_ERROR: Final = 500  # what servers answer for an app that failed before it answered
_NOTHING: Final = b"-"
# Names of months as in RFC 9110 §5.6.7, whatever the locale.
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNSAFE: Final = re.compile(rb"[^ -~]|[\"\\]")
_UNSAFE_IN_TOKEN: Final = re.compile(rb"[^!-~]|[\"\\]")  # a space ends a token


def line(found: FoundRequest) -> bytes:
    """Return a row as one line of ASCII with its end.

    A websocket, which has no method, is the GET that opens it (RFC 6455 §4.1). An empty target is ``/``
    (RFC 9110 §4.2.3). Of the referrer the host alone is known: ``https://host/``.
    """
    referrer = _quotable(f"https://{found.referrer_host}/") if found.referrer_host else _NOTHING
    return b'%s - - [%s] "%s %s %s" %d %d "%s" "%s"\n' % (
        _token(found.client_address or UNKNOWN_ADDRESS),
        _time(found.time),
        _token(found.method or "GET"),
        _token(found.url or "/"),
        _PROTOCOL,
        _status(found),
        found.bytes_sent,
        referrer,
        _quotable(found.user_agent) or _NOTHING,
    )


def _status(found: FoundRequest) -> int:
    if found.status:
        return found.status
    return _CLIENT_GONE if found.outcome == "client_gone" else _SERVER_ERROR


def _time(iso: str) -> bytes:
    """Return ``23/Nov/2026:10:00:00 +0000`` for an ISO time in UTC."""
    return f"{iso[8:10]}/{_MONTHS[int(iso[5:7]) - 1]}/{iso[:4]}:{iso[11:19]} +0000".encode("ascii")


def _quotable(text: str) -> bytes:
    return _UNSAFE.sub(_escape, text.encode())


def _token(text: str) -> bytes:
    return _UNSAFE_IN_TOKEN.sub(_escape, text.encode())


def _escape(unsafe: re.Match[bytes]) -> bytes:
    return b"\\x%02x" % unsafe[0][0]
