"""What incidents hold is checked as periods are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from consentkit.archive.evidence import (
    Verdict,
)
from consentkit.archive.incident.closing import close
from consentkit.archive.incident.listing import Incident, today_utc
from consentkit.archive.incident.opening import Opening
from consentkit.archive.incident.terms import Terms
from consentkit.archive.search import Archive
from consentkit.archive.store import Filters
from consentkit.audit import Look
from tests.archive.installation import (
    RESOLVERS,
    WORKER,
    Installation,
)
from tests.archive.tampering import control, faults, flip, verify


@pytest.fixture
def site(evident: Installation) -> Installation:
    """An installation to be tampered with."""
    return evident


def hold(site: Installation) -> Incident:
    """Open an incident over all rows that are kept."""
    review = today_utc() + timedelta(days=30)
    terms = Terms(
        case="C-7", reason="evidence", owner="liga", review=review, filters=Filters(), asked={}, is_all=True
    )
    archive = Archive(site.settings, site.holdings, resolvers=RESOLVERS)
    opening = Opening(archive, site.holdings, WORKER, "incident", terms)
    for _ in opening.run():
        pass
    assert opening.incident is not None
    return opening.incident


def let_go(site: Installation, incident: Incident) -> None:
    for _ in close(site.holdings, incident.number, WORKER, Look("incident", "C-7", "over")):
        pass


def test_what_an_incident_holds_is_checked_and_its_end_has_its_certificate(site: Installation) -> None:
    incident = hold(site)
    held = verify(site).verdicts[-1]
    assert (held.place, held.state, held.rows, held.fault) == ("incident 1", "sealed", 9, "")
    let_go(site, incident)
    assert verify(site).verdicts[-1] == Verdict(place="incident 1", state="destroyed")


INCIDENTS: list[tuple[str, Callable[[Installation, Incident], object], str]] = [
    ("page flipped", lambda site, one: flip(site.file(one.place()), -2000), "not the one that entry"),
    ("file gone", lambda site, one: site.file(one.place()).unlink(), "its file is missing"),
    ("hash changed", lambda site, _: control(site, "UPDATE incident SET file_hash = 'x'"), "another hash"),
    ("not listed", lambda site, _: control(site, "DELETE FROM incident"), "not listed any more, and has no cert"),
    (
        "closed by hand",
        lambda site, _: control(site, "UPDATE incident SET state = 'closed'"),
        "without a certificate",
    ),
]


@pytest.mark.parametrize(
    ("manipulate", "expected"), [row[1:] for row in INCIDENTS], ids=[row[0] for row in INCIDENTS]
)
def test_a_manipulated_incident_is_named(
    site: Installation, manipulate: Callable[[Installation, Incident], object], expected: str
) -> None:
    manipulate(site, hold(site))
    assert expected in faults(site)["incident 1"]


def test_an_incident_that_was_put_back_is_named(site: Installation) -> None:
    incident = hold(site)
    file = site.file(incident.place())
    content = file.read_bytes()
    let_go(site, incident)
    file.write_bytes(content)
    assert "a file of generation 1 is there again, after its certificate" in faults(site)["incident 1"]
