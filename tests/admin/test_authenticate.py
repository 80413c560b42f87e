"""A site that signs its staff in by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.requests import Request

from consentkit import Staff
from tests.admin.area import Area, run, text_of
from tests.archive.installation import detail

TOKENS = {
    "liga": Staff("Līga Bērziņa", ["officer"]),
    "boss": Staff("Anna", ["admin", "viewer"]),
    "odd": Staff("Odd", ["root"]),
    "mixed": Staff("Odd", ["viewer", "root"]),
    "none": Staff("Odd", []),
    "nameless": Staff("<b>", ["viewer"]),
}


def by_token(request: Request) -> Staff | None:
    return TOKENS.get(request.headers.get("x-token", ""))


async def by_token_later(request: Request) -> Staff | None:
    return by_token(request)


@pytest.mark.parametrize("authenticate", [by_token, by_token_later], ids=["sync", "async"])
def test_who_the_site_signs_in_is_let_in_with_nobody_in_our_table(authenticate: object, tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path, people=False, authenticate=authenticate) as area:
            page = await area.stranger().get("/account", **{"x-token": "liga"})
            assert page.status_code == 200
            assert "Līga Bērziņa" in page.text
            (entry,) = area.installation.audited("admin.account")
            assert (entry.actor, detail(entry)["roles"]) == ("Līga Bērziņa", ["officer"])

    run(story)


def test_there_are_no_password_pages_then(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path, authenticate=by_token) as area:
            stranger = area.stranger()
            assert (await stranger.get("/sign-in")).status_code == 403
            assert (await stranger.sign_in("officer")).status_code == 403
            assert (await stranger.get("/")).status_code == 403
            for path in ("/account/password", "/account/codes", "/sign-in"):
                assert (await stranger.get(path, **{"x-token": "boss"})).status_code == 404
            assert (await stranger.post("/staff", {"name": "x"}, **{"x-token": "boss"})).status_code == 404

    run(story)


@pytest.mark.parametrize("token", ["odd", "mixed", "none", "nameless", ""])
def test_roles_and_names_that_nobody_knows_are_let_in_nowhere(token: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path, authenticate=by_token) as area:
            assert (await area.stranger().get("/account", **{"x-token": token})).status_code == 403
            assert area.installation.actions("admin.") == []

    run(story)


def test_roles_of_the_site_are_held_to_the_same_table(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path, authenticate=by_token) as area:
            stranger = area.stranger()
            assert (await stranger.get("/staff", **{"x-token": "liga"})).status_code == 403
            assert (await stranger.get("/staff", **{"x-token": "boss"})).status_code == 200

    run(story)


def test_the_purpose_is_kept_for_the_person_who_said_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path, authenticate=by_token) as area:
            client = area.stranger()
            form = {"look-purpose": "security", "look-reason": "a test of the pages"}
            assert (await client.post("/look", form, **{"x-token": "liga"})).status_code == 303
            assert "Looking for" in text_of(await client.get("/account", **{"x-token": "liga"}))
            assert "Looking for" not in text_of(await client.get("/account", **{"x-token": "boss"}))

    run(story)


def test_a_session_of_ours_does_not_stand_in_for_the_sites_sign_in(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path, authenticate=by_token) as area:
            client = area.stranger()
            form = {"look-purpose": "security", "look-reason": "a test of the pages"}
            await client.post("/look", form, **{"x-token": "liga"})
            assert (await client.get("/account")).status_code == 403

    run(story)
