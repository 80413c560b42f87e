"""Finding rows in one place: filters into statements, by keyset, in bounded steps.

Owns the statements and the shape of a found row. Which periods are asked, and what lies in the spool, is
`archive.search`'s job; what the filters mean is `matching`'s.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final

from consentkit.archive.store.addresses import unpack_address
from consentkit.archive.store.interface import Cursor, Filters, FoundRequest, iso_time
from consentkit.archive.store.sqlite.matching import Match, match, row_bounds
from consentkit.archive.store.sqlite.tables import STRETCH, TIES
from consentkit.requestlog.record import ADDRESS_SOURCES, OUTCOMES
from consentkit.requestlog.redact import flag_names
from consentkit.requestlog.segment import FrameId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import sqlcipher3.dbapi2 as sqlcipher

    from consentkit.archive.store.places import Found, Place, RowsOf

# The inner query reads numbers alone; what they stand for is looked up for the rows of one page.
_PAGE: Final = """
SELECT r.id, g.worker, g.number, r.sequence, c.address, c.peer, c.source, s.method, s.scheme, s.host,
  s.path, s.query, s.query_flags, r.status, r.outcome, r.bytes_sent, r.duration_us, a.user_agent, f.host,
  a.device, a.device_type, a.browser, a.browser_version, a.os, a.os_version, c.country, c.city,
  (SELECT time_us FROM misdated m WHERE m.id = r.id)
