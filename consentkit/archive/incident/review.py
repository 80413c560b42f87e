"""The review date of an incident: the day by which its owner says again that the rows are needed.

Owns which dates are allowed, and moving one. That a date has passed is told by `listing.overdue_reviews`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit
from consentkit.archive.incident.listing import BadIncident, change, find

if TYPE_CHECKING:
    from datetime import date

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.incident.listing import Incident
    from consentkit.audit import Actor, Look

MAX_REVIEW_DAYS: Final = 366


def check_review(review: date, today: date) -> None:
    """Check a review date.

    Raises:
        BadIncident: it has passed, or is more than a year off.
    """
    if review < today:
        raise BadIncident(f"the review date {review} has passed; name a day from {today} on")
    if (review - today).days > MAX_REVIEW_DAYS:
        raise BadIncident(
            f"the review date {review} is more than a year off: what is held past its period must be found"
            " necessary again at least once a year; move the date at each review"
        )


def move_review(
    holdings: Holdings, number: int, actor: Actor, *, until: date, look: Look, today: date
) -> Incident:
    """Set another review date, told to the audit in the same transaction.

    Raises:
        BadIncident: the date is not allowed, or the incident is not open.
        StorageError: nothing was changed.
    """
    check_review(until, today)
    with holdings.control.transaction() as connection:
        incident = find(connection, number)
        if incident.state != "open":
            raise BadIncident(f"incident {number} is {incident.state}; nothing is held that could be reviewed")
        change(connection, incident, review=until.isoformat())
        detail = {"incident": number, "review": until.isoformat(), "review_before": incident.review}
        of_case = msgspec.structs.replace(look, case=incident.case_id)
        audit.append(connection, actor, "incident.reviewed", look=of_case, detail=detail)
        return find(connection, number)
