"""The periods as the overview shows them: a row and a bar each, or one for a day or month where they are many.

Owns summing up and choosing what stands out. How each period stands is the archive's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import wording
from consentkit.admin.charts import Span, TimeLine, time_line
from consentkit.archive.schedule import DAY_US

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consentkit.admin.held import Hold
    from consentkit.admin.writing import Writing
    from consentkit.archive.standing import Standing
    from consentkit.web.texts import Catalogue

# More rows than these are summed up, by day, then by month.
MAX_ROWS: Final = 120
_DAY_LETTERS: Final = len("2026-11-23")
_MONTH_LETTERS: Final = len("2026-11")

# Of the rows in order: so many of what goes next, and of the newest, are shown at first.
_NEXT_ROWS: Final = 3
_NEWEST_ROWS: Final = 3

# However many are not well: they are all in the table of all.
_FIRST_ROWS: Final = 30
_BAD_KINDS: Final = ("overdue", "waits")

# How much of what has gone is drawn before what is kept, as a part of the retention.
_GONE_SHARE: Final = 0.12

# No further ahead of the clock is anything drawn.
_AHEAD_US: Final = 2 * DAY_US

# Worst first: a bar that stands for several periods shows the worst of them.
_CLASSES: Final = (
    ("overdue", "ck-c-bad"),
    ("waits", "ck-c3"),
    ("open", "ck-c2"),
    ("truncated", "ck-c-cut"),
    ("sealed", "ck-c1"),
    ("gone", "ck-c-gone"),
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One period, or several that are summed up. Times are microseconds since 1970 UTC.

    Attributes:
        name: of the period, the day or the month.
        periods: how many it stands for.
        kind: the worst of them: of `_CLASSES`.
        state: what it is called.
        since_us, until_us: from the first one's beginning to the last one's end.
        rows, bytes: in all; None where none of them is known.
        oldest_us: the oldest row that is known of.
        due_us: when the next of them goes.
        held: numbers of the incidents that keep rows of them.
        key: ``kept``, ``missing`` or ``destroyed``: the worst.
        waits, fault: why it waits to go early, why it can't be read; of the first that does.
        late_dropped: records that came after their destruction.
    """

    name: str
    periods: int
    kind: str
    state: str
    since_us: int
    until_us: int
    rows: int | None
    bytes: int | None
    oldest_us: int | None
    due_us: int
    held: tuple[int, ...] = ()
    key: str = "kept"
    waits: str = ""
    fault: str = ""
    late_dropped: int = 0


def live_rows(
    say: Catalogue, standings: Sequence[Standing], keys: Iterable[str], holds: Sequence[Hold]
) -> tuple[Row, ...]:
    """Return what is kept now, newest first.

    Args:
        say: names states.
        standings: of all periods, newest first.
        keys: names of the keys that are there, as ``period/2026-11-23.1``.
        holds: of open incidents.
    """
    there = {name.removeprefix("period/").rpartition(".")[0] for name in keys}
    live = [one for one in standings if one.state != "destroyed"]
    return tuple(_row(say, name, ones, there, holds) for name, ones in _grouped(live))


