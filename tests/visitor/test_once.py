"""The value by which a form that is sent twice is known: where it stands, what is taken for one, what it does."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit import Settings
from consentkit.visitor.banner import Banner, State
from consentkit.visitor.once import new_once, once_digest
from tests.visitor.test_app import OURS, cookies_of, ledger, visiting

FIELD = re.compile(r'name="once" value="([^"]*)"')
ADDRESS = "192.0.2.7"


@pytest.fixture
def choosing(tmp_path: Path) -> Settings:
    table = {
        "site": {"operator": "SIA Piemērs"},
        "storage": {"directory": "data"},
        "requestlog": {"ingest": "external"},
        "consent": {"cookies": [{"name": "visits", "category": "statistics", "purpose": "Counts"}]},
    }
    return Settings.from_mapping(table, base=tmp_path)


def body(banner: Banner, state: State) -> str:
    return banner.fragment("en", state=state, next_url="/", nonce=None).body.decode("ascii")


def test_a_page_of_one_visitor_has_one_value_and_the_next_another(banner: Banner) -> None:
    one, other = (set(FIELD.findall(body(banner, "ask"))) for _ in range(2))
    assert len(one) == len(other) == 1
    assert one != other


def test_markup_that_is_the_same_for_all_has_none(banner: Banner) -> None:
    shared = body(banner, "shared")
    assert not FIELD.search(shared)
    assert shared == body(banner, "shared")


@given(st.text(max_size=200))
def test_whatever_comes_is_a_digest_or_nothing(text: str) -> None:
    digest = once_digest(text, ADDRESS)
    assert bool(digest) == bool(re.fullmatch(r"[A-Za-z0-9_-]{16,64}", text))
    assert len(digest) in {0, 64}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 15,
        "a" * 65,
        "a" * 15 + "\n",
        "a" * 16 + "\n",
        "a" * 15 + "\0",
        "ā" * 16,
        "٣" * 16,
        " " + "a" * 16,
    ],
    ids=["none", "short", "long", "line end", "ends with one", "nul", "letters", "digits", "space"],
)
def test_what_is_no_such_value_counts_as_none(text: str) -> None:
    assert once_digest(text, ADDRESS) == ""


def test_a_value_is_another_at_another_address() -> None:
    once = new_once()
    assert once_digest(once, ADDRESS) == once_digest(once, ADDRESS) != once_digest(once, "192.0.2.8")


@pytest.mark.parametrize("path", ["/", "/consentkit/settings"])
def test_two_first_consents_of_one_page_have_one_id(choosing: Settings, path: str) -> None:
    async def story(client: httpx.AsyncClient) -> list[str]:
        page = await client.get(path, headers={"accept": "text/html"})
        found = set(FIELD.findall(page.text))
        assert len(found) == 1
        form = {"decision": "accept", "once": found.pop()}
        ids = []
        for _ in range(2):
            client.cookies.clear()  # as in a second request that left before the first was answered
            answer = await client.post("/consentkit/choice", data=form, headers=OURS)
            ids.append(cookies_of(answer)["consentkit_id"])
        return ids

    one, other = visiting(choosing, story)
    assert one == other
    assert [row.granted for row in ledger(choosing, one)] == ["statistics"]


def test_a_value_that_is_none_of_ours_takes_nothing_from_the_answer(choosing: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> list[int]:
        return [
            (
                await client.post(
                    "/consentkit/choice", data={"decision": decision, "once": "' OR 1=1"}, headers=OURS
                )
            ).status_code
            for decision in ("reject", "accept")
        ]

    assert visiting(choosing, story) == [303, 303]
