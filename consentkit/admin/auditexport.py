"""The audit as a file: JSON lines, or CSV in which nothing is a formula; entered into the register of copies.

Owns the columns and the order: the export's entry, the file, the copy's entry; then it may leave. That who asks
may, and why, was settled before.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from consentkit import audit
from consentkit.archive.destruction import iso_second
from consentkit.archive.export import spreadsheet
from consentkit.archive.export.newfile import NewFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.admin.auditlist import Asked
    from consentkit.admin.office import Office
    from consentkit.audit import Actor, AuditEntry, Look

# A file of some 100 MB; who needs more narrows the time, or takes the command line.
MAX_ENTRIES: Final = 200_000

COLUMNS: Final = (
    "number", "time", "actor", "origin", "action", "purpose", "case_id", "reason", "rows", "detail",
    "previous_hash", "hash",
)  # fmt: skip

_LATE_US: Final = 2**62

_Line: TypeAlias = "Callable[[AuditEntry], bytes]"


class Form(msgspec.Struct, frozen=True):
    """One way to write entries: what the file is called and holds, its first line, and one line an entry."""

    ending: str
    content_type: str
    header: bytes
    line: _Line


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A finished file: where it lies for now, what it is called, and the number of its copy's entry."""

    path: Path
    file_name: str
    content_type: str
    copy: int


def _json_line(entry: AuditEntry) -> bytes:
    """Return an entry as one line of JSON; its time to the microsecond, which the hash needs."""
    fields = {**msgspec.structs.asdict(entry), "time": iso_second(entry.time_us), "detail": _raw(entry.detail)}
    return msgspec.json.encode(fields) + b"\n"


def _csv_line(entry: AuditEntry) -> bytes:
    fields = {**msgspec.structs.asdict(entry), "time": iso_second(entry.time_us)}
    return spreadsheet.cells([fields[name] for name in COLUMNS])


FORMS: Final = {
    "json": Form("ndjson", "application/x-ndjson", b"", _json_line),
    "csv": Form("csv", "text/csv; charset=utf-8", spreadsheet.cells(COLUMNS), _csv_line),
}


def export(office: Office, actor: Actor, look: Look, asked: Asked, *, form: str, recipient: str) -> Exported:
    """Write what was asked for into a file, and enter the copy into the register.

    Args:
        office: the installation.
        actor, look: who, and why.
        asked: which entries.
        form: of `FORMS`.
        recipient: for whom; empty = for the one who exports.

    Raises:
        StorageError: it can't be written or registered; then there is no file.
    """
    control, kept = office.control, timedelta(days=office.settings.keep.audit)
    own = audit.record(control, actor, "audit.export", look=look, detail={"asked": asked.given(), "format": form})
    path = office.settings.storage.directory / f"audit-export-{secrets.token_hex(8)}"
    written, count, oldest_us = FORMS[form], 0, own.time_us
    with NewFile(path) as file:
        size, digest = 0, hashlib.sha256()
        for part in _parts(office, asked, written, before=own.number):
            size, count, oldest_us = size + len(part[0]), count + part[1], min(oldest_us, part[2])
            digest.update(part[0])
            file.write(part[0])
        file.settle()
        destroy_by = (datetime.fromtimestamp(oldest_us / 1e6, UTC) + kept).date()
        detail: dict[str, object] = {
            "export": own.number,
            "rows": count,
            "bytes": size,
            "sha256": digest.hexdigest(),
            "format": f"audit-{form}",
            "output": "-",
            "recipient": recipient,
            "destroy_by": destroy_by.isoformat(),
            "is_whole": count < MAX_ENTRIES,
        }
        copy = audit.record(control, actor, "copy.made", look=look, detail=detail, rows=count)
        file.publish()
    return Exported(
        path=path,
        file_name=f"audit-copy-{copy.number}.{written.ending}",
        content_type=written.content_type,
        copy=copy.number,
    )


def _parts(office: Office, asked: Asked, form: Form, *, before: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield bytes, how many entries they hold, and the oldest one's time."""
    if form.header:
        yield form.header, 0, _LATE_US
    for entry in audit.listed(office.control, asked.listing, limit=MAX_ENTRIES, before=before):
        yield form.line(entry), 1, entry.time_us


def _raw(detail: str) -> msgspec.Raw | str:
    try:
        msgspec.json.decode(detail)
    except msgspec.DecodeError:
        return detail  # it was changed; the chain's check tells
    return msgspec.Raw(detail.encode())
