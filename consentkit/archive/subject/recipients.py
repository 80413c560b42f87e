"""Who the recipients are: all of them by name, as of a day or over a time.

Owns the choice by date. Whoever asks is told each recipient, not kinds of them.
Source: GDPR art. 15(1)(c); CJEU C-154/21 of 12 January 2023.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.archive.subject.account import Named, named

if TYPE_CHECKING:
    from datetime import date

    from consentkit.settings import Settings


def recipients_on(settings: Settings, day: date, languages: tuple[str, ...]) -> tuple[Named, ...]:
    """Return who was a recipient on a day, in the order of the settings.

    Args:
        settings: in force; one who no longer is stays there with the last day.
        day: in UTC.
        languages: the first that a recipient's words have is taken.
    """
    return tuple(
        named(one, languages)
        for one in settings.recipients
        if (one.since is None or one.since <= day) and (one.until is None or day <= one.until)
    )
