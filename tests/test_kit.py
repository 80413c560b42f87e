"""The composition: which layer stands where, what starts and stops, what passes untouched."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from consentkit import ConsentKit, ConsentKitMiddleware, Settings, SettingsError
from consentkit.archive.spoolreader import SpoolReader
from consentkit.consent.gate import Gate
from consentkit.consent.inject import Inject
from consentkit.crypto import Keyring
from consentkit.requestlog.capture import Capture
from consentkit.requestlog.record import Record


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    cookie = {"name": "theme", "category": "preferences", "purpose": "Light or dark"}
    table = {
        "storage": {"directory": "data"},
        "requestlog": {"ingest": "external", "exclude_paths": ["/healthz"]},
        "consent": {"cookies": [cookie]},
    }
    return Settings.from_mapping(table, base=tmp_path)


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/html"), (b"set-cookie", b"theme=dark")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"<html><body>text</body></html>"})


def http(path: str = "/", **more: Any) -> Scope:
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"www.example.lv"), (b"accept", b"text/html")],
        "client": ("192.0.2.7", 4711),
        "server": ("198.51.100.1", 80),
    }
    return {**scope, **more}


async def ask(app: Callable[[Scope, Receive, Send], Awaitable[None]], scope: Scope) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def records(settings: Settings) -> list[Record]:
    keyring = Keyring.open(settings.storage.keys, ())
    segments = SpoolReader(settings.storage.directory, keyring).segments()
    return [entry for segment in segments for _, entry in segment.read(complete=True) if isinstance(entry, Record)]


def test_the_layers_stand_in_the_order_that_is_documented(settings: Settings) -> None:
    layers: list[str] = []
    layer: Any = ConsentKit(settings).wrap(page)
    while layer is not page:
        layers.append(type(layer).__name__.strip("_"))
        layer = next(
            getattr(layer, name) for name in ("_entrance", "app", "_app") if getattr(layer, name, None) is not None
        )
    assert layers == ["Site", Capture.__name__, Gate.__name__, "Mount", Inject.__name__]


def test_it_works_with_no_settings_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONSENTKIT_CONFIG", raising=False)
    kit = ConsentKit()
    assert kit.settings.storage.directory == tmp_path / "var" / "consentkit"
    assert not (tmp_path / "var").exists()  # nothing is opened before the start


def test_the_import_brings_no_server_and_no_database_along() -> None:
    heavy = ("asyncio", "anyio", "starlette.datastructures", "http.client", "jinja2", "sqlalchemy", "sqlcipher3")
    code = f"import sys; from consentkit import ConsentKit; print(*{{*{heavy}}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("key", "url", "driver", "extra"),
    [
        ("url", "postgresql://u:hush@db/x", "psycopg", "postgresql"),
        ("requests_url", "clickhouse://u:hush@ch/x", "clickhouse_driver", "clickhouse"),
    ],
)
def test_a_missing_driver_is_told_at_import_with_its_extra(
    key: str, url: str, driver: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.from_mapping({"storage": {"directory": "data", key: url}}, base=tmp_path)
    ConsentKit(settings)
    monkeypatch.setitem(sys.modules, driver, None)  # as where it is not installed
    with pytest.raises(SettingsError, match=rf"storage\.{key}.*consentkit\[{extra}\]") as caught:
        ConsentKit(settings)
    assert "hush" not in str(caught.value)


def test_the_record_tells_what_left_for_the_client(settings: Settings) -> None:
    async def story() -> list[Message]:
        kit = ConsentKit(settings)
        app = kit.wrap(page)
        sent = await ask(app, http("/a"))
        await ask(app, http("/healthz"))
        await ask(app, http("/consentkit/choice"))
        await kit.stop()
        return sent

    sent = asyncio.run(story())
    first, second = records(settings)
    body = b"".join(message.get("body", b"") for message in sent)
    assert (first.url, first.status, first.outcome) == ("/a", 200, "complete")
    assert first.bytes_sent == len(body) > len(b"<html><body>text</body></html>")
    assert second.url == "/consentkit/choice"


def test_a_kit_inside_a_kit_lets_the_outer_one_do_it(settings: Settings) -> None:
    async def story() -> list[Message]:
        kit = ConsentKit(settings)
        sent = await ask(kit.wrap(ConsentKit(settings).wrap(page)), http("/a"))
        await kit.stop()
        return sent

    sent = asyncio.run(story())
    assert len(records(settings)) == 1
    assert b"".join(message.get("body", b"") for message in sent).count(b'id="consentkit"') == 1


def test_a_websocket_is_gated_and_is_one_record(settings: Settings) -> None:
    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "headers": [(b"set-cookie", b"theme=dark"), (b"x", b"y")]})
        await send({"type": "websocket.send", "text": "hello"})
        await send({"type": "websocket.close"})

    async def story() -> list[Message]:
        kit = ConsentKit(settings)
        sent = await ask(kit.wrap(socket), http("/ws", type="websocket", scheme="wss"))
        await kit.stop()
        return sent

    sent = asyncio.run(story())
    assert sent[0] == {"type": "websocket.accept", "headers": [(b"x", b"y")]}
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    (record,) = records(settings)
    assert (record.scheme, record.status, record.outcome) == ("wss", 101, "complete")


@pytest.mark.parametrize("starts_first", [False, True], ids=["before its start", "after its start"])
def test_an_app_that_raises_is_recorded_and_its_error_goes_on(settings: Settings, *, starts_first: bool) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        if starts_first:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    async def story() -> None:
        kit = ConsentKit(settings)
        with pytest.raises(ZeroDivisionError):
            await ask(kit.wrap(broken), http("/broken"))
        await kit.stop()

    asyncio.run(story())
    (record,) = records(settings)
    assert (record.status, record.outcome) == (200 if starts_first else 0, "app_error")


def test_a_client_that_goes_away_is_recorded_as_gone(settings: Settings) -> None:
    async def patient(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()

    async def story() -> None:
        kit = ConsentKit(settings)
        app = kit.wrap(patient)

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(_message: Message) -> None:
            return

        await app(http("/gone"), receive, send)
        await kit.stop()

    asyncio.run(story())
    assert [record.outcome for record in records(settings)] == ["client_gone"]


class Lifespan:
    """A server's side of the lifespan."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    async def run(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> dict[str, Any]:
        to_app = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        scope: dict[str, Any] = {"type": "lifespan", "state": {}}

        async def receive() -> Message:
            return to_app.pop(0)

        async def send(message: Message) -> None:
            self.sent.append(message)

        await app(scope, receive, send)
        return scope


