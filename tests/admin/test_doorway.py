"""While nobody may sign in: the area is closed, and a worker knows it without the database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from consentkit import Settings
from consentkit.admin.app import Admin
from consentkit.admin.mark import has_staff
from consentkit.consent.names import CookieNames
from consentkit.consent.registry import Registry
from consentkit.errors import StorageError
from tests.admin.area import ROOT, STAFF, Area, hashed, run, text_of

# What the admin area, the archive and the command line bring along.
HEAVY = (
    "sqlalchemy",
    "argon2",
    "segno",
    "user_agents",
    "consentkit.archive",
    "consentkit.control",
    "rich",
    "click",
)

PROGRAM = """
import asyncio, sys
from consentkit import ConsentKit, Settings
async def site(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
async def main(paths):
    kit = ConsentKit(Settings.from_mapping(
        {"storage": {"directory": sys.argv[1]}, "requestlog": {"ingest": "external"}}
    ))
    app = kit.wrap(site)
    await kit.start()
    before = set(sys.modules)
    for path in paths:
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "root_path": ""}
        rest = {"headers": [], "query_string": b"", "scheme": "http", "client": None, "server": None}
        await app({**scope, **rest}, receive, send)
    await kit.stop()
    print(*sorted(set(sys.modules) - (before if sys.argv[2] else set())))
async def receive(): return {"type": "http.request", "body": b""}
async def send(message):
    if message["type"] == "http.response.start": print(message["status"])
asyncio.run(main(sys.argv[3:]))
"""


def serve(directory: Path, *paths: str, is_first: bool = False) -> tuple[list[str], set[str]]:
    """Return the statuses of a worker's answers, and the modules it has loaded since its start or for all."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(directory), "since" if is_first else "", *paths],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    *statuses, modules = done.stdout.splitlines()
    return statuses, {name for name in modules.split() if name.startswith(HEAVY)}


def test_a_worker_answers_for_the_closed_area_without_the_database(tmp_path: Path) -> None:
    serve(tmp_path, "/", is_first=True)  # the first start enters the policy, which needs the database
    statuses, loaded = serve(
        tmp_path, "/", "/consentkit/admin", "/consentkit/admin/sign-in", "/consentkit/admin/x"
    )
    assert statuses == ["200", "404", "404", "404"]
    assert {name.partition(".")[0] for name in loaded} <= {"consentkit"}, loaded
    assert not {name for name in loaded if not name.startswith("consentkit.archive")}, loaded


def test_the_area_opens_in_a_running_worker_when_somebody_is_let_in(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path, people=False) as area:
            stranger = area.stranger()
            assert "consentkit admin add NAME --role admin" in text_of(await stranger.get("/sign-in"))
            assert not has_staff(area.installation.directory)
            area.people.add(STAFF, "liga", ["admin"], hashed())
            assert has_staff(area.installation.directory)
            assert (await stranger.get("/sign-in")).status_code == 200
            assert (await stranger.sign_in("liga")).status_code == 303

    run(story)


def test_the_area_is_closed_again_in_the_next_worker_when_the_last_one_has_gone(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path, people=False) as area:
            area.people.add(STAFF, "liga", ["admin"], hashed())
            area.people.remove(STAFF, "liga")
            page = await area.stranger().get("/sign-in")
            assert page.status_code == 404
            assert "This area is closed" in page.text

    run(story)


@pytest.mark.parametrize(("token", "status"), [("t" * 40, 200), ("", 404)], ids=["token", "none"])
def test_who_monitors_is_answered_while_the_area_is_closed(
    token: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONSENTKIT_MONITORING_TOKEN", raising=False)
    if token:
        monkeypatch.setenv("CONSENTKIT_MONITORING_TOKEN", token)

    async def story() -> None:
        async with Area(tmp_path, people=False) as area:
            answer = await area.stranger().get("/metrics", authorization=f"Bearer {token or 'x'}")
            assert answer.status_code == status
            assert (await area.stranger().get("/")).status_code == 404

    run(story)


def test_nobody_is_let_in_where_the_mark_can_not_be_written(tmp_path: Path) -> None:
    area = Area(tmp_path, people=False)
    folder = area.installation.directory
    area.installation.control.directory = folder / "not there"
    with pytest.raises(StorageError):
        area.people.add(STAFF, "liga", ["admin"], hashed())
    assert not area.people.exist()


def test_an_area_whose_kit_has_not_started_shows_nothing_but_that(tmp_path: Path) -> None:
    settings = Settings.from_mapping({"storage": {"directory": str(tmp_path)}}, base=tmp_path)
    admin = Admin(
        settings, Registry.build(settings), opened=lambda: None, names=CookieNames("consent", has_prefix=True)
    )

    async def story() -> None:
        transport = httpx.ASGITransport(admin, root_path=ROOT)
        async with httpx.AsyncClient(
            transport=transport, base_url="https://www.example.lv", headers={"accept-language": "en"}
        ) as client:
            for path in ("", "/search", "/metrics", "/sign-in"):
                answer = await client.get(ROOT + path)
                assert answer.status_code == 503
                assert "consentkit has not started" in answer.text
                assert answer.headers["cache-control"] == "no-store"

    run(story)
