"""Until when a person must be answered: one month, or three where she was told why.

Owns the arithmetic. It counts calendar months from the day of receipt, and never past the day that this gives:
that a last day falls on a holiday would allow more (Regulation 1182/71 art. 3(4)), and is not made use of.
Source: GDPR art. 12(3); Regulation 1182/71 art. 3(2)(c).
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from typing import Final

FIRST_MONTHS: Final = 1
EXTENDED_MONTHS: Final = 3


def add_months(day: date, months: int) -> date:
    """Return the same day so many months later; the month's last day where it has no such day."""
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(years, month + 1, min(day.day, monthrange(years, month + 1)[1]))


def due_day(received: date, *, is_extended: bool = False) -> date:
    """Return the last day on which a request may be answered."""
    return add_months(received, EXTENDED_MONTHS if is_extended else FIRST_MONTHS)
