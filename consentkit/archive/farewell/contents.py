"""Everything that is kept, as files of one bundle: what is handed over when a service ends.

Owns which files there are and what a row of each is. All rows go out as they are kept: whole, one JSON object
a line, oldest period first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from consentkit.archive.child import settings_in_force
from consentkit.archive.incident.listing import incidents
from consentkit.archive.incident.reading import reading
from consentkit.archive.period import Catalogue
from consentkit.archive.search import Archive
from consentkit.archive.showings import add_showings
from consentkit.archive.store import Filters
from consentkit.control import tables
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Table

    from consentkit.archive.bundle import Bundle
    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period
    from consentkit.settings import Settings

# A row a line, in the order of the first column.
_TABLES: Final[tuple[tuple[str, Table], ...]] = (
    ("choices.ndjson", tables.decision),
    ("policies.ndjson", tables.policy),
    ("consent_rates.ndjson", tables.consent_rate),
    ("aggregates.ndjson", tables.aggregate),
    ("aggregate_hours.ndjson", tables.aggregate_hour),
    ("periods.ndjson", tables.period),
    ("incidents.ndjson", tables.incident),
    ("subject_requests.ndjson", tables.subject_request),
    ("restrictions.ndjson", tables.restriction),
    ("audit.ndjson", tables.audit),
)

_encode = msgspec.json.Encoder().encode


def write_everything(
    bundle: Bundle, settings: Settings, holdings: Holdings, *, each: Callable[[str, int], None]
) -> int:
    """Write all that is kept into a bundle, and return how many requests that were.

    Args:
        bundle: takes the files.
        settings: in force.
        holdings: the store; nobody else works on it.
        each: called with the name of each file and its rows when it is written.

    Raises:
        StorageError: something can't be read, or a period gave another number of rows than it holds.
        KeyUnavailable: a key is missing that should be there.
    """
    archive = Archive(settings, holdings, shows_restricted=True)
    requests = 0
    for period in reversed(Catalogue(holdings.control, "day").known):
        if not period.is_gone:
            rows = _requests(bundle, archive, period)
            requests += rows
            each(period.name, rows)
    for number in _open_incidents(holdings):
        each(f"incident {number}", _held(bundle, holdings, number))
    add_showings(holdings.control, holdings.directory)
    for name, table in _TABLES:
        each(name, bundle.add(name, _rows(holdings, table), counts_rows=True).rows or 0)
    in_force = msgspec.json.format(_encode(settings_in_force(settings)), indent=2)
    bundle.add("settings.json", [in_force])
    return requests


def _requests(bundle: Bundle, archive: Archive, period: Period) -> int:
    filters = Filters(since_us=period.since_us, until_us=period.until_us)
    rows = (_encode(found) + b"\n" for _, found in archive.search(filters, limit=0))
    written = bundle.add(f"requests/{period.name}.ndjson", rows, counts_rows=True).rows or 0
    if period.state == "sealed" and written != period.rows:
        raise StorageError(period.file_name, f"gave {written} rows and was sealed with {period.rows}")
    return written


def _open_incidents(holdings: Holdings) -> list[int]:
    with holdings.control.reading() as connection:
        return [incident.number for incident in incidents(connection) if incident.state == "open"]


def _held(bundle: Bundle, holdings: Holdings, number: int) -> int:
    with reading(holdings, number) as kept:
        rows = (_encode(found) + b"\n" for _, found in kept.rows(Filters()))
        return bundle.add(f"incidents/{number}.ndjson", rows, counts_rows=True).rows or 0


def _rows(holdings: Holdings, table: Table) -> Iterator[bytes]:
    with holdings.control.reading() as connection:
        first = next(iter(table.primary_key.columns))
        for row in connection.execution_options(yield_per=1000).execute(select(table).order_by(first)):
            values = {name: _text(value) for name, value in row._asdict().items()}
            yield _encode(values) + b"\n"


def _text(value: object) -> object:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value  # a policy is canonical text
