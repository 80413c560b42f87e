"""Who may see what: every route with every role, strangers, other sites, and what never leaves."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from consentkit.admin import replies
from consentkit.admin.app import PAGES
from consentkit.admin.roles import ALLOWED, ROLES
from consentkit.admin.visit import Route
from tests.admin.area import FORM, PASSWORD, ROOT, STAFF, Area, hashed, run, text_of
from tests.archive.installation import detail

ROUTES: tuple[Route, ...] = tuple(
    route for name in PAGES for route in importlib.import_module(f"consentkit.admin.pages.{name}").ROUTES
)


def address_of(route: Route) -> str:
    return re.sub(r"\{[^}]*\}", "999999", route.path)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_what_the_table_says_and_nothing_else(role: str, tmp_path: Path) -> None:
    """A POST is sent without a fresh password, so that nothing that destroys is done."""

    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client(role)
            await client.look()
            with area.installation.control.transaction() as connection:
                connection.exec_driver_sql("UPDATE session SET confirmed_us = 0")
            for route in ROUTES:
                if route.method == "POST" and not route.needs_confirmation and role in ALLOWED[route.action]:
                    continue  # would be done
                ask = client.get if route.method == "GET" else client.post
                answer = await ask(address_of(route))
                is_refused = "One of these roles is needed" in answer.text
                assert is_refused is (role not in ALLOWED[route.action]), (route.method, route.path)
                assert (answer.status_code == 403) >= is_refused

    run(story)


def test_strangers_see_the_sign_in_and_can_send_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            stranger = area.stranger()
            answers = {(await stranger.get(address_of(route))).status_code for route in ROUTES}
            assert answers == {303}
            assert (await stranger.get("/no/such/page")).status_code == 303
            sent = {(await stranger.post(address_of(route))).status_code for route in ROUTES}
            assert sent | {(await stranger.post("/no/such/page")).status_code} == {403}

    run(story)


def test_a_refusal_says_which_role_is_needed_and_is_in_the_audit(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            page = await (await area.client("viewer")).get("/staff")
            assert page.status_code == 403
            assert "One of these roles is needed: Administrator." in text_of(page)
            (entry,) = area.installation.audited("admin.refused")
            assert entry.actor == "viewer"
            assert detail(entry) == {
                "address": "192.0.2.7", "path": "/staff", "roles": ["viewer"], "wanted": "staff.view",
            }  # fmt: skip

    run(story)


@pytest.mark.parametrize("prefix", ["", "/x", "/sign-in", "/staff"])
def test_the_area_is_closed_while_nobody_may_sign_in(prefix: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path, people=False) as area:
            stranger = area.stranger()
            page = await stranger.get(prefix or "/")
            assert page.status_code == 404
            assert "consentkit admin add NAME --role admin" in page.text
            assert (await stranger.sign_in("officer")).status_code == 404
            assert area.installation.actions("admin.") == []

    run(story)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": "https://other.example.lv"},
        {"sec-fetch-site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://www.example.lv.evil.example"},
        {},
    ],
    ids=["another site", "a sister site", "typed", "origin alone", "sandboxed", "alike", "neither"],
)
def test_a_form_of_another_site_does_nothing(headers: dict[str, str], tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer")
            kind = {"content-type": "application/x-www-form-urlencoded"}
            for path in ("/account/sessions/end", "/sign-out", "/look", "/sign-in"):
                answer = await client.http.post(ROOT + path, content="", headers={**kind, **headers})
                assert answer.status_code == 403
            assert (await client.get("/account")).status_code == 200

    run(story)


def test_a_browser_that_says_its_origin_alone_is_believed(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer")
            kind = {"content-type": "application/x-www-form-urlencoded", "origin": "https://www.example.lv"}
            assert (await client.http.post(f"{ROOT}/sign-out", content="", headers=kind)).status_code == 303

    run(story)


@pytest.mark.parametrize(
    ("content_type", "content", "status"),
    [
        ("application/json", "{}", 415),
        ("application/x-www-form-urlencoded", "a=" + "x" * 20_000, 413),
        ("application/x-www-form-urlencoded", b"a=\xff", 400),
        ("application/x-www-form-urlencoded", "&".join(f"a{n}=1" for n in range(100)), 400),
    ],
    ids=["JSON", "long", "no UTF-8", "many fields"],
)
def test_a_form_that_can_not_be_taken_is_told(
    content_type: str, content: str | bytes, status: int, tmp_path: Path
) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer")
            headers = {**FORM, "content-type": content_type}
            assert (await client.http.post(f"{ROOT}/look", content=content, headers=headers)).status_code == status

    run(story)


def test_every_answer_forbids_framing_caching_and_code_of_others(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("admin")
            answers = [
                await client.get("/account"),
                await client.get("/nothing"),
                await client.get("/search?x=1"),
                await client.post("/look", {}),
                await area.stranger().get("/"),
                await area.stranger().get("/sign-in"),
            ]
            for answer in answers:
                policy = answer.headers["content-security-policy"]
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert answer.headers["cache-control"] == "no-store"
                assert answer.headers["x-frame-options"] == "DENY"
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert "access-control-allow-origin" not in answer.headers
                assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|\bstyle=|<style", answer.text)

    run(story)


def test_other_methods_are_told_which_are_taken(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer")
            for method in ("PUT", "DELETE", "OPTIONS", "HEAD"):
                answer = await client.http.request(method, f"{ROOT}/account")
                assert answer.status_code == 405
                assert answer.headers["allow"] == "GET"
                assert (await area.stranger().http.request(method, f"{ROOT}/account")).status_code == 403

    run(story)


def test_the_purpose_is_asked_once_and_leads_back(tmp_path: Path) -> None:
    looked_at = [route for route in ROUTES if route.needs_look and route.method == "GET" and "{" not in route.path]
    if not looked_at:
        pytest.skip("needs a page that shows personal data")

    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer" if "officer" in ALLOWED[looked_at[0].action] else "investigator")
            asked = await client.get(f"{looked_at[0].path}?a=%C4%81")
            assert asked.status_code == 303
            path = asked.headers["location"].removeprefix(ROOT)
            assert (await client.post(path, {"look-purpose": "security"})).status_code == 400
            form = {"look-purpose": "security", "look-reason": "a test of the pages", "look-case": "INC-7"}
            answer = await client.post(path, form)
            assert answer.headers["location"] == f"{ROOT}{looked_at[0].path}?a=%C4%81"
            assert (await client.get(looked_at[0].path)).status_code == 200

    run(story)


def test_the_password_is_asked_before_what_matters_and_the_form_is_not_lost(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            admin = await area.client("admin")
            with area.installation.control.transaction() as connection:
                connection.exec_driver_sql("UPDATE session SET confirmed_us = 0")
            form = {"name": "Anna <b>", "role-viewer": "1"}
            asked = await admin.post("/staff", {**form, "name": "Anna & Co."})
            assert 'name="name" value="Anna &amp; Co."' in asked.text
            assert 'name="role-viewer" value="1"' in asked.text
            wrong = await admin.post("/staff", {**form, "confirm-password": "not the password"})
            assert wrong.status_code == 403
            assert "Anna &lt;b&gt;" in wrong.text
            done = await admin.post("/staff", {"name": "Anna", "role-viewer": "1", "confirm-password": PASSWORD})
            assert done.status_code == 200
            assert area.people.find("anna") is not None
            assert "confirm-password" not in done.text
            again = await admin.post("/staff", {"name": "Berta", "role-viewer": "1"})
            assert area.people.find("berta") is not None, text_of(again)
            assert PASSWORD not in "".join(entry.detail for entry in area.installation.audited())

    run(story)


def test_nobody_changes_himself_among_the_staff(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            admin = await area.client("admin")
            person = area.people.find("admin")
            assert person is not None
            for what in ("roles", "password", "codes", "remove"):
                answer = await admin.post(f"/staff/{person.number}/{what}", {"role-officer": "1"})
                assert answer.status_code == 409
            assert area.people.find("admin") == person

    run(story)


def test_an_administrator_changes_others(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            admin, viewer = await area.client("admin"), area.people.find("viewer")
            assert viewer is not None
            await admin.post(f"/staff/{viewer.number}/roles", {"role-officer": "1"})
            changed = area.people.find("viewer")
            assert changed is not None
            assert changed.roles == {"officer"}
            assert (await admin.post(f"/staff/{viewer.number}/roles", {})).status_code == 400
            shown = await admin.post(f"/staff/{viewer.number}/password")
            given = re.search(r"<bdi>([a-z0-9-]{19})</bdi>", shown.text)
            assert given is not None
            assert (await area.stranger().sign_in("viewer")).status_code == 403
            assert (await area.stranger().sign_in("viewer", given[1])).status_code == 303
            await admin.post(f"/staff/{viewer.number}/remove")
            assert area.people.find("viewer") is None

    run(story)


def test_a_language_that_was_chosen_stays(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer")
            assert '<html lang="en">' in (await client.get("/account")).text
            assert '<html lang="lt">' in (await client.get("/account?lang=lt")).text
            assert '<html lang="lt">' in (await client.get("/account")).text

    run(story)


@pytest.mark.parametrize("name", ['a"b', "a\r\nSet-Cookie: x=1", "../a", "ā", "", "a" * 200, ".a"])
def test_a_download_can_not_say_more_in_its_header_than_its_name(name: str) -> None:
    with pytest.raises(ValueError, match="download"):
        replies.download(b"", file_name=name, content_type="text/csv")
    with pytest.raises(ValueError, match="download"):
        replies.download(b"", file_name="a.csv", content_type=f"text/{name} ")


@pytest.mark.parametrize("fails", [False, True])
def test_a_file_is_removed_when_it_was_sent_or_could_not_be(fails: bool, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"x" * 200_000)
    reply = replies.download(path, file_name="rows.csv", content_type="text/csv; charset=utf-8")
    sent: list[int] = []

    async def send(message: dict[str, object]) -> None:
        body = message.get("body", b"")
        assert isinstance(body, bytes)
        sent.append(len(body))
        if fails and body:
            raise BrokenPipeError

    async def story() -> None:
        if fails:
            with pytest.raises(BrokenPipeError):
                await reply({"type": "http"}, None, send)  # type: ignore[arg-type]
        else:
            await reply({"type": "http"}, None, send)  # type: ignore[arg-type]

    run(story)
    assert not path.exists()
    assert sum(sent) == (65_536 if fails else 200_000)


def test_a_worker_loads_nothing_of_it_before_its_first_request(tmp_path: Path) -> None:
    program = """
