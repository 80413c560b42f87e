"""Expiring cookies that the visitor no longer allows, in every form in which a browser may hold them.

A browser deletes a cookie only when name, domain, path and partition agree (RFC 6265bis §5.7 step 23), and
never says which of them it holds. Owns those variants, their order, and how far a visitor's browser has come
with them; when to sweep is `page`'s decision.
"""

from __future__ import annotations

import ipaddress
import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from consentkit.consent.choice import Choice
    from consentkit.consent.registry import Registry

# Proxies answer 502 when a response's header grows past their buffer (nginx: 4 or 8 KB in all).
MAX_FIELDS: Final = 16
MAX_BYTES: Final = 2048

# A cookie that outlives all its variants so often is left.
_ROUNDS: Final = 2
_REMEMBERED: Final = 4096  # cookies of visitors whose browsers are being swept

# No attribute could hold such a name, nor did a Set-Cookie make it (RFC 6265bis §5.6 step 1).
_UNSAFE: Final = frozenset(range(0x20)) | {0x7F, 0x3B}

# Host comes from the client: only a name goes into a Domain attribute, and of a deep one its parents alone.
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]+(?:\.[a-z0-9_-]+)+", re.ASCII)
_LABELS: Final = 6

_EXPIRED: Final = b"Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"


class Sweeper:
    """Expire what still comes after a refusal, some variants a page, each twice at most.

    How far it has come is remembered for a while by choice and cookie name, so that the variants that did not
    fit into one page go out with the next. Forgetting costs a browser some fields that it has had before.

    Args:
        registry: knows the path and domain that each cookie was declared with.
        tell: called with the declaration of a cookie that can't be deleted.
    """

    def __init__(self, registry: Registry, tell: Callable[[str], None]) -> None:
        self._registry = registry
        self._tell = tell
        self._done: OrderedDict[tuple[Choice, bytes], int] = OrderedDict()

    def expirations(self, choice: Choice, names: Iterable[bytes], *, host: str, is_secure: bool) -> list[bytes]:
        """Return the next Set-Cookie fields for a visitor, within the bounds of one response.

        Args:
            choice: by which the cookies are refused.
            names: cookies that the browser sent all the same.
            host: the request's host, without port.
            is_secure: the request came over https.
        """
        due: dict[bytes, list[bytes]] = {}
        for name in dict.fromkeys(names):
            variants = list(_variants(name, self._registry, host, is_secure=is_secure))
            done = self._done.get((choice, name), 0)
            every = len(variants)
            if done < _ROUNDS * every:
                due[name] = [variants[turn % every] for turn in range(done, min(done + every, _ROUNDS * every))]
            elif variants and (declared := self._registry.find(name)) is not None:
                self._tell(declared.name)
        fields, counts = _fitting(due)
        for name, count in counts.items():
            key = (choice, name)
            self._done[key] = self._done.pop(key, 0) + count
        while len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)
        return fields


def expirations(names: Iterable[bytes], registry: Registry, *, host: str, is_secure: bool) -> list[bytes]:
    """Return Set-Cookie fields that delete the named cookies, likeliest variants first.

    At most 16 fields and 2 KB; what does not fit comes with the next document.

    Args:
        names: cookies that the browser sent and that are refused.
        registry: knows the path and domain that each was declared with.
        host: the request's host, without port.
        is_secure: the request came over https.
    """
    unique = dict.fromkeys(names)
    return _fitting({name: list(_variants(name, registry, host, is_secure=is_secure)) for name in unique})[0]


def rivals(name: bytes, *, host: str, own_domain: str) -> list[bytes]:
    """Return Set-Cookie fields that expire cookies of our choice's name which are not ours.

    Args:
        name: of the choice cookie.
        host: the request's host, without port.
        own_domain: the Domain of ours; empty = host-only.
    """
    domains = [""] if name.startswith(b"__Host-") else _domains(host, "")
    return [_field(name, domain, "/", is_secure=False) for domain in domains if domain != own_domain.lstrip(".")][
        :MAX_FIELDS
    ]


def _fitting(variants: dict[bytes, list[bytes]]) -> tuple[list[bytes], dict[bytes, int]]:
    """Return the fields that fit into one response, the first of each cookie before any second, and how many."""
    fields: list[bytes] = []
    counts = dict.fromkeys(variants, 0)
    size = 0
    for rank in range(max(map(len, variants.values()), default=0)):
        for name, of_one in variants.items():
            if rank < len(of_one):
                size += len(of_one[rank])
                if len(fields) == MAX_FIELDS or size > MAX_BYTES:
                    return fields, counts
                fields.append(of_one[rank])
                counts[name] += 1
    return fields, counts


def _variants(name: bytes, registry: Registry, host: str, *, is_secure: bool) -> Iterator[bytes]:
    if not name or not _UNSAFE.isdisjoint(name):
        return
    declared = registry.find(name)
    needs_secure = name.startswith((b"__Secure-", b"__Host-"))
    if needs_secure and not is_secure:
        return  # a browser takes neither over http
    paths: Sequence[str] = list(dict.fromkeys([declared.path if declared else "/", "/"]))
    domains = _domains(host, declared.domain if declared else "")
    if name.startswith(b"__Host-"):
        paths, domains = ["/"], [""]  # a browser takes no other (RFC 6265bis §4.1.3.2)
    places = [(domain, path) for domain in domains for path in paths]
    for domain, path in places:
        yield _field(name, domain, path, is_secure=needs_secure)
    if is_secure:  # a browser keeps partitioned ones apart, and from https alone (CHIPS)
        for domain, path in places:
            yield _field(name, domain, path, is_secure=True) + b"; Partitioned; SameSite=None"


def _field(name: bytes, domain: str, path: str, *, is_secure: bool) -> bytes:
    field = b"%b=; %b; Path=%b" % (name, _EXPIRED, path.encode("latin-1", "replace"))
    if domain:
        field += b"; Domain=" + domain.encode("latin-1", "replace")
    return field + (b"; Secure" if is_secure else b"")


def _domains(host: str, declared: str) -> list[str]:
    """Return the domains a cookie of this host may have, likeliest first; empty = host-only."""
    if not _NAME.fullmatch(host) or _is_address(host):
        return [""]
    labels = host.split(".")
    parents = [".".join(labels[start:]) for start in range(max(0, len(labels) - _LABELS), len(labels) - 1)]
    likely = [declared.lstrip(".")] if declared else []
    return list(dict.fromkeys([*likely, "", *reversed(parents)]))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
