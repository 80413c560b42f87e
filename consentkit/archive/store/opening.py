"""Which backend keeps the request log, by the settings.

Owns the choice. A backend is imported when it is asked for, so that an installation needs no driver but its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.archive.store.lane import own_lane
from consentkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.archive.store.requeststore import RequestStore
    from consentkit.archive.store.server.engine import Engine
    from consentkit.control import Control
    from consentkit.crypto import Keyring
    from consentkit.settings import Storage


def _postgresql(url: str) -> Engine:
    from consentkit.archive.store.postgresql import PostgresqlEngine  # noqa: PLC0415 - an extra

    return PostgresqlEngine(url)


def _clickhouse(url: str) -> Engine:
    from consentkit.archive.store.clickhouse import ClickHouseEngine  # noqa: PLC0415 - an extra

    return ClickHouseEngine(url)


class _Server(NamedTuple):
    """A kind of server: the setting that names one, the extra that brings its driver, and its engine."""

    setting: str
    extra: str
    driver: str
    engine: Callable[[str], Engine]


_POSTGRESQL: Final = _Server("storage.url", "postgresql", "psycopg", _postgresql)
_CLICKHOUSE: Final = _Server("storage.requests_url", "clickhouse", "clickhouse_driver", _clickhouse)


def open_store(storage: Storage, keyring: Keyring, control: Control) -> RequestStore:
    """Return the request log's store: ClickHouse if it is set, else PostgreSQL if that is, else files.

    Nothing is opened before something is asked of it: a server that is away stops no start.

    Args:
        storage: the settings.
        keyring: opens the places' keys.
        control: of the installation; its locks are those of a server's places.

    Raises:
        SettingsError: the backend's driver is not installed, or the URL can't be used.
        StorageError: the data directory can't be written.
    """
    if storage.requests_url:
        return _server_store(_CLICKHOUSE, storage.requests_url, storage, keyring, control)
    if storage.url:
        return _server_store(_POSTGRESQL, storage.url, storage, keyring, control)
    from consentkit.archive.store.sqlite.store import SqliteStore  # noqa: PLC0415

    return SqliteStore(storage.directory, keyring)


def _server_store(server: _Server, url: str, storage: Storage, keyring: Keyring, control: Control) -> RequestStore:
    engine = _engine(server, url)
    from consentkit.archive.store.server.store import ServerStore  # noqa: PLC0415

    return ServerStore(engine, keyring, control, lane=own_lane(storage.directory), name=server.extra)


def _engine(server: _Server, url: str) -> Engine:
    try:
        return server.engine(url)
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] != server.driver:
            raise
        fault = "the driver of its database is not installed"
        raise SettingsError(server.setting, fault, f"pip install 'consentkit[{server.extra}]'") from exc
