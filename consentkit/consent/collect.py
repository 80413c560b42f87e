"""From the settings and the catalogue to one list of cookies and one of services.

Owns who wins where a name is declared more than once: consentkit's own cookies, then the site's
``[[consent.cookies]]``, then services and presets in the order of the settings. Two of the last that disagree
on a category are an error, since neither the visitor nor the gate could tell which of them holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.consent.canonical import is_longer
from consentkit.consent.catalogue import (
    KnownCookie,
    KnownService,
    read_own_purposes,
    read_preset,
    read_service,
)
from consentkit.consent.declared import NECESSARY, DeclaredCookie, Service
from consentkit.consent.names import CookieNames
from consentkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.settings import CookieSetting, ServiceSetting, Settings, Text


class Declarations(msgspec.Struct, frozen=True):
    """Hold all that is declared, each name once."""

    cookies: tuple[DeclaredCookie, ...]
    services: tuple[Service, ...]


class _Declared(msgspec.Struct, frozen=True):
    """Keep with a cookie the dotted path of the setting that declares it."""

    cookie: DeclaredCookie
    key: str


def collect(settings: Settings) -> Declarations:
    """Put together what the settings declare.

    Raises:
        SettingsError: for a name that the catalogue does not know, for a cookie that two services or presets
            declare in different categories, and for a declaration of consentkit's own cookies.
    """
    language = settings.site.languages[0]
    found = {each.cookie.name: each for each in _own_cookies(settings)}
    own = frozenset(found)
    for index, written in enumerate(settings.consent.cookies):
        key = f"consent.cookies[{index}]"
        _refuse_own(written.name, own, key)
        found[written.name] = _Declared(_site_cookie(written, language), key)
    site = frozenset(found)
    services, third_party = [], []
    for index, setting in enumerate(settings.consent.services):
        service = _service(setting, settings, f"consent.services[{index}]")
        services.append(service)
        third_party += [cookie for cookie in service.cookies if cookie.third_party]
        for cookie in service.cookies:
            if not cookie.third_party:
                _add(found, _Declared(cookie, f"consent.services[{index}]"), own=own, site=site)
    for declared in _preset_cookies(settings):
        _add(found, declared, own=own, site=site)
    cookies = tuple(
        cookie if cookie.provider else msgspec.structs.replace(cookie, provider=settings.site.operator)
        for cookie in (*(each.cookie for each in found.values()), *third_party)
    )
    return Declarations(cookies, tuple(_with_final_cookies(service, cookies) for service in services))


def _add(found: dict[str, _Declared], new: _Declared, *, own: frozenset[str], site: frozenset[str]) -> None:
    """Enter a cookie of a service or preset, unless its name is taken by one that counts for more."""
    name = new.cookie.name
    _refuse_own(name, own, new.key)
    old = found.get(name)
    if old is None:
        found[name] = new
    elif name in site:
        # The site's words win; whose cookie it is, where it left that open, stays the catalogue's.
        provider = old.cookie.provider or new.cookie.provider
        service = old.cookie.service or new.cookie.service
        merged = msgspec.structs.replace(old.cookie, provider=provider, service=service)
        found[name] = _Declared(merged, old.key)
    elif old.cookie.category != new.cookie.category:
        raise SettingsError(
            new.key,
            f'declares the cookie "{name}" as {new.cookie.category}, {old.key} as {old.cookie.category}',
            "declare it in [[consent.cookies]]: the site's own declaration wins",
        )
    elif is_longer(new.cookie.lifetime_days, old.cookie.lifetime_days):
        # Each may set it, and a lifetime cut to the shorter one would break the other.
        lifetime_days = new.cookie.lifetime_days
        found[name] = _Declared(msgspec.structs.replace(old.cookie, lifetime_days=lifetime_days), old.key)


def _refuse_own(name: str, own: frozenset[str], key: str) -> None:
    if name in own:
        raise SettingsError(key, f'"{name}" is consentkit\'s own cookie', "it is declared already; leave it out")


def _own_cookies(settings: Settings) -> Iterator[_Declared]:
    purposes, consent = read_own_purposes(), settings.consent
    # Over plain http, in development, the name comes without the prefix.
    names = (consent.cookie,) if consent.cookie_domain else (f"__Host-{consent.cookie}", consent.cookie)
    paths = dict.fromkeys(names, "/") | {f"{consent.cookie}_id": settings.site.mount}
    for name, path in paths.items():
        cookie = DeclaredCookie(
            name=name,
            category=NECESSARY,
            purpose=purposes.choice if name in names else purposes.id,
            provider="",
            lifetime_days=consent.lifetime_days,
            path=path,
            domain=consent.cookie_domain if name in names else "",
        )
        yield _Declared(cookie, "consent.cookie")
    sessions = CookieNames(consent.cookie, has_prefix=True)
    for name in (sessions.session(is_secure=True), sessions.session(is_secure=False)):
        cookie = DeclaredCookie(
            name=name,
            category=NECESSARY,
            purpose=purposes.session,
            provider="",
            lifetime_days=None,
            path=f"{settings.site.mount}/admin",
        )
        yield _Declared(cookie, "consent.cookie")


def _site_cookie(setting: CookieSetting, language: str) -> DeclaredCookie:
    return DeclaredCookie(
        name=setting.name,
        category=setting.category,
        purpose=_texts(setting.purpose, language),
        provider=setting.provider,
        lifetime_days=setting.lifetime_days,
        on_refusal=setting.on_refusal,
        path=setting.path,
        domain=setting.domain,
    )


def _preset_cookies(settings: Settings) -> Iterator[_Declared]:
    for index, name in enumerate(settings.consent.presets):
        key = f"consent.presets[{index}]"
        for known in read_preset(name, key=key).cookies:
            yield _Declared(_known_cookie(known, category="", provider="", service=""), key)


def _service(setting: ServiceSetting, settings: Settings, key: str) -> Service:
    """Return a service: the catalogue's with every field that the settings write in its place."""
    known = read_service(setting.use, key=f"{key}.use") if setting.use else None
    language, operator = settings.site.languages[0], settings.site.operator
    service = Service(
        id=setting.id or setting.use,
        name=setting.name or (known.name if known else ""),
        provider=setting.provider or (known.provider if known else "") or operator,
        category=setting.category or (known.category if known else ""),
        purpose=_texts(setting.purpose, language) or (known.purpose if known else {}),
        hosts=setting.hosts or (known.hosts if known else ()),
        country=setting.country or _known_country(known, settings),
        transfers=known.transfers if known else (),
        privacy_url=setting.privacy_url or (known.privacy_url if known else ""),
        storage_keys=setting.storage_keys or (known.storage_keys if known else ()),
        third_party_storage_keys=known.third_party_storage_keys if known else (),
    )
    return msgspec.structs.replace(service, cookies=_service_cookies(service, setting, known, language))


