"""Charts of a search over time.

Owns where the counts come from: the statistics where nothing but a longer time is asked for, which outlive the
rows and hold no one; else a bounded count of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import charts
from consentkit.admin.shapes import Bars
from consentkit.admin.writing import Writing
from consentkit.archive.aggregate import series
from consentkit.archive.search.overtime import OverTime, over_time

if TYPE_CHECKING:
    from consentkit.admin.searching import Asked
    from consentkit.admin.visit import Visit

_MINUTE_US: Final = 60_000_000
_HOUR_US: Final = 60 * _MINUTE_US
_DAY_US: Final = 24 * _HOUR_US

# The longest stretch that each step is taken for, so that a chart has a hundred bars at most; then days.
_STEPS: Final = ((2 * _HOUR_US, 2 * _MINUTE_US), (8 * _HOUR_US, 10 * _MINUTE_US), (96 * _HOUR_US, _HOUR_US))
_MAX_DAYS: Final = 366

# Beside the rows of a page a count takes no longer than this.
LIGHT_SECONDS: Final = 0.15
WHOLE_SECONDS: Final = 1.0


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A chart, and what its bars stand for.

    Attributes:
        bars: the drawing and its table.
        back_to_us: older requests are not counted; None where all are.
        is_of_statistics: of whole hours that have ended, the ones whose rows are gone among them.
    """

    bars: Bars
    back_to_us: int | None
    is_of_statistics: bool


def light(visit: Visit, wanted: Asked) -> Chart | None:
    """Return the chart that stands above the rows; None where it would cost more than they do."""
    if not wanted.is_of_time_alone:
        return None
    since_us, until_us, step_us = _span(visit, wanted)
    if step_us == _DAY_US:
        return _of_statistics(visit, since_us, until_us)
    return _of_rows(visit, wanted, (since_us, until_us, step_us), LIGHT_SECONDS)


def whole(visit: Visit, wanted: Asked) -> Chart | None:
    """Return the chart of any filters, as far as the time goes."""
    since_us, until_us, step_us = _span(visit, wanted)
    if wanted.is_of_time_alone and step_us == _DAY_US:
        return _of_statistics(visit, since_us, until_us)
    return _of_rows(visit, wanted, (since_us, until_us, step_us), WHOLE_SECONDS)


def _span(visit: Visit, wanted: Asked) -> tuple[int, int, int]:
    """Return from when, until when, and by which step: what was asked for, as far as there can be rows."""
    now_us = int(wanted.now.timestamp() * 1_000_000)
    until_us = min(wanted.filters.until_us, now_us + _MINUTE_US)
    oldest_us = min((one.since_us for one in visit.archive.periods()), default=now_us)
    since_us = min(max(wanted.filters.since_us, oldest_us, until_us - _MAX_DAYS * _DAY_US), until_us)
    step_us = next((step for longest, step in _STEPS if until_us - since_us <= longest), _DAY_US)
    return since_us // step_us * step_us, until_us, step_us


def _of_statistics(visit: Visit, since_us: int, until_us: int) -> Chart | None:
    points = series(visit.office.control, "total", since_us, until_us, "day")
    counts = {point.time_us: point.requests for point in points}
    if not counts:
        return None
    bars = _bars(visit, counts, since_us, until_us, _DAY_US)
    return Chart(bars=bars, back_to_us=None, is_of_statistics=True)


def _of_rows(visit: Visit, wanted: Asked, span: tuple[int, int, int], seconds: float) -> Chart | None:
    since_us, until_us, step_us = span
    filters = msgspec.structs.replace(
        wanted.filters, since_us=max(wanted.filters.since_us, since_us), until_us=until_us
    )
    found: OverTime = over_time(visit.archive, filters, step_us, time_limit_seconds=seconds)
    if not found.counts:
        return None
    first_us = max(found.back_to_us, since_us) // step_us * step_us
    bars = _bars(visit, found.counts, first_us, until_us, step_us)
    return Chart(bars=bars, back_to_us=found.back_to_us if found.is_cut else None, is_of_statistics=False)


def _bars(visit: Visit, counts: dict[int, int], since_us: int, until_us: int, step_us: int) -> Bars:
    say, write = visit.say, Writing(visit.say)
    label = write.day if step_us == _DAY_US else write.minute
    steps = [(label(at_us), (counts.get(at_us, 0),)) for at_us in range(since_us, until_us, step_us)]
    return charts.bars(
        say.gettext("Requests from {first} to {last}, UTC", first=steps[0][0], last=steps[-1][0]),
        say.gettext("Day") if step_us == _DAY_US else say.gettext("From, UTC"),
        [say.gettext("Requests")],
        steps,
        write.number,
    )
