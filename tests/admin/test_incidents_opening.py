"""Opening an incident, and handing one over: what is copied, what the page that waits says, what leaves."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from consentkit.admin import openings
from consentkit.admin.masking import masked
from consentkit.archive.bundle import check
from consentkit.archive.custody import custody
from consentkit.archive.incident.listing import today_utc
from consentkit.control import audit as audit_table
from consentkit.signing import public_keys
from tests.admin.area import STAFF, Area, Client, hashed, run, text_of
from tests.admin.incidents import hold, looking, requests, state_of
from tests.archive.installation import detail


def terms(**changes: str) -> dict[str, str]:
    """A form that is filled in."""
    review = (today_utc() + timedelta(days=90)).isoformat()
    return {"case": "2026-7", "reason": "guessing of passwords", "owner": "liga", "review": review, **changes}


async def until(
    client: Client, path: str, is_over: Callable[[httpx.Response], bool], *, seconds: float = 30
) -> httpx.Response:
    """Ask for a page until it says what is waited for."""
    deadline = time.monotonic() + seconds
    while True:
        page = await client.get(path)
        if is_over(page):
            return page
        assert time.monotonic() < deadline, text_of(page)
        await asyncio.sleep(0.05)


def path_of(answer: httpx.Response) -> str:
    assert answer.status_code == 303, text_of(answer)
    return answer.headers["location"].partition("/admin")[2]


async def opened(client: Client, query: str, form: dict[str, str]) -> str:
    """Open an incident and wait for it; return where its page lies."""
    waiting = path_of(await client.post(f"/incidents/new?{query}", form))
    return path_of(await until(client, waiting, lambda page: page.status_code == 303))


def test_the_form_says_first_how_many_rows_would_be_kept(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(12), *requests(3, address="192.0.2.99"))
        async with area:
            page = await (await looking(area, "investigator")).get("/incidents/new?since=2d&address=192.0.2.99")
            assert "Requests that would be held 3" in text_of(page)
            (entry,) = area.installation.audited("incident.count")
            assert (detail(entry)["counted"], entry.purpose) == (3, "security")
            assert not area.installation.audited("incident.opening")

    run(story)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        pytest.param("since=2d&address=192.0.2.99", 3, id="an address"),
        pytest.param("since=&path=/page/1*", 3, id="a path"),
        pytest.param("since=&status=5xx", 0, id="none"),
    ],
)
def test_what_matches_is_copied_and_nothing_else(tmp_path: Path, query: str, kept: int) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(12), *requests(3, address="192.0.2.99", url="/x{n}"))
        async with area:
            officer = await looking(area, "officer")
            place = await opened(officer, query, terms())
            assert place == "/incidents/1?notice=incident-opened"
            (entry,) = area.installation.audited("incident.opened")
            assert (detail(entry)["rows"], entry.actor, entry.case_id) == (kept, "officer", "2026-7")

    run(story)


def test_a_masked_link_of_a_search_opens_an_incident_of_that_address(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(2), *requests(3, address="192.0.2.99"))
        async with area:
            investigator = await looking(area, "investigator")
            page = await investigator.get("/search?since=1d")
            token = re.findall(r"address=(~[^\"&]+)", page.text)[-1]  # of the oldest row
            form = await investigator.get(f"/incidents/new?address={token}")
            assert "Requests that would be held 3" in text_of(form)
            await opened(investigator, f"address={token}", terms())
            # In the record the address stands in full, on the page it does not.
            entry = area.installation.audited("incident.opening")[0]
            assert detail(entry)["filters"] == {"address": ["192.0.2.99/32"]}
            page = await investigator.get("/incidents/1")
            assert masked("192.0.2.99") in text_of(page)
            assert "192.0.2.99" not in page.text

    run(story)


@pytest.mark.parametrize(
    ("query", "changes", "told"),
    [
        pytest.param("since=1d", {"case": ""}, "This is needed.", id="no case"),
        pytest.param("since=1d", {"reason": "  "}, "This is needed.", id="no reason"),
        pytest.param("since=1d", {"owner": "x" * 101}, "At most 100 characters.", id="a long owner"),
        pytest.param("since=1d", {"case": "a\u202eb"}, "Write plain text", id="a case that turns"),
        pytest.param("since=1d", {"review": "2001-01-01"}, "This day has passed.", id="a review that is over"),
        pytest.param("since=1d", {"review": "2999-01-01"}, "At most a year ahead", id="a review in ten lives"),
        pytest.param("since=1d", {"review": "soon"}, "Write a day as", id="no day"),
        pytest.param("since=", {}, "Say that all rows are meant", id="no filter"),
        pytest.param("since=never", {}, "Nothing was counted", id="a filter that can't be read"),
    ],
)
def test_an_incident_without_terms_is_not_opened_and_what_was_typed_stays(
    tmp_path: Path, query: str, changes: dict[str, str], told: str
) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(1))
        async with area:
            page = await (await looking(area, "officer")).post(f"/incidents/new?{query}", terms(**changes))
            assert page.status_code == 400
            assert told in text_of(page)
            assert "guessing of passwords" in page.text or "reason" in changes or query == "since=never"
            assert not area.installation.audited("incident.opening")

    run(story)


def test_while_somebody_destroys_or_copies_nothing_is_begun_and_the_form_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openings, "WAIT_SECONDS", 0.1)

    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(1))
        async with area:
            officer = await looking(area, "officer")
            with custody(area.installation.control, wait_seconds=5):
                page = await officer.post("/incidents/new?since=1d", terms())
            assert page.status_code == 409
            assert "guessing of passwords" in page.text
            assert not area.installation.audited("incident.opening")

    run(story)


def test_the_page_that_waits_says_how_far_it_came_and_any_worker_can_tell(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(3))
        hold(area.installation)
        async with area:
            officer = await looking(area, "officer")
            holdings = area.installation.holdings
            entry = area.installation.audited("incident.opening")[0].number
            with area.installation.control.transaction() as connection:
                # The opening as it stood before its last step: copied, and not entered.
                connection.execute(audit_table.delete().where(audit_table.c.action == "incident.opened"))
            with custody(holdings.control, wait_seconds=5):
                page = await officer.get(f"/incidents/opening/{entry}")
            assert '<meta http-equiv="refresh"' in page.text
            assert "Requests copied 3" in text_of(page)
            assert "203.0.113" not in page.text
            # Nobody is at it any more: it broke off, and the filters can be tried again.
            page = await officer.get(f"/incidents/opening/{entry}")
            assert "The copying broke off" in text_of(page)
            assert '<meta http-equiv="refresh"' not in page.text
            assert "/incidents/new?address=~" in page.text

    run(story)


def test_a_copy_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(3))
        async with area:
            officer = await looking(area, "officer")
            blocked = area.installation.directory / "incidents"
            blocked.write_text("where a folder should be")
            waiting = path_of(await officer.post("/incidents/new?since=1d", terms()))
            page = await until(officer, waiting, lambda page: "broke off" in text_of(page))
            assert "can't be written" in page.text or "can&#39;t be written" in page.text
            (entry,) = area.installation.audited("incident.opening_failed")
            assert (entry.case_id, entry.actor) == ("2026-7", "officer")
            blocked.unlink()
            assert await opened(officer, "since=1d", terms()) == "/incidents/1?notice=incident-opened"

    run(story)


def test_a_bundle_leaves_signed_in_the_register_and_for_its_owner_alone(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(5))
        hold(area.installation)
        destroy_by = (today_utc() + timedelta(days=20)).isoformat()
        async with area:
            officer = await looking(area, "officer")
            form = {"recipient": "State Police", "destroy_by": destroy_by}
            waiting = path_of(await officer.post("/incidents/1/export", form))
            page = await until(officer, waiting, lambda page: "SHA-256" in text_of(page))
            assert "The bundle is ready" in text_of(page)
            answer = await officer.get(f"{waiting}/file")
            assert answer.headers["content-type"] == "application/zip"
            assert re.search(r'filename="incident-1-\d{8}T\d{6}Z\.zip"', answer.headers["content-disposition"])

            file = tmp_path / "bundle.zip"
            file.write_bytes(answer.content)
            with area.installation.control.transaction() as connection:
                manifest = check(file, public_keys(connection))
            assert manifest.about["case"] == "2026-7"
            assert manifest.about["recipient"] == "State Police"
            (copy,) = area.installation.audited("copy.made")
            assert detail(copy)["destroy_by"] == destroy_by
            assert json.loads(copy.detail)["sha256"] in text_of(page)
            assert area.installation.actions("incident.export.download") == ["incident.export.download"]
            assert "State Police" in text_of(await officer.get("/incidents/1"))

            other = await looking(area, "investigator")
            assert (await other.get(f"{waiting}/file")).status_code == 403
            # Nothing that was sent stays beside the bundle itself.
            assert not list((area.installation.directory / "exports").glob("*.given"))

    run(story)


def test_a_bundle_that_another_officer_made_is_not_handed_out(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(1))
        hold(area.installation)
        area.people.add(STAFF, "second", ["officer"], hashed())
        async with area:
            officer, second = await looking(area, "officer"), await looking(area, "second")
            form = {"destroy_by": today_utc().isoformat()}
            waiting = path_of(await officer.post("/incidents/1/export", form))
            await until(officer, waiting, lambda page: "SHA-256" in text_of(page))
            assert [(await second.get(f"{waiting}{end}")).status_code for end in ("", "/file")] == [404, 404]

    run(story)


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"destroy_by": ""}, id="no day"),
        pytest.param({"destroy_by": "2001-01-01"}, id="a day that is over"),
        pytest.param({"destroy_by": "2026-12-24", "recipient": "x" * 201}, id="a long recipient"),
        pytest.param({"destroy_by": "2026-12-24", "recipient": "a\u202eb"}, id="a recipient that turns"),
    ],
)
def test_a_bundle_without_an_end_is_not_made(tmp_path: Path, form: dict[str, str]) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(1))
        hold(area.installation)
        async with area:
            officer = await looking(area, "officer")
            assert (await officer.post("/incidents/1/export", form)).status_code == 400
            assert not area.installation.audited("incident.export")
            assert state_of(area.installation, 1) == "open"

    run(story)