def _known_country(known: KnownService | None, settings: Settings) -> str:
    if known is None:
        return ""
    return settings.site.storage_region if known.self_hosted else known.country


def _service_cookies(
    service: Service, setting: ServiceSetting, known: KnownService | None, language: str
) -> tuple[DeclaredCookie, ...]:
    listed = {cookie.name: cookie for cookie in known.cookies} if known else {}
    if not setting.cookies:
        return tuple(
            _known_cookie(cookie, category=service.category, provider=service.provider, service=service.id)
            for cookie in listed.values()
        )
    return tuple(
        msgspec.structs.replace(
            _site_cookie(cookie, language),
            category=cookie.category or service.category,
            purpose=_texts(cookie.purpose, language) or service.purpose,
            provider=cookie.provider or service.provider,
            service=service.id,
            third_party=cookie.name in listed and listed[cookie.name].third_party,
        )
        for cookie in setting.cookies
    )


def _known_cookie(known: KnownCookie, *, category: str, provider: str, service: str) -> DeclaredCookie:
    return DeclaredCookie(
        name=known.name,
        category=known.category or category,
        purpose=known.purpose,
        provider=provider,
        lifetime_days=known.lifetime_days,
        on_refusal=known.on_refusal,
        service=service,
        third_party=known.third_party,
    )


def _with_final_cookies(service: Service, cookies: tuple[DeclaredCookie, ...]) -> Service:
    return msgspec.structs.replace(
        service, cookies=tuple(cookie for cookie in cookies if cookie.service == service.id)
    )


def _texts(text: Text, language: str) -> dict[str, str]:
    """Return texts by language; a single text is in the site's first language."""
    if isinstance(text, str):
        return {language: text} if text else {}
    return dict(text)
