"""Recipients and storage places in words (GDPR art. 13(1)(e) and (f), 15(1)(c), 44 to 49)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.admin import wording
from consentkit.admin.documents.layout import Document, Section, fact, own_text, place_text, span_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from consentkit.archive.register.places import StoragePlaces
    from consentkit.archive.register.recipients import RecipientAt
    from consentkit.web.texts import Catalogue


def recipients_title(say: Catalogue) -> str:
    """Return what the document on recipients is called."""
    return say.gettext("Recipients of personal data")


def storage_title(say: Catalogue) -> str:
    """Return what the document on places is called."""
    return say.gettext("Where personal data is kept")


def recipients_document(
    say: Catalogue, found: Sequence[RecipientAt], day: date, default_language: str
) -> Document:
    """Return who receives data on a day, who did before, and who will."""
    return Document(
        name="recipients",
        title=recipients_title(say),
        lead=say.gettext("GDPR art. 15(1)(c). As of {date}, by name.", date=day.isoformat()),
        sections=tuple(_recipient(say, one, number, default_language) for number, one in enumerate(found, 1))
        or (
            Section(id="nobody", title=say.gettext("Nobody"), lead=say.gettext("The settings name no recipient.")),
        ),
    )


def _recipient(say: Catalogue, one: RecipientAt, number: int, default_language: str) -> Section:
    states = {
        "present": say.pgettext("recipient", "Receives data on this day"),
        "past": say.pgettext("recipient", "Received data before"),
        "coming": say.pgettext("recipient", "Will receive data later"),
    }
    return Section(
        id=f"recipient-{number}",
        title=one.name,
        facts=(
            fact(say.gettext("State"), states[one.when]),
            fact(say.gettext("When"), span_text(say, one.since, one.until)),
            fact(say.gettext("Role"), own_text(say, one.role, default_language)),
            fact(say.gettext("Purpose"), own_text(say, one.purpose, default_language)),
            fact(say.gettext("Legal basis"), own_text(say, one.basis, default_language)),
            fact(say.gettext("Data"), own_text(say, one.data, default_language)),
            fact(say.gettext("Place"), place_text(say, one.place, default_language)),
            fact(say.gettext("Web address"), one.url),
        ),
    )


def storage_document(say: Catalogue, places: StoragePlaces, default_language: str) -> Document:
    """Return where data is."""
    kinds, on_server = _of_folder(say), _of_server(say)
    apart = {
        True: say.gettext("Data and keys lie on different devices."),
        False: say.gettext("Data and keys lie on the same device: a copy of the whole disk holds both."),
        None: say.gettext("Whether data and keys lie on different devices can't be told now."),
    }
    return Document(
        name="storage",
        title=storage_title(say),
        lead=say.gettext("The operator's own storage, and the states of all who receive data."),
        sections=(
            Section(
                id="own",
                title=say.gettext("Own storage"),
                facts=(
                    fact(say.gettext("State"), place_text(say, places.region, default_language)),
                    fact(say.gettext("Folder of the data"), places.directory),
                    fact(say.gettext("What lies in it, encrypted"), *(kinds[name] for name, _ in places.kinds)),
                    *(fact(server, *(on_server[name] for name in names)) for server, names in places.servers),
                    fact(say.gettext("Folder of the keys"), places.keys),
                    fact(say.gettext("Keys apart from the data"), apart[places.keys_apart]),
                ),
            ),
            Section(
                id="recipients",
                title=recipients_title(say),
                facts=tuple(
                    fact(one.name, place_text(say, one.place, default_language)) for one in places.recipients
                )
                or (fact(say.gettext("Nobody"), say.gettext("The settings name no recipient.")),),
            ),
            *_services(say, places, default_language),
        ),
    )


def _of_folder(say: Catalogue) -> dict[str, str]:
    """Return what each kind of data is in the embedded store."""
    return {
        "spool": say.gettext("requests on their way into the store: a key of each worker"),
        "requests": say.gettext("requests by period: a key of each period"),
        "incidents": say.gettext("rows held for incidents: a key of each incident"),
        "control": say.gettext("choices, audit, people and statistics: a key of the database"),
    }


def _of_server(say: Catalogue) -> dict[str, str]:
    """Return what each kind of data is on a database server."""
    return {
        "requests": say.gettext(
            "requests by period; addresses, web addresses, browsers and referrers are encrypted before they reach"
            " the server, times, sizes and status codes are not: a key of each period"
        ),
        "incidents": say.gettext("rows held for incidents, encrypted likewise: a key of each incident"),
        "control": say.gettext(
            "choices, audit, people and statistics: protected by the server's own means, which are the operator's"
        ),
    }


def _services(say: Catalogue, places: StoragePlaces, default_language: str) -> tuple[Section, ...]:
    if not places.services:
        return ()
    return (
        Section(
            id="services",
            title=say.gettext("Services that pages load"),
            lead=say.gettext("They get data from the visitor's browser; optional ones only after consent."),
            facts=tuple(
                fact(
                    f"{one.name} ({wording.category_name(say, one.category)})",
                    one.provider,
                    *(place_text(say, place, default_language) for place in one.places),
                )
                for one in places.services
            ),
        ),
    )
