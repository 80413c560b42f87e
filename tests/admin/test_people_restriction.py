"""Restrictions in the admin area: what is left out of the log's pages, and what can't be restricted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.admin.area import Area, run, text_of
from tests.admin.test_people_requests import OFFICE, area_with_rows, entered

if TYPE_CHECKING:
    from pathlib import Path


def test_the_search_of_the_area_leaves_restricted_rows_out_but_for_their_case(tmp_path: Path) -> None:
    area = area_with_rows(tmp_path)

    async def story() -> None:
        async with area:
            officer = await area.client("officer", OFFICE)
            made = await entered(officer, "restrict")
            window = {"restrict_since": "2026-03-02", "restrict_until": "2026-03-02"}
            form = {**window, "network": "192.0.2.7", "restriction": "They dispute it."}
            assert (await officer.post(f"{made}/restrict", form)).status_code == 303
            assert "They dispute it." in text_of(await officer.get("/people"))

            investigator = await area.client("investigator", OFFICE)
            await investigator.look("security")
            found = await investigator.get("/search?since=2026-03-01&until=2026-03-09")
            assert "/others" in found.text
            assert "/hers" not in found.text
            assert "restricted" in text_of(found)
            await investigator.look("incident", case="request 1")
            assert "/hers" in (await investigator.get("/search?since=2026-03-01&until=2026-03-09")).text

            lifting = f"{made}/restrictions/1/lift"
            assert (await officer.post(lifting, {})).status_code == 400
            assert (await officer.post(lifting, {"lifting": "They were told."})).status_code == 303
            assert (await officer.post(f"{made}/restrictions/2/lift", {"lifting": "x"})).status_code == 404

    run(story)


def test_what_can_t_be_restricted_is_said(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            officer = await area.client("officer", OFFICE)
            made = await entered(officer, "restrict")
            good = {
                "network": "192.0.2.7",
                "restrict_since": "2026-03-02",
                "restrict_until": "2026-03-02",
                "restriction": "They dispute it.",
            }
            for change in (
                {"network": "everywhere"},
                {"restrict_until": "2026-03-01"},
                {"restrict_since": ""},
                {"last_day": "soon"},
                {"last_day": "2020-01-01"},
                {"restriction": ""},
            ):
                page = await officer.post(f"{made}/restrict", {**good, **change})
                assert page.status_code == 400, change
                assert "ck-error" in page.text, change
            copy = await entered(officer, "export")
            assert (await officer.post(f"{copy}/restrict", good)).status_code == 409

    run(story)
