"""Where personal data is kept: folders, keys and states, from the settings in force.

Source: GDPR art. 30(1)(e), 44 to 49.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.archive.register.recipients import Place, RecipientAt, place_of, recipients_as_of

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from consentkit.consent.registry import Registry
    from consentkit.settings import Settings, Storage

# What lies in the data folder, and under which key: of a worker, a period, an incident, the database.
KINDS = (
    ("spool", "worker"),
    ("requests", "period"),
    ("incidents", "incident"),
    ("control", "database"),
)


class ServicePlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where the provider of a service that pages load is: its seat, and where else it sends what it learns."""

    name: str
    provider: str
    category: str
    places: tuple[Place, ...]


class StoragePlaces(msgspec.Struct, frozen=True, kw_only=True):
    """Where data is.

    Attributes:
        region: the state of our own storage.
        directory, keys: the two folders; keys never lie within the other.
        kinds: what lies in the first, and which kind of key opens it.
        servers: by the database server's kind, what lies there instead.
        keys_apart: both lie on different devices; None where that can't be told.
        recipients: of today.
        services: those that pages load, optional ones too.
    """

    region: Place
    directory: str
    keys: str
    kinds: tuple[tuple[str, str], ...]
    servers: tuple[tuple[str, tuple[str, ...]], ...]
    keys_apart: bool | None
    recipients: tuple[RecipientAt, ...]
    services: tuple[ServicePlace, ...]


def storage_places(settings: Settings, registry: Registry, today: date) -> StoragePlaces:
    """Return where data is today."""
    storage, site = settings.storage, settings.site
    servers = _servers(storage)
    elsewhere = {kind for _, kinds in servers for kind in kinds}
    return StoragePlaces(
        region=place_of(site.storage_region, site.storage_transfer),
        directory=str(storage.directory),
        keys=str(storage.keys),
        kinds=tuple(kind for kind in KINDS if kind[0] not in elsewhere),
        servers=servers,
        keys_apart=keys_apart(storage.directory, storage.keys),
        recipients=tuple(one for one in recipients_as_of(settings, today) if one.when == "present"),
        services=tuple(
            ServicePlace(
                name=one.name,
                provider=one.provider,
                category=one.category,
                places=tuple(
                    place_of(country) for country in dict.fromkeys((one.country, *one.transfers)) if country
                ),
            )
            for one in registry.services
        ),
    )


def _servers(storage: Storage) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what the settings put on database servers."""
    requests, control = requests_server(storage), control_server(storage)
    if requests == control:
        return ((requests, ("requests", "incidents", "control")),) if requests else ()
    return ((requests, ("requests", "incidents")), *(((control, ("control",)),) if control else ()))


def requests_server(storage: Storage) -> str:
    """Return the kind of server that requests lie on; empty where they are embedded."""
    return "ClickHouse" if storage.requests_url else control_server(storage)


def control_server(storage: Storage) -> str:
    """Return the kind of server that choices, audit and people lie on; empty where they are embedded."""
    return "PostgreSQL" if storage.url else ""


def keys_apart(directory: Path, keys: Path) -> bool | None:
    """Tell whether data and keys lie on different devices, so that a copy of one holds nothing of the other."""
    try:
        return directory.stat().st_dev != keys.stat().st_dev
    except OSError:
        return None
