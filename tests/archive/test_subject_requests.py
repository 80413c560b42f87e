"""People's requests: deadlines, steps, one-time links, restrictions, recipients."""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from consentkit.archive.health.examine import examine
from consentkit.archive.oldrequests import prune_requests
from consentkit.archive.restrictions import in_force
from consentkit.archive.search import Archive
from consentkit.archive.search.follow import Follow
from consentkit.archive.search.top import top
from consentkit.archive.store import Filters
from consentkit.archive.subject import links, register
from consentkit.archive.subject.deadlines import due_day
from consentkit.archive.subject.links import Shown, kind_of_link, link_expires_us, make_link, use_link
from consentkit.archive.subject.person import Person
from consentkit.archive.subject.recipients import recipients_on
from consentkit.archive.subject.register import Identified
from consentkit.archive.subject.requests import (
    SubjectRequest,
    UnfitRequest,
    count_open,
    find_request,
    list_requests,
    today_utc,
)
from consentkit.archive.subject.restriction import Restricted, lift, restrict
from consentkit.cli.main import group
from consentkit.control import subject_link
from consentkit.errors import BadSearch
from consentkit.settings import Settings
from tests.archive.installation import DAY_US, MONDAY, RESOLVERS, WORKER, Installation, request

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.subject.requests import Kind

CONSENT_ID = "A" * 22
HOST = {"country": "LV", "role": "processor", "purpose": {"lv": "mitināšana", "en": "hosting"}, "data": "all"}
TODAY = today_utc()


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def entered(place: Installation, kind: Kind = "export", *, received: date = TODAY) -> SubjectRequest:
    return register.enter(place.control, WORKER, kind, reference="letter 2026/114", received=received)


@pytest.mark.parametrize(
    ("received", "is_extended", "due"),
    [
        pytest.param("2026-11-23", False, "2026-12-23", id="the same day of the next month"),
        pytest.param("2026-12-31", False, "2027-01-31", id="over the year's end"),
        pytest.param("2026-01-31", False, "2026-02-28", id="February has no 31st"),
        pytest.param("2028-01-31", False, "2028-02-29", id="but a 29th in a leap year"),
        pytest.param("2026-03-31", False, "2026-04-30", id="April has 30 days"),
        pytest.param("2026-11-30", True, "2027-02-28", id="three months where it was extended"),
        pytest.param("2026-11-23", True, "2027-02-23", id="counted from receipt, not from the first deadline"),
    ],
)
def test_a_deadline_is_counted_by_the_calendar(received: str, is_extended: bool, due: str) -> None:
    assert due_day(date.fromisoformat(received), is_extended=is_extended) == date.fromisoformat(due)


def test_a_request_is_entered_with_its_deadline_and_its_entry(place: Installation) -> None:
    request = entered(place, received=TODAY - timedelta(days=3))
    assert (request.number, request.state, request.handler) == (1, "open", "liga")
    assert request.due == due_day(TODAY - timedelta(days=3)).isoformat()
    (entry,) = place.audited("subject.request.entered")
    assert (entry.purpose, entry.case_id) == ("person", "request 1")
    assert "letter" not in entry.detail


@pytest.mark.parametrize(
    ("reference", "received", "field"),
    [
        pytest.param(" ", TODAY, "reference", id="no reference"),
        pytest.param("x" * 121, TODAY, "reference", id="too long a reference"),
        pytest.param("a letter", TODAY + timedelta(days=1), "received", id="received tomorrow"),
        pytest.param("a letter", date(2017, 1, 1), "received", id="received before there was the GDPR"),
    ],
)
def test_what_does_not_fit_is_not_entered(place: Installation, reference: str, received: date, field: str) -> None:
    with pytest.raises(UnfitRequest) as caught:
        register.enter(place.control, WORKER, "erase", reference=reference, received=received)
    assert caught.value.field == field
    assert list_requests(place.control) == []