import asyncio, sys
from consentkit import ConsentKit, Settings
async def site(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
async def main():
    kit = ConsentKit(Settings.from_mapping({"storage": {"directory": sys.argv[1]}}))
    app = kit.wrap(site)
    scope = {"type": "http", "method": "GET", "path": "/", "root_path": "", "headers": [], "query_string": b""}
    await app(dict(scope, raw_path=b"/", scheme="http", client=None, server=None), None, send)
async def send(message): pass
asyncio.run(main())
print([name for name in sys.modules if name.startswith(("consentkit.admin", "argon2", "segno", "user_agents"))])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_too_many_passwords_at_a_time_are_turned_away(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            stranger = area.stranger()
            await stranger.get("/sign-in")
            from consentkit.admin.vault import Busy, Vault  # noqa: PLC0415

            vault = Vault()
            vault._inside = 10
            with pytest.raises(Busy):
                await vault.is_right("x", hashed())
            assert area.people.add(STAFF, "x", ["viewer"], "y") is not None

    run(story)


def test_the_table_of_roles_is_the_one_that_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "admin.md").read_text("utf-8")
    documented = {
        row[1]: frozenset(role for role, given in zip(ROLES, row[2].split("|"), strict=False) if "yes" in given)
        for row in re.finditer(r"^\| `([a-z]+\.[a-z]+)` \|(.*)\|$", text, re.MULTILINE)
    }
    assert documented == ALLOWED
