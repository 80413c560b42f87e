"""The policies there were and the texts that were shown: what changed, as it stood, by page."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from sqlalchemy import text

from consentkit.admin.roles import ROLES
from consentkit.consent.canonical import additions
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import record_decision, register_policy
from consentkit.consent.shown import ShownCategory, ShownCookie, ShownText
from tests.admin.area import Area, run, text_of
from tests.archive.installation import Installation

pytestmark = pytest.mark.custody

NOTHING: dict[str, object] = {
    "cookies": {},
    "third_party_cookies": {},
    "storage_keys": [],
    "services": [],
    "providers": [],
    "countries": [],
}


def policy(**categories: dict[str, object]) -> bytes:
    filled = {name: {**NOTHING, **held} for name, held in categories.items()}
    return json.dumps({"format": 1, "categories": filled}, separators=(",", ":")).encode()


def register(installation: Installation, *texts: bytes) -> None:
    for each in texts:
        register_policy(installation.control, each, additions)


def decide(installation: Installation, request: str) -> str:
    cookie = ShownCookie(name="_ga", purpose="<i>Skaita</i>", provider="Example", lifetime="30 dienas")
    statistics = ShownCategory(
        id="statistics", name="Statistikas", reason="Kāpēc", providers="", cookies=(cookie,)
    )
    shown = ShownText(
        locale="lv",
        title="Sīkdatnes",
        request=(request,),
        buttons=("Piekrist",),
        categories=(statistics,),
        services=(),
    )
    answer = Decision(
        consent_id="A" * 22, granted=request[:8], denied="", method="api", revision=1, locale="lv", script=1
    )
    return record_decision(installation.control, answer, shown=shown.canonical()).text_hash


FIRST = policy(statistics={"cookies": {"_ga": 400, "old": None}})
SECOND = policy(
    statistics={"cookies": {"_ga": 730}, "providers": ["<b>Example</b>"]}, marketing={"countries": ["US"]}
)


def test_every_role_may_see_policies_and_texts(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        async with area:
            for role in ROLES:
                client = await area.client(role)
                for path in ("/consent/policies", "/consent/policies/1", "/consent/policies/texts"):
                    assert (await client.get(path)).status_code == 200
            assert "No text is kept yet" in text_of(await client.get("/consent/policies/texts"))

    run(story)


def test_a_policy_says_what_was_added_and_removed(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        register(area.installation, FIRST, SECOND)
        async with area:
            viewer = await area.client("viewer")
            page = await viewer.get("/consent/policies")
            one = text_of(await viewer.get("/consent/policies/2"))
        assert "<b>Example" not in page.text
        assert "Statistics and Marketing" in text_of(page)
        listed = unescape(text_of(page))
        assert "Added Statistics Recipient <b>Example</b> Cookie _ga, kept 730 days" in listed
        assert "Added Marketing The whole category" in listed
        assert "Removed Statistics Cookie old" in listed
        assert "The first one" in listed
        assert "What is kept has this hash Holds" in one
        assert "_ga 730 days" in one
        assert "Countries US" in one

    run(story)


def test_a_policy_that_was_changed_or_can_not_be_read_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        register(area.installation, FIRST, SECOND)
        async with area:
            viewer = await area.client("viewer")
            with area.installation.control.transaction() as connection:
                connection.execute(text("UPDATE policy SET snapshot = x'ff' WHERE revision = 2"))
            page = unescape(text_of(await viewer.get("/consent/policies")))
            one = text_of(await viewer.get("/consent/policies/2"))
        assert "Was changed" in page
        assert "It can't be read." in page
        assert "Was changed" in one

    run(story)


def test_policies_are_paged_by_number(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        register(area.installation, *(policy(statistics={"cookies": {f"c{n}": n}}) for n in range(1, 30)))
        async with area:
            viewer = await area.client("viewer")
            newest = await viewer.get("/consent/policies")
            assert "before=11" in newest.text
            rest = await viewer.get("/consent/policies?before=11")
        assert numbers(newest.text) == list(range(30, 10, -1))
        assert numbers(rest.text) == list(range(10, 0, -1))
        assert "Cookie c9, kept" not in rest.text
        assert "Cookie c9" in rest.text

    run(story)


def numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<a href="[^"]*/consent/policies/(\d+)"', page)]


def test_a_text_is_shown_as_it_stood(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        name = decide(area.installation, "Vai piekrītat <script>alert(1)</script>?")
        async with area:
            viewer = await area.client("viewer")
            assert name in (await viewer.get("/consent/policies/texts")).text
            page = await viewer.get(f"/consent/policies/texts/{name}")
            assert "Holds" in page.text
            with area.installation.control.transaction() as connection:
                connection.execute(text("UPDATE shown_text SET snapshot = x'7b7d'"))
            changed = await viewer.get(f"/consent/policies/texts/{name}")
        assert "<script>alert" not in page.text
        assert "<i>Skaita" not in page.text
        assert 'lang="lv"' in page.text
        assert "Vai piekrītat" in page.text
        assert "Was changed" in changed.text
        assert "It can&#39;t be read." in changed.text

    run(story)


def test_texts_are_paged_without_loss(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        wanted = {decide(area.installation, f"{number:08} text") for number in range(45)}
        async with area:
            viewer = await area.client("viewer")
            found: list[str] = []
            query = ""
            for _ in range(4):
                page = (await viewer.get(f"/consent/policies/texts{query}")).text
                found += re.findall(r'texts/([0-9a-f]{64})"', page)
                following = re.search(r'texts(\?before=[0-9a-f]{64})"', page)
                if following is None:
                    break
                query = following[1]
        assert len(found) == 45
        assert set(found) == wanted

    run(story)


def test_what_is_not_there_is_said_kindly(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            viewer = await area.client("viewer")
            for name in ("x", "0" * 64, "%27%20OR%201", "0" * 64 + "%0A"):
                page = await viewer.get(f"/consent/policies/texts/{name}")
                assert (page.status_code, "No text has this hash." in text_of(page)) == (404, True)
            for number in ("0", "7", "9" * 30):
                assert (await viewer.get(f"/consent/policies/{number}")).status_code == 404

    run(story)