def test_overdue_requests_are_counted_and_found(place: Installation) -> None:
    entered(place, received=TODAY - timedelta(days=40))
    entered(place)
    assert count_open(place.control, TODAY) == (2, 1)
    (late,) = list_requests(place.control, overdue_on=TODAY)
    assert late.is_overdue(TODAY)
    register.close(place.control, WORKER, late.number, "done", "It was sent.")
    assert count_open(place.control, TODAY) == (1, 0)


def test_the_last_day_itself_is_not_overdue(place: Installation) -> None:
    request = entered(place)
    assert not request.is_overdue(date.fromisoformat(request.due))
    assert request.is_overdue(date.fromisoformat(request.due) + timedelta(days=1))


def test_more_time_is_taken_once_and_within_the_first_month(place: Installation) -> None:
    first = entered(place)
    longer = register.extend(place.control, WORKER, first.number, "Many rows.", today=TODAY)
    assert longer.due == due_day(TODAY, is_extended=True).isoformat()
    with pytest.raises(UnfitRequest, match="twice"):
        register.extend(place.control, WORKER, first.number, "Again.", today=TODAY)
    late = entered(place, received=TODAY - timedelta(days=40))
    with pytest.raises(UnfitRequest, match="late"):
        register.extend(place.control, WORKER, late.number, "Too late.", today=TODAY)


def test_closing_forgets_by_what_the_person_was_known(place: Installation) -> None:
    number = entered(place).number
    who = Identified(
        visitor=Person.at("192.0.2.7", MONDAY, MONDAY + DAY_US, agent="curl/8.0"),
        chooser=Person.of_consent(CONSENT_ID),
        by="hand",
        reason="a bill of the provider",
    )
    known = register.identify(place.control, place.keyring, WORKER, number, who)
    assert (known.visitor, known.chooser) == (who.visitor, who.chooser)
    closed = register.close(place.control, WORKER, number, "refused", "Not theirs.")
    assert (closed.address, closed.agent, closed.consent_id, closed.state) == ("", "", "", "refused")
    with pytest.raises(UnfitRequest, match="closed"):
        register.identify(place.control, place.keyring, WORKER, number, who)
    told = "".join(entry.detail for entry in place.audited("subject."))
    assert "192.0.2.7" not in told
    assert CONSENT_ID not in told


def test_closed_requests_go_as_old_as_the_audit_gets(place: Installation) -> None:
    closed, still_open = entered(place).number, entered(place).number
    register.close(place.control, WORKER, closed, "done", "It was sent.")
    later = (find_request(place.control, closed).closed_us or 0) + 730 * DAY_US
    assert prune_requests(place.control, keep_days=730, now_us=later) == 0
    assert prune_requests(place.control, keep_days=730, now_us=later + 1) == 1
    assert [one.number for one in list_requests(place.control)] == [still_open]


def test_a_link_shows_who_asks_once(place: Installation) -> None:
    number = entered(place).number
    token = make_link(place.control, WORKER, number, now_us=MONDAY)
    assert kind_of_link(place.control, token, now_us=MONDAY) == "export"
    assert kind_of_link(place.control, token, now_us=MONDAY) == "export", "looking does not use it up"
    shown = Shown(
        address="192.0.2.7", since_us=MONDAY, until_us=MONDAY + DAY_US, agent="curl/8.0", consent_id=CONSENT_ID
    )
    assert use_link(place.control, place.keyring, token, shown, now_us=MONDAY)
    request = find_request(place.control, number)
    assert (request.identified, request.address, request.agent) == ("link", "192.0.2.7", "curl/8.0")
    assert request.consent_id == CONSENT_ID
    assert request.handler == "liga", "the person is no handler"
    assert not use_link(place.control, place.keyring, token, shown, now_us=MONDAY)
    assert kind_of_link(place.control, token, now_us=MONDAY) is None