def test_the_apps_own_lifespan_is_untouched_between_our_start_and_stop(settings: Settings) -> None:
    kit = ConsentKit(settings)
    started: list[bool] = []

    async def site(scope: Scope, receive: Receive, send: Send) -> None:
        for answer in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            await receive()
            started.append(kit.is_started)
            scope["state"]["own"] = "kept"
            await send({"type": answer, "extra": 1})

    server = Lifespan()
    scope = asyncio.run(server.run(kit.wrap(site)))
    assert server.sent == [
        {"type": "lifespan.startup.complete", "extra": 1},
        {"type": "lifespan.shutdown.complete", "extra": 1},
    ]
    assert started == [True, True]
    assert scope["state"] == {"own": "kept"}
    assert not kit.is_started


def test_an_app_that_knows_no_lifespan_and_returns_gets_one(settings: Settings) -> None:
    async def site(scope: Scope, receive: Receive, send: Send) -> None:
        return

    server = Lifespan()
    asyncio.run(server.run(ConsentKit(settings).wrap(site)))
    assert [message["type"] for message in server.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_a_start_that_must_stop_the_site_answers_failed_and_does_not_raise(settings: Settings) -> None:
    settings.storage.keys.parent.mkdir(exist_ok=True)
    settings.storage.keys.write_text("a file in the way")
    server = Lifespan()
    asyncio.run(server.run(ConsentKit(settings).wrap(page)))
    (message,) = server.sent
    assert message["type"] == "lifespan.startup.failed"
    assert "keys folder" in message["message"]


def test_a_middleware_takes_a_kit_or_settings(settings: Settings) -> None:
    async def story(app: ConsentKitMiddleware) -> list[Message]:
        return await ask(app, http("/a"))

    kit = ConsentKit(settings)
    for app in (ConsentKitMiddleware(page, kit=kit), ConsentKitMiddleware(page, settings=settings)):
        start = asyncio.run(story(app))[0]
        assert b"theme" not in b"".join(value for name, value in start["headers"] if name == b"set-cookie")


def test_addresses_are_cut_at_once_where_that_is_set(tmp_path: Path) -> None:
    log = {"ingest": "external", "truncate_ip_after_days": 0}
    settings = Settings.from_mapping({"storage": {"directory": "data"}, "requestlog": log}, base=tmp_path)

    async def story() -> None:
        kit = ConsentKit(settings)
        await ask(kit.wrap(page), http("/a", client=("2001:db8:1:2:3::4", 1)))
        await kit.stop()

    asyncio.run(story())
    (record,) = records(settings)
    assert (record.client_address, record.peer_address) == ("2001:db8:1::", "2001:db8:1::")
