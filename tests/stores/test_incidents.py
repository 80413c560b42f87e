"""Incidents over every store: rows kept beyond their period, and openings and closings that break off."""

from __future__ import annotations

from itertools import islice

from consentkit.archive.incident.begun import finish_begun
from consentkit.archive.incident.closing import close
from consentkit.archive.incident.listing import find
from consentkit.archive.incident.reading import reading
from consentkit.archive.store.interface import Filters
from consentkit.audit import Look
from tests.archive.installation import DAY_US, MONDAY, WORKER
from tests.stores import oracle
from tests.stores.acts import held, open_incident, opening, retain
from tests.stores.corpus import NOW
from tests.stores.sites import Site


def test_an_incident_keeps_its_rows_when_their_periods_go(stored: Site) -> None:
    attack = Filters(networks=("192.0.2.0/24",), statuses=((400, 499),))
    rows = stored.found(attack)
    open_incident(stored, attack)
    assert held(stored) == rows
    assert len(retain(stored, MONDAY + 300 * DAY_US).certificates) == 3
    assert (stored.found(), held(stored), stored.faults()) == ([], rows, {})
    with reading(stored.holdings, 1) as kept:
        few = Filters(path="/a*")
        assert list(kept.rows(few)) == [one for one in rows if oracle.fits("/a*", one[1].url.partition("?")[0])]
    for _ in close(stored.holdings, 1, WORKER, Look("incident", "C-7", "over"), wait_seconds=0.5):
        pass
    assert stored.keyring.was_destroyed("incident/1.1")
    assert stored.holdings.rows.lying("incident") == []
    assert stored.faults() == {}


def test_an_opening_that_breaks_off_leaves_nothing(stored: Site) -> None:
    steps = [step.done for step in opening(stored).run()]
    finished = len(steps)
    for done in range(1, finished):
        broken = opening(stored, Filters(path="/a*")).run()
        assert len(list(islice(broken, done))) == done
        broken.close()  # type: ignore[attr-defined] # a generator's
        assert finish_begun(stored.holdings, WORKER, wait_seconds=0.5) == []
        lying = [one for one in stored.holdings.rows.lying("incident") if one.name != "1"]
        assert (lying, stored.keyring.names("incident")) == ([], ["incident/1.1"])
    assert stored.faults() == {}


def test_a_closing_that_breaks_off_is_finished(stored: Site) -> None:
    look = Look("incident", "C-7", "over")
    for number in range(1, 6):
        assert open_incident(stored, Filters(path="/a*")) == number
        steps = close(stored.holdings, number, WORKER, look, wait_seconds=0.5)
        list(islice(steps, number))
        steps.close()  # type: ignore[attr-defined] # a generator's
        assert not retain(stored, NOW).failures
        with stored.control.transaction() as connection:
            assert find(connection, number).state == "closed"
    assert stored.holdings.rows.lying("incident") == []
    assert stored.faults() == {}
