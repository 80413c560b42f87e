"""What appears that was not agreed to: visitors' walks, held against the declarations.

Owns the judgement. Without declarations, as for a site of others, nothing is judged and all is listed.
Source: Directive 2002/58/EC art. 5(3); GDPR art. 4(11), 7(3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from consentkit.consent.globs import NO_MATCH, GlobMatcher
from consentkit.inspection.observed import Visitor, clipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from consentkit.consent.declared import DeclaredCookie, Service
    from consentkit.consent.registry import Registry
    from consentkit.inspection.observed import Banner, CookieFound, HostFound, StorageFound, Walk

Verdict: TypeAlias = Literal["agreed", "necessary", "not agreed", "undeclared", "not judged"]
Kind: TypeAlias = Literal[
    "not_agreed", "undeclared", "kept_after_withdrawal", "lives_longer", "banner", "buttons", "not_looked_at"
]

# The gravest first.
_ORDER: Final[tuple[Kind, ...]] = (
    "not_agreed",
    "kept_after_withdrawal",
    "undeclared",
    "lives_longer",
    "banner",
    "buttons",
    "not_looked_at",
)

# Browsers round, and a page takes its time.
_TOLERANCE_DAYS: Final = 1.0
_TOLERANCE_PIXELS: Final = 1.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that should not be.

    Attributes:
        kind: of fault.
        text: in a sentence, without the name.
        what: the name it is about; hostile, empty where it is about none.
        where: host or area of storage; empty where it is the site's own cookie.
        page: path on which it was met first.
        visitors: to whom it happened.
    """

    kind: Kind
    text: str
    what: str = ""
    where: str = ""
    page: str = ""
    visitors: tuple[Visitor, ...] = ()


class Declarations:
    """Find what is declared of the things that visitors meet.

    Args:
        registry: what is declared.
        own: the site's host, or the domain that its hosts share.
        allowed_hosts: hosts from which the site loads what is its own.
    """

    def __init__(self, registry: Registry, own: str, allowed_hosts: Sequence[str] = ()) -> None:
        self._registry = registry
        self._own = own
        self._allowed_hosts = tuple(allowed_hosts)
        self._elsewhere = tuple(cookie for cookie in registry.cookies if cookie.third_party)
        self._elsewhere_names = GlobMatcher([cookie.name for cookie in self._elsewhere])
        self._keys = [
            (category, GlobMatcher(keys)) for category, keys in registry.storage_keys_by_category.items()
        ]
        self._keys_elsewhere = [
            (service.category, GlobMatcher(service.third_party_storage_keys)) for service in registry.services
        ]

    @property
    def asks(self) -> bool:
        """Whether visitors must be asked at all."""
        return bool(self._registry.categories)

    def cookie(self, found: CookieFound) -> DeclaredCookie | None:
        """Return a cookie's declaration."""
        if is_own(found.domain, self._own):
            return self._registry.find(found.name.encode("utf-8", "replace"))
        index = self._elsewhere_names.first(found.name.encode("utf-8", "replace"))
        return None if index == NO_MATCH else self._elsewhere[index]

    def storage(self, found: StorageFound) -> str | None:
        """Return a key's category."""
        keys = self._keys if is_own(found.host, self._own) else self._keys_elsewhere
        raw = found.key.encode("utf-8", "replace")
        return next((category for category, matcher in keys if matcher.first(raw) != NO_MATCH), None)

    def host(self, found: HostFound) -> str | None:
        """Return the category of the service that has a host."""
        if any(_covers(host, found.host) for host in self._allowed_hosts):
            return "necessary"
        service: Service | None = next(
            (one for one in self._registry.services if any(_covers(host, found.host) for host in one.hosts)), None
        )
        return None if service is None else service.category

    def verdict(self, category: str | None, visitor: Visitor) -> Verdict:
        """Say how a thing of a category stands for a visitor; None = no category, undeclared."""
        if category is None:
            return "undeclared"
        if category == "necessary":
            return "necessary"
        return "agreed" if visitor == "accepting" else "not agreed"


def is_own(host: str, own: str) -> bool:
    """Tell whether a host or a cookie's domain is the site's: its own, one below it, or one above."""
    base = own.removeprefix("www.")
    return host in (own, base) or host.endswith(f".{base}") or base.endswith(f".{host}")


