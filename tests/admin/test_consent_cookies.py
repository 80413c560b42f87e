"""The page of cookies: what is declared, met, undeclared and kept away, and that no name can act on the page."""

from __future__ import annotations

import re
from datetime import date
from html import unescape
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.admin.cookierows import PAGE_ROWS, Asked, NameRow, choose, declared_rows
from consentkit.admin.roles import ROLES
from consentkit.consent.inventory import FILE, Inventory, Sighting
from consentkit.consent.registry import Registry
from consentkit.settings import Settings
from consentkit.web.spelling import spelled
from tests.admin.area import Area, run, text_of

custody = pytest.mark.custody

DAY = date(2026, 11, 20)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a\u202egnp.exe",
    "{{ 7*7 }}",
    "x\u200by",
    "'-alert(1)-'",
)


def met(**names: dict[str, int]) -> bytes:
    kinds = {
        kind: {name: Sighting(DAY, DAY, count) for name, count in each.items()} for kind, each in names.items()
    }
    return msgspec.json.encode(Inventory(last=DAY, days=3, names=kinds))


def leave(area: Area, content: bytes) -> None:
    (area.installation.directory / FILE).write_bytes(content)


@custody
def test_every_role_may_see_the_cookies(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            assert "Nothing was met yet" in text_of(await (await area.client("admin")).get("/consent/cookies"))
            for role in ROLES:
                page = await (await area.client(role)).get("/consent/cookies")
                assert page.status_code == 200
                assert "consentkit_id" in page.text

    run(story)


@custody
def test_a_declared_cookie_says_when_it_was_met(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        leave(area, met(set={"consentkit": 1200}, sent={"consentkit": 98000}, dropped={"consentkit": 2}))
        async with area:
            text = text_of(await (await area.client("viewer")).get("/consent/cookies?sort=sent"))
        assert "Met on 3 days, last on 2026-11-20" in text
        assert "184 days 2026-11-20 1,200 98,000 2" in text
        assert text.index("98,000") < text.index("184 days never")

    run(story)


@custody
def test_no_name_from_outside_acts_on_the_page(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        names = dict.fromkeys(HOSTILE, 3)
        leave(area, met(undeclared=names, brought=names, dropped=names, undeletable=names, blocked_hosts=names))
        async with area:
            viewer = await area.client("viewer")
            for listed in ("undeclared", "dropped", "undeletable", "blocked_hosts"):
                page = await viewer.get(f"/consent/cookies?list={listed}")
                assert page.status_code == 200
                assert "<script>alert" not in page.text
                assert "<img" not in page.text
                assert "\u202e" not in page.text
                assert "\u200b" not in page.text
                assert "49" not in text_of(page)
                assert all(spelled(name) in unescape(page.text) for name in HOSTILE)
            searched = await viewer.get('/consent/cookies?text="><script>alert(1)</script>&after="><b>')
            assert "<script>alert" not in searched.text

    run(story)


@custody
def test_an_undeclared_cookie_comes_with_its_declaration(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        leave(area, met(undeclared={"PHPSESSID": 9, "a b": 1}, brought={"_ga": 4}))
        async with area:
            viewer = await area.client("viewer")
            first = await viewer.get("/consent/cookies")
            page = await viewer.get("/consent/cookies?list=undeclared")
        assert "3 cookies are in use that nobody declared." in text_of(first)
        found = [
            unescape(text) for text in re.findall(r'<code id="declaration-\d+">(.*?)</code>', page.text, re.DOTALL)
        ]
        assert [text.splitlines()[1] for text in found] == ['name = "PHPSESSID"', 'use = "google-analytics"']
        assert re.findall(r'data-copy="(declaration-\d+)"', page.text) == re.findall(
            r'id="(declaration-\d+)"', page.text
        )
        text = text_of(page)
        assert "No settings can declare such a name." in text
        assert "Only browsers send it" in text

    run(story)


@custody
def test_a_long_list_is_paged_by_the_last_name(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        leave(area, met(blocked_hosts={f"host-{number:03}.example.net": 1 for number in range(120)}))
        async with area:
            viewer = await area.client("viewer")
            path: str | None = "/consent/cookies?list=blocked_hosts"
            seen: list[str] = []
            while path:
                page = (await viewer.get(path)).text
                seen += re.findall(r"<bdi>(host-\d+)", page)
                following = re.search(r'href="/consentkit/admin(/consent/cookies\?[^"]*)" rel="next"', page)
                path = unescape(following[1]) if following else None
        assert seen == [f"host-{number:03}" for number in range(120)]

    run(story)


def test_filters_leave_what_fits_in_any_order() -> None:
    settings = Settings.from_mapping(
        {"consent": {"services": [{"use": "google-analytics"}, {"use": "meta-pixel"}]}}, base=Path("/")
    )
    rows = declared_rows(Registry.build(settings), Inventory(), "en")
    google = choose(rows, Asked(text="google"))
    assert google.total
    assert all("google" in msgspec.json.encode(row).decode().lower() for row in google.rows)
    marketing = choose(rows, Asked(category="marketing", sort="category"))
    assert {
        row.category for row in marketing.rows if not isinstance(row, NameRow) and hasattr(row, "category")
    } == {"marketing"}
    elsewhere = [row for row in rows if row.is_elsewhere]
    assert elsewhere
    assert all((row.last, row.sent) == (None, 0) for row in elsewhere)


@given(st.lists(st.text(max_size=3), unique=True, max_size=160))
def test_following_pages_show_each_row_once(names: list[str]) -> None:
    rows = [NameRow(key=f"-{name}", name=name, sighting=Sighting(DAY, DAY, 1)) for name in names]
    asked, seen = Asked(), []
    for _ in range(len(names) // PAGE_ROWS + 1):
        page = choose(rows, asked)
        seen += [row.key for row in page.rows]
        if not page.after:
            break
        asked = Asked(after=page.after)
    assert seen == [row.key for row in rows]


@given(st.text(max_size=300))
def test_a_spelled_name_shows_all_it_holds(name: str) -> None:
    shown = spelled(name)
    assert shown.isprintable()
    assert len(shown) <= 129
    if name.isascii() and name.isprintable() and len(name) <= 128:
        assert shown == name