def outstanding(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows to be seen first: what is not as it should be, what is held, the newest, what goes next."""
    ends = {row.name for row in (*rows[:_NEWEST_ROWS], *rows[-_NEXT_ROWS:])}
    found = (row for row in rows if row.name in ends or row.held or row.key != "kept" or row.kind in _BAD_KINDS)
    return tuple(islice(found, _FIRST_ROWS))


def gone_since(oldest_us: int | None, retention_days: int, now_us: int) -> int:
    """Return since when `draw` may need to know what is gone, microseconds since 1970 UTC.

    Args:
        oldest_us: the beginning of the oldest period that is kept; None = nothing is.
        retention_days: in force.
        now_us: the clock.
    """
    horizon_us = now_us - retention_days * DAY_US
    first_us = horizon_us if oldest_us is None else min(oldest_us, horizon_us)
    return _before(first_us - DAY_US, now_us + _AHEAD_US)  # its name may begin up to a day before a period


def draw(
    say: Catalogue,
    write: Writing,
    live: Sequence[Row],
    gone: Sequence[Standing],
    *,
    retention_days: int,
    now_us: int,
) -> TimeLine | None:
    """Return the time line of what is kept, with the end of what went before it; None where nothing was ever kept.

    Args:
        say, write: the reader's language.
        live: rows, newest first.
        gone: destroyed periods, newest first.
        retention_days: in force; older than that, nothing may be there.
        now_us: the clock.
    """
    horizon_us = now_us - retention_days * DAY_US
    ends = [row.until_us for row in live] + [now_us]
    until_us = min(max(ends), now_us + _AHEAD_US)  # what lies ahead of the clock is in the table
    since_us = _before(min([row.since_us for row in live] + [horizon_us]), until_us)
    drawn = [*_gone_rows(say, gone, since_us), *reversed(live)]
    if not drawn:
        return None
    names, kinds = kind_names(say), {row.kind for row in drawn}
    return time_line(
        say.gettext(
            "Periods of the request log, from {first} to {last}", first=drawn[0].name, last=drawn[-1].name
        ),
        _spans(say, write, drawn),
        since_us=since_us,
        until_us=until_us,
        marks_us=(horizon_us,),
        legend=[(css_class, names[kind]) for kind, css_class in reversed(_CLASSES) if kind in kinds],
        ticks=(
            write.day(since_us),
            write.day((since_us + until_us) // 2),
            write.day(until_us - 1),
        ),
    )


def kind_names(say: Catalogue) -> dict[str, str]:
    """Return what each kind of row is called."""
    return {
        "overdue": say.pgettext("period", "Overdue"),
        "waits": say.pgettext("period", "Waits to be confirmed"),
        "open": wording.state_name(say, "open"),
        "truncated": say.pgettext("period", "Sealed, addresses cut"),
        "sealed": wording.state_name(say, "sealed"),
        "gone": wording.state_name(say, "destroyed"),
    }


def _before(since_us: int, until_us: int) -> int:
    """Return a time as much before another as what is gone is given room."""
    return since_us - int((until_us - since_us) * _GONE_SHARE)


def since_of(standing: Standing) -> int:
    """Return a period's first instant, by its name."""
    return int(datetime.fromisoformat(standing.period).replace(tzinfo=UTC).timestamp()) * 1_000_000


def _until_of(standing: Standing) -> int:
    return since_of(standing) + (DAY_US if len(standing.period) == _DAY_LETTERS else DAY_US // 24)


def _grouped(standings: Sequence[Standing]) -> list[tuple[str, list[Standing]]]:
    """Return the periods by their name, or by day, or by month, whichever first gives no more than `MAX_ROWS`."""
    groups: dict[str, list[Standing]] = {}
    for letters in (None, _DAY_LETTERS, _MONTH_LETTERS):
        groups = {}
        for one in standings:
            groups.setdefault(one.period[:letters], []).append(one)
        if len(groups) <= MAX_ROWS:
            break
    return list(groups.items())


def _row(say: Catalogue, name: str, ones: list[Standing], keys: set[str], holds: Sequence[Hold]) -> Row:
    kind = _kind(ones)
    since_us, until_us = min(map(since_of, ones)), max(map(_until_of, ones))
    return Row(
        name=name,
        periods=len(ones),
        kind=kind,
        state=kind_names(say)[kind],
        since_us=since_us,
        until_us=until_us,
        rows=_sum([one.rows for one in ones]),
        bytes=_sum([one.bytes for one in ones]),
        oldest_us=min((one.oldest_us for one in ones if one.oldest_us is not None), default=None),
        due_us=min(one.due_us for one in ones),
        held=tuple(hold.incident.number for hold in holds if hold.meets(since_us, until_us)),
        key=_key(ones, keys),
        waits=next((one.waits for one in ones if one.waits), ""),
        fault=next((one.fault for one in ones if one.fault), ""),
        late_dropped=sum(one.late_dropped for one in ones),
    )


def _gone_rows(say: Catalogue, gone: Sequence[Standing], since_us: int) -> list[Row]:
    """Return what went of the time that is drawn, oldest first."""
    recent = list(takewhile(lambda one: since_of(one) >= since_us, gone))
    rows = [_row(say, name, ones, set(), ()) for name, ones in reversed(_grouped(recent))]
    return [msgspec.structs.replace(row, key="destroyed") for row in rows]


def _spans(say: Catalogue, write: Writing, drawn: Sequence[Row]) -> list[Span]:
    """Return a bar for each row, the busiest as high as the drawing."""
    most = max(map(_daily, drawn)) or 1.0
    classes = dict(_CLASSES)
    return [
        Span(
            since_us=row.since_us,
            until_us=row.until_us,
            height=_daily(row) / most,
            css_class=classes[row.kind],
            title=_title(say, write, row),
        )
        for row in drawn
    ]


def _kind(ones: list[Standing]) -> str:
    found = {_kind_of(one) for one in ones}
    return next(kind for kind, _ in _CLASSES if kind in found)


def _kind_of(one: Standing) -> str:
    if one.state == "destroyed":
        return "gone"
    if one.is_overdue or one.fault:
        return "overdue"
    if one.waits:
        return "waits"
    if one.state == "open":
        return "open"
    return "truncated" if one.is_truncated else "sealed"


def _key(ones: list[Standing], keys: set[str]) -> str:
    if any(one.state == "destroying" for one in ones):
        return "destroyed"
    return "kept" if all(one.period in keys for one in ones) else "missing"


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _daily(row: Row) -> float:
    """Return rows by length, so that bars of days and of months can be compared."""
    return (row.rows or 0) / max(row.until_us - row.since_us, 1)


def _title(say: Catalogue, write: Writing, row: Row) -> str:
    if row.rows is None:
        return f"{row.name}: {row.state}"
    requests = say.ngettext("{shown} request", "{shown} requests", row.rows, shown=write.number(row.rows))
    return f"{row.name}: {row.state}, {requests}"
