"""A stretch of whole UTC days, as it is asked for in an address, and its steps for a chart.

Owns the presets, the two dates and the length of a step. What is counted in it is the page's.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consentkit.web.texts import Catalogue

Step: TypeAlias = Literal["day", "week", "month"]

# Days that are one click away; "all" has no beginning.
PRESETS: Final = ("7", "30", "90", "365", "all")
_USUAL: Final = "30"

# As many bars as a phone can show apart.
_MOST_DAYS: Final = 92
_MOST_WEEKS_DAYS: Final = 2 * 366

_DAY: Final = timedelta(days=1)


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        since: the first day.
        until: the day after the last one.
        preset: one of `PRESETS`; empty where two dates were given.
        typed: the dates as they were typed: ``since`` and ``until``, the last day.
        faults: what is wrong with them, by field.
    """

    since: date
    until: date
    preset: str = ""
    typed: tuple[str, str] = ("", "")
    faults: dict[str, str] = {}

    @property
    def fields(self) -> dict[str, str]:
        """What an address of the same stretch says."""
        if self.preset:
            return {"days": self.preset}
        return {name: text for name, text in zip(("since", "until"), self.typed, strict=True) if text}


def asked(say: Catalogue, query: Mapping[str, str], *, today: date | None = None) -> Stretch:
    """Return the stretch that an address asks for; the usual one with faults where it can't be read.

    Args:
        say: words the faults.
        query: ``days``, one of `PRESETS`, or ``since`` and ``until``, the first and the last day.
        today: UTC; None = the clock's.
    """
    today = today or datetime.now(UTC).date()
    typed = query.get("since", "").strip()[:32], query.get("until", "").strip()[:32]
    if not any(typed):
        preset = query.get("days", _USUAL)
        return _of_preset(preset if preset in PRESETS else _USUAL, today)
    faults, found = {}, {}
    for name, text in zip(("since", "until"), typed, strict=True):
        try:
            found[name] = date.fromisoformat(text) if text else None
        except ValueError:
            faults[name] = say.gettext("Write a day as 2026-11-23.")
    since, last = found.get("since") or date.min, found.get("until") or today
    if not faults and last < since:
        faults["until"] = say.gettext("The last day is before the first.")
    if faults:
        return msgspec.structs.replace(_of_preset(_USUAL, today), preset="", typed=typed, faults=faults)
    return Stretch(since=since, until=min(last, today) + _DAY, typed=typed)


def step_length(since: date, until: date) -> Step:
    """Return the length of a step by which a stretch can be drawn."""
    days = (until - since).days
    return "day" if days <= _MOST_DAYS else "week" if days <= _MOST_WEEKS_DAYS else "month"


def step_of(day: date, step: Step) -> date:
    """Return the first day of the step that holds a day: itself, its Monday, or the first of its month."""
    if step == "week":
        return day - timedelta(days=min(day.weekday(), (day - date.min).days))
    return day.replace(day=1) if step == "month" else day


def steps(since: date, until: date, step: Step) -> list[date]:
    """Return the first days of all steps of a stretch, oldest first."""
    found = [step_of(since, step)]
    while (
        following := step_of(found[-1] + {"day": _DAY, "week": 7 * _DAY, "month": 32 * _DAY}[step], step)
    ) < until:
        found.append(following)
    return found


def _of_preset(preset: str, today: date) -> Stretch:
    since = date.min if preset == "all" else today - timedelta(days=int(preset) - 1)
    return Stretch(since=since, until=today + _DAY, preset=preset)
