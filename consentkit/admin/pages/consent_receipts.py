"""Receipts: what a visitor decided, by consent id, and his receipt as a file.

Owns both and what the audit says of them. An id stands in a form and never in an address, which histories and logs
keep. The rows are `decisions`', their words `decisionrows`', the receipt's format `consent.receipt`'s.
"""

from __future__ import annotations

from typing import Final

import msgspec

from consentkit.admin.answer import NOT_FOUND, Answer, Download, Entry, Page, Refused
from consentkit.admin.decisionrows import DecisionRow, checked_row
from consentkit.admin.decisions import DecisionPage, decisions_of
from consentkit.admin.visit import Route, Visit
from consentkit.consent.consentid import is_consent_id
from consentkit.consent.receipts import make_receipt

_MOST_DIGITS: Final = 15


class ReceiptsView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``consent_receipts.html`` is given.

    Attributes:
        consent_id: that was asked for.
        error: what is wrong with it.
        rows: of a page; None where nothing was asked for yet.
        total: how many decisions there are under the id.
        after: number of the last one, where more follow; 0 = there are none.
        kept_days: how long a decision is kept after it has ended.
        has_fault: one of the rows does not hold.
    """

    consent_id: str = ""
    error: str = ""
    rows: tuple[DecisionRow, ...] | None = None
    total: int = 0
    after: int = 0
    kept_days: int
    has_fault: bool = False


async def get_receipts(visit: Visit) -> Answer:
    """Ask for an id."""
    view = ReceiptsView(kept_days=visit.office.settings.keep.proof)
    return Page(template="consent_receipts.html", view=view, entry=Entry(action="admin.receipts"))


async def post_receipts(visit: Visit) -> Answer:
    """Show the decisions under an id, oldest first."""
    consent_id, kept_days = visit.form.get("consent_id", "").strip(), visit.office.settings.keep.proof
    if not is_consent_id(consent_id):
        error = visit.say.gettext("This is no consent id: 22 letters, digits, - and _.")
        view = ReceiptsView(consent_id=consent_id[:64], error=error, kept_days=kept_days)
        return Page(template="consent_receipts.html", view=view, entry=Entry(action="admin.receipts"), status=400)
    after = _number(visit.form.get("after", ""))
    page = await visit.work(_find, visit, consent_id, after)
    rows = tuple(checked_row(visit.say, visit.office.registry, each) for each in page.rows)
    view = ReceiptsView(
        consent_id=consent_id,
        rows=rows,
        total=page.total,
        after=page.after,
        kept_days=kept_days,
        has_fault=any(row.tone == "bad" for row in rows),
    )
    detail = {"consent_id": consent_id, **({"after": after} if after else {})}
    entry = Entry(action="consent.show", detail=detail, rows=len(rows), look=visit.look)
    return Page(template="consent_receipts.html", view=view, entry=entry)


async def post_file(visit: Visit) -> Answer:
    """Hand out the visitor's signed receipt."""
    consent_id = visit.form.get("consent_id", "").strip()
    office = visit.office
    made = None
    if is_consent_id(consent_id):
        operator = office.settings.site.operator
        made = await visit.work(make_receipt, office.control, consent_id, operator=operator)
    if made is None:
        raise Refused(NOT_FOUND, visit.say.gettext("No decision is kept under this id."))
    detail = {"consent_id": consent_id, "receipt": True}
    return Download(
        file_name="receipt.json",
        content_type="application/json",
        content=made,
        entry=Entry(action="consent.show", detail=detail, rows=1, look=visit.look),
    )


def _find(visit: Visit, consent_id: str, after: int) -> DecisionPage:
    office = visit.office
    operator = office.settings.site.operator
    return decisions_of(office.control, office.keyring, consent_id, operator=operator, after=after)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 0


ROUTES: Final = (
    Route(path="/consent/receipts", action="consent.receipt", handler=get_receipts, needs_look=True),
    Route(
        path="/consent/receipts", action="consent.receipt", handler=post_receipts, method="POST", needs_look=True
    ),
    Route(
        path="/consent/receipts/file", action="consent.receipt", handler=post_file, method="POST", needs_look=True
    ),
)
