"""The shape of a document, and the words that several share: places, days, texts of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.consent.declared import text_for
from consentkit.web.territories import territory_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from consentkit.archive.register.recipients import Place
    from consentkit.web.texts import Catalogue


class Fact(msgspec.Struct, frozen=True):
    """A question, and its answer in one line or several."""

    name: str
    lines: tuple[str, ...]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a document.

    Attributes:
        id: for links to it.
        title: its heading.
        lead: above its facts; may be empty.
        facts: questions and answers.
        lines: a plain list below them.
        tone: ``bad`` for what is not as it should be; else empty.
    """

    id: str
    title: str
    lead: str = ""
    facts: tuple[Fact, ...] = ()
    lines: tuple[str, ...] = ()
    tone: str = ""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One document.

    Attributes:
        name: in its address and its file's name.
        title, lead: what it is, and by which article.
        sections: its parts.
    """

    name: str
    title: str
    lead: str
    sections: tuple[Section, ...]


def fact(name: str, *lines: str) -> Fact:
    """Return a fact; a dash where there is no line."""
    return Fact(name, tuple(line for line in lines if line) or ("–",))


def place_text(say: Catalogue, place: Place, default_language: str) -> str:
    """Return a state in words, outside the EEA with the safeguard (GDPR art. 13(1)(f))."""
    if not place.country:
        return not_given(say)
    country = territory_name(place.country, say.language)
    if place.is_in_eea:
        return say.gettext("{country} (European Economic Area)", country=country)
    safeguard = own_text(say, place.safeguard, default_language)
    if not safeguard:
        return say.gettext("{country}, outside the European Economic Area", country=country)
    return say.gettext(
        "{country}, outside the European Economic Area. Safeguard: {safeguard}",
        country=country,
        safeguard=safeguard,
    )


def own_text(say: Catalogue, texts: Mapping[str, str], default_language: str) -> str:
    """Return one of the settings' texts in the reader's language, or in the nearest that it has."""
    return text_for(texts, say.language, default_language)


def span_text(say: Catalogue, since: date | None, until: date | None) -> str:
    """Return from when until when, as far as it is said."""
    if since and until:
        return say.gettext("from {since} to {until}", since=since.isoformat(), until=until.isoformat())
    if since:
        return say.gettext("since {date}", date=since.isoformat())
    if until:
        return say.gettext("until {date}", date=until.isoformat())
    return say.gettext("the settings say no dates")


def not_given(say: Catalogue) -> str:
    """Return what stands in place of a fact that the settings don't have."""
    return say.gettext("not given in the settings")
