"""What the rooms ask of the control data gives the same on both databases."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from consentkit import audit, signing
from consentkit.admin import openings, reads
from consentkit.admin.held import holds
from consentkit.admin.people import BadPerson, People
from consentkit.admin.sessions import Sessions
from consentkit.admin.throttle import Throttle
from consentkit.admin.totp import Codes
from consentkit.archive.aggregate.hours import counted_hours
from consentkit.archive.consentrates import rates, span
from consentkit.archive.period import Catalogue, kept, new_period
from consentkit.archive.subject import register, requests
from consentkit.audit import SYSTEM, Actor, Look
from consentkit.consent.ledger import record_decision, register_policy
from consentkit.consent.ledgercheck import verify_decisions
from consentkit.consent.ledgerpruning import note_head, prune_decisions
from consentkit.consent.outcomes import Outcome
from consentkit.consent.receipt import verify_receipt
from consentkit.consent.receipts import make_receipt
from consentkit.control import Control, aggregate, aggregate_hour, incident
from tests.consent.proofs import ID, OPERATOR, POLICY, decision, shown

HOUR_US = 3_600_000_000
DAY_MINUTES = 1440
OFFICER = Actor("liga", "admin")


def now_minute() -> int:
    return int(time.time()) // 60


def test_decisions_are_chained_receipted_and_let_go(control: Control) -> None:
    state = register_policy(control, POLICY, lambda _old, _new: frozenset())
    assert register_policy(control, POLICY, lambda _old, _new: frozenset()) == state
    now, counted = now_minute(), [Outcome("statistics", "accepted")]
    old = decision("statistics", minute=now - 900 * DAY_MINUTES)
    for answer in (old, decision("", "statistics"), decision("statistics"), decision("", "statistics", "")):
        record_decision(control, answer, counted, shown=shown(), once="f" * 64 if answer.consent_id else "")
    assert verify_decisions(control).faults == ()
    receipt = make_receipt(control, ID, operator=OPERATOR, host="www.example.lv")
    assert receipt is not None
    with control.transaction() as connection:
        keys = signing.key_set(connection, control.keyring, OPERATOR)
    assert len(verify_receipt(receipt, keys).receipt.decisions) == 3
    note_head(control, SYSTEM)
    gone = prune_decisions(control, SYSTEM, now_minute=now, keep_days=500, lifetime_days=184)
    assert [entry.action for entry in gone] == ["consent.pruned"]
    report = verify_decisions(control)
    assert (report.decisions, report.let_go, report.faults) == (3, 1, ())
    assert sum(row.accepted for row in rates(control, by=("language", "category"))) == 4
    found = span(control)
    assert found is not None
    assert found.last == datetime.now(UTC).date().isoformat()


def test_people_sign_in_and_are_throttled(control: Control) -> None:
    people, sessions, codes = People(control), Sessions(control), Codes(control, control.keyring)
    person = people.add(SYSTEM, "Līga", ["admin", "officer"], "hash")
    with pytest.raises(BadPerson):
        people.add(SYSTEM, "LĪGA", ["viewer"], "hash")
    second = people.add(SYSTEM, "Jānis", ["viewer"], "hash")
    assert second.number > person.number
    codes.prepare(person)
    assert codes.enrol(SYSTEM, person, "000000") == []
    ids = [sessions.begin("Līga", "192.0.2.7") for _ in range(25)]
    assert len(sessions.of("līga")) == 20
    assert sessions.find(ids[0]) is None
    present = sessions.find(ids[-1])
    assert present is not None
    sessions.look(present.number, Look("person", "4\0", "a letter\0"))
    looked = sessions.find(ids[-1])
    assert looked is not None
    assert looked.look == Look("person", "4\ufffd", "a letter\ufffd")
    throttle = Throttle(control, b"k" * 32)
    waits = [throttle.admit("liga\0\ud800", "192.0.2.7") for _ in range(7)]
    assert waits[:5] == [0] * 5
    assert waits[-1] > 0
    people.remove(SYSTEM, "Līga")
    assert sessions.of("Līga") == []
    assert people.find("Līga") is None


def test_requests_of_people_are_numbered_and_counted(control: Control) -> None:
    today = requests.today_utc()
    assert requests.count_open(control, today) == (0, 0)
    made = [register.enter(control, OFFICER, "erase", reference=f"L-{n}", received=today) for n in range(3)]
    assert [one.number for one in made] == [1, 2, 3]
    assert requests.count_open(control, today) == (3, 0)
    assert requests.count_open(control, date(today.year + 1, 12, 31)) == (3, 3)
    assert [one.number for one in requests.list_requests(control, before=3, limit=1)] == [2]


def test_what_an_opening_has_copied_is_read_from_its_entries(control: Control, tmp_path: Path) -> None:
    look = Look("incident")
    entry = audit.record(control, OFFICER, "incident.opening", detail={"incident": 1}).number
    for page in range(3):
        detail = {"incident": 1, "opening": entry, "since_us": page * 10, "until_us": page * 10 + 10}
        audit.record(control, OFFICER, "incident.opening.page", detail=detail, rows=1000, look=look)
    audit.record(
        control, OFFICER, "incident.opening.page", detail={"opening": "text"}, rows=5, look=Look("incident")
    )
    assert openings._copied(control, entry) == (3000, 30)
    row = {"generation": 1, "state": "open", "case_id": "", "reason": "", "owner": "", "opened_us": 0}
    rest = {"review": "2026-11-23", "filters": "{}", "rows": 3000, "bytes": 1, "file_hash": ""}
    with control.transaction() as connection:
        connection.execute(incident.insert().values(number=1, **row, **rest))
    assert [hold.times for hold in holds(control)] == [((0, 30),)]
    since = reads.since_review(control, newest=2)
    assert (since.count, since.rows, since.people) == (4, 3005, 1)


def test_periods_and_counted_hours_are_found_of_more_than_a_question_takes(control: Control) -> None:
    catalogue = Catalogue(control, "hour")
    period = catalogue.period_of(int(time.time()) * 1_000_000)
    others = [new_period(number * HOUR_US, "hour") for number in range(2500)]
    values = {"period": period.name, "generation": 1, "file_hash": "", "lost": 2}
    with control.transaction() as connection:
        connection.execute(aggregate_hour.insert().values(hour_us=period.since_us, **values))
        cell = {"dimension": "total", "value": "requests", "requests": 2**40}
        connection.execute(aggregate.insert().values(hour_us=period.since_us, **cell))
    found = counted_hours(control, [*others, period])
    assert found[period.name][period.since_us].measured.requests == 2**40
    assert not any(found[one.name] for one in others)
    assert [one.name for one in kept(control)] == [period.name]
