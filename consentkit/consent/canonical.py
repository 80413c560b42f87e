"""The policy's canonical text: what of the declarations decides whether visitors are asked again.

Owns that text and its comparison. The hash over it, its history and what follows for a choice are left to
``policy`` and ``ledger``.

A purpose stands in it as the category, for consent is by purpose and the category is the purpose that
visitors agree to; within it, as the names of the cookies, storage keys and services that serve it. Its words
do not: asking again for a better wording or a translation would annoy without a change. The necessary
category, hosts, paths and ``on_refusal`` do not stand in it either. What the operator sets himself names no
provider and no country: renaming the operator adds nobody.

Source: GDPR art. 4(11) and 13; DESIGN §7, "asked again".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.consent.declared import OPTIONAL, DeclaredCookie, Service

if TYPE_CHECKING:
    from collections.abc import Iterable

_FORMAT = 1  # a text of another format is not compared: everything counts as added


class Holdings(msgspec.Struct, frozen=True):
    """List what one category or service holds; cookies with their days, None = until the browser closes."""

    cookies: dict[str, int | None]
    third_party_cookies: dict[str, int | None]
    storage_keys: list[str]
    services: list[str]
    providers: list[str]
    countries: list[str]


class _Policy(msgspec.Struct, frozen=True, omit_defaults=True):
    format: int
    categories: dict[str, Holdings]
    services: dict[str, Holdings] = {}  # what each holds, for who allowed it by itself


def canonical_policy(cookies: Iterable[DeclaredCookie], services: Iterable[Service], operator: str) -> bytes:
    """Return the canonical text: JSON in UTF-8, keys and lists sorted, optional categories in use alone.

    Args:
        cookies: all declared, those of services included.
        services: all declared.
        operator: name under which the operator stands as a provider.
    """
    cookies, services = tuple(cookies), tuple(services)
    found = ((name, _category(name, cookies, services, operator)) for name in OPTIONAL)
    categories = {name: category for name, category in found if category is not None}
    each = {service.id: _alone(service, operator) for service in services if service.category in OPTIONAL}
    return msgspec.json.encode(_Policy(_FORMAT, categories, each), order="deterministic")


def additions(old: bytes, new: bytes) -> frozenset[str]:
    """Return the categories to which the new policy adds something over the old one.

    That is a cookie, a storage key, a service, a provider or a recipient country, a longer lifetime, or the
    whole category. Removals and shorter lifetimes add nothing.

    Args:
        old: canonical text of the older policy. One that can't be read held nothing, so all is asked again.
        new: canonical text of the newer policy.

    Raises:
        ValueError: if the new text is none of ``canonical_policy``.
    """
    before = _decode_or_nothing(old).categories
    return _added(before, msgspec.json.decode(new, type=_Policy).categories)


def renewals(old: bytes, new: bytes) -> frozenset[str]:
    """Return `additions`, and the services to which the new policy adds something, as ``+vimeo``.

    Args:
        old, new: as in `additions`.

    Raises:
        ValueError: as in `additions`.
    """
    before = _decode_or_nothing(old).services
    services = _added(before, msgspec.json.decode(new, type=_Policy).services)
    return additions(old, new) | {f"+{service}" for service in services}


def holdings(text: bytes) -> dict[str, Holdings] | None:
    """Return what a canonical text says each category holds, and each service, as ``+vimeo``.

    None for a text that can't be read, or of another format.
    """
    policy = _decode(text)
    if policy is None:
        return None
    return policy.categories | {f"+{service}": held for service, held in policy.services.items()}


def _added(before: dict[str, Holdings], after: dict[str, Holdings]) -> frozenset[str]:
    return frozenset(
        name for name, category in after.items() if name not in before or _adds(before[name], category)
    )


def _alone(service: Service, operator: str) -> Holdings:
    """List what one service holds, in whatever category."""
    is_operators = service.provider == operator
    providers = {cookie.provider for cookie in service.cookies} | {service.provider}
    return Holdings(
        cookies=_lifetimes(cookie for cookie in service.cookies if not cookie.third_party),
        third_party_cookies=_lifetimes(cookie for cookie in service.cookies if cookie.third_party),
        storage_keys=sorted(_storage_keys(service)),
        services=sorted(service.categories),
        providers=sorted(providers - {"", operator}),
        countries=[] if is_operators else sorted({service.country, *service.transfers} - {""}),
    )


def _category(
    name: str, cookies: tuple[DeclaredCookie, ...], services: tuple[Service, ...], operator: str
) -> Holdings | None:
    own = [cookie for cookie in cookies if cookie.category == name]
    used = [service for service in services if name in service.categories]
    stored = [service for service in services if service.category == name]
    if not own and not used:
        return None
    others = [service for service in used if service.provider != operator]
    providers = {cookie.provider for cookie in own} | {service.provider for service in others}
    return Holdings(
        cookies=_lifetimes(cookie for cookie in own if not cookie.third_party),
        third_party_cookies=_lifetimes(cookie for cookie in own if cookie.third_party),
        storage_keys=sorted({key for each in stored for key in _storage_keys(each)}),
        services=sorted(service.id for service in used),
        providers=sorted(providers - {"", operator}),
        countries=sorted({place for each in others for place in (each.country, *each.transfers)} - {""}),
    )


def _storage_keys(service: Service) -> tuple[str, ...]:
    return (*service.storage_keys, *service.third_party_storage_keys)


def _lifetimes(cookies: Iterable[DeclaredCookie]) -> dict[str, int | None]:
    longest: dict[str, int | None] = {}
    for cookie in cookies:
        if cookie.name not in longest or is_longer(cookie.lifetime_days, longest[cookie.name]):
            longest[cookie.name] = cookie.lifetime_days
    return longest


def is_longer(days: int | None, than: int | None) -> bool:
    """Say whether one lifetime is longer than another; None, the session, is the shortest."""
    return days is not None and (than is None or days > than)


def _adds(old: Holdings, new: Holdings) -> bool:
    return (
        _adds_cookies(old.cookies, new.cookies)
        or _adds_cookies(old.third_party_cookies, new.third_party_cookies)
        or not set(new.storage_keys) <= set(old.storage_keys)
        or not set(new.services) <= set(old.services)
        or not set(new.providers) <= set(old.providers)
        or not set(new.countries) <= set(old.countries)
    )


def _adds_cookies(old: dict[str, int | None], new: dict[str, int | None]) -> bool:
    return any(name not in old or is_longer(days, old[name]) for name, days in new.items())


def _decode_or_nothing(text: bytes) -> _Policy:
    return _decode(text) or _Policy(_FORMAT, {})


def _decode(text: bytes) -> _Policy | None:
    try:
        policy = msgspec.json.decode(text, type=_Policy)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return policy if policy.format == _FORMAT else None
