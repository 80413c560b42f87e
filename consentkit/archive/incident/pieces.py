"""How the lists of an incident stand in the bundle's files: CSV for the time line, JSON for the rest.

Owns names of fields. They are those of the audit and of the log; times are ISO 8601 in UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.store.interface import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from consentkit.archive.incident.reading import Hour
    from consentkit.audit import AuditEntry
    from consentkit.requestlog.record import Gap

# By the first digit of the status; 0 = the client or the app was gone before one was sent.
CLASSES: Final = {1: "1xx", 2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx", 0: "none"}

CSV_HEADER: Final = f"hour,{','.join(CLASSES.values())},total\r\n".encode()

_encode: Final = msgspec.json.Encoder().encode


def csv_line(hour: Hour) -> bytes:
    """Return one hour of the time line. Source: RFC 4180; there are numbers alone, so nothing is a formula."""
    counts = ",".join(str(hour.by_class.get(status_class, 0)) for status_class in CLASSES)
    return f"{iso_time(hour.time_us)[:13]}:00Z,{counts},{hour.total}\r\n".encode()


def entry_fields(entry: AuditEntry) -> dict[str, object]:
    """Return an entry of the audit as it stands in the journal; by its hash it is found in the chain."""
    return {
        "number": entry.number,
        "time": iso_time(entry.time_us),
        "actor": entry.actor,
        "origin": entry.origin,
        "action": entry.action,
        "purpose": entry.purpose,
        "case": entry.case_id,
        "reason": entry.reason,
        "detail": msgspec.Raw(entry.detail.encode()),
        "rows": entry.rows,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def gap_fields(gap: Gap) -> dict[str, object]:
    """Return a gap in the log."""
    return {
        "since": iso_time(gap.since_us),
        "until": iso_time(gap.until_us),
        "lost": gap.lost,
        "reason": gap.reason,
        "network": gap.network,
    }


def json_array(items: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """Yield a JSON array, one item a line."""
    before = b"[\n"
    for item in items:
        yield before + _encode(item)
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"
