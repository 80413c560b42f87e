"""What a running site says of itself: doctor sees the server's own access log and proxy handling."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.serving import SERVERS, ServerName, serving

pytestmark = pytest.mark.server

SITE = "tests.server.sites:plain"
LEAKING: dict[ServerName, tuple[str, ...]] = {
    "uvicorn": ("--access-log",),
    "hypercorn": ("--access-logfile", "-"),
    "granian": ("--access-log",),
}


def doctor(config: Path) -> tuple[int, dict[str, dict[str, str]]]:
    command = [str(Path(sys.executable).with_name("consentkit")), "doctor", "--json", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    assert findings, done.stderr
    return done.returncode, {finding["check"]: finding for finding in findings}


def wait_for(config: Path, check: str, level: str, seconds: float = 20.0) -> dict[str, str]:
    deadline = time.monotonic() + seconds
    while True:
        finding = doctor(config)[1].get(check, {})
        if finding.get("level") == level or time.monotonic() > deadline:
            return finding
        time.sleep(0.5)


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_whose_access_log_is_off_is_well(server: ServerName, config: Path, tmp_path: Path) -> None:
    with serving(SITE, tmp_path, config=config, server=server):
        assert wait_for(config, "server.access_log", "good")["level"] == "good"
        assert wait_for(config, "log.ingester", "good")["level"] == "good"


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_whose_access_log_is_on_is_told(server: ServerName, config: Path, tmp_path: Path) -> None:
    with serving(SITE, tmp_path, config=config, server=server, options=LEAKING[server]) as running:
        finding = wait_for(config, "server.access_log", "bad")
        assert f"{server}.access" in finding["text"]
        assert f"{server}.access is on" in running.output()


def test_a_server_that_believes_forwarding_headers_itself_is_told(config: Path, tmp_path: Path) -> None:
    with serving(SITE, tmp_path, config=config, options=("--proxy-headers",)) as running:
        httpx.get(running.url, headers={"X-Forwarded-For": "192.0.2.7"})
        assert wait_for(config, "server.proxy_headers", "bad")["way_out"]


def test_a_site_that_is_stopped_leaves_no_status(config: Path, tmp_path: Path) -> None:
    with serving(SITE, tmp_path, config=config):
        assert wait_for(config, "site.workers", "good")["level"] == "good"
    code, findings = doctor(config)
    assert findings["site.workers"]["level"] == "unknown"
    assert code == 1  # made in development: the secret is our own
