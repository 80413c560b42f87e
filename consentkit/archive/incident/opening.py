"""Opening an incident: the rows that match are copied under a key of their own.

Owns the order of steps, so that no row is read before the audit says so, and nothing half-made stays.

    the look in the audit | a mark, then its key and the place | each page in the audit, then in the place | the
    place sealed | one transaction: the incident and its entry ``incident.opened`` | the mark gone

What a crash leaves before that is thrown away by its mark, the key first. What fails is entered too, as
``incident.opening_failed``, before another may begin.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from consentkit import audit
from consentkit.archive.custody import custody
from consentkit.archive.exposure import page_detail
from consentkit.archive.incident.begun import discard_drafts
from consentkit.archive.incident.listing import Incident, incidents, today_utc
from consentkit.archive.periodlock import READER_SECONDS
from consentkit.archive.search import Losses, pages
from consentkit.audit import Look
from consentkit.control import incident as incident_table
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.incident.terms import Terms
    from consentkit.archive.search import Archive
    from consentkit.audit import Actor, Purpose


class Step(NamedTuple):
    """What is durable by now, or written at least.

    Attributes:
        done: ``announced``, ``drafted``, ``keyed``, ``copied`` (once a page), ``written`` or ``entered``.
        rows: copied by this step.
    """

    done: str
    rows: int = 0


class Opening:
    """One opening of an incident.

    Args:
        archive: the log.
        holdings: the store.
        actor, purpose: who opens it, and for what, for the audit.
        terms: what is held, and on what terms.

    Attributes:
        number: of the incident, and `entry`: of the audit's entry that announces it, from the first step on.
        incident: what was opened, with the last step.
        losses: what of the spool could not be read, and so is not in it.

    Raises:
        BadIncident: the terms are not allowed.
    """

    def __init__(self, archive: Archive, holdings: Holdings, actor: Actor, purpose: Purpose, terms: Terms) -> None:
        terms.check(today_utc())
        self._archive = archive.unrestricted()  # storing goes on (GDPR art. 18(2))
        self._holdings = holdings
        self._actor = actor
        self._look = Look(purpose, terms.case, terms.reason)
        self._terms = terms
        self.number = self.entry = 0
        self.incident: Incident | None = None
        self.losses = Losses()

    def run(self, *, wait_seconds: float = READER_SECONDS) -> Iterator[Step]:
        """Copy the rows, yielding after each step; nothing further is done until the next is asked for.

        Nobody destroys or rewrites a period meanwhile: what is erased at the same time must not be copied.

        Raises:
            StorageError: the audit, a period or the copy refuses; then there is no incident.
            KeyUnavailable: a period's key is missing.
        """
        holdings = self._holdings
        with custody(holdings.control, wait_seconds=wait_seconds):
            discard_drafts(holdings)
            incident = self._announced(_next_number(holdings))
            yield Step("announced")
            try:
                yield from self._made(incident)
            except BaseException as exc:
                self._break_off(exc)
                raise
            holdings.rows.unmark(incident.place())
            yield Step("entered")

    def _announced(self, number: int) -> Incident:
        terms = self._terms
        detail = {
            "incident": number,
            "owner": terms.owner,
            "review": terms.review.isoformat(),
            "filters": terms.asked,
        }
        self.entry, self.number = self._record("incident.opening", detail), number
        return Incident(
            number=number,
            generation=1,
            state="open",
            case_id=terms.case,
            reason=terms.reason,
            owner=terms.owner,
            opened_us=time.time_ns() // 1000,
            review=terms.review.isoformat(),
            filters=msgspec.json.encode(terms.asked, order="sorted").decode(),
            rows=0,
            bytes=0,
            file_hash="",
        )

    def _made(self, incident: Incident) -> Iterator[Step]:
        rows, place = self._holdings.rows, incident.place()
        rows.mark_draft(place)
        yield Step("drafted")
        self._holdings.keyring.make(place.key_name)
        yield Step("keyed")
        with rows.copy(place) as copy:
            found = self._archive.search(self._terms.filters, limit=0, oldest_first=True)
            for page in pages(found):
                which = {"incident": incident.number, "opening": self.entry}
                self._record(
                    "incident.opening.page", {**which, **page_detail(self._terms.filters, page)}, rows=len(page)
                )
                copy.add(page)
                yield Step("copied", len(page))
            self.losses = found.losses
            copy.finish(self._archive.gaps(self._terms.filters))
        contents = rows.seal(place)
        yield Step("written")
        measured = {"rows": contents.rows, "bytes": contents.bytes, "file_hash": contents.file_hash}
        entered = msgspec.structs.replace(incident, **measured)
        detail = {
            "incident": incident.number,
            "generation": incident.generation,
            "opening": self.entry,
            **msgspec.structs.asdict(contents),
            "owner": incident.owner,
            "review": incident.review,
            "unread": {name: count for name, count in msgspec.structs.asdict(self.losses).items() if count},
        }
        with self._holdings.control.transaction() as connection:
            connection.execute(incident_table.insert().values(msgspec.structs.asdict(entered)))
            audit.append(connection, self._actor, "incident.opened", look=self._look, detail=detail)
        self.incident = entered

    def _break_off(self, exc: BaseException) -> None:
        """Throw the draft away and write down why, still alone: who finds nobody at work finds the reason."""
        try:
            discard_drafts(self._holdings)  # unless it was entered at the very last
        except (ConsentKitError, OSError) as left:
            exc.add_note(f"the draft is thrown away later: {left}")
        if not isinstance(exc, ConsentKitError | OSError):
            return  # interrupted, or a fault of ours, which has no words for the audit
        reason = str(exc) if isinstance(exc, ConsentKitError) else f"the disk refused ({exc.strerror})"
        try:
            self._record(
                "incident.opening_failed", {"incident": self.number, "opening": self.entry, "reason": reason}
            )
        except ConsentKitError as left:
            exc.add_note(f"the audit does not say so: {left}")

    def _record(self, action: str, detail: dict[str, object], *, rows: int = 0) -> int:
        control = self._holdings.control
        return audit.record(control, self._actor, action, look=self._look, detail=detail, rows=rows).number


def _next_number(holdings: Holdings) -> int:
    """Return a number that no incident has or had, also by the keys: an older control database knows fewer."""
    with holdings.control.transaction() as connection:
        used = [incident.number for incident in incidents(connection)]
    for name in holdings.keyring.names("incident"):
        stem = name.partition("/")[2].partition(".")[0]
        used.append(int(stem) if stem.isdecimal() else 0)
    number = max(used, default=0) + 1
    while holdings.keyring.was_destroyed(f"incident/{number}.1"):
        number += 1
    return number
