"""What is owed: the evidence checked now and then, holds reviewed, copies destroyed, the end of the service."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from consentkit.archive.evidence import last_verification
from consentkit.archive.farewell.countdown import Countdown
from consentkit.archive.health.finding import Finding, Patient, bad, good, unknown
from consentkit.archive.incident.listing import overdue_reviews
from consentkit.archive.register.balancing import standing
from consentkit.archive.register.copies import registered_copies
from consentkit.archive.schedule import DAY_US
from consentkit.archive.search import Archive
from consentkit.archive.store import Filters
from consentkit.archive.subject.requests import count_open
from consentkit.control import audit as entries

if TYPE_CHECKING:
    from collections.abc import Iterator

# The evidence of a month is soon checked; that of a year, after somebody had the time to bend it, late.
_VERIFIED_WITHIN_DAYS: Final = 35

_GAPS_WITHIN_DAYS: Final = 7
_GAPS_SECONDS: Final = 10.0


def examine_records(patient: Patient) -> Iterator[Finding]:
    """Yield what is found of evidence, holds, copies, the keys' rotation and the end of the service."""
    yield _gaps(patient)
    yield _evidence(patient)
    yield _holds(patient)
    yield _copies(patient)
    yield _requests(patient)
    yield _balancing_test(patient)
    if patient.holdings.keyring.rotation_is_unfinished:
        yield bad(
            "keys.rotation", "A rotation of the keys was interrupted.", "Run `consentkit keys rotate` again."
        )
    yield from _end(patient)


def _gaps(patient: Patient) -> Finding:
    """Tell what the log lost of late, floods apart: those are counted on purpose."""
    check = "log.gaps"
    archive = Archive(patient.settings, patient.holdings)
    since_us = patient.now_us - _GAPS_WITHIN_DAYS * DAY_US
    gaps = archive.gaps(Filters(since_us=since_us), time_limit_seconds=_GAPS_SECONDS)
    lost = sum(gap.lost for gap in gaps if gap.reason != "sampled")
    if lost:
        text = f"{lost:,} records of the last {_GAPS_WITHIN_DAYS} days are missing from the log."
        return bad(check, text, "`consentkit log search` says when and why, above its rows; see disk.room.")
    return good(check, f"No record of the last {_GAPS_WITHIN_DAYS} days is known to be missing.")


def _evidence(patient: Patient) -> Finding:
    check = "evidence.verified"
    with patient.holdings.control.transaction() as connection:
        last = last_verification(connection)
        first_us = connection.execute(select(func.min(entries.c.time_us))).scalar()
    if last is None:
        if first_us is None or patient.now_us - int(first_us) < _VERIFIED_WITHIN_DAYS * DAY_US:
            return unknown(check, "The log was not verified yet.", "Run `consentkit log verify`, best each week.")
        return bad(check, "The log was never verified.", "Run `consentkit log verify`, best each week.")
    days = (patient.now_us - last.time_us) // DAY_US
    if not last.is_good:
        return bad(check, f"The last verification failed: {', '.join(last.bad)}.", "See `consentkit log verify`.")
    if days > _VERIFIED_WITHIN_DAYS:
        return bad(check, f"The log was last verified {days} days ago.", "Run `consentkit log verify`.")
    return good(check, f"The log was verified {days} days ago, and held.")


def _holds(patient: Patient) -> Finding:
    with patient.holdings.control.transaction() as connection:
        overdue = [str(one.number) for one in overdue_reviews(connection, patient.today)]
    if overdue:
        return bad(
            "incident.review",
            f"The review of what is held is overdue: incident {', '.join(overdue)}.",
            "Close it with `consentkit incident close`, or say why it stays with `consentkit incident review`.",
        )
    return good("incident.review", "No review of what is held is overdue.")


def _copies(patient: Patient) -> Finding:
    """Name the copies whose day has come within the last month and of which nobody has said that they are gone."""
    check, due = "copies.due", []
    with patient.holdings.control.transaction() as connection:
        for copy in registered_copies(connection):
            if copy.destroyed is None and copy.destroy_by:
                days = (patient.today - date.fromisoformat(copy.destroy_by)).days
                if 0 <= days < _VERIFIED_WITHIN_DAYS:
                    due.append(str(copy.number))
    if due:
        text = f"The day of these copies has come: {', '.join(due)}."
        return unknown(
            check,
            text,
            "See that they are destroyed (`consentkit audit list --action copy.made`), and say so in the admin"
            " area under Records, Copies.",
        )
    return good(check, "No copy's day has come of late.")


def _balancing_test(patient: Patient) -> Finding:
    """Tell whether the settings in force are those that the balancing test weighed."""
    check, stands = "records.balancing", standing(patient.holdings.control, patient.settings)
    way_out = "Weigh it again, and approve it in the admin area under Records."
    if stands.state == "due":
        changed = ", ".join(change.name for change in stands.changes)
        return bad(check, f"The balancing test of the log is due for review; changed since: {changed}.", way_out)
    if stands.state == "never":
        return unknown(check, "The balancing test of the log was not approved yet.", way_out)
    return good(check, "The balancing test of the log is of the settings in force.")


def _requests(patient: Patient) -> Finding:
    opened, overdue = count_open(patient.holdings.control, patient.today)
    if overdue:
        return bad(
            "people.overdue",
            f"The month is over for {overdue} of {opened} people's requests.",
            "Answer them under People in the admin area; `consentkit subject requests` lists them.",
        )
    return good("people.overdue", f"No person's request is overdue; {opened} are open.")


def _end(patient: Patient) -> Iterator[Finding]:
    site = patient.settings.site
    over_us = Countdown(site.service_ended, site.wind_down_days, 0).over_us
    if over_us is None:
        return
    day = datetime.fromtimestamp(over_us / 1e6, UTC).date()
    if patient.now_us < over_us:
        text = f"The service has ended; on {day} requests and choices are destroyed, but for what is held."
    else:
        text = f"The service has ended, and its time to wind down was over on {day}."
    yield bad(
        "service.ended", text, "Hand everything over: stop the site, then `consentkit destroy --export FILE`."
    )
