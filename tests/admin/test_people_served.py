"""What a person's request shows of what was done before: its journal, earlier copies, what an export left out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.admin.area import ROOT, Client, run, text_of
from tests.admin.test_people_requests import BY_HAND, OFFICE, area_with_rows, entered
from tests.archive.installation import detail

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.custody

EXPORT = "/search/export?since=2026-03-01&until=2026-03-09"
TERMS = {"format": "json", "limit": "1000", "recipient": "The police", "destroy_by": "2099-01-31"}


async def exported(client: Client) -> str:
    """Export all of the days, and return the words of the page when it is done."""
    answer = await client.post(EXPORT, TERMS)
    assert answer.status_code == 303, text_of(answer)
    for _ in range(400):
        page = await client.get(answer.headers["location"].removeprefix(ROOT))
        if 'http-equiv="refresh"' not in page.text:
            return text_of(page)
        await asyncio.sleep(0.05)
    raise AssertionError("the export does not come to its end")


async def restricted(officer: Client) -> None:
    made = await entered(officer, "restrict")
    window = {"restrict_since": "2026-03-02", "restrict_until": "2026-03-02"}
    form = {**window, "network": "192.0.2.7", "restriction": "They dispute it."}
    assert (await officer.post(f"{made}/restrict", form)).status_code == 303


def test_an_export_says_how_many_rows_it_left_out_as_restricted(tmp_path: Path) -> None:
    area = area_with_rows(tmp_path)

    async def story() -> None:
        async with area:
            officer = await area.client("officer", OFFICE)
            await officer.look("security")
            assert "restricted" not in await exported(officer)
            await restricted(officer)
            words = await exported(officer)
            assert "1 request that matches is restricted and was left out (GDPR art. 18)." in words
            assert "Written: 2 requests." in words
            await officer.look("incident", case="request 1")
            assert "Written: 3 requests." in await exported(officer)

    run(story)
    assert [detail(entry)["rows"] for entry in area.installation.audited("copy.made")] == [3, 2, 3]


def test_a_request_lists_what_was_done_for_it_and_not_each_look_at_its_page(tmp_path: Path) -> None:
    area = area_with_rows(tmp_path)

    async def story() -> None:
        async with area:
            officer = await area.client("officer", OFFICE)
            other = await entered(officer)
            made = await entered(officer)
            await officer.post(f"{made}/identify", BY_HAND)
            await officer.get(f"{made}/preview")
            await officer.post(f"{made}/export", {"what": "requests"})
            words = text_of(await officer.get(made))
            steps = ["Noted what was done", "Made a copy", "Wrote the answer", "Looked at what is kept"]
            places = [words.rindex(step) for step in (*steps, "Noted who asks", "Entered")]
            assert places == sorted(places), "the last stands first"
            assert "admin.people" not in words
            assert "subject." not in words, "each step has a name"
            assert "/audit?case=request+2" in (await officer.get(made)).text
            assert "Wrote the answer" not in text_of(await officer.get(other))

    run(story)


def test_the_preview_lists_the_copies_that_were_made_before_and_may_hold_the_person_s_rows(tmp_path: Path) -> None:
    area = area_with_rows(tmp_path)

    async def story() -> None:
        async with area:
            officer = await area.client("officer", OFFICE)
            await officer.look("security")
            made = await entered(officer, "erase")
            await officer.post(f"{made}/identify", BY_HAND)
            assert "Copies that were made before" not in text_of(await officer.get(f"{made}/preview"))
            await exported(officer)
            words = text_of(await officer.get(f"{made}/preview"))
            assert "Copies that were made before" in words
            assert "The police" in words
            assert "2099-01-31" in words

    run(story)
