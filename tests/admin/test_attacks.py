"""Attacks on the area by who is signed in, or by pages of others that use his browser.

Attacks on the way in are in test_sign_in.py, test_throttle.py and test_sessions.py; refusals by role and origin,
and headers, in test_access.py; the same with a real browser in tests/browser/test_admin_attacks.py.
"""

from __future__ import annotations

import re
import statistics
import time
from pathlib import Path
from typing import Final

import pytest

from consentkit.admin.roles import ALLOWED, ROLES
from tests.admin.area import ROOT, STAFF, Area, hashed, run, text_of
from tests.admin.forms import ROUTES, TABLE, Form, Shown, walk
from tests.admin.hostile import CONSENT_ID, EVERYTHING, PAYLOAD, fill, markup_taken, shows_payload
from tests.admin.robot import WILD, fill_in, rows, wild_values

pytestmark = pytest.mark.custody

CROSS_SITE: Final = {
    "sec-fetch-site": "cross-site",
    "origin": "https://www.example.org",
    "content-type": "application/x-www-form-urlencoded",
}
# What a page may answer to anything; 503 would be a fault of ours that a visitor can bring about.
FAIR: Final = frozenset({200, 303, 400, 403, 404, 405, 409, 413, 415, 429})


def live(path: str) -> str:
    """A route's path with numbers and names that are there."""
    return re.sub(r"\{[^}:]*\}", "x", re.sub(r"\{[^}]*:int\}", "1", path))


def hostile_area(folder: Path) -> Area:
    area = Area(folder)
    fill(area.installation, area.people)
    return area


def test_no_page_takes_what_was_recorded_or_typed_for_markup(tmp_path: Path) -> None:
    async def story() -> None:
        async with hostile_area(tmp_path) as area:
            client = await area.client(EVERYTHING)
            await client.look(reason=PAYLOAD, case="INC-1")
            tops = [f"/search/top?since=7d&by={by}" for by in ("path", "agent", "host", "referrer", "status")]
            lists = [
                f"/consent/cookies?list={one}" for one in ("undeclared", "dropped", "undeletable", "blocked_hosts")
            ]
            shown: dict[str, str] = {}
            for _ in range(2):  # what the first round made has forms of its own
                found = await walk(client, *tops, *lists)
                assert found.faults == []
                shown.update(found.pages)
                sent = await fill_in(client, found, PAYLOAD)
                assert {one.answer.status_code for one in sent} <= FAIR
                for one in sent:
                    if one.answer.headers.get("content-type", "").startswith("text/html"):
                        assert markup_taken(one.answer.text) == [], one.path
            receipts = await client.post("/consent/receipts", {"consent_id": CONSENT_ID})
            shown = {**shown, **(await walk(client, *tops, *lists)).pages, "receipts": receipts.text}
            assert {address: taken for address, page in shown.items() if (taken := markup_taken(page))} == {}
            telling = {address.partition("?")[0] for address, page in shown.items() if shows_payload(page)}
            # Else a walk that met nothing hostile would pass.
            assert telling >= {
                "/search", "/search/top", "/incidents", "/incidents/1", "/incidents/1/rows", "/audit",
                "/consent/cookies", "/people", "/people/1", "/records/copies",
            }  # fmt: skip

    run(story)


