"""Expiring cookies that the visitor no longer allows, in every form in which a browser may hold them.

A browser deletes a cookie only when name, domain, path and partition agree (RFC 6265bis §5.7 step 23), and
never says which of them it holds. Owns those variants and their order; when to sweep is `gate`'s decision.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consentkit.consent.registry import Registry

# Proxies answer 502 when a response's header grows past their buffer (nginx: 4 or 8 KB in all).
MAX_FIELDS: Final = 16
MAX_BYTES: Final = 2048

# No attribute could hold such a name, nor did a Set-Cookie make it (RFC 6265bis §5.6 step 1).
_UNSAFE: Final = frozenset(range(0x20)) | {0x7F, 0x3B}

_EXPIRED: Final = b"Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"


def expirations(names: Iterable[bytes], registry: Registry, *, host: str, is_secure: bool) -> list[bytes]:
    """Return Set-Cookie fields that delete the named cookies, likeliest variants first.

    At most 16 fields and 2 KB; what does not fit comes with the next document.

    Args:
        names: cookies that the browser sent and that are refused.
        registry: knows the path and domain that each was declared with.
        host: the request's host, without port.
        is_secure: the request came over https.
    """
    variants = [list(_variants(name, registry, host, is_secure=is_secure)) for name in dict.fromkeys(names)]
    fields: list[bytes] = []
    size = 0
    for rank in range(max(map(len, variants), default=0)):
        for of_one in variants:
            if rank < len(of_one):
                size += len(of_one[rank])
                if len(fields) == MAX_FIELDS or size > MAX_BYTES:
                    return fields
                fields.append(of_one[rank])
    return fields


def _variants(name: bytes, registry: Registry, host: str, *, is_secure: bool) -> Iterator[bytes]:
    if not name or not _UNSAFE.isdisjoint(name):
        return
    declared = registry.find(name)
    needs_secure = name.startswith((b"__Secure-", b"__Host-"))
    if needs_secure and not is_secure:
        return  # a browser takes neither over http
    paths = list(dict.fromkeys([declared.path if declared else "/", "/"]))
    domains = [""] if name.startswith(b"__Host-") else _domains(host, declared.domain if declared else "")
    for domain in domains:
        for path in paths:
            field = b"%b=; %b; Path=%b" % (name, _EXPIRED, path.encode("latin-1", "replace"))
            if domain:
                field += b"; Domain=" + domain.encode("latin-1", "replace")
            yield field + (b"; Secure" if needs_secure else b"")
    if is_secure:
        yield b"%b=; %b; Path=/; Secure; Partitioned; SameSite=None" % (name, _EXPIRED)


def _domains(host: str, declared: str) -> list[str]:
    """Return the domains a cookie of this host may have, likeliest first; empty = host-only."""
    if _is_address(host) or "." not in host:
        return [""]
    labels = host.split(".")
    parents = [".".join(labels[start:]) for start in range(len(labels) - 1)]
    likely = [declared.lstrip(".")] if declared else []
    return list(dict.fromkeys([*likely, "", *reversed(parents)]))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
