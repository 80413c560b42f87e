"""What the settings mean, in words: facts, the cookies declared, and warnings.

Owns the sentences of ``consentkit check``. What is wrong, and not only unwise, is refused by the settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from consentkit.archive.register.places import control_server, requests_server
from consentkit.web.coverage import left_in_english
from consentkit.web.folders import catalogue_folders
from consentkit.web.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.consent.registry import Registry
    from consentkit.settings import RequestLog, Settings, Site, Storage

# CNIL deliberation 2020-091: a tracker lives at most 13 months, which are 396 or 397 days at the most.
MAX_TRACKER_DAYS = 397


class Fact(NamedTuple):
    """Say one thing about one setting."""

    name: str
    value: str


class Report(NamedTuple):
    """Hold what ``check`` prints."""

    facts: list[Fact]
    cookies: list[dict[str, str]]
    warnings: list[Fact]


def explain(settings: Settings, registry: Registry, *, has_secret: bool) -> Report:
    """Return what the settings mean.

    Args:
        settings: the settings in force.
        registry: what they declare, the catalogue's part included.
        has_secret: whether the environment gives a secret.
    """
    site, storage = settings.site, settings.storage
    facts = [
        Fact("operator", site.operator or "(not named)"),
        Fact("contact", site.contact or "(none)"),
        Fact("languages", ", ".join(site.languages)),
        Fact("mount", site.mount),
        Fact("store", store_sentence(storage)),
        Fact("data", str(storage.directory)),
        Fact("keys", str(storage.keys)),
        Fact("requests", retention_sentence(settings.requestlog)),
        Fact("asks for", ", ".join(registry.categories) or "nothing: only necessary cookies are declared"),
    ]
    cookies = [
        {"name": cookie.name, "category": cookie.category, "lifetime": _lifetime(cookie.lifetime_days)}
        for cookie in registry.cookies
    ]
    return Report(facts, cookies, list(_warnings(settings, registry, has_secret=has_secret)))


def store_sentence(storage: Storage) -> str:
    """Return in a sentence where what is kept lies: the kinds of servers alone, for their URLs hold passwords."""
    requests, control = requests_server(storage), control_server(storage)
    if not requests:
        return "embedded: all of it in encrypted files of the data directory"
    if requests == control:
        return f"{control}, for all hosts; the data directory holds this host's spool"
    rest = f"all else in {control}, for all hosts" if control else "all else in an encrypted file"
    return f"requests in {requests}; {rest}"


def retention_sentence(log: RequestLog) -> str:
    """Return in a sentence how long requests are kept and what becomes of addresses."""
    cut = {
        None: "addresses stay whole until then",
        0: "addresses are stored as /24 and /48 only",
    }.get(
        log.truncate_ip_after_days,
        f"addresses are cut to /24 and /48 after {_days(log.truncate_ip_after_days)}",
    )
    step = "day" if log.rotate == "day" else "hour"
    return f"kept for {_days(log.retention_days)}, then each {step}'s key is destroyed; {cut}"


def _warnings(settings: Settings, registry: Registry, *, has_secret: bool) -> Iterator[Fact]:
    site, log = settings.site, settings.requestlog
    if not has_secret:
        yield Fact("CONSENTKIT_SECRET", "is not set: one is made beside the keys, which is for development alone")
    yield from _missing(site)
    yield from _untranslated(settings)
    if not log.trusted_proxies:
        yield Fact(
            "requestlog.trusted_proxies",
            "is empty: behind a proxy every record would hold the proxy's address",
        )
    if log.truncate_ip_after_days is None:
        yield Fact("requestlog.truncate_ip_after_days", "is not set: addresses are never cut")
    if settings.storage.requests_url and log.rotate == "hour":
        yield Fact("requestlog.rotate", 'is "hour": ClickHouse wants few partitions, so keep "day" there')
    if settings.storage.keys.parent == settings.storage.directory.parent:
        yield Fact(
            "storage.keys", "lies beside the data: in production put it on another volume, out of its backup"
        )
    for cookie in registry.cookies:
        if cookie.category != "necessary" and (cookie.lifetime_days or 0) > MAX_TRACKER_DAYS:
            yield Fact(
                cookie.name, f"lives {_days(cookie.lifetime_days)}: more than the 13 months regulators accept"
            )
        if missing := [tag for tag in site.languages if tag not in cookie.purpose]:
            yield Fact(cookie.name, f"has no purpose in {', '.join(missing)}: visitors are shown another language")


def _untranslated(settings: Settings) -> Iterator[Fact]:
    folders = catalogue_folders(settings)
    for language in Texts(settings.site.languages, folders=folders).languages:
        left, total = left_in_english(language, folders=folders)
        if left:
            yield Fact("site.languages", f"{left} of {total} messages stand in English in {language}")


def _missing(site: Site) -> Iterator[Fact]:
    if not site.operator:
        yield Fact("site.operator", "is empty: visitors must be told who asks (GDPR art. 13(1)(a))")
    if not site.contact:
        yield Fact("site.contact", "is empty: visitors must be told where to ask about their data")
    if not site.authority:
        yield Fact("site.authority", "is empty: visitors must be told where to complain (GDPR art. 13(2)(d))")
    if not site.storage_region:
        yield Fact("site.storage_region", "is empty: visitors are told that nobody says where their data is kept")


def _lifetime(days: int | None) -> str:
    return "until the browser closes" if days is None else _days(days)


def _days(days: int | None) -> str:
    return "1 day" if days == 1 else f"{days} days"
