"""Finding rows in one period: filters into one statement, newest first, by keyset.

Owns the statement and the shape of a found row. Which periods are asked, and what lies in the spool, is
`archive.search`'s job.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from consentkit.archive.store.interface import Cursor, Filters, FoundRequest
from consentkit.archive.store.tables import TIES, unpack_address
from consentkit.requestlog.record import ADDRESS_SOURCES, OUTCOMES
from consentkit.requestlog.redact import flag_names
from consentkit.requestlog.segment import FrameId

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlcipher3.dbapi2 as sqlcipher

    from consentkit.archive.period import Period

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_COLUMNS: Final = """
SELECT r.id, g.worker, g.number, r.sequence, c.address, c.peer, c.source, s.method, s.scheme, s.host,
  s.path, s.query, s.query_flags, r.status, r.outcome, r.bytes_sent, r.duration_us, a.user_agent, f.host,
  a.device, a.device_type, a.browser, a.browser_version, a.os, a.os_version, c.country, c.city,
  (SELECT time_us FROM misdated m WHERE m.id = r.id)
FROM request r JOIN batch b ON b.id = r.batch JOIN segment g ON g.id = b.segment
  JOIN client c ON c.id = r.client JOIN agent a ON a.id = r.agent JOIN resource s ON s.id = r.resource
  JOIN referrer f ON f.id = r.referrer
WHERE """

_CLIENTS: Final = "r.client IN (SELECT id FROM client WHERE "


def select_requests(
    connection: sqlcipher.Connection,
    period: Period,
    filters: Filters,
    *,
    limit: int,
    before: Cursor | None = None,
) -> Iterator[tuple[Cursor, FoundRequest]]:
    """Yield matching rows of one period, newest first, each with the cursor that stands on it.

    Args:
        connection: the period's file.
        period: which one it is.
        filters: what to match.
        limit: at most so many rows; 0 = all.
        before: begin after this row.
    """
    conditions, values = _conditions(period, filters, before)
    statement = f"{_COLUMNS}{' AND '.join(conditions)} ORDER BY r.id DESC"
    if limit:
        statement += " LIMIT ?"
        values.append(limit)
    for row in connection.execute(statement, values):
        yield _found(period, row)


def _conditions(period: Period, filters: Filters, before: Cursor | None) -> tuple[list[str], list[object]]:
    first = max(filters.since_us - period.since_us, 0) * TIES
    last = (min(filters.until_us, period.until_us) - period.since_us) * TIES
    if before is not None:
        last = min(last, (before.time_us - period.since_us) * TIES + before.tie)
    conditions: list[str] = ["r.id >= ?", "r.id < ?"]
    values: list[object] = [first, last]
    for part in (_of_client, _of_resource, _of_agent, _of_row):
        for condition, its_values in part(filters):
            conditions.append(condition)
            values += its_values
    return conditions, values


_Condition = tuple[str, list[object]]


def _of_client(filters: Filters) -> Iterator[_Condition]:
    if filters.networks:
        ranges: list[object] = []
        for text in filters.networks:
            network = ipaddress.ip_network(text, strict=False)
            ranges += [network.max_prefixlen // 8, network[0].packed, network[-1].packed]
        one = "(length(address) = ? AND address BETWEEN ? AND ?)"
        yield f"{_CLIENTS}{' OR '.join([one] * len(filters.networks))})", ranges
    if filters.country:
        yield f"{_CLIENTS}country = ?)", [filters.country.upper()]


def _of_resource(filters: Filters) -> Iterator[_Condition]:
    if filters.path:
        yield "s.path GLOB ?", [_glob(filters.path)]
    if filters.host:
        yield "s.host = ?", [filters.host.lower()]
    if filters.method:
        yield "upper(s.method) = ?", [filters.method.upper()]
    if filters.flags:
        yield "s.query_flags & ? = ?", [filters.flags, filters.flags]


def _of_agent(filters: Filters) -> Iterator[_Condition]:
    if filters.device_type:
        yield "a.device_type = ?", [filters.device_type]
    if filters.browser:
        yield "lower(a.browser) = ?", [filters.browser.lower()]
    if filters.is_bot is not None:
        yield ("a.device_type = 'bot'" if filters.is_bot else "a.device_type <> 'bot'"), []


def _of_row(filters: Filters) -> Iterator[_Condition]:
    if filters.statuses:
        bounds: list[object] = [bound for pair in filters.statuses for bound in pair]
        yield f"({' OR '.join(['r.status BETWEEN ? AND ?'] * len(filters.statuses))})", bounds
    if filters.outcome:
        yield "r.outcome = ?", [[*OUTCOMES, filters.outcome].index(filters.outcome)]
    if filters.text:
        places = ("s.path || coalesce('?' || s.query, '')", "a.user_agent", "f.host")
        wanted = filters.text.encode().lower().decode()  # ASCII alone, as SQLite's lower() does
        yield f"({' OR '.join(f'instr(lower({place}), ?)' for place in places)})", [wanted] * len(places)


def _glob(pattern: str) -> str:
    """Return SQLite's form of a glob that knows ``*`` and ``?`` alone: its ``[`` stands for itself."""
    return pattern.replace("[", "[[]")


def _found(period: Period, row: tuple[object, ...]) -> tuple[Cursor, FoundRequest]:
    (number, worker, segment, sequence, address, peer, source, method, scheme, host, path, query, flags,
     status, outcome, bytes_sent, duration_us, user_agent, referrer, device, device_type, browser,
     browser_version, os, os_version, country, city, claimed_us) = row  # fmt: skip
    offset_us, tie = divmod(_int(number), TIES)
    time_us = period.since_us + offset_us
    return Cursor(time_us, tie), FoundRequest(
        time=iso_time(time_us),
        request_id=str(FrameId(str(worker), _int(segment), _int(sequence))),
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


def iso_time(time_us: int) -> str:
    """Return an instant as ISO 8601 in UTC with microseconds."""
    instant = _EPOCH + timedelta(microseconds=time_us)
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""
