"""An installation in a temporary folder, with days of requests in it, for tests of custody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from consentkit import audit
from consentkit.archive.holdings import Holdings
from consentkit.archive.ingest import Ingester
from consentkit.archive.period import Catalogue, Period, change
from consentkit.archive.resolve import AgentResolver, PlaceResolver, Resolvers
from consentkit.archive.search import Archive
from consentkit.archive.store import Filters
from consentkit.control import Control
from consentkit.control import period as period_table
from consentkit.crypto import Keyring
from consentkit.requestlog.record import Record
from consentkit.requestlog.spool import Spool
from consentkit.settings import Settings
from tests.readymade import begin

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.store.places import Place

DAY_US = 86_400_000_000
HOUR_US = DAY_US // 24
MINUTE_US = HOUR_US // 60

# 2026-03-02T00:00Z: the day on which the tests' requests begin.
MONDAY = 1_772_409_600_000_000
DAYS = ("2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05")
RESOLVERS = Resolvers(AgentResolver(), PlaceResolver(None, "country"))
WORKER = audit.Actor("liga", "cli")


def request(time_us: int, url: str, *, address: str = "192.0.2.7") -> Record:
    return Record(
        time_us, address, "198.51.100.1", "peer", "GET", "https", "www.example.lv", url, 0, 200, "complete",
        512, 1500, "curl/8.0", "",
    )  # fmt: skip


def _settings(folder: Path, **requestlog: object) -> Settings:
    return Settings.from_mapping(
        {"storage": {"directory": str(folder / "data")}, "requestlog": requestlog}, base=folder
    )


def _make(folder: Path) -> None:
    """Make the keys and the control database of an installation."""
    storage = _settings(folder).storage
    storage.directory.mkdir()
    Control(storage.directory, Keyring.open(storage.keys, ()))


class Installation:
    """A data directory and its keys, as the ingester and the command line open them."""

    def __init__(self, folder: Path, *, secrets: tuple[str, ...] = (), **requestlog: object) -> None:
        if not secrets:
            begin(folder, "installation", _make)
        self.settings = _settings(folder, **requestlog)
        self.directory = self.settings.storage.directory
        self.directory.mkdir(exist_ok=True)
        self.keyring = Keyring.open(self.settings.storage.keys, secrets)
        self.open()

    def open(self) -> None:
        """Open the control database, again where the directory was restored."""
        self.control = Control(self.directory, self.keyring)

    @property
    def holdings(self) -> Holdings:
        return Holdings.open(self.settings.storage, self.keyring, self.control)

    def catalogue(self) -> Catalogue:
        return Catalogue(self.control, "day")

    def ingester(self) -> Ingester:
        return Ingester(self.holdings, self.catalogue(), RESOLVERS)

    def spool(self, *records: Record) -> None:
        spool = Spool(self.directory, self.keyring, max_bytes=2**30)
        for record in records:
            spool.append(record)
        spool.close()

    def store(self, *records: Record) -> None:
        """Spool the records and store them."""
        self.spool(*records)
        ingester = self.ingester()
        ingester.drain()
        ingester.close()

    def fill(self, days: int = 3) -> None:
        """Store two requests on each of so many days: `/a0` and `/b0` on the first, and so on."""
        for day in range(days):
            start = MONDAY + day * DAY_US
            self.store(request(start + HOUR_US, f"/a{day}"), request(start + 2 * HOUR_US, f"/b{day}"))

    def period(self, name: str) -> Period:
        return next(period for period in self.catalogue().list() if period.name == name)

    def states(self) -> dict[str, str]:
        return {period.name: period.state for period in reversed(self.catalogue().list())}

    def set_state(self, name: str, state: str) -> None:
        period = self.period(name)
        with self.control.transaction() as connection:
            assert change(connection, period, ("open", "sealed", "destroying"), state=state)

    def add_period(self, period: Period) -> None:
        with self.control.transaction() as connection:
            connection.execute(period_table.insert().values(msgspec.structs.asdict(period)))

    def urls(self) -> list[str]:
        archive = Archive(self.settings, self.holdings, resolvers=RESOLVERS)
        return sorted(row.url for _, row in archive.search(Filters(), limit=0))

    def file(self, place: Place) -> Path:
        """Return where the embedded store keeps a place."""
        return self.directory / {"period": "requests", "incident": "incidents"}[place.group] / f"{place.stem}.db"

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.directory / "requests").iterdir())

    def audited(self, prefix: str = "") -> list[audit.AuditEntry]:
        with self.control.transaction() as connection:
            return [entry for entry in audit.entries(connection) if entry.action.startswith(prefix)]

    def actions(self, prefix: str = "") -> list[str]:
        return [entry.action for entry in self.audited(prefix)]


def detail(entry: audit.AuditEntry) -> dict[str, object]:
    content: dict[str, object] = json.loads(entry.detail)
    return content
