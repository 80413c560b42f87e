"""What caches may do with a page: whether it may reach other visitors, and how to keep it from them.

Reads and changes Cache-Control and Vary on raw header lists. Validators are `validators`' job.
"""

from __future__ import annotations

import re
import time
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Headers: TypeAlias = "list[tuple[bytes, bytes]]"
Fields: TypeAlias = "Mapping[bytes, Sequence[bytes]]"  # a response's values by lower-case name

# One directive and its argument, which may be quoted and hold commas (RFC 9111 §5.2).
_DIRECTIVE = re.compile(rb"([^\s,=;\"]++)(?:\s*+=\s*+(\"[^\"]*+\"|[^\s,;\"]*+))?+")

# Ends of the names of fields that speak to one network or server alone, and go before Cache-Control there.
_FOR_NETWORKS = (b"-cache-control", b"surrogate-control", b"edge-control", b"x-accel-expires")
_WHILE_STALE = (b"stale-while-revalidate", b"stale-if-error")


def fields_of(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    """Return a message's header values by lower-case name, repeated ones in order."""
    fields: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        fields.setdefault(name.lower(), []).append(value)
    return fields


def may_be_shared(fields: Fields) -> bool:
    """Say whether a cache may give this response to another visitor, or revalidate it.

    True for `public`, `s-maxage`, `immutable`, a `max-age` above 0, an `Expires` to come or leave to be used when
    stale, without `private` or `no-store`; for the headers that speak to content delivery networks alone; and
    for every validator.

    Source: RFC 9111 §3, §4.2.1, §5.2; RFC 5861; RFC 9213 (targeted cache control).
    """
    if b"etag" in fields or b"last-modified" in fields:
        return True
    if _allows_sharing(_directives(fields.get(b"cache-control", ())), fields):
        return True
    return any(_networks_may_store(name, fields[name]) for name in fields if name.endswith(_FOR_NETWORKS))


def keep_private(headers: Headers, *, vary: Sequence[bytes]) -> Headers:
    """Return headers that keep a response from shared caches, and from one visitor's other selves.

    `private` joins a Cache-Control that says neither it nor `no-store`; what else stands there stays.

    Args:
        headers: the response's headers; not changed.
        vary: request headers that the page depends on.
    """
    lines = [value for name, value in headers if name.lower() == b"cache-control"]
    if not lines:
        return with_vary([*headers, (b"cache-control", b"private")], vary)
    present = _directives(lines)
    if present.get(b"private") != b"" and b"no-store" not in present:
        headers = _with_member(headers, b"cache-control", b"private")
    return with_vary(headers, vary)


def with_vary(headers: Headers, names: Sequence[bytes]) -> Headers:
    """Return headers whose Vary lists these names too, none of them twice.

    Source: RFC 9110 §12.5.5.
    """
    lines = tuple([value for name, value in headers if name.lower() == b"vary"])
    if not lines:
        return [*headers, (b"vary", b", ".join(names))]
    missing = _missing_in(lines, tuple(names))
    return _with_member(headers, b"vary", missing) if missing else headers


def kept_apart(headers: Headers) -> Headers:
    """Return headers by which caches keep a page from the bare HTML that frames, scripts and fragments get.

    What is this visitor's alone stays as it is: no cache hands it on.

    Source: RFC 9111 §4.1; Fetch Metadata §2.1 (Sec-Fetch-Dest), which browsers send over https alone.
    """
    if (b"cache-control", b"private") in headers:
        return headers
    directives = _directives([value for name, value in headers if name.lower() == b"cache-control"])
    if directives.get(b"private") == b"" or b"no-store" in directives:
        return headers
    return with_vary(headers, (b"Sec-Fetch-Dest",))


def without_vary(headers: Headers, name: bytes) -> Headers:
    """Return headers whose Vary does not list this name."""
    changed: Headers = []
    for line, value in headers:
        if line.lower() != b"vary":
            changed.append((line, value))
        elif kept := [member for member in value.split(b",") if member.strip().lower() != name.lower()]:
            changed.append((line, b",".join(kept).strip()))
    return changed


def _directives(values: Sequence[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for value in values:
        for directive in _DIRECTIVE.finditer(value):
            found.setdefault(directive[1].lower(), (directive[2] or b"").strip(b'"'))
    return found


def _allows_sharing(directives: Mapping[bytes, bytes], fields: Fields) -> bool:
    if b"no-store" in directives or directives.get(b"private") == b"":
        return False
    if not directives.keys().isdisjoint((b"public", b"s-maxage", b"immutable")):
        return True
    if any(directives.get(name, b"").strip(b"0") for name in _WHILE_STALE):
        return True
    if b"max-age" in directives:  # overrides Expires (RFC 9111 §5.3)
        return directives[b"max-age"].strip(b"0") != b""
    return _expires_later(fields)


def _expires_later(fields: Fields) -> bool:
    expires = unix_time(fields[b"expires"][0]) if b"expires" in fields else None
    if expires is None:
        return False
    sent = unix_time(fields[b"date"][0]) if b"date" in fields else None
    return expires > (time.time() if sent is None else sent)


def _networks_may_store(name: bytes, values: Sequence[bytes]) -> bool:
    if name == b"x-accel-expires":  # nginx: seconds or "@" and a time
        return any(value.strip() not in (b"0", b"off") for value in values)
    directives = _directives(values)
    if name == b"edge-control":  # Akamai: times have units, as 1d
        return directives.keys().isdisjoint((b"no-store", b"bypass-cache"))
    return _allows_sharing(directives, {})


def unix_time(http_date: bytes) -> int | None:
    """Return an HTTP date as seconds since 1970, or None for what is none.

    Source: RFC 9110 §5.6.7; the asctime form has no zone and means UTC.
    """
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - heavy, and seldom needed

    try:
        moment = parsedate_to_datetime(http_date.decode("latin-1"))
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=128)
def _missing_in(lines: tuple[bytes, ...], names: tuple[bytes, ...]) -> bytes:
    """Return those names, joined, that the lines of a Vary don't list; kept, for a site has few such lines."""
    present = {member.strip() for line in lines for member in line.lower().split(b",")}
    return b"" if b"*" in present else b", ".join([name for name in names if name.lower() not in present])


def _with_member(headers: Headers, name: bytes, member: bytes) -> Headers:
    """Append a member to the last line of a list-valued header, or a line where there is none."""
    changed = list(headers)
    for index in range(len(changed) - 1, -1, -1):
        line, value = changed[index]
        if line.lower() == name:
            changed[index] = (
                line,
                value.rstrip(b" \t,") + b", " + member if value.strip(b" \t,") else member,
            )
            return changed
    changed.append((name, member))
    return changed