def test_a_link_ends_after_its_days_with_another_one_and_with_its_request(place: Installation) -> None:
    number = entered(place).number
    control = place.control
    old = make_link(control, WORKER, number, now_us=MONDAY)
    new = make_link(control, WORKER, number, now_us=MONDAY)
    assert kind_of_link(control, old, now_us=MONDAY) is None
    assert kind_of_link(control, new, now_us=MONDAY + links.VALID_DAYS * DAY_US) is None
    assert kind_of_link(control, new, now_us=MONDAY + links.VALID_DAYS * DAY_US - 1) == "export"
    register.close(control, WORKER, number, "withdrawn", "By letter.")
    assert kind_of_link(control, new, now_us=MONDAY) is None
    assert link_expires_us(control, number) == 0


@pytest.mark.parametrize("token", ["", "0" * 40, "0" * 39, "G" * 40, "٠" * 40, "0" * 4000], ids=len)
def test_a_guessed_link_tells_nothing(place: Installation, token: str) -> None:
    make_link(place.control, WORKER, entered(place).number, now_us=MONDAY)
    assert kind_of_link(place.control, token, now_us=MONDAY) is None
    shown = Shown(consent_id=CONSENT_ID)
    assert not use_link(place.control, place.keyring, token, shown, now_us=MONDAY)


def test_the_database_holds_no_token(place: Installation) -> None:
    token = make_link(place.control, WORKER, entered(place).number, now_us=MONDAY)
    with place.control.transaction() as connection:
        (digest,) = connection.execute(select(subject_link.c.digest)).one()
    assert token not in digest
    assert all(token not in entry.detail for entry in place.audited())


def test_a_link_stays_good_where_nothing_was_shown(place: Installation) -> None:
    token = make_link(place.control, WORKER, entered(place).number, now_us=MONDAY)
    with pytest.raises(UnfitRequest):
        use_link(place.control, place.keyring, token, Shown(), now_us=MONDAY)
    with pytest.raises(BadSearch):
        use_link(place.control, place.keyring, token, Shown(address="192.0.2.7"), now_us=MONDAY)
    assert kind_of_link(place.control, token, now_us=MONDAY) == "export"


def test_a_restriction_ends_on_its_day_or_when_it_is_lifted(place: Installation) -> None:
    number = entered(place, "restrict").number
    rows = Restricted(network="192.0.2.7/24", since_us=MONDAY, until_us=MONDAY + DAY_US, reason="They dispute it.")
    until_lifted = restrict(place.control, WORKER, number, rows, today=TODAY)
    assert (until_lifted.network, until_lifted.case_id) == ("192.0.2.0/24", "request 1")
    dated = msgspec.structs.replace(rows, last_day=TODAY.isoformat())
    restrict(place.control, WORKER, number, dated, today=TODAY)
    assert len(in_force(place.control, TODAY)) == 2
    assert [one.number for one in in_force(place.control, TODAY + timedelta(days=1))] == [until_lifted.number]
    lifted = lift(place.control, WORKER, until_lifted.number, "They were told.")
    assert (lifted.network, lifted.agent) == ("", "")
    assert in_force(place.control, TODAY + timedelta(days=1)) == []
    with pytest.raises(UnfitRequest):
        lift(place.control, WORKER, until_lifted.number, "Again.")
    assert place.actions("subject.restrict") == [
        "subject.restricted",
        "subject.restricted",
        "subject.restriction.lifted",
    ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param({"network": "nowhere"}, BadSearch, id="no network"),
        pytest.param({"until_us": MONDAY}, BadSearch, id="no time"),
        pytest.param({"reason": " "}, UnfitRequest, id="no reason"),
        pytest.param({"last_day": "2020-01-01"}, UnfitRequest, id="over already"),
    ],
)
def test_a_restriction_of_nothing_is_refused(
    place: Installation, change: dict[str, Any], fault: type[Exception]
) -> None:
    number = entered(place, "restrict").number
    rows = Restricted(network="192.0.2.7", since_us=MONDAY, until_us=MONDAY + DAY_US, reason="They dispute it.")
    with pytest.raises(fault):
        restrict(place.control, WORKER, number, msgspec.structs.replace(rows, **change), today=TODAY)
    assert in_force(place.control, TODAY) == []


