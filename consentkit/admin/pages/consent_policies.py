"""The policies there were and the texts that visitors read, as they stood.

Owns the pages and the words for what changed. They are read by `policies`; nothing here is about a person.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import consentwords, policies
from consentkit.admin.answer import NOT_FOUND, Answer, Entry, Page, Refused
from consentkit.admin.policies import KeptText, Revision, TextRow
from consentkit.admin.visit import Route, Visit
from consentkit.consent.canonical import Holdings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consentkit.consent.news import Addition
    from consentkit.consent.registry import Registry
    from consentkit.web.texts import Catalogue

_MOST_DIGITS: Final = 9


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What changed in one category, or one service that is allowed by itself: its name, and the items in words."""

    place: str
    items: tuple[str, ...]


class RevisionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One policy, in words; times are microseconds since 1970 UTC.

    Attributes:
        revision: as it was read.
        added, removed: what changed from the one before.
        renewed: for what visitors are asked again, as one phrase; empty = for nothing.
        held: what it holds, by the name of category or service; None where it can't be read.
    """

    revision: Revision
    added: tuple[Changes, ...]
    removed: tuple[Changes, ...]
    renewed: str
    held: tuple[tuple[str, Holdings], ...] | None


class PoliciesView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``consent_policies.html`` is given; `before` is the number that older ones stand before, 0 = none."""

    rows: tuple[RevisionRow, ...]
    before: int
    is_first: bool


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``consent_policy.html`` is given."""

    row: RevisionRow


class TextsView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``consent_texts.html`` is given; `before` names the text that older ones stand before, empty = none."""

    rows: tuple[TextRow, ...]
    before: str
    is_first: bool


class TextView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``consent_text.html`` is given."""

    kept: KeptText


async def get_policies(visit: Visit) -> Answer:
    """Show the policies, newest first."""
    before = _number(visit.query.get("before", ""))
    found = await visit.work(policies.revisions, visit.office.control, before=before)
    rows = tuple(_row(visit.say, visit.office.registry, each) for each in found.rows)
    view = PoliciesView(rows=rows, before=found.before, is_first=not before)
    return Page(template="consent_policies.html", view=view, entry=Entry(action="admin.policies"))


async def get_policy(visit: Visit) -> Answer:
    """Show one policy."""
    number: int = visit.request.path_params["number"]
    found = (
        await visit.work(policies.revision, visit.office.control, number) if number < 10**_MOST_DIGITS else None
    )
    if found is None:
        raise Refused(NOT_FOUND, visit.say.gettext("There is no policy of this number."))
    view = PolicyView(row=_row(visit.say, visit.office.registry, found))
    entry = Entry(action="admin.policies", detail={"revision": number})
    return Page(template="consent_policy.html", view=view, entry=entry)


async def get_texts(visit: Visit) -> Answer:
    """Show which texts there were, newest first."""
    before = visit.query.get("before", "")
    known = before if policies.HASH.fullmatch(before) else ""
    found = await visit.work(policies.texts, visit.office.control, before=known)
    view = TextsView(rows=found.rows, before=found.before, is_first=not known)
    return Page(template="consent_texts.html", view=view, entry=Entry(action="admin.texts"))


async def get_text(visit: Visit) -> Answer:
    """Show one text as it stood."""
    name: str = visit.request.path_params["hash"]
    found = await visit.work(policies.text, visit.office.control, name)
    if found is None:
        raise Refused(
            NOT_FOUND,
            visit.say.gettext("No text has this hash. A text goes with the last decision under it."),
        )
    entry = Entry(action="admin.texts", detail={"hash": found.hash})
    return Page(template="consent_text.html", view=TextView(kept=found), entry=entry)


def _row(say: Catalogue, registry: Registry, revision: Revision) -> RevisionRow:
    held = None
    if revision.held is not None:
        held = tuple((consentwords.place_name(say, registry, name), each) for name, each in revision.held.items())
    return RevisionRow(
        revision=revision,
        added=_changes(say, registry, revision.added),
        removed=_changes(say, registry, revision.removed),
        renewed=consentwords.place_names(say, registry, revision.renewed),
        held=held,
    )


def _changes(say: Catalogue, registry: Registry, found: Iterable[Addition]) -> tuple[Changes, ...]:
    by_place: dict[str, list[str]] = defaultdict(list)
    for change in found:
        by_place[change.where].append(consentwords.addition(say, change))
    return tuple(
        Changes(place=consentwords.place_name(say, registry, where), items=tuple(items))
        for where, items in by_place.items()
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 0


ROUTES: Final = (
    Route(path="/consent/policies", action="consent.view", handler=get_policies),
    Route(path="/consent/policies/{number:int}", action="consent.view", handler=get_policy),
    Route(path="/consent/policies/texts", action="consent.view", handler=get_texts),
    Route(path="/consent/policies/texts/{hash}", action="consent.view", handler=get_text),
)
