"""Writing an export while somebody waits for it: one at a time a worker, in a thread of its own.

Owns the thread. How far it has come is kept by `PendingExports`, so that any worker can tell; audit and register
are `Export`'s.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.export import Export, Order
from consentkit.archive.export.pending import PendingExports, Progress
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from consentkit.admin.office import Office
    from consentkit.archive.export import Copy
    from consentkit.archive.search import Search
    from consentkit.archive.store import Filters
    from consentkit.audit import Actor, Look

# What is larger is not carried by a browser: `consentkit log export` has no limit.
MAX_ROWS: Final = 1_000_000

_at_work: Final = threading.Lock()

_logger: Final = logging.getLogger("consentkit")


class Occupied(Exception):
    """Refuse a second export beside one that this worker writes."""


def pending(office: Office) -> PendingExports:
    """Return the exports that somebody waits for."""
    return PendingExports(office.settings.storage.directory, office.keyring)


def begin(
    office: Office, actor: Actor, look: Look, order: Order, *, filters: Filters, limit: int
) -> tuple[str, int]:
    """Begin an export; return its name and the number of its entry in the audit.

    Args:
        office: what there is to export from.
        actor, look: who exports, and why.
        order: what, and on what terms.
        filters: what `order` means.
        limit: at most so many rows.

    Raises:
        Occupied: this worker writes one already.
        StorageError: the audit can't be written, or the folder.
    """
    if not _at_work.acquire(blocking=False):
        raise Occupied
    try:
        exports = pending(office)
        name = exports.begin()
        run = Export(office.control, actor, look, order, retention_days=office.settings.requestlog.retention_days)
        now_us = time.time_ns() // 1000
        progress = Progress(
            owner=actor.name,
            format=order.format,
            state="running",
            entry=run.number,
            begun_us=now_us,
            told_us=now_us,
            limit=limit,
        )
        exports.tell(name, progress)
        rows = office.archive.for_case(look.case).search(filters, limit=limit)
        writing = _Writing(exports, name, progress)
        threading.Thread(target=_work, args=(writing, run, rows), name="consentkit-export", daemon=True).start()
    except BaseException:
        _at_work.release()
        raise
    return name, run.number


class _Writing:
    """Tell how far one export has come."""

    def __init__(self, exports: PendingExports, name: str, progress: Progress) -> None:
        self.exports = exports
        self.name = name
        self._progress = progress

    def advance(self, rows: int) -> None:
        self._tell(rows=self._progress.rows + rows)

    def done(self, copy: Copy, restricted: int) -> None:
        self._tell(
            state="done",
            rows=copy.rows,
            copy=copy.number,
            bytes=copy.bytes,
            sha256=copy.sha256,
            destroy_by=copy.destroy_by,
            restricted=restricted,
        )

    def fail(self) -> None:
        self._tell(state="failed")

    def _tell(self, **changes: object) -> None:
        self._progress = msgspec.structs.replace(self._progress, told_us=time.time_ns() // 1000, **changes)
        self.exports.tell(self.name, self._progress)


def _work(writing: _Writing, run: Export, rows: Search) -> None:
    try:
        _write(writing, run, rows)
    except (ConsentKitError, OSError) as exc:
        _logger.warning("an export broke off (%s)", type(exc).__name__)
        _tell_failure(writing)
    except BaseException:
        _tell_failure(writing)
        raise
    finally:
        _at_work.release()


def _write(writing: _Writing, run: Export, rows: Search) -> None:
    with writing.exports.create(writing.name) as file:
        for count in run.write(rows, file.write):
            writing.advance(count)
        file.settle()
        copy = run.register()
        file.publish()
    writing.done(copy, rows.restricted)


def _tell_failure(writing: _Writing) -> None:
    try:
        writing.fail()
    except ConsentKitError as exc:  # the disk that refused the export; the page says it when it hears no more
        _logger.warning("the end of an export can't be told (%s)", type(exc).__name__)
