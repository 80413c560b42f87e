"""The rows of an incident: page by page, masked, shown for its case, each look in the audit."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from tests.admin.area import Area, run, text_of
from tests.admin.incidents import hold, looking, requests
from tests.admin.search_area import Shown
from tests.archive.installation import detail


def ids_of(page: httpx.Response) -> list[str]:
    return re.findall(r'<tr [^>]*id="r-([^"]+)"', page.text)


def link_of(page: httpx.Response, rel: str) -> str:
    found = re.search(rf'href="[^"]*/admin([^"]+)" rel="{rel}"', page.text)
    return found[1].replace("&amp;", "&") if found else ""


def test_its_pages_of_rows_show_each_row_once_both_ways_and_each_page_is_in_the_audit_first(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(120))
        hold(area.installation)
        async with area:
            investigator = await looking(area, "investigator")
            path, down = "/incidents/1/rows", []
            while path:
                page = await investigator.get(path)
                assert "203.0.113" not in page.text
                down.append(ids_of(page))
                last, path = path, link_of(page, "next")
            up = []
            path = last
            while path:
                page = await investigator.get(path)
                up.append(ids_of(page))
                path = link_of(page, "prev")
            shown = [one for page in down for one in page]
            assert [len(page) for page in down] == [50, 50, 20]
            assert len(set(shown)) == 120
            assert [one for page in reversed(up) for one in page][-120:] == shown
            entries = area.installation.audited("incident.show")
            assert [entry.rows for entry in entries[:3]] == [50, 50, 20]
            assert all(entry.case_id == "2026-7" and detail(entry)["requests"] for entry in entries[:3])

    run(story)


def test_all_fields_of_a_row_are_a_look_of_their_own_with_its_address_masked(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(3))
        hold(area.installation)
        async with area:
            investigator = await looking(area, "investigator")
            rows = await investigator.get("/incidents/1/rows")
            assert Shown(rows).scripts == ["admin", "admin-rows"]
            paths = re.findall(r'href="[^"]*/admin(/incidents/1/rows/row\?at=[^"]+)"', rows.text)
            page = await investigator.get(paths[1])
            assert f"request_id {ids_of(rows)[1]}" in text_of(page)
            assert "203.0.113" not in page.text
            entry = area.installation.audited("incident.show")[-1]
            assert (entry.rows, entry.case_id) == (1, "2026-7")
            for path, status in (("?at=2020-01-01", 404), ("?at=x", 400), ("", 400)):
                assert (await investigator.get(f"/incidents/1/rows/row{path}")).status_code == status

    run(story)


def test_a_masked_address_leads_to_all_its_rows_without_being_told(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(3), *requests(2, address="192.0.2.99"))
        hold(area.installation)
        async with area:
            investigator = await looking(area, "investigator")
            page = await investigator.get("/incidents/1")
            query = re.findall(r'href="[^"]*/incidents/1/rows\?(address=[^"]+)"', page.text)[1]
            rows = await investigator.get(f"/incidents/1/rows?{query}")
            assert "192.0.2.99" not in query + rows.text
            assert len(ids_of(rows)) == 2

    run(story)


def test_addresses_are_shown_for_the_incidents_case_and_that_is_written_down(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(2))
        hold(area.installation)
        async with area:
            officer = await looking(area, "officer")
            page = await officer.post("/incidents/1/rows/reveal", {})
            assert "203.0.113.66" in text_of(page)
            assert Shown(page).scripts == ["admin"], "the rows have their fields with them"
            (entry,) = area.installation.audited("incident.reveal")
            assert (entry.rows, entry.case_id, entry.purpose) == (2, "2026-7", "security")

    run(story)
