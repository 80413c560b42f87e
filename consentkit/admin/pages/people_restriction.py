"""Restricting what is kept of a person for a request, and lifting it.

Owns the form. Which rows are left out where, is the archive's job. Source: GDPR art. 18.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from consentkit.admin.answer import Answer, SeeOther
from consentkit.admin.pages.people_request import MADE, number_in, refused, request_page
from consentkit.admin.pages.people_serving import served
from consentkit.admin.subjectform import instant_us
from consentkit.admin.visit import Route, Visit
from consentkit.archive.restrictions import of_request
from consentkit.archive.subject.requests import UnfitRequest, today_utc
from consentkit.archive.subject.restriction import Restricted, lift, restrict
from consentkit.errors import BadSearch

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_AGENT: Final = 2000


async def post_restrict(visit: Visit) -> Answer:
    """Put rows under restriction."""
    await served(visit, ("restrict", "object"))
    say = visit.say
    try:
        rows = _rows(visit.form)
        arguments = (visit.office.control, visit.entrant.actor, number_in(visit), rows)
        await visit.work(restrict, *arguments, today=today_utc())
    except BadSearch as exc:
        words = {
            "network": say.gettext("This is no address and no network; 192.0.2.7 or 192.0.2.0/24 is one."),
            "restrict_until": say.gettext("This is no date, or not later than the first."),
            "until": say.gettext("This is no date, or not later than the first."),
        }
        field = "restrict_until" if exc.name == "until" else exc.name
        return await request_page(visit, {field: words.get(exc.name, say.gettext("This is no date."))})
    except UnfitRequest as exc:
        return await refused(visit, exc)
    return SeeOther(path=f"/people/{number_in(visit)}", notice="restricted", entry=MADE)


async def post_lift(visit: Visit) -> Answer:
    """Lift a restriction of the request; the person has been told."""
    await served(visit, must_be_open=False)
    number = visit.request.path_params["restriction"]
    try:
        own = await visit.work(of_request, visit.office.control, number_in(visit))
        if number not in [each.number for each in own]:
            raise UnfitRequest("restriction", "unknown")
        await visit.work(lift, visit.office.control, visit.entrant.actor, number, visit.form.get("lifting", ""))
    except UnfitRequest as exc:
        return await refused(visit, exc)
    return SeeOther(path=f"/people/{number_in(visit)}", notice="lifted", entry=MADE)


def _rows(form: Mapping[str, str]) -> Restricted:
    return Restricted(
        network=form.get("network", ""),
        since_us=instant_us("restrict_since", form.get("restrict_since", "")),
        until_us=instant_us("restrict_until", form.get("restrict_until", ""), is_end=True),
        agent=form.get("restrict_agent", "").strip()[:_MAX_AGENT],
        reason=form.get("restriction", ""),
        last_day=_last_day(form.get("last_day", "")),
    )


def _last_day(text: str) -> str:
    if not text:
        return ""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as exc:
        raise BadSearch("last_day", "is no date") from exc


ROUTES: Final = (
    Route(path="/people/{number:int}/restrict", method="POST", action="people.decide", handler=post_restrict),
    Route(
        path="/people/{number:int}/restrictions/{restriction:int}/lift",
        method="POST",
        action="people.decide",
        handler=post_lift,
    ),
)
