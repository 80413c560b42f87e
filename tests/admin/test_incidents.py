"""Incidents: the list, and one incident with its journal; who may see them, and what they never do."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from consentkit.archive.incident.listing import today_utc
from tests.admin.area import Area, run, text_of
from tests.admin.incidents import CONFIRMED, hold, looking, requests, set_review, shown_of
from tests.archive.installation import detail, request

HOSTILE = "<script>alert(1)</script>"
OWN_SCRIPT = re.compile(r"/consentkit/static/admin(-rows)?\.[0-9a-f]+\.js")


class Elements(HTMLParser):
    """The names of a page's elements and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.scripts.append(dict(attrs).get("src") or "inline")
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_the_list_says_kindly_that_no_incident_was_ever_opened(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            page = await (await area.client("officer")).get("/incidents")
            assert page.status_code == 200
            assert "No incident was ever opened" in text_of(page)
            assert area.installation.actions("admin.incidents")

    run(story)


@pytest.mark.parametrize(
    ("query", "cases"),
    [
        pytest.param("", ["C-3", "B-2", "A-1"], id="all, the last opened first"),
        pytest.param("?show=open", ["C-3", "B-2"], id="open"),
        pytest.param("?show=overdue", ["B-2"], id="overdue"),
        pytest.param("?show=closed", ["A-1"], id="closed"),
        pytest.param("?before=3", ["B-2", "A-1"], id="older ones"),
    ],
)
def test_the_list_shows_what_its_filter_asks_for(tmp_path: Path, query: str, cases: list[str]) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(2))
        for case in ("A-1", "B-2", "C-3"):
            hold(area.installation, case=case)
        set_review(area.installation, 2, today_utc() - timedelta(days=1))
        async with area:
            officer = await area.client("officer")
            await officer.post("/incidents/1/close", {**await shown_of(officer, 1), "reason": "over", **CONFIRMED})
            page = await officer.get(f"/incidents{query}")
            assert re.findall(r"<bdi>([ABC]-\d)</bdi>", page.text) == cases
            assert "The review of 1 incident is overdue." in text_of(page)

    run(story)


@pytest.mark.parametrize("query", ["?show=all", "?before=x", "?before=-1", "?before=" + "9" * 40, "?before=٣"])
def test_a_list_of_nothing_known_is_refused(tmp_path: Path, query: str) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            assert (await (await area.client("officer")).get(f"/incidents{query}")).status_code == 400

    run(story)


def test_a_forged_number_is_nobodys(tmp_path: Path) -> None:
    numbers = ("7", "0", "9" * 20, "9" * 5000)
    paths = ("", "/rows", "/rows/row", "/review", "/close", "/export", "/export/x", "/export/x/file")

    async def story() -> None:
        async with Area(tmp_path) as area:
            officer = await looking(area, "officer")
            addresses = [f"/incidents/{number}{path}" for number in numbers for path in paths]
            addresses += [f"/incidents/opening/{number}" for number in numbers]
            found = {address[:40]: (await officer.get(address)).status_code for address in addresses}
            assert set(found.values()) == {404}, found

    run(story)


PAGES = ("", "/new", "/1", "/1/rows", "/1/review", "/1/export", "/1/close")
POSTS = ("/new", "/1/note", "/1/rows/reveal", "/1/review", "/1/export", "/1/close")


@pytest.mark.parametrize(
    ("role", "pages", "posts"),
    [
        pytest.param("viewer", (), (), id="viewer"),
        pytest.param("investigator", PAGES[:5], POSTS[:4], id="investigator"),
        pytest.param("officer", PAGES, POSTS, id="officer"),
        pytest.param("admin", (), (), id="admin"),
    ],
)
def test_each_page_is_open_to_its_roles_alone(
    tmp_path: Path, role: str, pages: tuple[str, ...], posts: tuple[str, ...]
) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(1))
        hold(area.installation)
        async with area:
            client = await looking(area, role)
            opened = [path for path in PAGES if (await client.get(f"/incidents{path}")).status_code == 200]
            assert opened == list(pages)
            # An empty form is refused as such where the role may send it.
            sent = [path for path in POSTS if (await client.post(f"/incidents{path}")).status_code != 403]
            assert sent == list(posts)

    run(story)


def test_one_incident_says_what_it_holds_with_addresses_masked_and_that_it_was_verified(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(3), *requests(1, address="2001:db8::7", url="/login"))
        hold(area.installation)
        async with area:
            page = await (await looking(area, "investigator")).get("/incidents/1")
            text = text_of(page)
            assert "guessing of passwords" in text
            assert "Verified just now" in text
            assert "203.0.•.•" in text
            assert "2001:db8:•" in text
            assert "203.0.113" not in page.text
            assert "/login" in text
            (entry,) = area.installation.audited("incident.show")
            assert (entry.case_id, entry.purpose, detail(entry)["incident"]) == ("2026-7", "security", 1)

    run(story)


def test_an_incident_whose_file_was_changed_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(3))
        incident = hold(area.installation)
        file = area.installation.file(incident.place())
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        async with area:
            page = await (await looking(area, "officer")).get("/incidents/1")
            assert page.status_code == 200
            assert "This is not what was copied" in text_of(page)
            assert "Verified just now" not in text_of(page)

    run(story)


def test_what_strangers_and_staff_wrote_is_shown_and_never_run(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        hostile = [request(requests(1)[0].time_us, f'/{HOSTILE}"onload="x', address="203.0.113.66")]
        area.installation.store(*hostile)
        hold(area.installation, case=f"c{HOSTILE}", reason=f"r{HOSTILE}", owner=f'o"{HOSTILE}')
        async with area:
            officer = await looking(area, "officer")
            assert (await officer.post("/incidents/1/note", {"note": f"n{HOSTILE}"})).status_code == 303
            for path in ("", "/1", "/1/rows", "/1/review", "/1/close", "/1/export"):
                page = await officer.get(f"/incidents{path}")
                assert page.status_code == 200, path
                elements = Elements(page.text)
                assert [script for script in elements.scripts if not OWN_SCRIPT.fullmatch(script)] == []
                assert elements.handlers == []
            assert f"n{HOSTILE}" in text_of(await officer.get("/incidents/1")).replace("&lt;", "<").replace(
                "&gt;", ">"
            )

    run(story)


def test_a_note_is_an_entry_of_the_audit_and_stands_in_the_journal(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(1))
        hold(area.installation)
        async with area:
            investigator = await looking(area, "investigator")
            answer = await investigator.post("/incidents/1/note", {"note": "the provider\r\nwas told"})
            assert answer.headers["location"].endswith("/incidents/1#journal")
            (entry,) = area.installation.audited("incident.note")
            assert (entry.actor, entry.reason, entry.case_id) == (
                "investigator",
                "the provider was told",
                "2026-7",
            )
            assert "the provider was told" in text_of(await investigator.get("/incidents/1"))

    run(story)


@pytest.mark.parametrize("note", ["", "   ", "x" * 2001, "a\u202eb"], ids=["empty", "blank", "long", "turned"])
def test_a_note_that_says_nothing_or_too_much_is_not_written(tmp_path: Path, note: str) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*requests(1))
        hold(area.installation)
        async with area:
            answer = await (await looking(area, "officer")).post("/incidents/1/note", {"note": note})
            assert answer.status_code == 400
            assert area.installation.actions("incident.note") == []

    run(story)
