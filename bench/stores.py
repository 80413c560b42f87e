"""The three stores beside each other: how fast rows go in, what a row takes, how long a search waits.

The same made-up traffic goes into the embedded store, a PostgreSQL and a ClickHouse server, by the writer that the
ingester uses; the servers are started for it and run on this machine, so both sides share its cores. Each writes
as durably as it does out of the box. Cold means nothing of ours is open or remembered; what the servers keep in
memory stays there.
"""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from bench.figures import Figure, by_ratio
from bench.ingest import as_record
from bench.traffic import traffic
from consentkit.archive.holdings import Holdings
from consentkit.archive.period import Catalogue
from consentkit.archive.resolve import AgentResolver, PlaceResolver, Resolvers
from consentkit.archive.sealing import seal
from consentkit.archive.search import Archive
from consentkit.archive.store import Batch, Filters
from consentkit.audit import SYSTEM
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.errors import ConsentKitError
from consentkit.requestlog.redact import Redactor
from consentkit.settings import Settings, read_secrets
from tests.servers import clickhouse, postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from consentkit.archive.period import Period
    from consentkit.requestlog.record import Entry, Record

ROWS: Final = 10_000_000
_ROWS_A_PERIOD: Final = 1_000_000
_ROWS_A_BATCH: Final = 20_000
_FIRST_DAY: Final = datetime(2026, 8, 26, tzinfo=UTC)
_DAY_US: Final = 86_400_000_000
_PAGE_ROWS: Final = 50
_ROUNDS: Final = 5
_OTHERS: Final = ("postgresql", "clickhouse")

# A small server of its own, not one that is as small as it starts.
_POSTGRESQL: Final = {"shared_buffers": "512MB", "max_wal_size": "4GB"}


class StoreMissing(ConsentKitError):
    """Report that a server can't be started here."""


class Stored(msgspec.Struct, frozen=True):
    """What a store came to.

    Attributes:
        rate: rows a second, by the clock on the wall: a server works beside us.
        cpu_s: of this process, for a million rows.
        row_bytes: on the disk, with indexes, keys and words.
        cold_ms, warm_ms: the first page, by what was asked.
    """

    rate: float
    cpu_s: float
    row_bytes: float
    cold_ms: dict[str, float]
    warm_ms: dict[str, float]


def measure(folder: Path, *, rows: int = ROWS, tell: Callable[[str], None] = lambda _: None) -> list[Figure]:
    """Measure the stores with so many rows, a million at most in a period.

    Each batch goes into one store after the other, so that what else the machine does meets all alike.

    Args:
        folder: for the installations.
        rows: how many.
        tell: told how far it is.

    Raises:
        StoreMissing: PostgreSQL or ClickHouse is not installed.
    """
    with ExitStack() as running:
        storages = {"embedded": {}, **{name: _started(name, running) for name in _OTHERS}}
        stores = {name: _Store(folder / name, storage) for name, storage in storages.items()}
        records, address = _day(min(rows, _ROWS_A_PERIOD))
        for day, first in enumerate(range(0, rows, _ROWS_A_PERIOD)):
            tell(f"{first:,} of {rows:,} rows stored")
            _fill(list(stores.values()), day, records[: rows - first])
        tell(f"searching {rows:,} rows")
        came_to = {name: store.searched(address, rows) for name, store in stores.items()}
    embedded = came_to.pop("embedded")
    return [figure for name, store in came_to.items() for figure in _beside(name, store, embedded, rows)]


def _started(name: str, running: ExitStack) -> dict[str, str]:
    """Start a server, and return what `[storage]` says of it."""
    try:
        if name == "postgresql":
            return {"url": running.enter_context(postgresql.serving(settings=_POSTGRESQL, is_durable=True)).url()}
        (server,) = running.enter_context(clickhouse.serving(is_durable=True))
    except pytest.skip.Exception as exc:
        raise StoreMissing(str(exc.msg)) from None
    return {"requests_url": server.url()}


def _beside(name: str, store: Stored, embedded: Stored, rows: int) -> list[Figure]:
    def told(what: str, value: float, unit: str, baseline: float) -> Figure:
        named = f"{name}, {rows:,} rows: {what}"
        return by_ratio(named, value, unit, baseline=baseline, against="embedded", at_most=None)

    return [
        told("ingest", store.rate, "records/s", embedded.rate),
        told("CPU of the ingester", store.cpu_s, "s for a million", embedded.cpu_s),
        told("size", store.row_bytes, "bytes a record", embedded.row_bytes),
        *(told(f"{asked}, cold", ms, "ms", embedded.cold_ms[asked]) for asked, ms in store.cold_ms.items()),
        *(told(f"{asked}, warm", ms, "ms", embedded.warm_ms[asked]) for asked, ms in store.warm_ms.items()),
    ]


