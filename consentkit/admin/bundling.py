"""Writing an incident's bundle while somebody waits for it, in a thread of its own, one at a time a worker.

Owns the thread. What the bundle holds, its entries in the audit and its place in the register are the archive's;
how far it came is kept by `PendingExports`, so that any worker can tell.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from consentkit.archive.export.pending import PendingExports, Progress
from consentkit.archive.incident.evidence import EvidenceExport, EvidenceOrder
from consentkit.archive.incident.reading import reading
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from consentkit.admin.office import Office
    from consentkit.audit import Actor, Look

FORMAT: Final = "incident"

_at_work: Final = threading.Lock()

_logger: Final = logging.getLogger("consentkit")


class Occupied(Exception):
    """Refuse a second bundle beside one that this worker writes."""


def pending(office: Office) -> PendingExports:
    """Return the bundles that somebody waits for."""
    return PendingExports(office.settings.storage.directory, office.keyring)


def begin(office: Office, number: int, actor: Actor, look: Look, order: EvidenceOrder) -> tuple[str, int]:
    """Begin a bundle; return its name and the number of its entry in the audit, which is durable.

    Args:
        office: what there is to export from.
        number: of the incident.
        actor, look: who exports, and why.
        order: on what terms.

    Raises:
        Occupied: this worker writes one already.
        BadIncident: it holds nothing any more.
        PeriodBusy: it is just being closed.
        StorageError: the audit, or the folder, can't be written.
    """
    if not _at_work.acquire(blocking=False):
        raise Occupied
    try:
        name = pending(office).begin()
        bundling = _Bundling(office, _Errand(name, number, actor, look, order))
        threading.Thread(target=bundling.run, name="consentkit-bundle", daemon=True).start()
    except BaseException:
        _at_work.release()
        raise
    return name, bundling.begun.result()


class _Errand(NamedTuple):
    """What is written: under which name, which incident, by whom and why, on what terms."""

    name: str
    number: int
    actor: Actor
    look: Look
    order: EvidenceOrder


class _Bundling:
    """One bundle while it is written; `begun` has the number of its entry in the audit once that is durable."""

    def __init__(self, office: Office, errand: _Errand) -> None:
        self._office = office
        self._exports = pending(office)
        self._errand = errand
        self.begun: Future[int] = Future()
        now_us = time.time_ns() // 1000
        self._progress = Progress(
            owner=errand.actor.name, format=FORMAT, state="running", entry=0, begun_us=now_us, told_us=now_us
        )

    def run(self) -> None:
        """Write it; whoever began it hears of what went wrong before it began, the page of what did after."""
        try:
            self._write()
        except BaseException as exc:
            if not self.begun.done():
                self.begun.set_exception(exc)
                return
            _logger.warning("the bundle of an incident broke off (%s)", type(exc).__name__)
            self._fail()
            if not isinstance(exc, ConsentKitError | OSError):
                raise
        finally:
            _at_work.release()

    def _write(self) -> None:
        errand = self._errand
        with (
            reading(self._office.holdings, errand.number) as kept,
            self._exports.create(errand.name) as file,
        ):
            run = EvidenceExport(self._office.holdings, kept, errand.actor, errand.look, errand.order)
            self._tell(entry=run.number, limit=kept.incident.rows)
            self.begun.set_result(run.number)
            run.write(file, each=self._advance)
            file.settle()
            copy = run.register()
            file.publish()
        self._tell(
            state="done",
            copy=copy.number,
            rows=run.rows,
            bytes=run.size_bytes,
            sha256=run.sha256,
            destroy_by=run.destroy_by,
            fault=run.verdict.fault if run.verdict else "",
        )

    def _advance(self, rows: int) -> None:
        self._tell(rows=self._progress.rows + rows)

    def _fail(self) -> None:
        try:
            self._tell(state="failed")
        except ConsentKitError as exc:  # the disk that refused the bundle; the page says it when it hears no more
            _logger.warning("the end of a bundle can't be told (%s)", type(exc).__name__)

    def _tell(self, **changes: object) -> None:
        self._progress = msgspec.structs.replace(self._progress, told_us=time.time_ns() // 1000, **changes)
        self._exports.tell(self._errand.name, self._progress)
