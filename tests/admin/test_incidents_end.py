"""The end of a hold: reviews that are moved, and incidents that are closed once, by one, after what was shown."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from consentkit.archive.incident.listing import today_utc
from tests.admin.area import STAFF, Area, hashed, run, text_of
from tests.admin.incidents import CONFIRMED, hold, looking, requests, set_review, shown_of, state_of


def test_a_review_moves_the_date_with_its_reason(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(1))
        hold(area.installation)
        set_review(area.installation, 1, today_utc() - timedelta(days=3))
        until = today_utc() + timedelta(days=60)
        async with area:
            investigator = await looking(area, "investigator")
            form = {"until": until.isoformat(), "reason": "the case goes on"}
            assert (await investigator.post("/incidents/1/review", form)).status_code == 303
            (entry,) = area.installation.audited("incident.reviewed")
            assert (entry.actor, entry.reason) == ("investigator", "the case goes on")
            assert until.isoformat() in text_of(await investigator.get("/incidents/1"))

    run(story)


@pytest.mark.parametrize(
    ("days", "reason"),
    [
        pytest.param(-1, "still needed", id="a day that has passed"),
        pytest.param(367, "still needed", id="more than a year ahead"),
        pytest.param(None, "still needed", id="no day"),
        pytest.param(30, " ", id="no reason"),
    ],
)
def test_a_review_without_an_end_or_a_reason_changes_nothing(
    tmp_path: Path, days: int | None, reason: str
) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(1))
        hold(area.installation)
        until = "soon" if days is None else (today_utc() + timedelta(days=days)).isoformat()
        async with area:
            answer = await (await looking(area, "officer")).post(
                "/incidents/1/review", {"until": until, "reason": reason}
            )
            assert answer.status_code == 400
            assert area.installation.actions("incident.reviewed") == []

    run(story)


def test_closing_destroys_the_rows_after_the_password_and_shows_the_certificate(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(4))
        incident = hold(area.installation)
        file = area.installation.file(incident.place())
        async with area:
            officer = await looking(area, "officer")
            shown = await shown_of(officer, 1)
            form = {**shown, "reason": "the court has decided"}
            asked = await officer.post("/incidents/1/close", form)
            if "Password" in text_of(asked):  # not given lately
                asked = await officer.post("/incidents/1/close", {**form, **CONFIRMED})
            assert asked.status_code == 303
            assert not file.exists()
            (entry,) = area.installation.audited("incident.closed")
            page = text_of(await officer.get("/incidents/1"))
            assert "Certificate of destruction" in page
            assert entry.hash in page
            assert "the court has decided" in page
            assert (await officer.get("/incidents/1/rows")).status_code == 409

    run(story)


def test_what_is_not_what_was_shown_is_not_destroyed(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(1))
        hold(area.installation)
        async with area:
            officer = await looking(area, "officer")
            answer = await officer.post("/incidents/1/close", {"shown": "1-0", "reason": "over", **CONFIRMED})
            assert answer.status_code == 409
            assert state_of(area.installation, 1) == "open"

    run(story)


def test_an_incident_is_closed_once(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(1))
        hold(area.installation)
        async with area:
            officer = await looking(area, "officer")
            form = {**await shown_of(officer, 1), "reason": "over", **CONFIRMED}
            assert [(await officer.post("/incidents/1/close", form)).status_code for _ in range(2)] == [303, 409]
            assert len(area.installation.audited("incident.closed")) == 1

    run(story)


def test_of_two_who_close_at_once_one_does_and_the_other_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(1))
        hold(area.installation)
        area.people.add(STAFF, "second", ["officer"], hashed())
        async with area:
            clients = [await looking(area, name) for name in ("officer", "second")]
            form = {**await shown_of(clients[0], 1), "reason": "over", **CONFIRMED}
            answers = await asyncio.gather(*(client.post("/incidents/1/close", form) for client in clients))
            assert sorted(answer.status_code for answer in answers) == [303, 409]
            assert len(area.installation.audited("incident.closed")) == 1
            assert json.loads(area.installation.audited("incident.closed")[0].detail)["rows"] == 1

    run(story)