def _questions(address: str) -> dict[str, Filters]:
    return {
        "first page of an address": Filters(networks=(address,)),
        "first page of a path": Filters(path="/shop/*-amber-*"),
        "first page of 5xx": Filters(statuses=((500, 599),)),
        "newest page": Filters(),
    }


def _day(rows: int) -> tuple[list[Record], str]:
    """Return a day's made-up traffic, and an address of it."""
    samples, redactor = traffic(rows, start=_FIRST_DAY, seed=1), Redactor(("page",))
    address = Counter(sample.address for sample in samples if ":" in sample.address).most_common(1)[0][0]
    return [as_record(sample, redactor) for sample in samples], address


def _fill(stores: list[_Store], day: int, records: list[Record]) -> None:
    """Fill and seal one period of each store: the same traffic on each day."""
    resolvers = Resolvers(AgentResolver(), PlaceResolver(None, "country"))
    with ExitStack() as open_:
        since_us = records[0].time_us + day * _DAY_US
        writers = [open_.enter_context(store.writing(since_us, resolvers)) for store in stores]
        for number, first in enumerate(range(0, len(records), _ROWS_A_BATCH), start=1):
            entries: list[tuple[int, Entry]] = [
                (sequence, msgspec.structs.replace(record, time_us=record.time_us + day * _DAY_US))
                for sequence, record in enumerate(records[first : first + _ROWS_A_BATCH])
            ]
            for write in writers:
                write(Batch(f"{day:016x}", number, entries))


class _Store:
    """One of the stores.

    Args:
        folder: for its installation.
        storage: what `[storage]` says of it.
    """

    def __init__(self, folder: Path, storage: dict[str, str]) -> None:
        folder.mkdir()
        table = {"storage": {"directory": str(folder / "data"), **storage}}
        self._settings = Settings.from_mapping(table, base=folder)
        self._settings.storage.directory.mkdir(mode=0o700)
        self._keyring = Keyring.open(self._settings.storage.keys, read_secrets(os.environ))
        self._seconds = self._cpu_s = 0.0
        self._bytes = 0

    @contextmanager
    def writing(self, time_us: int, resolvers: Resolvers) -> Iterator[Callable[[Batch], None]]:
        """Give what stores a batch of the period of a time; the period is sealed and weighed at the end."""
        holdings = _open(self._settings, self._keyring)
        period: Period = Catalogue(holdings.control, "day").period_of(time_us)
        self._keyring.make(period.key_name)
        place = period.place
        with (
            holdings.rows.lock(place, exclusive=False, wait_seconds=1),
            closing(holdings.rows.writer(place, resolvers)) as writer,
        ):

            def write(batch: Batch) -> None:
                started, cpu_started = time.perf_counter(), time.process_time()
                writer.add(batch)
                writer.commit()
                self._seconds += time.perf_counter() - started
                self._cpu_s += time.process_time() - cpu_started

            yield write
        seal(holdings, period, SYSTEM)
        self._bytes += holdings.rows.size_bytes(place)
        _close(holdings)

    def searched(self, address: str, rows: int) -> Stored:
        """Search in so many stored rows, and return what the store came to."""
        cold, warm = {}, {}
        for asked, filters in _questions(address).items():
            cold[asked] = statistics.median(
                _cold_ms(self._settings, self._keyring, filters) for _ in range(_ROUNDS)
            )
            warm[asked] = statistics.median(list(_warm_ms(self._settings, self._keyring, filters))[1:])
        return Stored(rows / self._seconds, self._cpu_s / rows * 1_000_000, self._bytes / rows, cold, warm)


def _cold_ms(settings: Settings, keyring: Keyring, filters: Filters) -> float:
    started = time.perf_counter()
    holdings = _open(settings, keyring)
    list(Archive(settings, holdings).search(filters, limit=_PAGE_ROWS))
    took_ms = (time.perf_counter() - started) * 1000
    _close(holdings)
    return took_ms


def _warm_ms(settings: Settings, keyring: Keyring, filters: Filters) -> Iterator[float]:
    holdings = _open(settings, keyring)
    for _ in range(_ROUNDS + 1):
        started = time.perf_counter()
        list(Archive(settings, holdings).search(filters, limit=_PAGE_ROWS))
        yield (time.perf_counter() - started) * 1000
    _close(holdings)


def _open(settings: Settings, keyring: Keyring) -> Holdings:
    control = Control(settings.storage.directory, keyring, settings.storage.url)
    return Holdings.open(settings.storage, keyring, control)


def _close(holdings: Holdings) -> None:
    holdings.rows.close()
    holdings.control.close()
