"""The audit's pages: entries, review and check."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import insert, update

from consentkit import audit
from consentkit.admin.auditlist import Asked, asked, find
from consentkit.admin.chaincheck import check_chain
from consentkit.admin.entryview import without_addresses
from consentkit.admin.reads import since_review
from consentkit.audit import Actor, Listing, Look
from consentkit.control import audit as entries
from consentkit.web.texts import Texts
from tests.admin.area import Area, run, text_of
from tests.archive.installation import Installation, detail

if TYPE_CHECKING:
    from consentkit.audit import AuditEntry
    from consentkit.control import Control

SAY = Texts(("en",), domain="admin")["en"]
ANNA = Actor("anna", "admin")
HOSTILE = '<img src=x onerror="alert(1)">'

custody = pytest.mark.custody


def wrote(control: Control, action: str, *, rows: int = 0, look: Look | None = None, **more: object) -> AuditEntry:
    return audit.record(control, ANNA, action, look=look, detail=more, rows=rows)


def numbers(control: Control, wanted: Asked) -> list[int]:
    return [one.number for one in find(control, wanted).entries]


def wanted(**values: str) -> Asked:
    return asked(values, SAY)


@pytest.mark.parametrize(
    ("filters", "fitting"),
    [
        ({}, ["log.search", "log.top", "keys.rotated"]),
        ({"action": "log.*"}, ["log.search", "log.top"]),
        ({"actor": "anna", "purpose": "security"}, ["log.search"]),
        ({"case": "12"}, ["log.search"]),
        ({"actor": "berta"}, []),
        ({"until": "2020-01-01"}, []),
        ({"since": "1h"}, ["log.search", "log.top", "keys.rotated"]),
    ],
    ids=["all", "glob", "purpose", "case", "nobody", "before", "lately"],
)
def test_each_filter_asks_for_what_it_says(tmp_path: Path, filters: dict[str, str], fitting: list[str]) -> None:
    control = Installation(tmp_path).control
    wrote(control, "log.search", look=Look("security", "12", "a test"), rows=1)
    wrote(control, "log.top")
    wrote(control, "keys.rotated")
    assert [one.action for one in find(control, wanted(**filters)).entries] == fitting[::-1]


def test_pages_go_on_where_they_ended_in_both_directions(tmp_path: Path) -> None:
    control = Installation(tmp_path).control
    for _ in range(120):
        wrote(control, "log.search")
    first = find(control, wanted())
    assert (first.newer, first.older) == ("", f"before={120 - 49}")
    second = numbers(control, wanted(before="71"))
    assert second == list(range(70, 20, -1))
    assert numbers(control, wanted(after="70")) == list(range(120, 70, -1))
    assert find(control, wanted(after="70")).newer == ""
    assert numbers(control, wanted(after="20")) == second
    assert find(control, wanted(before="21")).older == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [("since", "soon"), ("purpose", "curiosity"), ("actor", "x" * 300)],
    ids=["no time", "no purpose", "too long"],
)
def test_what_can_not_be_read_is_told_beside_its_field(tmp_path: Path, field: str, value: str) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            page = await (await area.client("officer")).get(f"/audit?{field}={value}")
        assert page.status_code == 400
        assert f'id="e-{field}"' in page.text

    run(story)


def test_a_place_that_is_no_number_is_the_newest() -> None:
    assert wanted(before="-1").before == wanted(after="9" * 40).after == wanted(before="²").before == 0


@custody
@pytest.mark.parametrize("name", ["viewer", "investigator", "admin"])
def test_only_an_officer_sees_the_audit(tmp_path: Path, name: str) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client(name)
            for path in ("/audit", "/audit/1", "/audit/1/rows", "/audit/verify", "/records/copies"):
                assert (await client.get(path)).status_code == 403
            for path in ("/audit/review", "/audit/verify", "/audit/export", "/records/copies/1/destroyed"):
                assert (await client.post(path, {"until": "1", "format": "json", "how": "x"})).status_code == 403
        assert area.installation.actions("audit.") == []

    run(story)


@custody
def test_what_was_written_by_others_is_shown_as_text_and_addresses_are_masked(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        control = area.installation.control
        look = Look("security", "12", HOSTILE)
        made = audit.record(
            control,
            Actor(HOSTILE, "cli"),
            "log.search",
            look=look,
            detail={"filters": {"address": ["192.0.2.77/32", "2001:db8::77"], "path": HOSTILE}, HOSTILE: 1},
            rows=3,
        )
        async with area:
            officer = await area.client("officer")
            for path in ("/audit", f"/audit/{made.number}"):
                page = await officer.get(path)
                assert page.status_code == 200
                assert "<img" not in page.text
                assert "&lt;img" in page.text
                assert "192.0.2.77" not in page.text
                assert "2001:db8::77" not in page.text
                assert "192.0.•.•" in page.text

    run(story)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("192.0.2.7", "192.0.•.•"),
        ("of 192.0.2.7/24, and 2001:db8::1", "of 192.0.•.•, and 2001:db8:•"),
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
        ("10:00:00", "10:00:00"),
        ("version 1.2.3", "version 1.2.3"),
        ("deadbeef", "deadbeef"),
    ],
    ids=["address", "networks", "time", "clock", "version", "hash"],
)
def test_addresses_alone_are_masked(text: str, shown: str) -> None:
    assert without_addresses(text) == shown


@custody
def test_a_review_ends_what_is_to_be_reviewed_where_the_page_ended(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        control = area.installation.control
        seen = wrote(control, "log.search", look=Look("security"), rows=5)
        later = wrote(control, "log.search", look=Look("fraud"), rows=7)
        async with area:
            officer = await area.client("officer")
            answer = await officer.post("/audit/review", {"until": str(seen.number), "note": "as it should be"})
            assert answer.status_code == 303
            reads = since_review(control, newest=5)
            assert (reads.count, reads.rows, reads.newest[0].number) == (1, 7, later.number)
            entry = area.installation.audited("audit.reviewed")[0]
            assert detail(entry)["until"] == seen.number
            assert detail(entry)["note"] == "as it should be"
            again = await officer.post("/audit/review", {"until": "1"})
            assert "nothing-changed" in again.headers["location"]
            for bad in ("", "0", "x", "99999", "9" * 30):
                assert (await officer.post("/audit/review", {"until": bad})).status_code == 400
            page = await officer.get("/audit?looks=1")
            assert f"/audit/{later.number}/rows" in page.text
            assert f"/audit/{seen.number}/rows" not in page.text
        assert len(area.installation.audited("audit.reviewed")) == 1

    run(story)


@custody
def test_the_chain_is_checked_and_the_first_fault_is_shown(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        control = area.installation.control
        for _ in range(3):
            wrote(control, "log.search")
        async with area:
            officer = await area.client("officer")
            page = text_of(await officer.post("/audit/verify", {}))
            assert "The chain holds" in page
            with control.transaction() as connection:
                connection.execute(update(entries).where(entries.c.number == 6).values(reason="changed"))
            page = text_of(await officer.post("/audit/verify", {}))
            assert "entry 6 was changed" in page
        with control.transaction() as connection:
            said = [detail(one)["result"] for one in audit.newest_first(connection, "audit.verified")]
        assert said == ["bad", "good"]

    run(story)


@custody
def test_an_anchor_of_another_chain_contradicts(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            officer = await area.client("officer")
            page = await officer.get("/audit/verify")
            assert "consentkit-anchor-1" in page.text
            other = msgspec.json.encode(
                audit.Anchor(number=1, hash="0" * 64, time="2026-01-01T00:00:00Z")
            ).decode()
            assert "anchor 1" in text_of(await officer.post("/audit/verify", {"anchors": other}))
            bad = await officer.post("/audit/verify", {"anchors": "no anchor"})
            assert bad.status_code == 400
            assert "is no anchor" in bad.text

    run(story)


def test_a_check_ends_when_its_time_is_up(tmp_path: Path) -> None:
    control = Installation(tmp_path).control
    many(control, 1500)
    check = check_chain(control, "", seconds=0)
    assert not check.is_whole
    assert check.report.entries < check.total


def many(control: Control, count: int) -> None:
    """Write entries as fast as the database takes them; they are no chain."""
    now = time.time_ns() // 1000
    values = [
        {
            "number": number,
            "time_us": now + number,
            "actor": f"person {number % 7}",
            "origin": "admin",
            "action": "log.search" if number % 3 else "admin.health",
            "purpose": "security" if number % 3 else "",
            "case_id": str(number % 50),
            "reason": "a reason in some words",
            "detail": json.dumps(
                {"address": "192.0.2.7", "filters": {"path": "/a/*", "since": "7d"}, "n": number}
            ),
            "rows": 50 if number % 3 else 0,
            "previous_hash": "0" * 64,
            "hash": "0" * 64,
        }
        for number in range(1, count + 1)
    ]
    with control.transaction() as connection:
        connection.execute(insert(entries), values)


@custody
@pytest.mark.parametrize(
    "values",
    [{}, {"action": "nothing.*"}, {"actor": "nobody"}, {"case": "none"}, {"looks": "1"}, {"until": "2020-01-01"}],
    ids=["newest", "action", "actor", "case", "looks", "time"],
)
def test_a_page_of_a_big_audit_comes_soon(big: Control, values: dict[str, str]) -> None:
    began = time.thread_time()
    find(big, wanted(**values))
    since_review(big, newest=0)
    assert time.thread_time() - began < 0.5  # of computing; some 0.1 s to 0.2 s on an idle machine


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Control:
    control = Installation(tmp_path_factory.mktemp("big")).control
    many(control, 100_000)
    return control


def test_a_listing_of_nothing_is_everything() -> None:
    assert wanted().listing == Listing()
