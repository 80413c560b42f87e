"""What the notice's template sees, and what its words are made from: small frozen values, no markup."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING

import msgspec

from consentkit.consent.declared import text_for
from consentkit.consent.names import CookieNames
from consentkit.consent.registry import Registry
from consentkit.settings import Settings
from consentkit.settings.values import EEA
from consentkit.web.territories import territory_name
from consentkit.web.texts import Catalogue

if TYPE_CHECKING:
    from consentkit.settings.values import Text


class Line(msgspec.Struct, frozen=True):
    """A sentence, with a link in it where there is one.

    Attributes:
        before: the words, up to the link.
        label: of the link, or of what could be one; empty = none.
        url: where it leads; empty = nowhere.
        after: the words behind it.
    """

    before: str
    label: str = ""
    url: str = ""
    after: str = ""


class Item(msgspec.Struct, frozen=True):
    """One question about a processing, and its answer: one line, or a list."""

    name: str
    lines: tuple[Line, ...]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the notice.

    Attributes:
        id: for links to it.
        title: its heading.
        lead: what for.
        basis: on what legal basis; empty where it is no processing.
        items: questions and answers.
        lines: what is said below.
    """

    id: str
    title: str
    lead: tuple[Line, ...] = ()
    basis: str = ""
    items: tuple[Item, ...] = ()
    lines: tuple[Line, ...] = ()


class RecipientView(msgspec.Struct, frozen=True, kw_only=True):
    """One who receives data, in words.

    Attributes:
        when: from when until when; empty where the settings don't say.
        is_past: no longer receives any.
    """

    name: str
    url: str
    role: str
    purpose: str
    basis: str
    data: str
    country: str
    when: str
    is_past: bool


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of a site when a page is asked for.

    Attributes:
        settings: in force.
        registry: what is declared.
        names: of consentkit's own cookies.
        has_secret: the operator gave a secret, so that the disk alone opens nothing.
        is_secure: the page came over https.
        say: the language.
        default_language: the site's first.
        now: UTC.
        mount: path of our pages, root path included.
    """

    settings: Settings
    registry: Registry
    names: CookieNames
    has_secret: bool
    is_secure: bool
    say: Catalogue
    default_language: str
    now: datetime
    mount: str

    @property
    def today(self) -> date:
        """The day in UTC."""
        return self.now.date()

    @property
    def asks(self) -> bool:
        """Whether visitors are asked for anything."""
        return bool(self.registry.categories) and not self.settings.consent.deny_only

    def text(self, text: Text) -> str:
        """Return one of the settings' texts in the page's language, or in the nearest that it has."""
        if isinstance(text, Mapping):
            return text_for(text, self.say.language, self.default_language)
        return text

    def page(self, name: str) -> str:
        """Return the address of another of our pages, in the same language."""
        return f"{self.mount}/{name}?lang={self.say.language}"

    def place(self, country: str, safeguard: str = "") -> str:
        """Return where data lies, in words; outside the EEA with the safeguard (GDPR art. 13(1)(f))."""
        name = territory_name(country, self.say.language)
        if country in EEA:
            return self.say.gettext("{country} (European Economic Area)", country=name)
        if safeguard:
            return self.say.gettext(
                "{country}, outside the European Economic Area. Safeguard: {safeguard}",
                country=name,
                safeguard=safeguard,
            )
        return self.say.gettext("{country}, outside the European Economic Area", country=name)


def plain(*sentences: str) -> tuple[Line, ...]:
    """Return sentences as lines; empty ones are left out."""
    return tuple(Line(sentence) for sentence in sentences if sentence)


def linked(sentence: str, label: str, url: str) -> Line:
    """Return a sentence in which one phrase is a link; without an address the phrase stays as it is."""
    before, found, after = sentence.partition(label)
    return Line(before, label, url, after) if found and label else Line(sentence)


def address_of(contact: str) -> str:
    """Return the address behind a contact: of a mailbox or a page; empty for any other text."""
    if contact.startswith(("https://", "http://")) and " " not in contact:
        return contact
    local, at, domain = contact.partition("@")
    is_mailbox = bool(local and at and "." in domain) and not set(contact) & set(" ,;:/?&<>\"'()[]\\%#@") - {"@"}
    return f"mailto:{contact}" if is_mailbox and contact.count("@") == 1 else ""
