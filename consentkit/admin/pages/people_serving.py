"""What is done for a person's request: shown first, then handed over or erased; and the recipients by name.

Owns that nothing is done before it is known who asks, and that only what was asked for is done. What is found,
written and erased is `archive.subject`'s and `archive.erasure`'s job.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin.answer import NOT_FOUND, Answer, Download, Entry, Page, Refused, SeeOther
from consentkit.admin.pages.people_request import MADE, number_in
from consentkit.admin.serving import erase_for, kept_proof, signed_certificate, write_answer
from consentkit.admin.subjects import Standing, fault_words, standing
from consentkit.admin.visit import Route, Visit
from consentkit.archive.subject.account import Named
from consentkit.archive.subject.certificate import identity
from consentkit.archive.subject.choices import Proof
from consentkit.archive.subject.looks import CopyMade, Seen, copies_of, looks_at, looks_at_choices
from consentkit.archive.subject.person import fingerprint
from consentkit.archive.subject.recipients import recipients_on
from consentkit.archive.subject.requests import SubjectRequest, UnfitRequest, find_request, today_utc
from consentkit.archive.subject.traces import Traces, find_traces

if TYPE_CHECKING:
    from consentkit.admin.office import Office
    from consentkit.archive.subject.person import Person

# What may be done for which kind of request.
_EXPORTED: Final = ("export",)
_ERASED: Final = ("erase", "object")

_MAX_COPIES: Final = 20


class PreviewView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``people_preview.html`` is given.

    Attributes:
        one: the request.
        traces: where the person's rows are; None = no address is known.
        proof: the person's choices; None = no consent id is known, or none is kept under it.
        looks: how often these data may have been looked at.
        copies: that were made before and may hold them, the last first.
        more_copies: older ones that are not shown.
        is_exported, is_erased: what was asked for.
        languages: to answer in; `language` is this page's.
    """

    one: Standing
    traces: Traces | None
    proof: Proof | None
    looks: int
    copies: tuple[CopyMade, ...]
    more_copies: int
    is_exported: bool
    is_erased: bool
    languages: tuple[str, ...]
    language: str


