"""The time line of an incident as an SVG image and as the table that says the same.

Owns stretching hours to bars: there are never more than fit on a page, whatever time the rows span.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.archive.incident.pieces import CLASSES
from consentkit.archive.incident.reading import HOUR_US
from consentkit.archive.store.interface import iso_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.archive.incident.reading import Hour

_MAX_BARS: Final = 96
_WIDTH: Final = 960
_HEIGHT: Final = 220
_TOP: Final = 16
_BASE: Final = 190

# From 5xx at the foot up, so that what went wrong is read against the base line. Told apart in grey too.
_COLOURS: Final = {5: "#7f1d1d", 4: "#d97706", 3: "#6b9bd1", 2: "#c9d6c3", 1: "#e5e7eb", 0: "#374151"}


class Bar(NamedTuple):
    """Consecutive hours counted together; hours without requests are bars of their own that are empty."""

    since_us: int
    until_us: int
    by_class: dict[int, int]

    @property
    def total(self) -> int:
        """All requests of the bar."""
        return sum(self.by_class.values())

    @property
    def label(self) -> str:
        """When it begins, and where it is longer than an hour, for how long."""
        hours = (self.until_us - self.since_us) // HOUR_US
        start = iso_time(self.since_us)[:16].replace("T", " ")
        return start if hours == 1 else f"{start}, {hours} h"


def bars(hours: Sequence[Hour]) -> list[Bar]:
    """Return the time line in at most 96 bars of equal length, oldest first; none where there is no row."""
    if not hours:
        return []
    first = hours[0].time_us // HOUR_US
    span = hours[-1].time_us // HOUR_US - first + 1
    length = -(-span // _MAX_BARS)
    found = [
        Bar((first + start) * HOUR_US, (first + start + length) * HOUR_US, {}) for start in range(0, span, length)
    ]
    for hour in hours:
        counted = found[(hour.time_us // HOUR_US - first) // length].by_class
        for status_class, count in hour.by_class.items():
            counted[status_class] = counted.get(status_class, 0) + count
    return found


def svg(found: Sequence[Bar]) -> str:
    """Return the bars as an image; each says its numbers to a pointer, the table says them to all."""
    highest = max((bar.total for bar in found), default=0) or 1
    width = _WIDTH / max(len(found), 1)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="timeline-title">',
        '<title id="timeline-title">Requests over time by class of status; the table below says the same</title>',
        f'<text x="0" y="12">{highest:,}</text>',
    ]
    for index, bar in enumerate(found):
        parts.append(f"<g><title>{escape(_sentence(bar))}</title>")
        base = float(_BASE)
        for status_class, colour in _COLOURS.items():
            height = bar.by_class.get(status_class, 0) / highest * (_BASE - _TOP)
            if height:
                base -= height
                parts.append(
                    f'<rect x="{index * width:.2f}" y="{base:.2f}" width="{width * 0.9:.2f}"'
                    f' height="{height:.2f}" fill="{colour}"/>'
                )
        parts.append("</g>")
    parts.append(f'<line x1="0" y1="{_BASE}" x2="{_WIDTH}" y2="{_BASE}" stroke="#111"/>')
    if found:
        parts.append(f'<text x="0" y="{_HEIGHT - 12}">{found[0].label}</text>')
        parts.append(f'<text x="{_WIDTH}" y="{_HEIGHT - 12}" text-anchor="end">{found[-1].label}</text>')
    return "".join([*parts, "</svg>"])


def legend() -> str:
    """Return what the colours mean."""
    keys = (
        f'<li><span class="key" style="background:{colour}"></span>{CLASSES[status_class]}</li>'
        for status_class, colour in _COLOURS.items()
    )
    return f'<ul class="legend">{"".join(keys)}</ul>'


def _sentence(bar: Bar) -> str:
    parts = (f"{CLASSES[one]} {count:,}" for one, count in sorted(bar.by_class.items()))
    return f"{bar.label}: {bar.total:,} requests" + (f" ({', '.join(parts)})" if bar.by_class else "")
