"""The ingester under a supervisor of the operator's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.conftest import Rows
from tests.serving import serving

pytestmark = pytest.mark.server


def test_an_external_ingester_stores_what_the_workers_spool(
    config: Path, tmp_path: Path, search: Callable[..., Rows]
) -> None:
    text = config.read_text("utf-8").replace("[requestlog]", '[requestlog]\ningest = "external"')
    config.write_text(text, "utf-8")
    data = config.parent / "data"
    with serving("tests.server.sites:plain", tmp_path, config=config) as running:
        httpx.get(f"{running.url}/page/1")
        assert list((data / "spool").glob("*/[0-9]*"))
        assert not (data / "requests").exists()
        command = [str(Path(sys.executable).with_name("consentkit")), "ingest"]
        environment = {**os.environ, "CONSENTKIT_CONFIG": str(config)}
        with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True) as ingester:
            assert ingester.stderr is not None
            assert "Storing the log" in ingester.stderr.readline()
            second = subprocess.run(
                command, capture_output=True, env=environment, text=True, timeout=60, check=False
            )
            assert second.returncode == 2
            assert "another ingester" in second.stderr
            deadline = time.monotonic() + 10
            while not list((data / "requests").glob("*.db")) and time.monotonic() < deadline:
                time.sleep(0.1)
            ingester.send_signal(signal.SIGTERM)
            assert ingester.wait(20) == 0
    assert [row["url"] for row in search("--path", "/page/*")] == ["/page/1"]
    assert list((data / "requests").glob("*.db"))