def test_payloads_of_the_address_are_not_taken_for_markup(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            area.people.add(STAFF, EVERYTHING, ROLES, hashed())
            client = await area.client(EVERYTHING)
            await client.look()
            for path, names in (await _named_fields(client)).items():
                page = await client.http.get(
                    ROOT + path, params=[*((name, PAYLOAD) for name in names), (PAYLOAD, "1")]
                )
                assert markup_taken(page.text) == [], path
                assert page.status_code in FAIR, path

    run(story)


@pytest.mark.parametrize("turn", range(0, len(WILD), 4))
def test_nothing_that_can_be_sent_breaks_a_page(turn: int, tmp_path: Path) -> None:
    async def story() -> None:
        async with hostile_area(tmp_path) as area:
            client = await area.client(EVERYTHING)
            await client.look()
            found = await walk(client)
            for address, form in found.forms():
                values = wild_values(form, turn)
                if form.path == "/sign-out":
                    continue
                if form.method == "POST" and not form.path.startswith("/account"):
                    await client.look()
                    answer = await client.post(form.path, {**values, "look-purpose": ""})
                else:
                    answer = await client.http.get(ROOT + address.partition("?")[0], params=values)
                assert answer.status_code in FAIR, (form.path, values)
                assert "Traceback" not in answer.text

    run(story)


MADE_UP: Final = (
    *("0", "-1", "99999999999999999999999", "1.5", "%D9%A3", "x%00y"),
    *("%2e%2e", "..%2f..%2fetc%2fpasswd", "%5c..%5cx"),
)


def test_addresses_made_up_lead_nowhere(tmp_path: Path) -> None:
    paths = {re.sub(r"\{[^}]*\}", wild, route.path) for route in ROUTES if "{" in route.path for wild in MADE_UP}

    async def story() -> None:
        async with Area(tmp_path) as area:
            area.people.add(STAFF, EVERYTHING, ROLES, hashed())
            client = await area.client(EVERYTHING)
            await client.look()
            for path in sorted(paths):
                for answer in (await client.get(path), await client.post(path, {})):
                    assert answer.status_code in {400, 404, 405, 409, 303}, path
                    assert "root:" not in answer.text
                    assert answer.headers.get("location", ROOT).startswith(ROOT), path

    run(story)


def test_another_sites_form_changes_nothing_whoever_is_signed_in(tmp_path: Path) -> None:
    async def story() -> None:
        async with hostile_area(tmp_path) as area:
            client = await area.client(EVERYTHING)
            await client.look()
            before = rows(area.installation)
            for path in {live(route.path) for route in ROUTES if route.method == "POST"}:
                answer = await client.http.post(
                    ROOT + path, content="reason=long+enough&all=on", headers=CROSS_SITE
                )
                assert answer.status_code == 403, path
            assert rows(area.installation) == before

    run(story)


def test_a_role_that_may_not_changes_nothing_that_is_there(tmp_path: Path) -> None:
    """The forms are those that who may is given, with all in them that was filled in."""

    async def story() -> None:
        async with hostile_area(tmp_path) as area:
            client = await area.client(EVERYTHING)
            await client.look()
            forms = [form for _, form in (await walk(client)).forms() if form.method == "POST"]
            for role in ROLES:
                other = await area.client(role)
                await other.look()
                before = rows(area.installation)
                refused = [form for form in forms if _is_refused(form, role)]
                assert refused
                for form in refused:
                    answer = await other.post(form.path, form.sent())
                    assert answer.status_code == 403, (role, form.path)
                    assert "One of these roles is needed" in answer.text
                assert rows(area.installation) == before

    run(story)


def _is_refused(form: Form, role: str) -> bool:
    match = TABLE.find(form.path.partition("?")[0], "POST")
    return match is not None and match.route is not None and role not in ALLOWED[match.route.action]


def test_looking_changes_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with hostile_area(tmp_path) as area:
            client = await area.client(EVERYTHING)
            await client.look()
            await walk(client)
            before = rows(area.installation)
            found = await walk(client)
            assert rows(area.installation) == before
            posts = {form.path.partition("?")[0] for _, form in found.forms() if form.method == "POST"}
            for path in posts - {"/sign-out", "/look"}:
                await client.get(f"{path}?_method=POST&confirm=1", **{"x-http-method-override": "POST"})
            assert rows(area.installation) == before

    run(story)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"x-forwarded-host": "evil.example"},
        {"x-original-url": "/staff"},
        {"forwarded": "host=evil.example"},
    ],
    ids=["Host", "X-Forwarded-Host", "X-Original-URL", "Forwarded"],
)
def test_no_header_leads_who_signs_in_elsewhere(headers: dict[str, str], tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = area.stranger()
            sent = await client.get("/account", **headers)
            assert sent.headers["location"].startswith(f"{ROOT}/sign-in?")
            page = await client.get("/sign-in", **headers)
            assert "evil.example" not in page.text + str(page.headers)

    run(story)


def test_a_name_that_nobody_has_takes_as_long_to_refuse(tmp_path: Path) -> None:
    """In processor time of all threads: a busy machine would hide any difference of the clock's."""

    async def story() -> None:
        async with Area(tmp_path) as area:
            await area.stranger().sign_in("officer", "a wrong password")
            took: dict[str, list[float]] = {"officer": [], "nobody": []}
            for number in range(9):
                for name, times in took.items():
                    stranger = area.stranger(f"198.51.100.{number + 1}")
                    started = time.process_time()
                    answer = await stranger.sign_in(
                        name if name == "officer" else f"{name}{number}", "a wrong password"
                    )
                    times.append(time.process_time() - started)
                    assert answer.status_code == 403, text_of(answer)
            known, unknown = (statistics.median(times) for times in took.values())
            assert known > 0.01  # else no password was hashed at all
            assert 0.8 < unknown / known < 1.25

    run(story)


async def _named_fields(client: object) -> dict[str, set[str]]:
    """Names of the fields of each page's forms, by the page's path."""
    found: dict[str, set[str]] = {}
    for address, page in (await walk(client)).pages.items():  # type: ignore[arg-type]
        names = {field.name for form in Shown(page, address).forms for field in form.fields if field.name}
        found.setdefault(address.partition("?")[0], set()).update(
            names, {"lang", "notice", "next", "before", "after"}
        )
    return found