def test_recipients_are_those_of_the_day(tmp_path: Path) -> None:
    settings = Settings.from_mapping(
        {
            "recipients": [
                {**HOST, "name": "Old Host", "until": date(2026, 5, 31)},
                {**HOST, "name": "New Host", "since": date(2026, 6, 1)},
            ]
        },
        base=tmp_path,
    )
    (old,) = recipients_on(settings, date(2026, 5, 31), ("en",))
    (new,) = recipients_on(settings, date(2026, 6, 1), ("lv", "en"))
    assert (old.name, new.name, new.purpose) == ("Old Host", "New Host", "mitināšana")


def restricted(place: Installation, *, agent: str = "") -> None:
    """Put the first day's rows of one of two addresses under restriction."""
    colleague = msgspec.structs.replace(request(MONDAY + 3, "/other-browser"), user_agent="Mozilla/5.0")
    place.store(
        request(MONDAY + 1, "/hers"),
        request(MONDAY + 2, "/others", address="192.0.2.8"),
        colleague,
        request(MONDAY + DAY_US + 1, "/later"),
    )
    place.spool(request(MONDAY + 4, "/hers-waiting"))
    number = entered(place, "restrict").number
    rows = Restricted(
        network="192.0.2.7", since_us=MONDAY, until_us=MONDAY + DAY_US, agent=agent, reason="They dispute it."
    )
    restrict(place.control, WORKER, number, rows, today=TODAY)


def test_a_search_leaves_restricted_rows_out_and_counts_them(place: Installation) -> None:
    restricted(place)
    archive = Archive(place.settings, place.holdings, resolvers=RESOLVERS)
    for oldest_first in (False, True):
        search = archive.search(Filters(), limit=0, oldest_first=oldest_first)
        assert sorted(row.url for _, row in search) == ["/later", "/others"]
        assert search.restricted == 3, "in the period and in the spool"
    of_path = archive.search(Filters(path="/hers*"), limit=0)
    assert (list(of_path), of_path.restricted) == ([], 2)
    elsewhere = archive.search(Filters(since_us=MONDAY + DAY_US), limit=0)
    assert (len(list(elsewhere)), elsewhere.restricted) == (1, 0)


def test_a_restriction_of_one_browser_leaves_the_others_alone(place: Installation) -> None:
    restricted(place, agent="curl/8.0")
    assert place.urls() == ["/later", "/other-browser", "/others"]


def test_a_top_leaves_restricted_rows_out_and_counts_them(place: Installation) -> None:
    restricted(place)
    archive = Archive(place.settings, place.holdings, resolvers=RESOLVERS)
    counted = top(archive, Filters(), "address")
    assert dict(counted.counts) == {"192.0.2.7": 1, "192.0.2.8": 1}
    assert (counted.rows, counted.restricted) == (2, 3)


def test_who_names_the_case_sees_restricted_rows_and_so_does_the_person(place: Installation) -> None:
    restricted(place)
    archive = Archive(place.settings, place.holdings, resolvers=RESOLVERS)
    search = archive.for_case("request 1").search(Filters(), limit=0)
    assert (len(list(search)), search.restricted) == (5, 0)
    other = archive.for_case("request 2").search(Filters(), limit=0)
    assert len(list(other)) == 2
    assert len(list(archive.unrestricted().search(Filters(), limit=0))) == 5
    assert len(list(archive.search(Filters(), limit=0))) == 2, "a view changes nothing of the log it is of"


