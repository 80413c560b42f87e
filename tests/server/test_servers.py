"""The whole of consentkit under real servers: what a site gets by its one line."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.conftest import Rows
from tests.serving import SERVERS, Server, ServerName, serving

pytestmark = pytest.mark.server

DOCUMENT = {"Accept": "text/html", "Accept-Language": "en"}
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def wait_for(search: Callable[..., Rows], count: int, *filters: str, seconds: float = 15.0) -> Rows:
    """Return the rows when there are so many, or what there is when the time is over."""
    deadline = time.monotonic() + seconds
    while len(rows := search(*filters)) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return rows


def sets(response: httpx.Response) -> set[str]:
    return {field.partition("=")[0] for field in response.headers.get_list("set-cookie")}


def choose(client: httpx.Client, decision: str, **fields: str) -> httpx.Response:
    return client.post("/consentkit/choice", data={"decision": decision, **fields}, headers=SAME_ORIGIN)


@pytest.mark.parametrize("server", SERVERS)
def test_a_visit_is_gated_and_logged(
    server: ServerName, config: Path, tmp_path: Path, search: Callable[..., Rows]
) -> None:
    with (
        serving("tests.server.sites:with_lifespan", tmp_path, config=config, server=server) as running,
        httpx.Client(base_url=running.url, headers=DOCUMENT) as client,
    ):
        first = client.get(
            "/",
            headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
        )
        assert sets(first) == {"session"}
        assert 'id="consentkit"' in first.text
        assert sets(choose(client, "reject")) == {"consentkit"}
        assert sets(client.get("/")) == {"session"}
        assert {"consentkit", "consentkit_id"} <= sets(choose(client, "accept"))
        assert sets(client.get("/")) == {"session", "theme", "visits"}
        assert client.get("/seen").json()["flag"] == "from the app's lifespan"
        withdrawn = choose(client, "reject")
        assert {"theme", "visits", "consentkit", "consentkit_id"} <= sets(withdrawn)
        assert set(client.cookies) == {"session", "consentkit"}
        rows = wait_for(search, 3, "--path", "/")
    assert len(rows) == 3
    assert {row["status"] for row in rows} == {200}
    assert rows[-1]["browser"] == "Firefox"
    assert "the app's own start" in running.output()
    assert "the app's own stop" in running.output()


def test_the_app_does_not_see_a_refused_cookie_that_the_browser_still_sends(config: Path, tmp_path: Path) -> None:
    with (
        serving("tests.server.sites:plain", tmp_path, config=config) as running,
        httpx.Client(base_url=running.url) as client,
    ):
        choose(client, "reject")
        for name in ("theme", "visits", "other"):
            client.cookies.set(name, "left over", domain="127.0.0.1")
        seen = client.get("/seen").json()
    assert seen["cookies"] == ["consentkit", "other"]
    assert seen["allowed"] == {"preferences": False, "statistics": False}


@pytest.mark.parametrize(
    ("app", "path", "below"),
    [
        ("compressing", "/", ""),
        ("with_lifespan", "/", ""),
        ("without_lifespan", "/", ""),
        ("below", "/below/", "/below"),
        ("by_middleware", "/", ""),
    ],
)
def test_every_way_to_build_an_app_shows_the_banner_and_logs(
    app: str, path: str, below: str, config: Path, tmp_path: Path, search: Callable[..., Rows]
) -> None:
    with (
        serving(f"tests.server.sites:{app}", tmp_path, config=config) as running,
        httpx.Client(base_url=running.url, headers=DOCUMENT) as client,
    ):
        page = client.get(path)
        assert 'id="consentkit"' in page.text
        assert "theme" not in sets(page)
        assert f'action="{below}/consentkit/choice"' in page.text
        if app == "compressing":
            assert page.headers["content-encoding"] == "gzip"
        refused = client.post(f"{below}/consentkit/choice", data={"decision": "reject"}, headers=SAME_ORIGIN)
        assert refused.status_code == 303
        assert "theme" not in sets(client.get(path))
        rows = wait_for(search, 2, "--path", path)
    assert [row["status"] for row in rows] == [200, 200]


def test_a_root_path_given_to_the_server_is_kept_in_every_link(config: Path, tmp_path: Path) -> None:
    options = ("--root-path", "/shop")
    with serving("tests.server.sites:plain", tmp_path, config=config, options=options) as running:
        page = httpx.get(f"{running.url}/", headers=DOCUMENT).text
        assert 'action="/shop/consentkit/choice"' in page
        style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
        assert style.startswith("/shop/consentkit/static/")
        assert httpx.get(f"{running.url}{style.removeprefix('/shop')}").status_code == 200


def test_a_middleware_that_is_not_outermost_says_so(config: Path, tmp_path: Path) -> None:
    with serving("tests.server.sites:not_outermost", tmp_path, config=config) as running:
        assert "not the outermost middleware" in running.output()


def test_a_second_start_loads_no_database_before_its_first_write(config: Path, tmp_path: Path) -> None:
    for _ in range(2):
        with serving("tests.server.modules:app", tmp_path, config=config) as running:
            loaded = httpx.get(f"{running.url}/", headers=DOCUMENT).json()
    heavy = {"sqlalchemy", "sqlcipher3", "ua_parser", "user_agents", "maxminddb", "rich"}
    assert heavy & set(loaded) == set()


# --- what must stop a site, and what must not


@pytest.mark.parametrize("server", SERVERS)
def test_bad_settings_stop_the_server(server: ServerName, config: Path, tmp_path: Path) -> None:
    config.write_text("[requestlog]\nretention_dais = 30\n", "utf-8")
    with serving("tests.server.sites:plain", tmp_path, config=config, server=server, is_awaited=False) as running:
        _serves_nothing(running)
    assert "retention_dais" in running.output()
    assert "retention_days" in running.output()


@pytest.mark.parametrize("server", SERVERS)
def test_keys_that_do_not_open_stop_the_server(server: ServerName, config: Path, tmp_path: Path) -> None:
    right, wrong = {"CONSENTKIT_SECRET": "r" * 40}, {"CONSENTKIT_SECRET": "w" * 40}
    with serving("tests.server.sites:plain", tmp_path, config=config, environment=right):
        pass
    with serving(
        "tests.server.sites:plain",
        tmp_path,
        config=config,
        server=server,
        environment=wrong,
        is_awaited=False,
    ) as running:
        _serves_nothing(running)
    assert "CONSENTKIT_SECRET" in running.output()
    assert "w" * 40 not in running.output()


@pytest.mark.parametrize("server", SERVERS)
def test_a_directory_that_cannot_be_made_stops_the_server(
    server: ServerName, config: Path, tmp_path: Path
) -> None:
    (config.parent / "data").write_text("a file in the way")
    with serving("tests.server.sites:plain", tmp_path, config=config, server=server, is_awaited=False) as running:
        _serves_nothing(running)
    assert "data directory" in running.output()


def test_without_lifespan_a_failed_start_refuses_every_optional_cookie(config: Path, tmp_path: Path) -> None:
    (config.parent / "data").write_text("a file in the way")
    options = ("--lifespan", "off")
    with serving("tests.server.sites:plain", tmp_path, config=config, options=options) as running:
        page = httpx.get(f"{running.url}/", headers=DOCUMENT)
        assert page.status_code == 200
        assert "theme" not in sets(page)
        accepted = httpx.post(f"{running.url}/consentkit/choice", data={"decision": "accept"}, headers=SAME_ORIGIN)
        assert accepted.status_code == 503
        assert sets(accepted) == set()


def test_an_installation_that_worked_goes_on_when_its_spool_cannot_be_written(
    config: Path, tmp_path: Path
) -> None:
    with (
        serving("tests.server.sites:plain", tmp_path, config=config) as running,
        httpx.Client(base_url=running.url, headers=DOCUMENT) as client,
    ):
        choose(client, "accept")
        cookies = dict(client.cookies)
    data = config.parent / "data"
    (data / "spool").rename(data / "spool-before")
    (data / "spool").write_text("a file where the spool should be")
    with (
        serving("tests.server.sites:plain", tmp_path, config=config) as running,
        httpx.Client(base_url=running.url, headers=DOCUMENT, cookies=cookies) as client,
    ):
        page = client.get("/")
    assert page.status_code == 200
    assert {"theme", "visits"} <= sets(page)


def _serves_nothing(running: Server) -> None:
    """The server ended, or answers nobody: what must never be is a page without us."""
    if running.has_ended(12):
        return
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{running.url}/", timeout=2)
