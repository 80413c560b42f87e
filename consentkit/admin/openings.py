"""Opening an incident while its page waits: a thread copies, and how far it came stands in the audit.

Owns the thread and reading its progress. Whatever worker answers knows it, for nothing of it is in memory. What a
worker that stops leaves behind is marked as a draft, and retention throws it away, its key first.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import func, select

from consentkit import audit
from consentkit.archive.custody import custody
from consentkit.audit import Listing
from consentkit.control import JsonNumber, total
from consentkit.control import audit as audit_table
from consentkit.errors import ConsentKitError, StorageError

if TYPE_CHECKING:
    from consentkit.admin.office import Office
    from consentkit.archive.incident.opening import Opening
    from consentkit.control import Control

Stage: TypeAlias = Literal["running", "done", "broken"]

_LOG: Final = logging.getLogger("consentkit")

# Retention, an erasure, or another opening may take longer; then the page says so.
WAIT_SECONDS: Final = 5.0

_ANNOUNCED: Final = "incident.opening"
_COPIED: Final = "incident.opening.page"
_OPENED: Final = "incident.opened"
_BROKEN: Final = "incident.opening_failed"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far an opening came.

    Attributes:
        entry: of the audit, that announces it.
        incident: its number, once it is open.
        stage: whether it goes on.
        case: for which.
        rows: copied so far.
        until_us: all before this instant is copied, microseconds since 1970 UTC; None before the first row.
        filters: by which rows are found, as they were asked for.
        fault: why it broke off, where that is known.
    """

    entry: int
    incident: int
    stage: Stage
    case: str
    rows: int
    until_us: int | None
    filters: dict[str, object]
    fault: str = ""


class _Told(msgspec.Struct, frozen=True):
    incident: int
    opening: int = 0
    filters: dict[str, object] = {}
    reason: str = ""


def begin(opening: Opening) -> None:
    """Begin to open an incident, and return once its entry in the audit is durable.

    Raises:
        StorageError: it could not be begun; `opening.entry` is 0 then.
    """
    announced: Future[None] = Future()
    threading.Thread(target=_run, args=(opening, announced), name="consentkit-opening", daemon=True).start()
    announced.result()


def progress(office: Office, entry: int) -> Progress | None:
    """Return how far an opening came; None where no entry of this number announces one.

    Raises:
        StorageError: the audit can't be read.
    """
    is_over = _is_over(office)  # asked first: what ends after this is told by its entry
    announced = _entry(office.control, _ANNOUNCED, entry)
    if announced is None:
        return None
    told = msgspec.json.decode(announced.detail, type=_Told)
    rows, until_us = _copied(office.control, entry)
    opened, broken = (_later(office.control, action, entry) for action in (_OPENED, _BROKEN))
    stage: Stage = "done" if opened else "broken" if broken or is_over else "running"
    return Progress(
        entry=entry,
        incident=told.incident,
        stage=stage,
        case=announced.case_id,
        rows=rows,
        until_us=until_us,
        filters=told.filters,
        fault=broken.reason if broken else "",
    )


def _run(opening: Opening, announced: Future[None]) -> None:
    steps = opening.run(wait_seconds=WAIT_SECONDS)
    try:
        next(steps)
    except BaseException as exc:  # noqa: BLE001 - whoever waits raises it
        announced.set_exception(exc)
        return
    announced.set_result(None)
    try:
        for _ in steps:
            pass
    except (ConsentKitError, OSError):
        _LOG.exception("opening an incident broke off")  # the page has it from the audit


def _is_over(office: Office) -> bool:
    """Tell whether nobody copies, destroys or rewrites now."""
    try:
        with custody(office.control, wait_seconds=0):
            return True
    except StorageError:
        return False


def _entry(control: Control, action: str, number: int) -> audit.AuditEntry | None:
    found = next(audit.listed(control, Listing(action=action), limit=1, before=number + 1), None)
    return found if found is not None and found.number == number else None


def _copied(control: Control, entry: int) -> tuple[int, int | None]:
    detail = audit_table.c.detail
    asked = select(total(audit_table.c.rows), func.max(JsonNumber(detail, "until_us"))).where(
        audit_table.c.action == _COPIED,
        audit_table.c.number > entry,
        JsonNumber(detail, "opening") == entry,
    )
    with control.reading() as connection:
        rows, until_us = connection.execute(asked).one()
    return rows, until_us


def _later(control: Control, action: str, entry: int) -> _Told | None:
    detail = audit_table.c.detail
    asked = select(detail).where(
        audit_table.c.action == action,
        audit_table.c.number > entry,
        JsonNumber(detail, "opening") == entry,
    )
    with control.reading() as connection:
        found = connection.execute(asked.limit(1)).scalar()
    return None if found is None else msgspec.json.decode(found, type=_Told)
