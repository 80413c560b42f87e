"""Who asks, as an officer types it.

Owns the form's fields and their meaning; address and consent id are checked by `archive.subject.person`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from consentkit.archive.subject.person import Person
from consentkit.archive.subject.register import MAX_TEXT, Identified
from consentkit.errors import BadSearch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consentkit.archive.subject.requests import SubjectRequest
    from consentkit.web.texts import Catalogue

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)
_DAY_CHARACTERS: Final = len("2026-11-01")


def instant_us(field: str, text: str, *, is_end: bool = False) -> int:
    """Return an instant as it was typed, microseconds since 1970; a day alone is its beginning, or its end.

    Raises:
        BadSearch: it is none.
    """
    text = text.strip()
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as exc:
        raise BadSearch(field, "is no date") from exc
    whole_day = timedelta(days=1 if is_end and len(text) <= _DAY_CHARACTERS else 0)
    try:
        utc = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)) + whole_day
    except OverflowError as exc:
        raise BadSearch(field, "is no date") from exc
    return max((utc - _EPOCH) // _US, 0)


def by_hand(form: Mapping[str, str]) -> Identified:
    """Return who asks.

    Raises:
        BadSearch: names the field that is wrong.
    """
    address, consent_id = form.get("address", "").strip(), form.get("consent_id", "").strip()
    visitor = None
    if address:
        since_us = instant_us("since", form.get("since", ""))
        until_us = instant_us("until", form.get("until", ""), is_end=True)
        agent = form.get("agent", "").strip()[:MAX_TEXT]
        visitor = Person.at(address, since_us, until_us, agent=agent)
    chooser = Person.of_consent(consent_id) if consent_id else None
    return Identified(visitor=visitor, chooser=chooser, by="hand", reason=form.get("reason", ""))


def bad_person(say: Catalogue, field: str) -> str:
    """Return what is wrong with a field."""
    return {
        "address": say.gettext("This is not one address; 192.0.2.7 or 2001:db8::7 is one."),
        "consent_id": say.gettext("This is no consent id: 22 letters, digits, - and _."),
        "until": say.gettext("This is no date, or not later than the first."),
    }.get(field, say.gettext("This is no date."))


def known(request: SubjectRequest) -> dict[str, str]:
    """Return what the forms begin with: who asks, as far as it is known."""
    times = {}
    if request.address:
        since, until = (_EPOCH + timedelta(microseconds=us) for us in (request.since_us, request.until_us))
        times = {"since": f"{since:%Y-%m-%dT%H:%M}", "until": f"{until:%Y-%m-%dT%H:%M}"}
    who = {"address": request.address, "agent": request.agent, "consent_id": request.consent_id}
    return {**who, **times}
