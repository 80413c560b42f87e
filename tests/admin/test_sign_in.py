"""Signing in: what is told to strangers, what a session is worth, and the second step."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from consentkit.admin import passwords, throttle
from consentkit.crypto import Rotation
from tests.admin.area import PASSWORD, ROOT, STAFF, Area, Client, run, text_of
from tests.archive.installation import detail

COOKIE = "__Secure-consentkit_admin"


def code_of(secret: str, *, steps: int = 0) -> str:
    return TOTP(base64.b32decode(secret), 6, SHA1(), 30).generate(time.time() + 30 * steps).decode()


async def enrol(client: Client) -> tuple[str, list[str]]:
    """Turn one-time codes on; return the secret and the recovery codes."""
    assert (await client.post("/account/codes/begin")).status_code == 303
    page = await client.get("/account/codes")
    found = re.search(r"<bdi>([A-Z2-7 ]{32,})</bdi>", page.text)
    assert found is not None
    secret = found[1].replace(" ", "")
    shown = await client.post("/account/codes", {"code": code_of(secret, steps=-1)})
    assert shown.status_code == 200, text_of(shown)
    return secret, re.findall(r"<bdi>([a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4})</bdi>", shown.text)


def test_wrong_names_and_wrong_passwords_are_told_alike_and_leave_no_word_in_the_audit(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            stranger = area.stranger()
            wrong = await stranger.sign_in("officer", "a wrong password")
            unknown = await stranger.sign_in("hunter2hunter2", "a wrong password")
            assert wrong.status_code == unknown.status_code == 403
            assert "set-cookie" not in wrong.headers
            assert wrong.text.replace("officer", "") == unknown.text.replace("hunter2hunter2", "")
            first, second = area.installation.audited("admin.sign-in-failed")
            assert (first.actor, second.actor) == ("officer", "consentkit")
            kept = first.detail + second.detail
            assert "hunter2" not in kept
            assert "wrong" not in kept

    run(story)


def test_after_a_few_failures_even_the_right_password_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_us = time.time_ns() // 1000
    monkeypatch.setattr(throttle, "_now_us", lambda: now_us)

    async def story() -> None:
        async with Area(tmp_path) as area:
            stranger = area.stranger()
            for _ in range(5):
                await stranger.sign_in("officer", "a wrong password")
            refused = await stranger.sign_in("officer")
            assert refused.status_code == 403
            assert "Too many attempts" in text_of(refused)
            elsewhere = await area.stranger("198.51.100.9").sign_in("officer")
            assert elsewhere.status_code == 303

    run(story)


def test_the_session_after_a_sign_in_is_a_new_one(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer")
            before = client.http.cookies[COOKIE]
            await client.sign_in("viewer")
            after = client.http.cookies[COOKIE]
            assert after != before
            planted = area.stranger()
            planted.http.cookies.set(COOKIE, before, path=ROOT)
            assert (await planted.get("/account")).status_code == 303

    run(story)


def test_a_stolen_cookie_is_worth_nothing_after_the_sign_out(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer")
            stolen = client.http.cookies[COOKIE]
            out = await client.post("/sign-out")
            assert "Max-Age=0" in out.headers["set-cookie"]
            thief = area.stranger()
            thief.http.cookies.set(COOKIE, stolen, path=ROOT)
            assert (await thief.get("/account")).headers["location"].startswith(f"{ROOT}/sign-in")

    run(story)


@pytest.mark.parametrize("origin", ["https://www.example.lv", "http://www.example.lv"])
def test_the_cookie_is_kept_from_scripts_other_paths_and_plain_http(origin: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            answer = await area.stranger(origin=origin).sign_in("officer")
            field = answer.headers["set-cookie"]
            parts = [part.strip() for part in field.split(";")]
            assert set(parts[1:]) >= {f"Path={ROOT}", "HttpOnly", "SameSite=Lax"}
            is_secure = origin.startswith("https")
            assert parts[0].startswith("__Secure-consentkit_admin=" if is_secure else "consentkit_admin=")
            assert ("Secure" in parts) is is_secure
            assert not any(part.startswith(("Max-Age", "Domain", "Expires")) for part in parts)

    run(story)


@pytest.mark.parametrize("tail", ["x", ".AAAA", ""], ids=["changed", "other signature", "cut"])
def test_a_cookie_that_was_not_given_out_is_nobody(tail: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer")
            value = client.http.cookies[COOKIE]
            forged = area.stranger()
            forged.http.cookies.set(COOKIE, value.rpartition(".")[0] + tail, path=ROOT)
            assert (await forged.get("/account")).status_code == 303

    run(story)


def test_a_role_that_is_taken_away_and_a_person_who_is_removed_are_gone_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("admin")
            assert (await client.get("/staff")).status_code == 200
            area.people.set_roles(STAFF, "admin", ["viewer"])
            assert (await client.get("/staff")).status_code == 403
            area.people.remove(STAFF, "admin")
            assert (await client.get("/account")).status_code == 303

    run(story)


def test_another_password_ends_the_other_sessions_and_keeps_this_one(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client, other = await area.client("officer"), await area.client("officer")
            form = {"current": PASSWORD, "password": "another quiet harbour", "again": "another quiet harbour"}
            changed = await client.post("/account/password", form)
            assert changed.headers["location"] == f"{ROOT}/account?notice=password-changed"
            assert (await client.get("/account")).status_code == 200
            assert (await other.get("/account")).status_code == 303
            assert (await area.stranger().sign_in("officer")).status_code == 403
            assert (await area.stranger().sign_in("officer", "another quiet harbour")).status_code == 303

    run(story)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"current": "not the password"}, "This is not the password"),
        ({"again": "something else 12"}, "not the same"),
        ({"password": "short", "again": "short"}, "At least 12"),
        ({"password": PASSWORD, "again": PASSWORD}, "present password"),
    ],
    ids=["wrong", "typed twice", "short", "the same"],
)
def test_a_password_is_not_changed_by_mistake(change: dict[str, str], says: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer")
            form = {"current": PASSWORD, "password": "another quiet harbour", "again": "another quiet harbour"}
            answer = await client.post("/account/password", {**form, **change})
            assert answer.status_code == 400
            assert says in text_of(answer)
            assert (await area.stranger().sign_in("officer")).status_code == 303

    run(story)


def test_a_given_password_is_replaced_before_anything_is_shown_and_expires(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            area.people.add(
                STAFF, "liga", ["officer"], passwords.hash_password("given by somebody"), is_temporary=True
            )
            client = area.stranger()
            await client.sign_in("liga", "given by somebody")
            assert (await client.get("/staff")).headers["location"] == f"{ROOT}/account/password"
            form = {"current": "given by somebody", "password": "another quiet harbour"}
            await client.post("/account/password", {**form, "again": form["password"]})
            assert (await client.get("/account")).status_code == 200
            area.people.set_password(STAFF, "liga", passwords.hash_password("given once more"), is_temporary=True)
            with area.installation.control.transaction() as connection:
                connection.exec_driver_sql("UPDATE person SET password_us = password_us - 4 * 86400000000")
            assert (await area.stranger().sign_in("liga", "given once more")).status_code == 403

    run(story)


def test_one_time_codes_are_asked_for_and_taken_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            secret, _ = await enrol(await area.client("officer"))
            client = area.stranger()
            answer = await client.sign_in("officer", next="/account")
            assert answer.headers["location"] == f"{ROOT}/sign-in/code?next=%2Faccount"
            assert (await client.get("/account")).status_code == 303
            wrong = await client.post("/sign-in/code", {"code": "000000"})
            assert wrong.status_code == 403
            code = code_of(secret)
            answer = await client.post("/sign-in/code", {"code": f" {code[:3]} {code[3:]}", "next": "/account"})
            assert answer.headers["location"] == f"{ROOT}/account"
            assert (await client.get("/account")).status_code == 200
            second = area.stranger()
            await second.sign_in("officer")
            assert (await second.post("/sign-in/code", {"code": code})).status_code == 403
            failed = area.installation.audited("admin.sign-in-failed")
            assert [detail(entry)["step"] for entry in failed] == ["code", "code"]

    run(story)


def test_a_recovery_code_signs_in_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            _, recovery = await enrol(await area.client("officer"))
            assert len(set(recovery)) == 10
            for status in (303, 403):
                client = area.stranger()
                await client.sign_in("officer")
                answer = await client.post("/sign-in/code", {"code": recovery[3].upper()})
                assert answer.status_code == status

    run(story)


def test_the_secret_of_the_codes_is_sealed_and_an_administrator_can_take_it_away(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            secret, _ = await enrol(await area.client("officer"))
            with area.installation.control.transaction() as connection:
                sealed = connection.exec_driver_sql("SELECT totp FROM person WHERE name = 'officer'").scalar_one()
            assert base64.b32decode(secret) not in sealed
            admin = await area.client("admin")
            person = area.people.find("officer")
            assert person is not None
            await admin.post(f"/staff/{person.number}/codes")
            assert (await area.stranger().sign_in("officer")).headers["location"] == f"{ROOT}/"

    run(story)


def test_one_time_codes_are_asked_for_as_before_when_the_keys_have_another_root(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            secret, recovery = await enrol(await area.client("officer"))
            rotation = Rotation(area.installation.keyring, new_root=True)
            assert list(rotation.steps())
            assert rotation.replaced_root
            client = area.stranger()
            await client.sign_in("officer")
            answer = await client.post("/sign-in/code", {"code": code_of(secret)})
            assert answer.headers["location"] == f"{ROOT}/", text_of(answer)
            second = area.stranger()
            await second.sign_in("officer")
            assert (await second.post("/sign-in/code", {"code": recovery[0]})).status_code == 303

    run(story)


@pytest.mark.parametrize(
    "wanted",
    [
        "https://example.com/",
        "//example.com/",
        "/\\example.com",
        "/../../outside",
        "/%2e%2e/outside",
        "/a/..",
        "x",
        "",
    ],
)
def test_nobody_is_led_elsewhere_after_the_sign_in(wanted: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            answer = await area.stranger().sign_in("officer", next=wanted)
            assert answer.headers["location"] == f"{ROOT}/"

    run(story)


def test_one_comes_back_to_the_page_that_was_asked_for(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = area.stranger()
            sent = await client.get("/account?lang=lv&x=%C4%81+b")
            query = parse_qs(urlsplit(sent.headers["location"]).query)
            answer = await client.sign_in("officer", next=query["next"][0])
            assert answer.headers["location"] == f"{ROOT}/account?lang=lv&x=%C4%81+b"

    run(story)
