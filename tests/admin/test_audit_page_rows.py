"""Which rows a look has shown, and the audit as a file: for a purpose, and registered."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from consentkit import audit
from consentkit.archive.exposure import page_detail
from consentkit.archive.register.copies import registered_copies
from consentkit.archive.search import Archive
from consentkit.archive.store import Filters
from consentkit.audit import Actor, Look
from tests.admin.area import Area, run
from tests.archive.installation import DAY_US, MONDAY, detail

ANNA = Actor("anna", "admin")
FORMULA = '=HYPERLINK("http://192.0.2.1","x")'

pytestmark = pytest.mark.custody


def test_the_rows_of_a_look_are_listed_again_for_a_purpose_and_each_page_is_an_entry(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.fill(2)
        async with area:
            officer = await area.client("officer")
            there = area.installation
            archive = Archive(there.settings, there.holdings)
            found = list(archive.search(Filters(until_us=MONDAY + 7 * DAY_US), limit=0))
            seen = page_detail(Filters(), found)
            look = Look("security")
            made = audit.record(there.control, ANNA, "log.search", look=look, detail=seen, rows=len(found))
            asked_first = await officer.get(f"/audit/{made.number}/rows")
            assert asked_first.status_code == 303
            assert "/look" in asked_first.headers["location"]
            await officer.look("audit")
            page = await officer.get(f"/audit/{made.number}/rows")
            assert page.status_code == 200
            assert "/a0" in page.text
            assert "/b1" in page.text
            assert "192.0.2.7" not in page.text
            assert (await officer.get("/audit/999999/rows")).status_code == 404
        own = area.installation.audited("audit.exposed")
        assert [(one.rows, one.purpose, detail(one)["entry"]) for one in own] == [(4, "audit", made.number)]

    run(story)


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_file_of_the_audit_is_a_registered_copy(tmp_path: Path, form: str) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        control = area.installation.control
        look = Look("security", reason=FORMULA)
        audit.record(control, ANNA, "log.search", look=look, detail={"path": FORMULA}, rows=1)
        audit.record(control, ANNA, "keys.rotated")
        async with area:
            officer = await area.client("officer")
            await officer.look("audit")
            answer = await officer.post(
                "/audit/export", {"format": form, "action": "log.*", "recipient": "the auditor"}
            )
            assert answer.status_code == 200
            assert "attachment" in answer.headers["content-disposition"]
            if form == "json":
                lines = [json.loads(line) for line in answer.text.splitlines()]
                assert [one["action"] for one in lines] == ["log.search"]
                assert lines[0]["detail"] == {"path": FORMULA}
            else:
                rows = list(csv.reader(io.StringIO(answer.text, newline="")))
                assert rows[0][:3] == ["number", "time", "actor"]
                assert len(rows) == 2
                assert rows[1][rows[0].index("reason")] == f"'{FORMULA}"
                assert not any(cell.startswith(("=", "+", "@")) for cell in rows[1])
            with control.transaction() as connection:
                copy = next(registered_copies(connection))
            assert (copy.recipient, copy.rows, copy.format) == ("the auditor", 1, f"audit-{form}")
            assert copy.bytes == len(answer.content)
            assert list(area.installation.directory.glob("audit-export-*")) == []
            assert (await officer.post("/audit/export", {"format": "xml"})).status_code == 400
        actions = area.installation.actions()
        assert actions.index("audit.export") < actions.index("copy.made")

    run(story)