def test_a_lifted_restriction_shows_the_rows_again(place: Installation) -> None:
    restricted(place)
    lift(place.control, WORKER, 1, "They were told.")
    assert len(place.urls()) == 5


def test_following_leaves_out_what_comes_in_restricted(place: Installation) -> None:
    now_us = time.time_ns() // 1000
    number = entered(place, "restrict").number
    rows = Restricted(network="192.0.2.7", since_us=0, until_us=now_us + DAY_US, reason="They dispute it.")
    restrict(place.control, WORKER, number, rows, today=TODAY)
    archive = Archive(place.settings, place.holdings, resolvers=RESOLVERS)
    follow = Follow(archive, place.directory, place.keyring, Filters())
    place.spool(request(now_us, "/hers"), request(now_us + 1, "/others", address="192.0.2.8"))
    assert [row.url for _, row in follow.fresh()] == ["/others"]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["log", "search"], id="search"),
        pytest.param(["log", "tail"], id="tail"),
        pytest.param(["log", "top", "--by", "path"], id="top"),
    ],
)
def test_the_command_line_leaves_restricted_rows_out(
    place: Installation, tmp_path: Path, command: list[str]
) -> None:
    restricted(place)
    (tmp_path / "consentkit.toml").write_text('[storage]\ndirectory = "data"\n')
    look = ["--config", str(tmp_path / "consentkit.toml"), "--purpose", "security", "--reason", "a look at it"]
    answer = CliRunner().invoke(group, [*command, *look])
    assert answer.exit_code == 0, answer.stderr
    assert "/hers" not in answer.stdout
    assert "/others" in answer.stdout
    assert "3 rows match and are restricted (GDPR art. 18)." in answer.stderr
    for_claims = CliRunner().invoke(group, [*command, *look, "--case", "request 1"])
    assert "/hers" in for_claims.stdout


def test_an_export_of_the_command_line_leaves_restricted_rows_out(place: Installation, tmp_path: Path) -> None:
    restricted(place)
    (tmp_path / "consentkit.toml").write_text('[storage]\ndirectory = "data"\n')
    look = ["--config", str(tmp_path / "consentkit.toml"), "--purpose", "security", "--reason", "a look at it"]
    file = tmp_path / "rows.ndjson"
    answer = CliRunner().invoke(group, ["log", "export", "--format", "json", "--output", str(file), *look])
    assert answer.exit_code == 0, answer.stderr
    assert "/hers" not in file.read_text()
    assert "/others" in file.read_text()
    assert "restricted" in answer.stderr


def test_the_command_line_lists_requests_and_says_which_are_overdue(place: Installation, tmp_path: Path) -> None:
    (tmp_path / "consentkit.toml").write_text('[storage]\ndirectory = "data"\n')
    command = ["subject", "requests", "--config", str(tmp_path / "consentkit.toml")]
    entered(place)
    good = CliRunner().invoke(group, [*command, "--json"])
    assert (good.exit_code, msgspec.json.decode(good.stdout)["overdue"]) == (0, False)
    late = entered(place, "erase", received=TODAY - timedelta(days=40))
    bad = CliRunner().invoke(group, command)
    assert (bad.exit_code, "OVERDUE" in bad.stdout) == (1, True)
    register.close(place.control, WORKER, late.number, "done", "It was sent.")
    assert "erase" not in CliRunner().invoke(group, command).stdout
    assert "erase" in CliRunner().invoke(group, [*command, "--all"]).stdout
    assert place.actions("subject.requests") == ["subject.requests"] * 4


def test_the_doctor_finds_overdue_requests(place: Installation) -> None:
    found = {one.check: one for one in examine(place.settings, place.holdings)}
    assert found["people.overdue"].level == "good"
    entered(place, received=TODAY - timedelta(days=40))
    found = {one.check: one for one in examine(place.settings, place.holdings)}
    assert found["people.overdue"].level == "bad"
    assert "1 of 1" in found["people.overdue"].text
