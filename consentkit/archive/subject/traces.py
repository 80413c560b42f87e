"""Where a person's rows are: in which periods, in which incidents' copies, and in the spool.

Owns the search for them, without showing any. Each place is opened under its shared lock, one after another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.archive.incident.listing import Incident, incidents
from consentkit.archive.period import Catalogue, Period
from consentkit.archive.subject import spooled
from consentkit.archive.subject.rows import Counted, Cuts, count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.store.places import Place
    from consentkit.archive.subject.person import Person
    from consentkit.settings import RequestLog


class PeriodTrace(msgspec.Struct, frozen=True):
    """A person's rows in one period."""

    period: Period
    counted: Counted


class IncidentTrace(msgspec.Struct, frozen=True):
    """A person's rows in one open incident's copy."""

    incident: Incident
    counted: Counted


class Traces(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person's rows are.

    Attributes:
        periods: newest first; those alone that hold some, or some that can't be told apart.
        incidents: by number; likewise.
        waiting: records in the spool that are not stored yet.
    """

    periods: tuple[PeriodTrace, ...]
    incidents: tuple[IncidentTrace, ...]
    waiting: int

    @property
    def rows(self) -> int:
        """The person's rows in periods and in the spool."""
        return self.waiting + sum(trace.counted.rows for trace in self.periods)

    @property
    def copied_rows(self) -> int:
        """The person's rows in incidents' copies."""
        return sum(trace.counted.rows for trace in self.incidents)

    @property
    def indistinct(self) -> int:
        """Rows of the person's network in periods whose addresses were cut: they may be anyone's in it."""
        return sum(trace.counted.indistinct for trace in self.periods)

    @property
    def others(self) -> int:
        """Rows of the same address by other browsers, in periods, where the person's browser is named."""
        return sum(trace.counted.others for trace in self.periods)


def find_traces(holdings: Holdings, person: Person, log: RequestLog) -> Traces:
    """Return where a person's rows are.

    Args:
        holdings: the store.
        person: by address.
        log: tells whether addresses are cut in the worker.

    Raises:
        KeyUnavailable, StorageError: a place can't be read; then nobody may say that nothing is there.
    """
    waiting = len(spooled.find(holdings, person).waiting)  # before the periods: what moves is in both, not in none
    cuts = Cuts.known(holdings.control, Catalogue(holdings.control, "day").known, log.truncate_ip_after_days)
    return Traces(
        periods=tuple(_in_periods(holdings, person, cuts)),
        incidents=tuple(_in_incidents(holdings, person, cuts)),
        waiting=waiting,
    )


def live_periods(holdings: Holdings, person: Person) -> list[Period]:
    """Return the periods of a person's time that can still be read, newest first."""
    return [
        period
        for period in Catalogue(holdings.control, "day").known
        if period.since_us < person.until_us
        and period.until_us > person.since_us
        and not period.is_gone
        and not holdings.keyring.was_destroyed(period.key_name)
    ]


def open_incidents(holdings: Holdings) -> list[Incident]:
    """Return the incidents that hold copies of rows, by number."""
    with holdings.control.transaction() as connection:
        return [incident for incident in incidents(connection) if incident.state == "open"]


def _in_periods(holdings: Holdings, person: Person, cuts: Cuts) -> Iterator[PeriodTrace]:
    for listed in live_periods(holdings, person):
        period, counted = _of_period(holdings, listed, person, is_cut=cuts.are_in(listed.name))
        if counted:
            yield PeriodTrace(period, counted)


def _of_period(holdings: Holdings, listed: Period, person: Person, *, is_cut: bool) -> tuple[Period, Counted]:
    counted = _counted(holdings, listed.place, person, is_cut=is_cut)
    if counted or holdings.rows.exists(listed.place):
        return listed, counted
    known = Catalogue(holdings.control, "day").known
    present = next((one for one in known if one.name == listed.name), listed)
    if present.generation == listed.generation or present.is_gone:
        return listed, counted
    return _of_period(holdings, present, person, is_cut=is_cut)  # written anew since it was listed


def _in_incidents(holdings: Holdings, person: Person, cuts: Cuts) -> Iterator[IncidentTrace]:
    for copy in open_incidents(holdings):
        counted = _counted(holdings, copy.place(), person, is_cut=cuts.are_anywhere)
        if counted:
            yield IncidentTrace(copy, counted)


def _counted(holdings: Holdings, place: Place, person: Person, *, is_cut: bool) -> Counted:
    if not holdings.rows.exists(place):
        return Counted(0, 0)
    with holdings.reading(place) as reader:
        return Counted(0, 0) if reader is None else count(reader, person, is_cut=is_cut)
