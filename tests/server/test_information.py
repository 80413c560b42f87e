"""A real site: the ingester publishes, the workers show it, and an outsider can check it."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import msgspec
import pytest

from consentkit.archive.publishing import Heads, SignedHeads
from consentkit.crypto.signatures import read_key_set, verify
from tests.serving import serving

pytestmark = pytest.mark.server

SETTINGS = """
[site]
operator = "SIA Piemērs"
contact = "privacy@example.com"

[requestlog]
retention_days = 30
"""


def published(client: httpx.Client) -> httpx.Response:
    deadline = time.monotonic() + 20
    while True:
        answer = client.get("/consentkit/heads.json")
        if answer.status_code == 200 or time.monotonic() > deadline:
            return answer
        time.sleep(0.1)


def test_what_the_ingester_publishes_reaches_an_outsider_who_checks_it(tmp_path: Path) -> None:
    config = tmp_path / "consentkit.toml"
    config.write_text(SETTINGS, "utf-8")
    with (
        serving("tests.visitor.site:app", tmp_path, config=config, workers=2) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        answer = published(client)
        assert answer.status_code == 200
        keys = read_key_set(client.get("/consentkit/keys.json").content)
        pages = {name: client.get(f"/consentkit/{name}?lang=en") for name in ("privacy", "deletions", "cookies")}
    signed = msgspec.json.decode(answer.content, type=SignedHeads)
    assert verify(signed.heads.encode(), signed.signature, keys.keys) == signed.key
    assert len(msgspec.json.decode(signed.heads, type=Heads).audit) == 64
    assert keys.operator == "SIA Piemērs"
    assert {name: page.status_code for name, page in pages.items()} == dict.fromkeys(pages, 200)
    assert "No record gets older than 30 days." in pages["privacy"].text
    assert "Nothing was destroyed yet." in pages["deletions"].text
    assert "Traceback" not in server.output()
