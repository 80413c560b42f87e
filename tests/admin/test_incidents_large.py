"""Large incidents: no page of one takes long, whatever it holds and whatever is asked of it."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import httpx
import pytest

from consentkit.admin import incidentlook
from consentkit.admin.pages import incident as incident_page
from consentkit.admin.pages import incident_new
from tests.admin.area import Area, run, text_of
from tests.admin.incidents import CONFIRMED, hold, looking, requests, shown_of

PATH = re.compile(r"/page/(\d+)")


def address_of(page: httpx.Response, words: str) -> str:
    """The address of a link with these words, under the admin area; empty where there is none."""
    found = re.search(rf'href="[^"]*/admin([^"]+)"[^>]*>(?:<svg.*?</svg>)?\s*{words}<', page.text)
    return unescape(found[1]) if found else ""


def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Area:
    """An area with an incident that is too large to be counted unasked."""
    monkeypatch.setattr(incident_page, "MAX_AT_ONCE", 2)
    area = Area(tmp_path)
    area.installation.store(*requests(5))
    hold(area.installation)
    return area


def test_a_large_incident_is_counted_and_verified_when_that_is_asked_for_and_it_is_kept_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with large(tmp_path, monkeypatch) as area:
            officer = await looking(area, "officer")
            before = await officer.get("/incidents/1")
            assert "Busiest addresses" not in text_of(before)
            asked = await officer.get(address_of(before, "Count and verify"))
            after = await officer.get("/incidents/1")
            for page in (asked, after):
                assert "Verified: hash, digest" in text_of(page)
                assert "Busiest addresses" in text_of(page)
                assert "203.0.113.66" not in page.text

    run(story)


def test_what_was_counted_is_not_believed_once_the_file_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with large(tmp_path, monkeypatch) as area:
            officer = await looking(area, "officer")
            assert "Verified: hash" in text_of(await officer.get("/incidents/1?all=1"))
            (file,) = (area.installation.directory / "incidents").glob("*.db")
            content = bytearray(file.read_bytes())
            content[-1] ^= 1
            file.write_bytes(content)
            assert "Verified" not in text_of(await officer.get("/incidents/1"))
            assert "This is not what was copied" in text_of(await officer.get("/incidents/1?all=1"))

    run(story)


def test_what_was_counted_goes_with_the_incident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with large(tmp_path, monkeypatch) as area:
            officer = await looking(area, "officer")
            await officer.get("/incidents/1?all=1")
            assert any(one.directory == area.installation.directory for one in incident_page.large._kept)
            await officer.post("/incidents/1/close", {**await shown_of(officer, 1), "reason": "over", **CONFIRMED})
            assert not any(one.directory == area.installation.directory for one in incident_page.large._kept)

    run(story)


@pytest.mark.parametrize("query", ["path=/page/4", "path=/page/*"], ids=["one matches", "all match"])
def test_a_search_whose_time_is_over_says_how_far_it_came_and_goes_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setattr(incidentlook, "SECONDS", 0.0)

    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(5))
        hold(area.installation)
        async with area:
            officer = await looking(area, "officer")
            path, found, steps = f"/incidents/1/rows?{query}", list[str](), 0
            while path:
                page = await officer.get(path)
                found += re.findall(r'<tr [^>]*id="r-([^"]+)"', page.text)
                path, steps = address_of(page, "Continue"), steps + 1
                assert bool(path) == ("The time for a page was over" in text_of(page))
            assert 1 < steps < 10
            assert len(found) == len(set(found)) == (1 if "4" in query else 5)

    run(story)


def test_addresses_of_a_page_are_shown_whatever_its_time_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incidentlook, "SECONDS", 0.0)

    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(5))
        hold(area.installation)
        async with area:
            officer = await looking(area, "officer")
            page = await officer.post("/incidents/1/rows/reveal?path=/page/4", {})
            assert "203.0.113.66" in text_of(page)
            assert "The time for a page was over" not in text_of(page)

    run(story)


def test_a_count_that_comes_to_nothing_in_its_time_says_so_and_the_form_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incident_new, "COUNT_SECONDS", 0.0)

    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(2))
        async with area:
            page = await (await looking(area, "officer")).get("/incidents/new")
            assert page.status_code == 200
            assert "Counted back to:" in text_of(page)

    run(story)
