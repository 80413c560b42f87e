"""The gaps in the log over a stretch of time, stored and still in the spool.

Owns finding each once. A silence in the evidence must be read as what it is, so they are copied with the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.period import Catalogue
from consentkit.archive.periodlock import PeriodLock
from consentkit.archive.spoolreader import SpoolReader
from consentkit.control import open_sqlcipher
from consentkit.errors import StorageError
from consentkit.requestlog.record import Gap
from consentkit.requestlog.segment import FrameId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period
    from consentkit.archive.store.interface import Filters

_STORED: Final = """
SELECT g.worker, g.number, gap.sequence, gap.since_us, gap.until_us, gap.lost, gap.reason, gap.network
FROM gap JOIN batch b ON b.id = gap.batch JOIN segment g ON g.id = b.segment
WHERE gap.since_us < ? AND gap.until_us >= ?"""


def known_gaps(holdings: Holdings, filters: Filters) -> list[Gap]:
    """Return the gaps that touch the time of a search, oldest first.

    Args:
        holdings: the store; the caller has custody, so that no period goes meanwhile.
        filters: its time alone counts: what was lost has no address and no path.

    Raises:
        KeyUnavailable, StorageError: a period can't be read.
    """
    found = dict(_spooled(holdings, filters))  # first: what is stored meanwhile is then in both
    for period in Catalogue(holdings.control, "day").known:
        is_there = not period.is_gone and not holdings.keyring.was_destroyed(period.key_name)
        if is_there and period.until_us > filters.since_us and holdings.file(period).exists():
            found.update(_stored(holdings, period, filters))
    return sorted(found.values(), key=lambda gap: (gap.since_us, gap.until_us))


def _spooled(holdings: Holdings, filters: Filters) -> Iterator[tuple[FrameId, Gap]]:
    for segment in SpoolReader(holdings.directory, holdings.keyring).segments():
        for sequence, entry in segment.read(complete=False):
            if isinstance(entry, Gap) and entry.since_us < filters.until_us and entry.until_us >= filters.since_us:
                yield FrameId(segment.worker, segment.number, sequence), entry


def _stored(holdings: Holdings, period: Period, filters: Filters) -> Iterator[tuple[FrameId, Gap]]:
    file = holdings.file(period)
    try:
        with PeriodLock(file, exclusive=False):
            connection = open_sqlcipher(file, holdings.keyring.load(period.key_name), read_only=True)
            try:
                for row in connection.execute(_STORED, (filters.until_us, filters.since_us)):
                    yield FrameId(*row[:3]), Gap(*row[3:])
            finally:
                connection.close()
    except sqlcipher.Error as exc:
        raise StorageError(period.file_name, f"the period can't be read ({exc})") from exc
