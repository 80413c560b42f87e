"""The page of a person's bundle that people read: one HTML file that needs nothing else.

Owns its view; the words and the look are the template's, and the site may put one of its own in its place.
Everything in it is escaped: what browsers send stands in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.store.interface import FoundRequest, iso_time
from consentkit.archive.subject.account import Account
from consentkit.archive.subject.choices import Policy, Proof
from consentkit.archive.subject.looks import CopyMade
from consentkit.archive.subject.wording import categories, method_words, purposes_of_looks
from consentkit.web.templates import Templates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consentkit.consent.decision import Decision
    from consentkit.web.texts import Catalogue

TEMPLATE: Final = "subject.html"


class ChoiceShown(msgspec.Struct, frozen=True, kw_only=True):
    """One choice as the page shows it.

    Attributes:
        time: UTC, to the minute.
        allowed, refused: categories in words; empty = none.
        where: how it was given, in words.
        language: in which the banner spoke.
        policy: revision under which it was given.
    """

    time: str
    allowed: str
    refused: str
    where: str
    language: str
    policy: int


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows.

    Attributes:
        made: time in UTC, to the minute.
        account: who, why, how long, for whom.
        rows: her requests, or choices.
        days: requests by day, newest first.
        shown: the newest requests.
        proof: choices; None where it is about requests.
        policies: that the choices were made under.
        looks: how often by (date, purpose, how), oldest first.
        copies: registered copies that may hold the rows.
    """

    made: str
    account: Account
    rows: int
    days: tuple[tuple[str, int], ...]
    shown: tuple[FoundRequest, ...]
    proof: Proof | None
    policies: tuple[Policy, ...]
    looks: tuple[tuple[tuple[str, str, str], int], ...]
    copies: tuple[CopyMade, ...]


def render(page: Page, say: Catalogue, folders: Sequence[Path] = ()) -> bytes:
    """Return the page as UTF-8.

    Args:
        page: what it shows; it is bounded by what is shown of the rows.
        say: the words of the language that it speaks.
        folders: the site's own folders of templates.
    """
    proof = page.proof
    html = Templates(folders=folders).render(
        TEMPLATE,
        say,
        page=page,
        purposes=purposes_of_looks(say),
        choices=[_shown(one, say) for one in proof.decisions] if proof else [],
        proof_until=minute(proof.until_us) if proof else "",
    )
    return html.encode("utf-8", "replace")


def minute(time_us: int) -> str:
    """Return an instant for people, in UTC."""
    return iso_time(time_us)[:16].replace("T", " ")


def _shown(decision: Decision, say: Catalogue) -> ChoiceShown:
    return ChoiceShown(
        time=minute(decision.minute * 60_000_000),
        allowed=categories(decision.granted, say),
        refused=categories(decision.denied, say),
        where=method_words(decision.method, say),
        language=decision.locale,
        policy=decision.revision,
    )
