"""All that is known of one request, by the names that the command line and the exports use.

Owns the page. A link to it can be sent to a colleague: it holds nothing but the place of the row.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import msgspec

from consentkit.admin import looking, rowview
from consentkit.admin.answer import NOT_FOUND, Entry, Page, Refused
from consentkit.admin.masking import Mask
from consentkit.admin.searching import asked
from consentkit.admin.visit import Route, Visit
from consentkit.admin.writing import Writing
from consentkit.archive.exposure import page_detail
from consentkit.archive.search.typed import parse_cursor
from consentkit.errors import BadSearch

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AROUND: Final = timedelta(minutes=1)


class RowView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``search_row.html`` is given.

    Attributes:
        row: the request, masked.
        fields: of it that have a value, by their names.
        around: query string of what came a minute before and after.
        case: for which its addresses can be shown; empty = none was said.
        may_reveal: the entrant may show them.
    """

    row: rowview.Row
    fields: tuple[tuple[str, str], ...]
    around: str
    case: str
    may_reveal: bool


async def get_row(visit: Visit) -> Page:
    """Show one request."""
    say = visit.say
    try:
        place = parse_cursor("at", visit.query.get("at", ""))
    except BadSearch:
        raise Refused(400, say.gettext("This address is damaged. Begin the search anew.")) from None
    wanted = asked(visit, since="")
    found = await visit.work(looking.same_rows, visit.archive, wanted, place, place)
    if not found.rows:
        raise Refused(NOT_FOUND, say.gettext("There is no such request any more, or it may not be shown."))
    mask = Mask(visit.office.keyring, visit.entrant)
    (row,) = rowview.rows(found.rows, wanted, say=say, write=Writing(say), mask=mask, is_revealed=False)
    view = RowView(
        row=row,
        fields=rowview.fields(row.record, is_revealed=False),
        around=_around(place.time_us),
        case=visit.look.case if visit.look else "",
        may_reveal=visit.entrant.may("search.reveal"),
    )
    detail = {"filters": {"at": str(place)}, **page_detail(wanted.filters, found.rows)}
    entry = Entry(action="log.search", detail=detail, rows=1, look=visit.look)
    return Page(template="search_row.html", view=view, entry=entry)


def _around(time_us: int) -> str:
    at = _EPOCH + timedelta(microseconds=time_us)
    ends = {"since": at - _AROUND, "until": at + _AROUND}
    return urlencode({name: end.strftime("%Y-%m-%dT%H:%M:%SZ") for name, end in ends.items()})


ROUTES: Final = (Route(path="/search/row", action="search.run", handler=get_row, needs_look=True),)