def judge(walks: Iterable[Walk], declared: Declarations) -> list[Finding]:
    """Return what should not be, each once with all visitors to whom it happened."""
    gathered: dict[Finding, list[Visitor]] = {}
    for walk in walks:
        for finding in _of(walk, declared):
            gathered.setdefault(finding, []).append(walk.visitor)
    return [
        msgspec.structs.replace(finding, visitors=tuple(dict.fromkeys(visitors)))
        for finding, visitors in sorted(
            gathered.items(), key=lambda item: (_ORDER.index(item[0].kind), item[0].what)
        )
    ]


def _of(walk: Walk, declared: Declarations) -> Iterator[Finding]:
    for fault in walk.faults:
        yield Finding(kind="not_looked_at", text=fault)
    yield from _of_banner(walk, declared)
    for cookie in walk.cookies:
        yield from _of_cookie(cookie, walk.visitor, declared)
    for key in walk.storage:
        where, category = f"{key.area} of {key.host}", declared.storage(key)
        yield from _appears(where, key.key, key.page, category=category, visitor=walk.visitor, declared=declared)
    for host in walk.hosts:
        category = declared.host(host)
        yield from _appears(
            "another host", host.host, host.page, category=category, visitor=walk.visitor, declared=declared
        )


def _of_cookie(found: CookieFound, visitor: Visitor, declared: Declarations) -> Iterator[Finding]:
    cookie = declared.cookie(found)
    category = cookie.category if cookie else None
    if cookie is not None and cookie.on_refusal == "session" and found.lifetime_days is None:
        category = "necessary"  # a preference that ends with the browser may be kept without consent
    where = f"cookie of {found.domain}"
    yield from _appears(where, found.name, found.page, category=category, visitor=visitor, declared=declared)
    if cookie is None or found.lifetime_days is None:
        return
    limit = cookie.lifetime_days or 0
    if found.lifetime_days > limit + _TOLERANCE_DAYS:
        is_session = "until the browser closes" if cookie.lifetime_days is None else f"{limit} days"
        text = f"lives {found.lifetime_days:.0f} days and is declared with {is_session}"
        yield Finding(kind="lives_longer", text=text, what=clipped(found.name), where=where, page=found.page)


def _appears(
    where: str, name: str, page: str, *, category: str | None, visitor: Visitor, declared: Declarations
) -> Iterator[Finding]:
    what = clipped(name)
    match declared.verdict(category, visitor):
        case "undeclared":
            yield Finding(kind="undeclared", text="is declared nowhere", what=what, where=where, page=page)
        case "not agreed" if visitor == "withdrawn":
            text = f"is of {category}, and still there after consent was withdrawn"
            yield Finding(kind="kept_after_withdrawal", text=text, what=what, where=where, page=page)
        case "not agreed":
            text = f"is of {category}, to which this visitor has not agreed"
            yield Finding(kind="not_agreed", text=text, what=what, where=where, page=page)


def _of_banner(walk: Walk, declared: Declarations) -> Iterator[Finding]:
    banner: Banner = walk.banner
    if not walk.pages or not declared.asks:
        return
    if walk.visitor == "gpc":
        if banner.is_shown:
            yield Finding(
                kind="banner", text="A browser that refuses by Global Privacy Control is asked all the same."
            )
        return
    if not banner.is_shown:
        yield Finding(kind="banner", text="The first page shows no banner: nothing can be agreed to or refused.")
        return
    if not banner.reject:
        yield Finding(kind="buttons", text="The banner has no button that refuses.")
    elif banner.accept_size and banner.reject_size and _differ(banner):
        yield Finding(kind="buttons", text="The button that refuses is not as large as the one that accepts.")


def _differ(banner: Banner) -> bool:
    accept, reject = banner.accept_size, banner.reject_size
    if accept is None or reject is None:
        return False
    return (
        abs(accept.width - reject.width) > _TOLERANCE_PIXELS
        or abs(accept.height - reject.height) > _TOLERANCE_PIXELS
    )


def _covers(declared: str, host: str) -> bool:
    return host.endswith(declared[1:]) if declared.startswith("*.") else host == declared
