"""Consent that the visitor did not give: forged, doubled, set by a sibling, replayed, or sent by another site."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit import ConsentKit, Settings
from consentkit.consent.choice import Choice, ChoiceSigner
from consentkit.consent.gate import Keys
from consentkit.consent.policy import Policy, PolicyState
from consentkit.consent.visit import VISIT
from tests.consent.gating import ALL, COOKIES, REGISTRY, SIGNER, Passage, choice_cookie, pass_through

HTML = (b"content-type", b"text/html")
THEME = (b"set-cookie", b"theme=dark")
GRANTED, DENIED = choice_cookie(ALL), choice_cookie("", ALL)


def granted(passage: Passage) -> frozenset[str]:
    found: frozenset[str] = passage.scope[VISIT].consent.granted
    return found


def signed(signer: ChoiceSigner, categories: str, *, revision: int = 1, time_s: float | None = None) -> bytes:
    at = int(time.time() if time_s is None else time_s)
    return b"consentkit=" + signer.write(Choice(frozenset(categories.split()), frozenset(), revision, at)).encode()


@pytest.mark.parametrize(
    "cookie",
    [
        pytest.param(DENIED.replace(b"p0s0m0", b"p1s1m1"), id="changed"),
        pytest.param(GRANTED[:-9] + GRANTED[-8:] + GRANTED[-9:-8], id="another signature"),
        pytest.param(b"consentkit=v1.p1s1m1.1.%d." % time.time(), id="no signature"),
        pytest.param(b"consentkit=v1.p1s1m1.1.%d" % time.time(), id="none at all"),
        pytest.param(signed(ChoiceSigner(b"x" * 32), ALL), id="of another site's key"),
        pytest.param(signed(SIGNER, ALL, time_s=time.time() - 185 * 86_400), id="expired"),
        pytest.param(signed(SIGNER, ALL, time_s=time.time() + 3_600), id="from the future"),
        pytest.param(GRANTED.replace(b"consentkit=", b"ConsentKit="), id="name in another case"),
        pytest.param(GRANTED.replace(b"consentkit=", b"__Host-consentkit="), id="the name of https over http"),
        pytest.param(GRANTED.replace(b"=", b'="') + b'"', id="in quotes"),
        pytest.param(GRANTED.replace(b"=", b"=%76", 1), id="encoded"),
        pytest.param(b"a=1," + GRANTED, id="behind a comma"),
        pytest.param(GRANTED + b"x" * 5_000, id="long"),
    ],
)
def test_what_we_did_not_sign_grants_nothing(cookie: bytes) -> None:
    passage = pass_through([(b"cookie", cookie + b"; theme=1")], [THEME])
    assert granted(passage) == frozenset()
    assert passage.seen == [(b"cookie", cookie)]
    assert passage.left == []


@given(st.binary(max_size=120))
def test_no_invented_text_grants_anything(text: bytes) -> None:
    assert granted(pass_through([(b"cookie", b"consentkit=" + text)])) == frozenset()


@pytest.mark.parametrize("first", [True, False], ids=["before ours", "after ours"])
@pytest.mark.parametrize(
    ("other", "left"),
    [
        pytest.param(DENIED, "", id="a refusal"),
        pytest.param(choice_cookie("statistics", "preferences marketing"), "statistics", id="a part"),
        pytest.param(b"consentkit=rubbish", ALL, id="rubbish"),
    ],
)
def test_of_several_choices_only_what_all_valid_ones_grant_holds(other: bytes, left: str, *, first: bool) -> None:
    pair = (other, GRANTED) if first else (GRANTED, other)
    assert granted(pass_through([(b"cookie", b"; ".join(pair))])) == frozenset(left.split())
    assert granted(pass_through([(b"cookie", one) for one in pair])) == frozenset(left.split())


def test_a_sibling_cannot_grant_over_https_whatever_it_sets_for_the_whole_domain() -> None:
    ours = b"__Host-" + DENIED
    passage = pass_through([(b"cookie", ours + b"; " + GRANTED)], [THEME], scheme="https")
    assert granted(passage) == frozenset()
    alone = pass_through([(b"cookie", GRANTED)], [THEME], scheme="https")
    assert granted(alone) == frozenset()


def test_a_choice_that_a_sibling_set_beside_ours_is_expired_and_ours_stays() -> None:
    passage = pass_through([(b"cookie", DENIED + b"; " + GRANTED)], [HTML])
    assert [field.partition(b"GMT; ")[2] for field in passage.set_cookies] == [
        b"Path=/; Domain=example.com",
        b"Path=/; Domain=www.example.com",
    ]
    assert all(field.startswith(b"consentkit=;") for field in passage.set_cookies)


def test_with_a_shared_domain_the_choices_beside_it_are_expired() -> None:
    passage = pass_through([(b"cookie", DENIED + b"; " + GRANTED)], [HTML], cookie_domain="example.com")
    assert [field.partition(b"GMT; ")[2] for field in passage.set_cookies] == [
        b"Path=/",
        b"Path=/; Domain=www.example.com",
    ]


def test_the_same_choice_twice_is_no_quarrel() -> None:
    assert pass_through([(b"cookie", GRANTED + b"; " + GRANTED)], [HTML]).set_cookies == []


def test_an_old_grant_does_not_cover_what_was_added_since() -> None:
    state = PolicyState(3, "h", {1: ("statistics",), 2: ()})
    keys = Keys(SIGNER, Policy.of(REGISTRY, state, 184))
    replayed = pass_through([(b"cookie", signed(SIGNER, ALL, revision=1))], keys=lambda: keys)
    assert granted(replayed) == {"preferences", "marketing"}
    unknown = pass_through([(b"cookie", signed(SIGNER, ALL, revision=0))], keys=lambda: keys)
    assert granted(unknown) == frozenset()


# By POST: whose page sent it is what the browser says of it.

URL = "https://www.example.com"
SAME = {"sec-fetch-site": "same-origin"}
COOKIE_NAME = "__Host-consentkit"


def asking(folder: Path, story: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    table = {
        "storage": {"directory": "data"},
        "requestlog": {"ingest": "external"},
        "consent": {"cookies": COOKIES},
    }

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [HTML]})
        await send({"type": "http.response.body", "body": b"<html><body>text</body></html>"})

    async def run() -> Any:
        kit = ConsentKit(Settings.from_mapping(table, base=folder))
        transport = httpx.ASGITransport(kit.wrap(app), client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            try:
                return await story(client)
            finally:
                await kit.stop()

    return asyncio.run(run())


FOREIGN = {
    "another site": {"sec-fetch-site": "cross-site", "origin": "https://evil.example.net"},
    "a sibling": {"sec-fetch-site": "same-site", "origin": "https://shop.example.com"},
    "typed in": {"sec-fetch-site": "none"},
    "another site, older browser": {"origin": "https://evil.example.net"},
    "a name that begins like ours": {"origin": "https://www.example.com.evil.example.net"},
    "another port": {"origin": "https://www.example.com:8443"},
    "a sandboxed frame": {"origin": "null"},
    "a word that no browser sends": {"sec-fetch-site": "SAME-ORIGIN"},
    "no word of where from": {},
}
REFUSABLE = {"typed in", "a sandboxed frame", "no word of where from"}


@pytest.mark.parametrize("decision", ["accept", "save", "reject"])
def test_a_grant_is_taken_from_our_own_pages_alone_a_refusal_unless_another_site_sends_it(
    tmp_path: Path, decision: str
) -> None:
    async def story(client: httpx.AsyncClient) -> dict[str, tuple[int, bool]]:
        found = {}
        for case, headers in FOREIGN.items():
            client.cookies.clear()
            form = {"decision": decision, "statistics": "on"}
            response = await client.post("/consentkit/choice", data=form, headers=headers)
            found[case] = (response.status_code, "set-cookie" in response.headers)
        return found

    taken = REFUSABLE if decision == "reject" else set()
    expected = {case: (303, True) if case in taken else (403, False) for case in FOREIGN}
    assert asking(tmp_path, story) == expected


def test_grants_are_counted_by_address_and_refusals_are_not(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> tuple[list[int], list[int]]:
        statuses: dict[str, list[int]] = {"accept": [], "reject": []}
        for decision in ["accept"] * 22 + ["reject"] * 5 + ["accept"]:
            client.cookies.clear()
            response = await client.post("/consentkit/choice", data={"decision": decision}, headers=SAME)
            statuses[decision].append(response.status_code)
        return statuses["accept"], statuses["reject"]

    accepted, rejected = asking(tmp_path, story)
    assert accepted == [303] * 20 + [429] * 3
    assert rejected == [303] * 5


GPC = {"sec-gpc": "1"}


def test_under_a_signal_a_refusal_needs_no_cookie_and_a_grant_counts(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> list[Any]:
        client.headers.update({**SAME, **GPC, "accept": "application/json"})
        refused = await client.post("/consentkit/choice", data={"decision": "reject"})
        none_held = dict(client.cookies)
        await client.post("/consentkit/choice", data={"decision": "accept"})
        held = client.cookies[COOKIE_NAME]
        with_signal = (await client.get("/consentkit/choice")).json()["categories"]
        del client.headers["sec-gpc"]
        without = (await client.get("/consentkit/choice")).json()["categories"]
        return [refused.status_code, none_held, held.split(".")[1], with_signal, without]

    granted_all = {"preferences": True, "statistics": True, "marketing": True}
    assert asking(tmp_path, story) == [200, {}, "p1s1m1g", granted_all, granted_all]


def test_what_a_signal_suspends_can_be_withdrawn_for_good(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> list[Any]:
        client.headers.update({**SAME, "accept": "application/json"})
        await client.post("/consentkit/choice", data={"decision": "accept"})
        suspended = (await client.get("/consentkit/choice", headers=GPC)).json()
        await client.post("/consentkit/choice", data={"decision": "reject"}, headers=GPC)
        after = (await client.get("/consentkit/choice")).json()
        return [suspended["decided"], any(suspended["categories"].values()), any(after["categories"].values())]

    assert asking(tmp_path, story) == [True, False, False]


def test_a_page_under_a_signal_asks_nothing_and_the_settings_say_why(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> tuple[str, str]:
        page = await client.get("/", headers={**GPC, "accept": "text/html"})
        settings = await client.get("/consentkit/settings?lang=en", headers=GPC)
        assert "set-cookie" not in page.headers
        return page.text, settings.text

    page, settings = asking(tmp_path, story)
    assert 'data-state="answered"' in page
    assert "Global Privacy Control" in settings
