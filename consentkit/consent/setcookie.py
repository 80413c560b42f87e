"""Reading and changing one Set-Cookie field, on raw bytes.

Owns RFC 6265bis' parse of the field, so that what we take for a deletion is what a browser takes for one.
Which fields pass is `gate`'s decision.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_SECONDS: Final = re.compile(rb"-?[0-9]{1,18}")


def name_of(field: bytes) -> bytes:
    """Return the cookie's name. Source: RFC 6265bis §5.6 steps 2–6."""
    name, equals, _ = field.partition(b";")[0].partition(b"=")
    return name.strip(b" \t") if equals else b""


def is_deletion(field: bytes) -> bool:
    """Tell whether a browser that takes this field ends up without the cookie.

    Max-Age has precedence over Expires, and the last of each counts. Source: RFC 6265bis §5.6.1–2, §5.7.
    """
    remaining = remaining_seconds(field)
    return remaining is not None and remaining <= 0


def remaining_seconds(field: bytes) -> float | None:
    """Return how long a browser keeps the cookie, in seconds from now; None = until it closes."""
    remaining: float | None = None
    has_max_age = False
    for attribute in field.split(b";")[1:]:
        name, _, value = attribute.partition(b"=")
        kind = name.strip(b" \t").lower()
        text = value.strip(b" \t")
        if kind == b"max-age" and _SECONDS.fullmatch(text):
            remaining, has_max_age = float(text), True
        elif kind == b"expires" and not has_max_age and (expires := _instant(text)) is not None:
            remaining = (expires - datetime.now(UTC)).total_seconds()
    return remaining


def as_session(field: bytes) -> bytes:
    """Return the field without Max-Age and Expires: the cookie ends with the browser's session."""
    return b";".join(part for part in field.split(b";") if not _is_lifetime(part))


def with_lifetime(field: bytes, seconds: int) -> bytes:
    """Return the field with a lifetime of so many seconds from now, in place of its own."""
    from email.utils import format_datetime  # noqa: PLC0415 - see `_instant`

    expires = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    return as_session(field) + f"; Max-Age={seconds}; Expires={expires}".encode()


def within(field: bytes, seconds: int) -> bytes:
    """Return the field as it is, or cut to a lifetime of so many seconds where it asks for more.

    Args:
        field: the raw field.
        seconds: the longest lifetime; 0 = until the browser closes.
    """
    remaining = remaining_seconds(field)
    if remaining is None or remaining <= seconds:
        return field
    return with_lifetime(field, seconds) if seconds else as_session(field)


def _is_lifetime(attribute: bytes) -> bool:
    return attribute.partition(b"=")[0].strip(b" \t").lower() in (b"max-age", b"expires")


def _instant(text: bytes) -> datetime | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - heavy; many sites set no cookie with a date

    try:
        instant = parsedate_to_datetime(text.replace(b"-", b" ").decode("ascii"))
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None  # a browser ignores what it can't read (RFC 6265bis §5.6.1)