FROM (SELECT r.id AS id FROM request r WHERE r.id >= ? AND r.id < ? {conditions}
    ORDER BY r.id {order} LIMIT ?) k
  CROSS JOIN request r ON r.id = k.id JOIN batch b ON b.id = r.batch JOIN segment g ON g.id = b.segment
  JOIN client c ON c.id = r.client JOIN agent a ON a.id = r.agent JOIN resource s ON s.id = r.resource
  JOIN referrer f ON f.id = r.referrer"""

_ENDS: Final = """
SELECT (SELECT min(id) FROM request WHERE id >= ? AND id < ?),
  (SELECT max(id) FROM request WHERE id >= ? AND id < ?)"""

# Rows that one statement gives at most.
_CHUNK_ROWS: Final = 1000

# A scan goes on in stretches of time, so that it can say how far it came: the first is this part of all, each
# next one twice the one before, up to the second part.
_FIRST_PART: Final = 64
_LARGEST_PART: Final = 8


def select_requests(
    connection: sqlcipher.Connection,
    place: Place,
    filters: Filters,
    *,
    limit: int,
    before: Cursor | None = None,
    after: Cursor | None = None,
    oldest_first: bool = False,
    reached: Callable[[int], None] | None = None,
    withheld: Sequence[RowsOf] = (),
) -> Iterator[Found]:
    """Yield matching rows of one place in the order of their cursors, the last first.

    Args:
        connection: the place's file.
        place: which one it is.
        filters: what to match.
        limit: at most so many rows; 0 = all.
        before, after: rows between these alone, neither included.
        oldest_first: the first cursor first.
        reached: told, in microseconds since 1970 UTC, up to where all that matches was given.
        withheld: rows that are left out.
    """
    matching = match(connection, place, filters, withheld)
    if matching is None:
        return
    reading = _Reading(connection, place, matching, oldest_first=oldest_first)
    left = limit
    for low, high in reading.stretches(*row_bounds(place, filters, before, after)):
        for found in reading.rows(low, high, left):
            if (before is None or found[0] < before) and (after is None or found[0] > after):
                yield found
                left -= 1
                if left == 0:
                    return
        if reached is not None:
            reached(place.since_us + (high if oldest_first else low) // TIES)


class _Reading:
    """One search in one place."""

    def __init__(
        self, connection: sqlcipher.Connection, place: Place, matching: Match, *, oldest_first: bool
    ) -> None:
        self._connection = connection
        self._place = place
        self._matching = matching
        self._oldest_first = oldest_first
        self._page = _PAGE.format(conditions=matching.conditions, order="ASC" if oldest_first else "DESC")

    def stretches(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Cut what is scanned into stretches, in the order of reading."""
        first, last = self._connection.execute(_ENDS, (low, high) * 2).fetchone()
        if first is None:
            return
        low, high = first // TIES * TIES, (last // TIES + 1) * TIES
        span = high - low
        if self._matching.visits is not None:
            yield from self._visited(*self._matching.visits, low, high)
            return
        part = max(span // _FIRST_PART // TIES, 1) * TIES
        largest = max(part, span // _LARGEST_PART // TIES * TIES)
        while low < high:
            if self._oldest_first:
                yield low, min(low + part, high)
                low += part
            else:
                yield max(high - part, low), high
                high -= part
            part = min(2 * part, largest)

    def _visited(self, condition: str, values: list[object], low: int, high: int) -> Iterator[tuple[int, int]]:
        """Give the stretches alone in which one of the clients was there."""
        order = "ASC" if self._oldest_first else "DESC"
        found = self._connection.execute(
            f"SELECT DISTINCT stretch FROM visit WHERE {condition} AND stretch BETWEEN ? AND ?"
            f" ORDER BY stretch {order}",
            (*values, low // STRETCH, high // STRETCH),
        )
        for (stretch,) in found.fetchall():
            yield max(stretch * STRETCH, low), min((stretch + 1) * STRETCH, high)

    def rows(self, low: int, high: int, limit: int) -> Iterator[Found]:
        """Yield the rows of one stretch, chunk by chunk; each chunk ends with its microsecond."""
        size = min(limit, _CHUNK_ROWS) if limit > 0 else _CHUNK_ROWS
        while low < high:
            rows = self._fetch(low, high, size)
            is_last = len(rows) < size
            if not is_last and self._oldest_first:
                edge = max(_int(row[0]) for row in rows)
                low = (edge // TIES + 1) * TIES
                rows += self._fetch(edge + 1, low, TIES)
            elif not is_last:
                edge = min(_int(row[0]) for row in rows)
                high = edge // TIES * TIES
                rows += self._fetch(high, edge, TIES)
            found = [_found(self._place, row) for row in rows]
            yield from sorted(found, key=itemgetter(0), reverse=not self._oldest_first)
            if is_last:
                return

    def _fetch(self, low: int, high: int, size: int) -> list[tuple[object, ...]]:
        return list(self._connection.execute(self._page, (low, high, *self._matching.values, size)))


def _found(place: Place, row: tuple[object, ...]) -> Found:
    (number, worker, segment, sequence, address, peer, source, method, scheme, host, path, query, flags,
     status, outcome, bytes_sent, duration_us, user_agent, referrer, device, device_type, browser,
     browser_version, os, os_version, country, city, claimed_us) = row  # fmt: skip
    time_us = place.since_us + _int(number) // TIES
    frame = FrameId(str(worker), _int(segment), _int(sequence))
    return Cursor.at(time_us, frame), FoundRequest(
        time=iso_time(time_us),
        request_id=str(frame),
        client_address=unpack_address(_bytes(address)),
        peer_address=unpack_address(_bytes(peer)),
        address_source=ADDRESS_SOURCES[_int(source)],
        method=str(method),
        scheme=str(scheme),
        host=str(host),
        url=f"{path}" if query is None else f"{path}?{query}",
        query_flags=flag_names(_int(flags)),
        status=_int(status),
        outcome=OUTCOMES[_int(outcome)],
        bytes_sent=_int(bytes_sent),
        duration_us=_int(duration_us),
        user_agent=str(user_agent),
        referrer_host=str(referrer),
        device=str(device),
        device_type=str(device_type),
        browser=str(browser),
        browser_version=str(browser_version),
        os=str(os),
        os_version=str(os_version),
        country=str(country),
        city=str(city),
        claimed_time="" if claimed_us is None else iso_time(_int(claimed_us)),
    )


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""
