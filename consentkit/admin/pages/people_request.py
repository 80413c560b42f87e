"""One request of a person, with the steps of its answer.

Owns finding out who asks, more time, and closing. What it leads to is `people_serving`'s and
`people_restriction`'s matter; what is written, and its entries in the audit, `archive.subject`'s.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin.answer import NOT_FOUND, Answer, Entry, Page, Refused, SeeOther, Written
from consentkit.admin.subjectform import bad_person, by_hand, known
from consentkit.admin.subjectjournal import History, history
from consentkit.admin.subjects import Standing, fault_words, standing, state_name
from consentkit.admin.visit import Route, Visit
from consentkit.archive.restrictions import Restriction, of_request
from consentkit.archive.subject import links, register
from consentkit.archive.subject.requests import ENDINGS, UnfitRequest, find_request, today_utc
from consentkit.errors import BadSearch

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_NUMBER: Final = 2**53

# The steps make their entries themselves.
MADE: Final = Written(0)


class RequestView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``people_request.html`` is given.

    Attributes:
        one: the request.
        link_until_us: until when a link works that was made; 0 = there is none.
        restrictions: that were made for it, lifted ones too.
        endings: to choose from, each with its name and nothing more.
        history: what was done for it.
        may_audit: the entrant may see the whole audit.
        given, errors: of a form that could not be taken, by field.
    """

    one: Standing
    link_until_us: int
    restrictions: tuple[Restriction, ...]
    endings: tuple[tuple[str, str, str], ...]
    history: History
    may_audit: bool
    given: Mapping[str, str] = {}
    errors: Mapping[str, str] = {}


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``people_link.html`` is given: a link that is shown this once."""

    number: int
    url: str
    valid_days: int


async def get_request(visit: Visit) -> Answer:
    """Show one request with its steps."""
    return await request_page(visit)


async def post_link(visit: Visit) -> Answer:
    """Make a link and show it, this once."""
    number = number_in(visit)
    now_us = time.time_ns() // 1000
    token = await step(visit, links.make_link, visit.office.control, visit.entrant.actor, number, now_us=now_us)
    url = visit.request.url
    root = visit.request.scope["root_path"].removesuffix("/admin")
    view = LinkView(
        number=number, url=f"{url.scheme}://{url.netloc}{root}/me/{token}", valid_days=links.VALID_DAYS
    )
    return Page(template="people_link.html", view=view, entry=MADE)


async def post_identify(visit: Visit) -> Answer:
    """Say by hand who asks, and why that is believed."""
    try:
        who = by_hand(visit.form)
        await visit.work(
            register.identify,
            visit.office.control,
            visit.office.keyring,
            visit.entrant.actor,
            number_in(visit),
            who,
        )
    except BadSearch as exc:
        field = exc.name.removeprefix("--").replace("-", "_")
        return await request_page(visit, {field: bad_person(visit.say, field)})
    except UnfitRequest as exc:
        return await refused(visit, exc)
    return SeeOther(path=f"/people/{number_in(visit)}", notice="saved", entry=MADE)


async def post_extend(visit: Visit) -> Answer:
    """Take two months more."""
    reason = visit.form.get("extension", "")
    arguments = (visit.office.control, visit.entrant.actor, number_in(visit), reason)
    try:
        await visit.work(register.extend, *arguments, today=today_utc())
    except UnfitRequest as exc:
        return await refused(visit, exc)
    return SeeOther(path=f"/people/{number_in(visit)}", notice="saved", entry=MADE)


async def post_close(visit: Visit) -> Answer:
    """Close a request with its decision."""
    ending = next((each for each in ENDINGS if each == visit.form.get("ending")), None)
    if ending is None:
        return await request_page(visit, {"ending": visit.say.gettext("Choose one of them.")})
    arguments = (visit.office.control, visit.entrant.actor, number_in(visit), ending)
    try:
        await visit.work(register.close, *arguments, visit.form.get("decision", ""))
    except UnfitRequest as exc:
        return await refused(visit, exc)
    return SeeOther(path=f"/people/{number_in(visit)}", notice="request-closed", entry=MADE)


async def request_page(visit: Visit, errors: Mapping[str, str] | None = None) -> Page:
    """Return the page of the request that the address names, with what is wrong with a form of it.

    Raises:
        Refused: there is none.
    """
    try:
        view = await visit.work(_request, visit, errors or {})
    except UnfitRequest as exc:
        raise Refused(NOT_FOUND, fault_words(visit.say, exc)) from exc
    request = view.one.request
    entry = Entry(action="admin.people.request", detail={"request": request.number}, look=request.look)
    return Page(template="people_request.html", view=view, entry=entry, status=400 if errors else 200)


async def refused(visit: Visit, fault: UnfitRequest) -> Page:
    """Return the page again, with what does not fit beside its field.

    Raises:
        Refused: there is no such request, or it is closed.
    """
    if fault.fault in ("unknown", "closed"):
        raise Refused(NOT_FOUND if fault.fault == "unknown" else 409, fault_words(visit.say, fault)) from fault
    return await request_page(visit, {fault.field: fault_words(visit.say, fault)})


async def step(visit: Visit, function: Callable[..., str], *arguments: object, **named: object) -> str:
    """Do a step that only fails where there is no request that is open.

    Raises:
        Refused: so it is.
    """
    try:
        return await visit.work(lambda: function(*arguments, **named))
    except UnfitRequest as exc:
        raise Refused(NOT_FOUND if exc.fault == "unknown" else 409, fault_words(visit.say, exc)) from exc


def number_in(visit: Visit) -> int:
    """Return the number of the request that the address names; 0 = it can be none."""
    number: int = visit.request.path_params["number"]
    return number if number < _MAX_NUMBER else 0


def _request(visit: Visit, errors: Mapping[str, str]) -> RequestView:
    control, say = visit.office.control, visit.say
    request = find_request(control, number_in(visit))
    return RequestView(
        one=standing(say, request, today_utc()),
        link_until_us=_working(links.link_expires_us(control, request.number)),
        restrictions=tuple(of_request(control, request.number)),
        endings=tuple((each, state_name(say, each), "") for each in ENDINGS),
        history=history(say, control, request),
        may_audit=visit.entrant.may("audit.view"),
        given=dict(visit.form) if errors else known(request),
        errors=errors,
    )


def _working(expires_us: int) -> int:
    return expires_us if expires_us > time.time_ns() // 1000 else 0


ROUTES: Final = (
    Route(path="/people/{number:int}", action="people.view", handler=get_request),
    Route(path="/people/{number:int}/link", method="POST", action="people.decide", handler=post_link),
    Route(path="/people/{number:int}/identify", method="POST", action="people.decide", handler=post_identify),
    Route(path="/people/{number:int}/extend", method="POST", action="people.decide", handler=post_extend),
    Route(path="/people/{number:int}/close", method="POST", action="people.decide", handler=post_close),
)
