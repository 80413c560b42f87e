"""The bundle of an incident: its rows and all that lets somebody else judge them, in one signed ZIP.

Owns what goes into it, that each page of rows is in the audit before it is written, and the copy's place in the
register. The ZIP and its manifest are `archive.bundle`'s, the file under its name `archive.export.newfile`'s.
"""

from __future__ import annotations

from collections import deque
from datetime import date
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit, signing
from consentkit.archive.bundle import Bundle
from consentkit.archive.evidence.verification import last_verification
from consentkit.archive.export.formats import json_line
from consentkit.archive.exposure import page_detail
from consentkit.archive.incident.integrity import verify
from consentkit.archive.incident.journal import journal
from consentkit.archive.incident.listing import today_utc
from consentkit.archive.incident.pieces import CSV_HEADER, csv_line, entry_fields, gap_fields, json_array
from consentkit.archive.incident.report import Report, page
from consentkit.archive.search import pages
from consentkit.archive.store.interface import Filters, iso_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.archive.bundle import Output
    from consentkit.archive.evidence.custody import Verdict
    from consentkit.archive.holdings import Holdings
    from consentkit.archive.incident.reading import Kept
    from consentkit.audit import Actor, AuditEntry, ChainReport, Look
    from consentkit.control import Control

# So many values of each list are counted out; a flood has millions of paths.
_TOP: Final = 100


class EvidenceOrder(msgspec.Struct, frozen=True, kw_only=True):
    """On what terms a bundle is made.

    Attributes:
        operator: whose site it is.
        output: the file's whole name, for the register.
        recipient: for whom; empty = for the one who exports.
        destroy_by: when the copy must be destroyed; None = at the incident's review, or today where that is over.
    """

    operator: str
    output: str
    recipient: str = ""
    destroy_by: date | None = None


class EvidenceExport:
    """One run of an export, which begins with its entry in the audit.

    Args:
        holdings: the store.
        kept: the incident, open for reading.
        actor, look: who exports, and why.
        order: on what terms.

    Attributes:
        number: of the audit's entry.
        verdict: on the incident's file, once it is written.
        rows: written so far.

    Raises:
        StorageError: the audit can't be written; then nothing may be exported.
    """

    def __init__(self, holdings: Holdings, kept: Kept, actor: Actor, look: Look, order: EvidenceOrder) -> None:
        self._holdings = holdings
        self._kept = kept
        self._actor = actor
        self._look = msgspec.structs.replace(look, case=kept.incident.case_id)
        self._order = order
        self._bundle: Bundle | None = None
        self.verdict: Verdict | None = None
        self.rows = 0
        terms = {"incident": kept.incident.number, "recipient": order.recipient}
        self.number = self._record("incident.export", terms).number

    def write(self, output: Output, *, each: Callable[[int], None] = lambda _: None) -> None:
        """Write the whole bundle; memory does not grow with the rows.

        Args:
            output: takes the ZIP.
            each: called with the rows of each page when it is written.

        Raises:
            StorageError: a page can't be put into the audit, or the rows can't be read.
        """
        kept, control = self._kept, self._holdings.control
        signing.sign(control, self._holdings.keyring, b"")  # the first key is made before the keys are listed
        with control.transaction() as connection:
            keys = signing.public_keys(connection)
        verification = self._verification()
        hours = kept.hours()
        counts, gaps = kept.counts(hours, limit=_TOP), kept.gaps()
        entries = journal(control, kept.incident)
        about = self._about() | {"rows": counts.rows, "first": counts.first, "last": counts.last}
        about["verification"] = verification
        bundle = Bundle(output, kind="incident", operator=self._order.operator, about=about)
        files = [
            bundle.add("requests.ndjson", self._requests(each), counts_rows=True),
            bundle.add("timeline.csv", [CSV_HEADER, *map(csv_line, hours)]),
            bundle.add("counts.json", [msgspec.json.format(msgspec.json.encode(counts), indent=2)]),
            bundle.add("gaps.json", json_array(map(gap_fields, gaps))),
            bundle.add("journal.json", json_array(map(entry_fields, entries))),
        ]
        shown = Report(self._order.operator, about, counts, hours, gaps, entries, files)
        bundle.add("index.html", [page(shown)])
        bundle.finish(lambda data: signing.sign(control, self._holdings.keyring, data), keys)
        self._bundle = bundle

    @property
    def size_bytes(self) -> int:
        """The size of the bundle, once it is written."""
        return self._bundle.size_bytes if self._bundle else 0

    @property
    def sha256(self) -> str:
        """Of the bundle, in hexadecimal, once it is written."""
        return self._bundle.sha256 if self._bundle else ""

    def register(self) -> AuditEntry:
        """Enter the copy into the register, which is the audit's entries ``copy.made``.

        Raises:
            StorageError: the entry can't be made; the copy must not stay.
        """
        if self._bundle is None:
            raise RuntimeError("nothing was written")
        detail = {
            "incident": self._kept.incident.number,
            "export": self.number,
            "rows": self.rows,
            "bytes": self.size_bytes,
            "sha256": self.sha256,
            "format": "incident",
            "output": self._order.output,
            "recipient": self._order.recipient,
            "destroy_by": self.destroy_by,
            "is_whole": True,
        }
        return self._record("copy.made", detail, rows=self.rows)

    def _requests(self, each: Callable[[int], None]) -> Iterator[bytes]:
        for found in pages(self._kept.rows(Filters())):
            which = {"incident": self._kept.incident.number, "export": self.number}
            self._record("incident.export.page", {**which, **page_detail(Filters(), found)}, rows=len(found))
            yield from (json_line(row) for _, row in found)
            self.rows += len(found)
            each(len(found))

    def _verification(self) -> dict[str, object]:
        """Check the incident's file and the audit now; of the log, say when it was last checked."""
        self.verdict = verify(self._holdings, self._kept.incident)
        chain = _chain_report(self._holdings.control)
        with self._holdings.control.transaction() as connection:
            log = last_verification(connection)
        return {
            "incident": {"holds": not self.verdict.fault, "fault": self.verdict.fault},
            "audit": {
                "holds": chain.is_good,
                "faults": [f"{fault.place}: {fault.reason}" for fault in chain.faults],
                "until_entry": chain.end.number,
                "until_hash": chain.end.hash,
            },
            "log": None
            if log is None
            else {"time": iso_time(log.time_us), "holds": log.is_good, "faults": list(log.bad)},
        }

    def _about(self) -> dict[str, object]:
        incident = self._kept.incident
        return {
            "incident": incident.number,
            "generation": incident.generation,
            "case": incident.case_id,
            "reason": incident.reason,
            "owner": incident.owner,
            "opened": iso_time(incident.opened_us),
            "review": incident.review,
            "filters": msgspec.json.decode(incident.filters, type=dict[str, object]),
            "file_hash": incident.file_hash,
            "recipient": self._order.recipient,
            "destroy_by": self.destroy_by,
        }

    @property
    def destroy_by(self) -> str:
        """When the copy must be destroyed, as an ISO date."""
        if self._order.destroy_by is not None:
            return self._order.destroy_by.isoformat()
        return max(self._kept.incident.review, today_utc().isoformat())

    def _record(self, action: str, detail: dict[str, object], *, rows: int = 0) -> AuditEntry:
        return audit.record(self._holdings.control, self._actor, action, look=self._look, detail=detail, rows=rows)


def _chain_report(control: Control) -> ChainReport:
    verification = audit.Verification(control)
    deque(verification.walk(), maxlen=0)
    return verification.report()
