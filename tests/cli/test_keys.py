"""``consentkit keys rotate``, run as an operator runs it, beside a site that goes on."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from consentkit import ConsentKit, Settings, audit
from consentkit.consent.choice import ChoiceSigner
from consentkit.control import Control
from consentkit.crypto import Keyring, Rotation
from consentkit.signing import public_keys, sign

pytestmark = pytest.mark.server

Command = Callable[..., subprocess.CompletedProcess[str]]
OLD, NEW = "an old secret of more than 32 characters", "a new secret of more than 32 characters"
BOTH = f"{OLD},{NEW}"


def control_of(config: Path, *secrets: str) -> tuple[Control, Keyring]:
    storage = Settings.load(config).storage
    storage.directory.mkdir(exist_ok=True)
    keyring = Keyring.open(storage.keys, secrets)
    return Control(storage.directory, keyring), keyring


def entries(config: Path, *secrets: str) -> list[audit.AuditEntry]:
    control, _ = control_of(config, *secrets)
    with control.transaction() as connection:
        return [entry for entry in audit.entries(connection) if entry.action.startswith("keys.")]


def test_the_newest_secret_alone_opens_afterwards_and_the_audit_says_who_did_it(
    config: Path, consentkit: Command
) -> None:
    control, keyring = control_of(config, OLD)
    before = sign(control, keyring, b"x")
    done = consentkit("keys", "rotate", CONSENTKIT_SECRET=BOTH)
    assert done.returncode == 0, done.stderr
    assert "newest of the secrets" in done.stdout
    assert "Take the older secrets out of CONSENTKIT_SECRET" in done.stdout
    assert consentkit("retention", "status", CONSENTKIT_SECRET=OLD).returncode == 2
    assert consentkit("retention", "status", CONSENTKIT_SECRET=NEW).returncode == 0
    begun, ended = entries(config, NEW)
    assert (begun.action, ended.action) == ("keys.rotating", "keys.rotated")
    assert ended.actor
    assert ended.origin == "cli"
    assert OLD not in ended.detail + done.stdout
    assert NEW not in ended.detail + done.stdout
    control, keyring = control_of(config, NEW)
    after = sign(control, keyring, b"x")
    assert after.key_id != before.key_id
    assert json.loads(ended.detail)["signing_key"] == after.key_id
    with control.transaction() as connection:
        assert {key.key_id for key in public_keys(connection)} == {before.key_id, after.key_id}
    assert keyring.names("signing") == [f"signing/{after.key_id}"]


def test_without_a_secret_it_is_wrong_use_and_says_the_way_out(config: Path, consentkit: Command) -> None:
    control_of(config)
    done = consentkit("keys", "rotate")
    assert done.returncode == 2
    assert "CONSENTKIT_SECRET is not set" in done.stderr
    assert entries(config) == []


def test_it_leads_out_of_development(config: Path, consentkit: Command) -> None:
    control_of(config)
    refused = consentkit("retention", "status", CONSENTKIT_SECRET=NEW)
    assert (refused.returncode, "keys rotate" in refused.stderr) == (2, True)
    done = consentkit("keys", "rotate", "--json", CONSENTKIT_SECRET=NEW)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["left_development_secret"] is True
    assert not (Settings.load(config).storage.keys / "secret").exists()
    assert consentkit("retention", "status", CONSENTKIT_SECRET=NEW).returncode == 0
    assert consentkit("retention", "status").returncode == 2


def test_a_new_root_needs_a_yes(config: Path, consentkit: Command) -> None:
    control_of(config, OLD)
    root = (Settings.load(config).storage.keys / "root.key").read_bytes()
    done = consentkit("keys", "rotate", "--new-root", CONSENTKIT_SECRET=OLD)
    assert (done.returncode, "--yes" in done.stderr) == (2, True)
    assert (Settings.load(config).storage.keys / "root.key").read_bytes() == root
    assert entries(config, OLD) == []


@pytest.mark.parametrize(("answer", "is_done"), [(b"y\n", True), (b"n\n", False)], ids=["yes", "no"])
def test_at_a_terminal_it_asks(config: Path, answer: bytes, is_done: bool) -> None:
    control_of(config, OLD)
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("consentkit"), "keys", "rotate", "--new-root", "--config", config],
        env={**os.environ, "CONSENTKIT_SECRET": OLD},
        stdin=child,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.close(child)
    os.write(parent, answer)
    out, err = process.communicate(timeout=60)
    os.close(parent)
    assert b"can't be undone" in err
    assert (process.returncode == 0) is is_done
    assert (b"new one" in out) is is_done
    assert len(entries(config, OLD)) == 2 * is_done


def test_what_was_interrupted_is_finished_and_told(config: Path, consentkit: Command) -> None:
    _, keyring = control_of(config, OLD)
    steps = Rotation(Keyring.open(keyring.folder, (OLD, NEW)), new_root=True).steps()
    next(steps)
    steps.close()
    done = consentkit("keys", "rotate", CONSENTKIT_SECRET=BOTH)
    assert done.returncode == 0, done.stderr
    assert "had been interrupted" in done.stdout
    assert json.loads(entries(config, NEW)[1].detail)["new_root"] is True


def test_a_damaged_key_is_named_with_exit_1(config: Path, consentkit: Command) -> None:
    _, keyring = control_of(config, OLD)
    keyring.make("worker/a")
    (keyring.folder / "worker/a.key").write_bytes(b"damaged")
    done = consentkit("keys", "rotate", "--new-root", "--yes", CONSENTKIT_SECRET=OLD)
    assert done.returncode == 1
    assert "worker/a" in done.stderr


async def _page(scope: Scope, receive: Receive, send: Send) -> None:
    theme = b"theme=dark" if scope["state"]["consent"].allows("preferences") else b""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": theme or b"nothing"})


def visiting(settings: Settings, story: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        kit = ConsentKit(settings)
        await kit.start()
        transport = httpx.ASGITransport(kit.wrap(_page))
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://example.lv") as client:
                return await story(client)
        finally:
            await kit.stop()

    return asyncio.run(run())


def test_nobody_is_asked_again_while_and_after_a_new_root_takes_over(
    config: Path, consentkit: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSENTKIT_SECRET", OLD)
    config.write_text(re.sub(r"\[requestlog\]", '[requestlog]\ningest = "external"', config.read_text()))
    settings = Settings.load(config)

    async def accept(client: httpx.AsyncClient) -> str:
        headers = {"sec-fetch-site": "same-origin"}
        client.cookies.clear()
        await client.post("/consentkit/choice", data={"decision": "accept"}, headers=headers)
        return next(cookie.value or "" for cookie in client.cookies.jar if cookie.name == "consentkit")

    async def story(client: httpx.AsyncClient) -> tuple[str, str]:
        before = await accept(client)
        rotating = asyncio.create_task(
            asyncio.to_thread(consentkit, "keys", "rotate", "--new-root", "--yes", CONSENTKIT_SECRET=OLD)
        )
        answers = set()
        while not rotating.done():
            answers.add((await client.get("/")).text)
            await asyncio.sleep(0.05)
        assert rotating.result().returncode == 0, rotating.result().stderr
        assert answers == {"theme=dark"}
        end = time.monotonic() + 20
        while not signed_by_the_present_root(after := await accept(client)):
            assert time.monotonic() < end
            await asyncio.sleep(0.2)
        return before, after

    def signed_by_the_present_root(text: str) -> bool:
        keyring = Keyring.open(settings.storage.keys, (OLD,))
        return ChoiceSigner(keyring.derive("choice/v1")).read(text.encode()) is not None

    async def again(client: httpx.AsyncClient) -> list[str]:
        found = []
        for text in texts:
            client.cookies.clear()
            found.append((await client.get("/", headers={"cookie": f"consentkit={text}"})).text)
        return found

    texts = visiting(settings, story)
    assert visiting(settings, again) == ["theme=dark", "theme=dark"]
