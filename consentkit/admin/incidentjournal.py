"""The journal of an incident as its page shows it: what was done, and who has looked.

Owns the words. Which entries of the audit belong to it is the archive's.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import wording
from consentkit.archive.incident.journal import journal

if TYPE_CHECKING:
    from consentkit.admin.office import Office
    from consentkit.archive.incident.listing import Incident
    from consentkit.audit import AuditEntry
    from consentkit.web.texts import Catalogue

MAX_ENTRIES: Final = 200

_NOTE: Final = "incident.note"
# Each page of a copy is an entry of its own; the copy's first and last say it all.
_PAGES: Final = ".page"
# What only looks, in a journal of deeds.
_LOOKS: Final = ("incident.show", "incident.reveal", "incident.count")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One entry.

    Attributes:
        number: in the audit.
        time_us: microseconds since 1970 UTC.
        actor: who.
        what: in words.
        purpose: what it is called; empty where none was needed.
        text: the note, or the reason.
        is_note: somebody wrote it down in so many words.
        rows: of how many people's requests; 0 = none were shown or copied.
    """

    number: int
    time_us: int
    actor: str
    what: str
    purpose: str
    text: str
    is_note: bool
    rows: int


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """Deeds and looks, newest first, and how many older ones of each are not shown."""

    deeds: tuple[Item, ...]
    looks: tuple[Item, ...]
    more_deeds: int
    more_looks: int


def journal_of(say: Catalogue, office: Office, incident: Incident) -> Journal:
    """Return the journal.

    Raises:
        StorageError: the audit can't be read.
    """
    told = [entry for entry in reversed(journal(office.control, incident)) if not entry.action.endswith(_PAGES)]
    looks = [entry for entry in told if _is_look(entry)]
    deeds = [entry for entry in told if not _is_look(entry)]
    return Journal(
        deeds=tuple(_item(say, entry) for entry in islice(deeds, MAX_ENTRIES)),
        looks=tuple(_item(say, entry) for entry in islice(looks, MAX_ENTRIES)),
        more_deeds=max(len(deeds) - MAX_ENTRIES, 0),
        more_looks=max(len(looks) - MAX_ENTRIES, 0),
    )


def _is_look(entry: AuditEntry) -> bool:
    return entry.action in _LOOKS or not entry.action.startswith(("incident.", "copy."))


def _item(say: Catalogue, entry: AuditEntry) -> Item:
    return Item(
        number=entry.number,
        time_us=entry.time_us,
        actor=entry.actor,
        what=_what(say, entry.action),
        purpose=wording.purpose_name(say, entry.purpose) if entry.purpose else "",
        text=entry.reason,
        is_note=entry.action == _NOTE,
        rows=entry.rows,
    )


def _what(say: Catalogue, action: str) -> str:
    """Return what an action of the audit is called in a journal; one that is not known keeps its own name."""
    names = {
        "incident.opening": say.pgettext("journal", "Began to copy"),
        "incident.opening_failed": say.pgettext("journal", "Copying broke off"),
        "incident.opened": say.pgettext("journal", "Opened"),
        _NOTE: say.pgettext("journal", "Note"),
        "incident.reviewed": say.pgettext("journal", "Reviewed"),
        "incident.export": say.pgettext("journal", "Began a bundle"),
        "incident.export.download": say.pgettext("journal", "Downloaded the bundle"),
        "copy.made": say.pgettext("journal", "Made a copy"),
        "incident.closing": say.pgettext("journal", "Began to close"),
        "incident.closed": say.pgettext("journal", "Closed, rows destroyed"),
        "incident.erased": say.pgettext("journal", "Erased a person's rows"),
        "incident.rewritten": say.pgettext("journal", "Written anew"),
        "incident.taken_back": say.pgettext("journal", "Taken back from a backup"),
        "incident.generation_destroyed": say.pgettext("journal", "Destroyed the file before"),
        "incident.show": say.pgettext("journal", "Looked"),
        "incident.reveal": say.pgettext("journal", "Showed addresses"),
        "incident.count": say.pgettext("journal", "Counted"),
        "log.search": say.pgettext("journal", "Searched the log"),
        "log.reveal": say.pgettext("journal", "Showed addresses of the log"),
    }
    return names.get(action, action)
