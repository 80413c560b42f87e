"""The controller's documents, the register of copies and the history, as pages and files."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace

from consentkit import audit
from consentkit.admin.documents import codes
from consentkit.admin.documents.making import KINDS
from consentkit.admin.documents.measures import measures_document
from consentkit.admin.writing import Writing
from consentkit.archive.child import settings_in_force
from consentkit.archive.inforce import record_start
from consentkit.archive.register.measures import measures
from consentkit.archive.register.processings import processing_record
from consentkit.audit import SYSTEM, Actor, Look
from consentkit.settings import Settings
from consentkit.web.texts import Texts
from tests.admin.area import STAFF, Area, run, text_of
from tests.archive.installation import Installation, detail

SAY = Texts(("en",), domain="admin")["en"]
HOSTILE = "<script>alert(1)</script>"

pytestmark = pytest.mark.custody


@pytest.mark.parametrize("role", ["viewer", "investigator", "officer", "admin"])
def test_everybody_reads_the_documents_and_an_officer_approves(tmp_path: Path, role: str) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client(role)
            for path in ("/records", *(f"/records/{name}" for name in KINDS)):
                page = await client.get(path)
                assert page.status_code == 200, path
                assert "<h1>" in page.text
            may_history = (await client.get("/records/history")).status_code == 200
            assert may_history == (role in ("officer", "admin"))
            answer = await client.post("/records/balancing-test/approve", {"digest": "x"})
            assert answer.status_code == (409 if role == "officer" else 403)
        assert area.installation.actions("balancing-test.") == []

    run(story)


@pytest.mark.parametrize("language", ["lv", "ru", "et", "lt"])
def test_each_document_is_a_page_and_a_file_in_each_language(tmp_path: Path, language: str) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("viewer")
            for name in KINDS:
                page = await client.get(f"/records/{name}?lang={language}")
                assert f'<html lang="{language}"' in page.text
                file = await client.get(f"/records/{name}?format=html&lang={language}")
                assert "attachment" in file.headers["content-disposition"]
                assert file.text.count("<section") >= 1
                assert "src=" not in file.text
                assert "href=" not in file.text
                data = await client.get(f"/records/{name}?format=json")
                assert json.loads(data.text)["document"] == name
                assert (await client.get(f"/records/{name}?format=pdf")).status_code == 400

    run(story)


def test_every_code_has_its_words() -> None:
    log: dict[str, object] = {"geo_database": "x.mmdb", "geo_precision": "city", "truncate_ip_after_days": 0}
    for table in ({}, log, {"redact_paths": False, "keep_query_keys": [], "geo_database": "x.mmdb"}):
        settings = Settings.from_mapping({"requestlog": table})
        record = processing_record(settings, date(2026, 11, 23), asks=True)
        for one in record.processings:
            assert one.name in codes.processing_names(SAY)
            assert one.name in codes.processing_purposes(SAY)
            assert set(one.data) <= set(codes.data_names(SAY, ()))
            assert set(one.subjects) <= set(codes.subject_names(SAY))


@pytest.mark.parametrize(
    ("requests_on", "control_on", "said", "unsaid"),
    [
        ("", "", ["Everything is stored encrypted"], ["lie in"]),
        (
            "PostgreSQL",
            "PostgreSQL",
            [
                "Requests lie in PostgreSQL.",
                "Choices, audit and people lie in PostgreSQL, protected by its own means",
            ],
            ["Everything is stored encrypted", "then the file"],
        ),
        (
            "ClickHouse",
            "",
            ["Requests lie in ClickHouse.", "Choices, audit and people are stored encrypted"],
            ["Everything is stored encrypted", "PostgreSQL"],
        ),
    ],
    ids=["embedded", "postgresql", "requests alone"],
)
def test_measures_call_no_more_encrypted_than_is(
    tmp_path: Path, requests_on: str, control_on: str, said: list[str], unsaid: list[str]
) -> None:
    installation = Installation(tmp_path)
    now = measures(installation.settings, installation.holdings)
    on_server = replace(now, requests_on=requests_on, control_on=control_on)

    lines = measures_document(SAY, Writing(SAY), on_server).sections
    text = " ".join(line for section in lines for line in section.lines)

    assert [one for one in said if one not in text] == []
    assert [one for one in unsaid if one in text] == []


def test_measures_tell_of_the_development_secret_and_of_one_time_codes(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            text = text_of(await (await area.client("viewer")).get("/records/measures"))
        assert "made for development" in text
        assert "4 people may sign in, 0 of them with one-time codes" in text
        assert "The log was not verified yet" in text

    run(story)


def test_the_balancing_test_is_approved_for_what_the_page_shows(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            officer = await area.client("officer")
            facts = json.loads((await officer.get("/records/balancing-test?format=json")).text)["facts"]
            digest = facts["standing"]["digest"]
            assert facts["standing"]["state"] == "never"
            assert digest in (await officer.get("/records/balancing-test")).text
            note = f"weighed {HOSTILE}"
            answer = await officer.post("/records/balancing-test/approve", {"digest": digest, "note": note})
            assert answer.status_code == 303
            page = await officer.get("/records/balancing-test")
            assert "approved for the settings in force" in page.text
            assert HOSTILE not in page.text
            long = await officer.post("/records/balancing-test/approve", {"digest": digest, "note": "x" * 501})
            assert long.status_code == 400
        (entry,) = area.installation.audited("balancing-test.approved")
        assert (entry.actor, detail(entry)["digest"]) == ("officer", digest)

    run(story)


def test_a_test_that_weighed_other_settings_is_shown_as_due_with_what_changed(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        weighed = {"requestlog.retention_days": "30"}
        told = {"digest": "0" * 64, "weighed": weighed}
        audit.record(area.installation.control, STAFF, "balancing-test.approved", detail=told)
        async with area:
            viewer = await area.client("viewer")
            assert "Due for review" in (await viewer.get("/records")).text
            text = text_of(await viewer.get("/records/balancing-test"))
            assert "requestlog.retention_days 30 90" in text
            assert "Approve for these settings" not in text

    run(story)


def test_a_day_that_is_none_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            viewer = await area.client("viewer")
            for day in ("2026-13-01", "soon", "0001-01-01", "9999-12-31", "x" * 5000):
                assert (await viewer.get(f"/records/recipients?on={day}")).status_code == 400

    run(story)


def test_a_copy_is_marked_as_destroyed_with_how(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        look = Look("security", "12", HOSTILE)
        told = {
            "format": "csv",
            "rows": 5,
            "bytes": 9,
            "sha256": "a" * 64,
            "output": HOSTILE,
            "recipient": HOSTILE,
            "destroy_by": "2026-01-01",
            "is_whole": False,
        }
        made = audit.record(area.installation.control, Actor(HOSTILE, "cli"), "copy.made", look=look, detail=told)
        async with area:
            officer = await area.client("officer")
            page = await officer.get("/records/copies")
            assert HOSTILE not in page.text
            assert "The day of 1 copy has passed" in page.text
            one = await officer.get(f"/records/copies/{made.number}")
            assert HOSTILE not in one.text
            assert f"/audit/{made.number}" in one.text
            path = f"/records/copies/{made.number}/destroyed"
            empty = await officer.post(path, {"how": " "})
            assert empty.status_code == 400
            assert 'id="e-how"' in empty.text
            assert (await officer.post(path, {"how": "x" * 501})).status_code == 400
            assert (await officer.post("/records/copies/1/destroyed", {"how": "x"})).status_code == 404
            assert (await officer.post(path, {"how": "shredded"})).status_code == 303
            text = text_of(await officer.get("/records/copies"))
            assert "has passed" not in text
            assert "shredded" in (await officer.get(f"/records/copies/{made.number}")).text
            assert (await officer.get("/records/copies/999")).status_code == 404
            assert (await officer.get("/records/copies?before=-1")).status_code == 400
        (entry,) = area.installation.audited("copy.destroyed")
        assert (entry.actor, detail(entry)) == ("officer", {"copy": made.number, "how": "shredded"})

    run(story)


def test_the_history_shows_settings_and_roles(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        changed = Settings.from_mapping({"requestlog": {"retention_days": 30, "retention_reason": HOSTILE}})
        for given in (Settings(), changed):
            told = json.loads(json.dumps(settings_in_force(given)))
            record_start(area.installation.control, SYSTEM, told)
        async with area:
            admin = await area.client("admin")
            page = await admin.get("/records/history")
            assert "requestlog.retention_days" in page.text
            assert "<del>90</del>" in page.text
            assert HOSTILE not in page.text
            assert "Investigator" in page.text
            only = await admin.get("/records/history?kind=staff")
            assert "requestlog.retention_days" not in only.text
            for bad in ("kind=x", "before=x", "before=0"):
                assert (await admin.get(f"/records/history?{bad}")).status_code == 400

    run(story)
