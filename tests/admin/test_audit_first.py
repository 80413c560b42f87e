"""What can't be written down first is not shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from consentkit import StorageError, audit
from consentkit.audit import writing
from tests.admin.area import Area, run, text_of
from tests.archive.installation import Installation, detail


def break_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the disk be full for the audit alone."""

    def refuse(*_: object, **__: object) -> None:
        raise StorageError("control.db", "the disk is full")

    monkeypatch.setattr(writing.Turn, "write", refuse)


def test_a_view_is_in_the_audit_with_person_roles_and_address(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer", "198.51.100.4")
            assert (await client.get("/account")).status_code == 200
            (entry,) = area.installation.audited("admin.account")
            assert (entry.actor, entry.origin) == ("officer", "admin")
            assert detail(entry) == {"address": "198.51.100.4", "roles": ["officer"]}

    run(story)


def test_nothing_is_shown_that_can_not_be_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("admin")
            break_audit(monkeypatch)
            for path in ("/account", "/staff"):
                page = await client.get(path)
                assert page.status_code == 503
                assert "consentkit doctor" in text_of(page)
                assert "viewer" not in text_of(page)

    run(story)


def test_nobody_signs_in_unrecorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            stranger = area.stranger()
            break_audit(monkeypatch)
            answer = await stranger.sign_in("officer")
            assert answer.status_code == 503
            assert "set-cookie" not in answer.headers
            assert (await stranger.get("/account")).status_code == 303

    run(story)


def test_a_change_that_can_not_be_recorded_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            admin, viewer = await area.client("admin"), area.people.find("viewer")
            assert viewer is not None
            break_audit(monkeypatch)
            answer = await admin.post(f"/staff/{viewer.number}/remove")
            assert answer.status_code == 503
            assert area.people.find("viewer") == viewer

    run(story)


def test_the_entry_is_durable_when_the_first_byte_leaves(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer")
            cookie = client.http.cookies["__Secure-consentkit_admin"]
            known: list[list[str]] = []

            async def send(message: dict[str, object]) -> None:
                if message["type"] == "http.response.start":
                    known.append(await asyncio.to_thread(area.installation.actions, "admin.account"))

            scope = {
                "type": "http", "method": "GET", "scheme": "https", "path": "/consentkit/admin/account",
                "raw_path": b"/consentkit/admin/account", "query_string": b"", "root_path": "",
                "headers": [
                    (b"host", b"www.example.lv"),
                    (b"cookie", f"__Secure-consentkit_admin={cookie}".encode()),
                ],
                "client": ("192.0.2.7", 4711), "server": ("198.51.100.1", 443),
            }  # fmt: skip

            async def receive() -> dict[str, object]:
                return {"type": "http.request", "body": b""}

            await area.app(scope, receive, send)  # type: ignore[arg-type]
            assert known == [["admin.account"]]

    run(story)


def test_a_page_that_asks_for_itself_again_is_recorded_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer")
            await client.get("/account")
            for _ in range(3):
                assert (await client.get("/account", **{"sec-fetch-dest": "empty"})).status_code == 200
            assert len(area.installation.actions("admin.account")) == 1
            await client.get("/account")
            assert len(area.installation.actions("admin.account")) == 2

    run(story)


def test_the_chain_of_all_that_was_done_verifies(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer")
            await client.get("/account")
            await client.post("/sign-out")
            installation: Installation = area.installation
            assert installation.actions("admin.") == ["admin.sign-in", "admin.account", "admin.sign-out"]
            verification = audit.Verification(installation.control)
            assert len(list(verification.walk())) == len(installation.audited())
            assert verification.report().faults == ()

    run(story)
