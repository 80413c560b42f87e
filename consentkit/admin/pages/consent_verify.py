"""The check of a receipt that somebody brings, against this site's own keys.

Owns the page. What makes a receipt hold is `consent.receipt`'s. Nothing of ours is shown: what stands on the page
is in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import signing
from consentkit.admin.answer import Answer, Entry, Page
from consentkit.admin.decisionrows import DecisionRow, stated_row, time_us
from consentkit.admin.upload import MAX_FILE_BYTES, file_bytes
from consentkit.admin.visit import Route, Visit
from consentkit.consent.receipt import BadReceipt, verify_receipt
from consentkit.web.spelling import spelled

if TYPE_CHECKING:
    from consentkit.consent.receipt import Receipt

# Each is in the file that he holds.
_MOST_STATEMENTS: Final = 50
_MOST_CHARACTERS: Final = 400


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``consent_verify.html`` is given.

    Attributes:
        is_checked: a file was sent.
        fault: why it does not hold, in English; empty = it holds.
        error: there was nothing to check.
        facts: about a receipt that holds: id, times, key.
        rows: its newest decisions, newest first; `more` others are in it.
        most_bytes: of a file.
    """

    is_checked: bool = False
    fault: str = ""
    error: str = ""
    consent_id: str = ""
    made_us: int = 0
    operator: str = ""
    host: str = ""
    key_id: str = ""
    left_out: int = 0
    rows: tuple[DecisionRow, ...] = ()
    more: int = 0
    most_bytes: int = MAX_FILE_BYTES


async def get_verify(visit: Visit) -> Answer:
    """Ask for a file."""
    return Page(template="consent_verify.html", view=CheckView(), entry=Entry(action="admin.receipts"))


async def post_verify(visit: Visit) -> Answer:
    """Check a receipt against this site's own keys."""
    file = file_bytes(visit.form.get("receipt", ""))
    if not file:
        view = CheckView(error=visit.say.gettext("Choose a file."))
        return Page(template="consent_verify.html", view=view, entry=Entry(action="admin.receipts"), status=400)
    view = await visit.work(_verify, visit, file)
    entry = Entry(action="consent.verify", detail={"good": not view.fault})
    return Page(template="consent_verify.html", view=view, entry=entry)


def _verify(visit: Visit, file: bytes) -> CheckView:
    office = visit.office
    with office.control.transaction() as connection:
        keys = signing.key_set(connection, office.keyring, office.settings.site.operator)
    try:
        receipt = verify_receipt(file, keys)
    except BadReceipt as exc:
        fault = spelled(str(exc), most=_MOST_CHARACTERS)
        return CheckView(is_checked=True, fault=f"{fault[:1].upper()}{fault[1:]}.")
    return _checked(visit, receipt)


def _checked(visit: Visit, receipt: Receipt) -> CheckView:
    office, record = visit.office, receipt.receipt
    statements = [each.statement for each in record.decisions][::-1]
    return CheckView(
        is_checked=True,
        consent_id=record.consent_id,
        made_us=time_us(record.made),
        operator=record.site.operator,
        host=record.site.host,
        key_id=receipt.signature.key_id,
        left_out=record.left_out,
        rows=tuple(stated_row(visit.say, office.registry, each) for each in statements[:_MOST_STATEMENTS]),
        more=max(len(statements) - _MOST_STATEMENTS, 0),
    )


ROUTES: Final = (
    Route(path="/consent/verify", action="consent.receipt", handler=get_verify),
    Route(path="/consent/verify", action="consent.receipt", handler=post_verify, method="POST", takes_file=True),
)
