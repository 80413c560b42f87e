"""Reading the rates: how often the banner was shown, and how it was answered.

Owns the shapes that the command line and the admin area show. Nothing here is about a person, so no purpose is
asked for and no look is recorded. What the words mean is said in `consent.outcomes`.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import msgspec
from sqlalchemy import func, select

from consentkit.consent.outcomes import WHOLE
from consentkit.consent.rates import SCRIPT_UNKNOWN
from consentkit.control import consent_rate, total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.control import Control

By: TypeAlias = Literal["day", "language", "category", "script"]

BY: Final[tuple[By, ...]] = ("day", "language", "category", "script")

_ANSWERS: Final = frozenset({"accepted", "partly", "refused", "changed", "withdrawn"})


class RateRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted of one day, language and so on; what was not asked for apart is added up.

    Attributes:
        day: ISO 8601 date, UTC; None where days are added up.
        language: of the banner; None where languages are added up.
        category: of which answers are told; None where they are told as a whole: one "accept all" is then one
            answer, and not one for each category.
        script: True: sent by a script. False: by a plain form, as without scripts and on our own pages. None where
            the two are added up. Where they are told apart no pages are told: when one is sent nobody knows
            whether scripts will run in it.
        shown: pages on which a visitor who had not answered was asked. Not visitors: who goes on without an
            answer is asked again, and robots are asked too.
        shown_shared: pages whose markup is the same for all, since a cache may keep them, as far as this server
            sent them: who saw the banner in them is not known.
        accepted, refused: first answers, and answers to what was asked anew.
        partly: likewise, granting some categories; always 0 for one category.
        changed: a refusal was taken back.
        withdrawn: a consent was.
        unscripted: those of all these answers that came from a plain form.
    """

    day: str | None = None
    language: str | None = None
    category: str | None = None
    script: bool | None = None
    shown: int = 0
    shown_shared: int = 0
    accepted: int = 0
    partly: int = 0
    refused: int = 0
    changed: int = 0
    withdrawn: int = 0
    unscripted: int = 0

    @property
    def answered(self) -> int:
        """Answers to the question: accepted, partly or refused."""
        return self.accepted + self.partly + self.refused

    @property
    def accepted_share(self) -> float | None:
        """The share of those answers that accept, 0 to 1; None where nobody answered."""
        return self.accepted / self.answered if self.answered else None

    @property
    def answered_share(self) -> float | None:
        """Answers per page on which the banner was shown, 0 to 1.

        None where it says nothing: where no such page was counted, where answers also came from pages that are
        the same for all, and where there are more answers than pages.
        """
        if not self.shown or self.shown_shared or self.answered > self.shown:
            return None
        return self.answered / self.shown


class Span(NamedTuple):
    """The first and the last day on which anything was counted; ISO 8601 dates, UTC."""

    first: str
    last: str


def rates(
    control: Control,
    since: date = date.min,
    until: date = date.max,
    by: tuple[By, ...] = ("day", "language", "category"),
) -> list[RateRow]:
    """Return the rates of some days, ordered by what they are told by; what was not counted has no row.

    Args:
        control: the control database.
        since: the first day, UTC.
        until: the day after the last.
        by: what is told apart. With ``category``, answers are told for each; without, as a whole.

    Raises:
        StorageError: the control database refuses.
    """
    cell = consent_rate.c
    is_asked = [cell.day >= since.isoformat(), cell.day < until.isoformat()]
    is_asked.append(cell.category != WHOLE if "category" in by else cell.category == WHOLE)
    if "script" in by:
        is_asked.append(cell.script != SCRIPT_UNKNOWN)
    told = [name for name in BY if name in by]
    columns = [cell[name] for name in dict.fromkeys([*told, "kind", "script"])]
    summed = select(*columns, total(cell.times).label("times")).where(*is_asked).group_by(*columns)
    groups: dict[tuple[str | int, ...], Counter[str]] = {}
    with control.reading() as connection:
        for row in connection.execute(summed):
            key = tuple(getattr(row, name) for name in told)
            counts = groups.setdefault(key, Counter())
            counts[row.kind] += row.times
            if row.script == 0 and row.kind in _ANSWERS:
                counts["unscripted"] += row.times
    return [_row(told, key, groups[key]) for key in sorted(groups)]


def span(control: Control) -> Span | None:
    """Return from when to when there are rates; None where nothing was counted yet.

    Raises:
        StorageError: the control database refuses.
    """
    day = consent_rate.c.day
    with control.reading() as connection:
        first, last = connection.execute(select(func.min(day), func.max(day))).one()
    return Span(first, last) if first is not None else None


def _row(told: Sequence[By], key: tuple[str | int, ...], counts: Counter[str]) -> RateRow:
    by: dict[str, str | int] = dict(zip(told, key, strict=True))
    if "script" in by:
        by["script"] = by["script"] == 1
    return msgspec.convert({**by, **counts}, RateRow)