class RecipientsView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``people_recipients.html`` is given: the request, the day, and who was a recipient on it."""

    number: int
    day: str
    recipients: tuple[Named, ...]
    error: str = ""


async def get_preview(visit: Visit) -> Answer:
    """Show what would be handed over, or would go, in numbers alone."""
    request = await served(visit)
    view = await visit.work(_preview, visit, request)
    people = await visit.work(_identities, visit.office, request)
    detail = {"request": request.number, "persons": people}
    return Page(
        template="people_preview.html",
        view=view,
        entry=Entry(action="subject.planned", detail=detail, look=request.look),
    )


async def post_export(visit: Visit) -> Answer:
    """Hand over what is kept, as a signed file."""
    request = await served(visit, _EXPORTED)
    person = request.chooser if visit.form.get("what") == "choices" else request.visitor
    if person is None:
        raise Refused(409, visit.say.gettext("It is not known yet who asks."))
    language = visit.form.get("language", "")
    if language not in visit.office.settings.site.languages:
        language = visit.office.settings.site.languages[0]
    package = await visit.work(write_answer, visit.office, visit.entrant.actor, request, person, language)
    if package is None:
        raise Refused(NOT_FOUND, visit.say.gettext("Nothing is kept under this consent id."))
    return Download(
        file_name=f"request-{request.number}-{person.kind.replace('_', '-')}.zip",
        content_type="application/zip",
        content=package,
        entry=MADE,
    )


async def post_erase(visit: Visit) -> Answer:
    """Erase what was shown, and note the certificates."""
    request = await served(visit, _ERASED)
    if not _persons(request):
        raise Refused(409, visit.say.gettext("It is not known yet who asks."))
    released = frozenset(
        int(number)
        for name, value in visit.form.items()
        if value == "1" and name.startswith("incident-") and (number := name[9:18]).isdecimal()
    )
    await visit.work(erase_for, visit.office, visit.entrant.actor, request, released)
    return SeeOther(path=f"/people/{request.number}", notice="erased", entry=MADE)


async def get_certificate(visit: Visit) -> Answer:
    """Hand out a certificate of the request, signed."""
    request = await served(visit, must_be_open=False)
    number = visit.request.path_params["entry"]
    if not number or number not in (request.certificate, request.choices_certificate):
        raise Refused(NOT_FOUND, visit.say.gettext("There is no certificate of this number."))
    content = await visit.work(signed_certificate, visit.office, number)
    if content is None:
        raise Refused(NOT_FOUND, visit.say.gettext("There is no certificate of this number."))
    detail = {"request": request.number, "entry": number}
    return Download(
        file_name=f"erasure-{number}.json",
        content_type="application/json",
        content=content,
        entry=Entry(action="subject.certified", detail=detail, look=request.look),
    )


async def get_recipients(visit: Visit) -> Answer:
    """Show who was a recipient on a day."""
    request = await served(visit, must_be_open=False)
    say, asked = visit.say, visit.query.get("on", "")
    day = _day(asked) if asked else today_utc()
    languages = (say.language, *visit.office.settings.site.languages)
    view = RecipientsView(
        number=request.number,
        day=day.isoformat() if day else asked[:10],
        recipients=recipients_on(visit.office.settings, day, languages) if day else (),
        error="" if day else say.gettext("This is no date."),
    )
    entry = Entry(action="subject.recipients", detail={"request": request.number, "on": view.day})
    if visit.query.get("as") == "json" and day:
        content = msgspec.json.format(msgspec.json.encode({"on": view.day, "recipients": view.recipients}))
        name = f"recipients-{view.day}.json"
        return Download(file_name=name, content_type="application/json", content=content, entry=entry)
    return Page(template="people_recipients.html", view=view, entry=entry, status=200 if day else 400)


async def served(visit: Visit, kinds: tuple[str, ...] = (), *, must_be_open: bool = True) -> SubjectRequest:
    """Return the request that the address names.

    Raises:
        Refused: there is none, it is closed, or something else was asked for.
    """
    try:
        request = await visit.work(find_request, visit.office.control, number_in(visit))
    except UnfitRequest as exc:
        raise Refused(NOT_FOUND, fault_words(visit.say, exc)) from exc
    if must_be_open and request.state != "open":
        raise Refused(409, visit.say.gettext("This request is closed."))
    if kinds and request.kind not in kinds:
        raise Refused(409, visit.say.gettext("Something else was asked for. Enter a request of its own."))
    return request


def _persons(request: SubjectRequest) -> list[Person]:
    return [person for person in (request.visitor, request.chooser) if person is not None]


def _identities(office: Office, request: SubjectRequest) -> list[dict[str, object]]:
    return [identity(office.keyring, person) for person in _persons(request)]


def _preview(visit: Visit, request: SubjectRequest) -> PreviewView:
    office, visitor = visit.office, request.visitor
    traces = find_traces(office.holdings, visitor, office.settings.requestlog) if visitor else None
    copies = copies_of(office.control, visitor)[::-1] if visitor else []
    return PreviewView(
        one=standing(visit.say, request, today_utc()),
        traces=traces,
        proof=kept_proof(office, request),
        looks=_looks(office, request, traces),
        copies=tuple(copies[:_MAX_COPIES]),
        more_copies=max(len(copies) - _MAX_COPIES, 0),
        is_exported=request.kind in _EXPORTED,
        is_erased=request.kind in _ERASED,
        languages=office.settings.site.languages,
        language=visit.say.language,
    )


def _looks(office: Office, request: SubjectRequest, traces: Traces | None) -> int:
    """Return how many looks there were that the answer will list."""
    count, visitor, chooser = 0, request.visitor, request.chooser
    last = 2**62
    if visitor is not None and traces is not None and traces.rows:
        oldest = min((trace.period.since_us for trace in traces.periods), default=visitor.since_us)
        seen = Seen(
            oldest_us=max(oldest, visitor.since_us),
            subject=fingerprint(office.keyring, visitor),
            incidents=frozenset(trace.incident.number for trace in traces.incidents),
        )
        count += len(looks_at(office.control, visitor, seen, before=last))
    if chooser is not None:
        count += len(looks_at_choices(office.control, chooser, before=last))
    return count


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


ROUTES: Final = (
    Route(path="/people/{number:int}/preview", action="people.view", handler=get_preview),
    Route(path="/people/{number:int}/export", method="POST", action="people.export", handler=post_export),
    Route(
        path="/people/{number:int}/erase",
        method="POST",
        action="people.erase",
        handler=post_erase,
        needs_confirmation=True,
    ),
    Route(path="/people/{number:int}/certificates/{entry:int}", action="people.view", handler=get_certificate),
    Route(path="/people/{number:int}/recipients", action="people.view", handler=get_recipients),
)
