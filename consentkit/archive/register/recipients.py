"""Who receives personal data, as of any day, and where: from the settings in force.

Source: GDPR art. 13(1)(e) and (f), 15(1)(c); CJEU C-154/21: by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Literal

import msgspec

from consentkit.settings import EEA

if TYPE_CHECKING:
    from consentkit.settings import Recipient, Settings, Text


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A state in which data is.

    Attributes:
        country: ISO 3166 code.
        is_in_eea: of the EU, Iceland, Liechtenstein or Norway.
        safeguard: for one outside, by language; in one language alone under an empty tag.
    """

    country: str
    is_in_eea: bool
    safeguard: dict[str, str]


class RecipientAt(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient as of a day; its texts by language, as in `Place`.

    Attributes:
        since, until: first and last day; None = not said.
        when: whether it receives on that day, did before, or will.
    """

    name: str
    role: dict[str, str]
    purpose: dict[str, str]
    basis: dict[str, str]
    data: dict[str, str]
    url: str
    place: Place
    since: date | None
    until: date | None
    when: Literal["present", "past", "coming"]


def recipients_as_of(settings: Settings, day: date) -> tuple[RecipientAt, ...]:
    """Return every recipient, those of the day first, then the past, then the coming ones."""
    order = ("present", "past", "coming")
    return tuple(sorted((_at(one, day) for one in settings.recipients), key=lambda found: order.index(found.when)))


def place_of(country: str, safeguard: Text = "") -> Place:
    """Return a state as a place of data."""
    return Place(country=country, is_in_eea=country in EEA, safeguard=by_language(safeguard))


def by_language(text: Text) -> dict[str, str]:
    """Return one of the settings' texts by language; nothing where there is none."""
    if isinstance(text, Mapping):
        return dict(text)
    return {"": text} if text else {}


def _at(one: Recipient, day: date) -> RecipientAt:
    is_past = one.until is not None and one.until < day
    is_coming = one.since is not None and one.since > day
    return RecipientAt(
        name=one.name,
        role=by_language(one.role),
        purpose=by_language(one.purpose),
        basis=by_language(one.basis),
        data=by_language(one.data),
        url=one.url,
        place=place_of(one.country, one.transfer),
        since=one.since,
        until=one.until,
        when="past" if is_past else "coming" if is_coming else "present",
    )
