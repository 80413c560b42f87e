"""The three stores beside each other: how fast rows go in, what a row takes, how long a search waits.

The same made-up traffic goes into the embedded store, a PostgreSQL and a ClickHouse server, by the writer that the
ingester uses; the servers are started for it and run on this machine, so both sides share its cores. Cold means
nothing of ours is open or remembered; what the servers keep in memory stays there.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections import Counter
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
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
    from collections.abc import Iterator
    from pathlib import Path

    from consentkit.archive.period import Period
    from consentkit.requestlog.record import Entry

ROWS: Final = 100_000
FULL_ROWS: Final = 10_000_000
_ROWS_A_PERIOD: Final = 1_000_000
_ROWS_A_BATCH: Final = 20_000
_FIRST_DAY: Final = datetime(2026, 8, 26, tzinfo=UTC)
_PAGE_ROWS: Final = 50
_ROUNDS: Final = 5
_OTHERS: Final = ("postgresql", "clickhouse")


class StoreMissing(ConsentKitError):
    """Report that a server can't be started here."""


class Stored(msgspec.Struct, frozen=True):
    """What a store came to.

    Attributes:
        rate: rows a second, by the clock on the wall: a server works beside us.
        row_bytes: on the disk, with indexes, keys and words.
        cold_ms, warm_ms: the first page, by what was asked.
    """

    rate: float
    row_bytes: float
    cold_ms: dict[str, float]
    warm_ms: dict[str, float]


def measure(folder: Path, *, rows: int = ROWS) -> list[Figure]:
    """Measure each store with so many rows, a million at most in a period.

    Raises:
        StoreMissing: PostgreSQL or ClickHouse is not installed.
    """
    embedded = _stored(folder / "embedded", {}, rows)
    figures: list[Figure] = []
    for name in _OTHERS:
        with ExitStack() as running:
            figures += _beside(name, _stored(folder / name, _started(name, running), rows), embedded, rows)
    return figures


def _started(name: str, running: ExitStack) -> dict[str, str]:
    """Start a server, and return what `[storage]` says of it."""
    try:
        if name == "postgresql":
            return {"url": running.enter_context(postgresql.serving()).url()}
        (server,) = running.enter_context(clickhouse.serving())
    except pytest.skip.Exception as exc:
        raise StoreMissing(str(exc.msg)) from None
    return {"requests_url": server.url()}


def _beside(name: str, store: Stored, embedded: Stored, rows: int) -> list[Figure]:
    def told(what: str, value: float, unit: str, baseline: float) -> Figure:
        named = f"{name}, {rows:,} rows: {what}"
        return by_ratio(named, value, unit, baseline=baseline, against="embedded", at_most=None)

    return [
        told("ingest", store.rate, "records/s", embedded.rate),
        told("size", store.row_bytes, "bytes a record", embedded.row_bytes),
        *(told(f"{asked}, cold", ms, "ms", embedded.cold_ms[asked]) for asked, ms in store.cold_ms.items()),
        *(told(f"{asked}, warm", ms, "ms", embedded.warm_ms[asked]) for asked, ms in store.warm_ms.items()),
    ]


def _stored(folder: Path, storage: dict[str, str], rows: int) -> Stored:
    folder.mkdir()
    settings = Settings.from_mapping({"storage": {"directory": str(folder / "data"), **storage}}, base=folder)
    settings.storage.directory.mkdir(mode=0o700)
    keyring = Keyring.open(settings.storage.keys, read_secrets(os.environ))
    holdings = _open(settings, keyring)
    seconds = row_bytes = 0.0
    common = ""
    for day, first in enumerate(range(0, rows, _ROWS_A_PERIOD)):
        took, size, address = _fill(holdings, day, min(_ROWS_A_PERIOD, rows - first))
        seconds, row_bytes, common = seconds + took, row_bytes + size, common or address
    _close(holdings)
    cold, warm = {}, {}
    for asked, filters in _questions(common).items():
        cold[asked] = statistics.median(_cold_ms(settings, keyring, filters) for _ in range(_ROUNDS))
        warm[asked] = statistics.median(list(_warm_ms(settings, keyring, filters))[1:])
    return Stored(rows / seconds, row_bytes / rows, cold, warm)


def _questions(address: str) -> dict[str, Filters]:
    return {
        "first page of an address": Filters(networks=(address,)),
        "first page of a path": Filters(path="/shop/*-amber-*"),
        "first page of 5xx": Filters(statuses=((500, 599),)),
        "newest page": Filters(),
    }


def _fill(holdings: Holdings, day: int, rows: int) -> tuple[float, int, str]:
    """Fill and seal one period; return the seconds that storing took, its bytes, and an address of it."""
    samples = traffic(rows, start=_FIRST_DAY + timedelta(days=day), seed=day + 1)
    address = Counter(sample.address for sample in samples if ":" in sample.address).most_common(1)[0][0]
    redactor, resolvers = Redactor(("page",)), Resolvers(AgentResolver(), PlaceResolver(None, "country"))
    period: Period = Catalogue(holdings.control, "day").period_of(samples[0].time_us)
    holdings.keyring.make(period.key_name)
    seconds, place = 0.0, period.place
    with (
        holdings.rows.lock(place, exclusive=False, wait_seconds=1),
        closing(holdings.rows.writer(place, resolvers)) as writer,
    ):
        for number, first in enumerate(range(0, rows, _ROWS_A_BATCH), start=1):
            some = itertools.islice(samples, first, first + _ROWS_A_BATCH)
            entries: list[tuple[int, Entry]] = [
                (sequence, as_record(sample, redactor)) for sequence, sample in enumerate(some)
            ]
            started = time.perf_counter()
            writer.add(Batch(f"{day:016x}", number, entries))
            writer.commit()
            seconds += time.perf_counter() - started
    seal(holdings, period, SYSTEM)
    return seconds, holdings.rows.size_bytes(place), address


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
