"""The regulator's visit with a real browser: a good site passes, and each fault of a bad one is named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.serving import REPOSITORY, Server, serving

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not shutil.which("chromium"), reason="apt-get install chromium"),
]


def inspect(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("consentkit"), "inspect", *arguments],
        env={name: value for name, value in os.environ.items() if name != "CONSENTKIT_CONFIG"},
        capture_output=True,
        text=True,
        timeout=280,
        cwd=REPOSITORY,
        check=False,
    )


def test_the_example_site_passes(example: Server, tmp_path: Path) -> None:
    done = inspect(
        f"{example.url}/", "--config", "example_app/consentkit.toml", "--pages", "3", "--output", str(tmp_path)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (data,) = tmp_path.glob("inspect-*.json")
    report = json.loads(data.read_text("utf-8"))
    met = {row["name"]: row["verdicts"] for row in report["rows"]}
    assert met["visits"] == {"accepting": "agreed"}
    assert met["lumo_seen"] == {"accepting": "agreed"}
    assert met["consentkit"]["refusing"] == "necessary"
    assert met["localhost"] == {"accepting": "agreed"}
    assert all(len(walk["pages"]) >= 3 and not walk["faults"] for walk in report["walks"])


@pytest.fixture(scope="module")
def bad_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a report over the leaking site."""
    folder = tmp_path_factory.mktemp("leaking")
    config = folder / "consentkit.toml"
    config.write_text(
        """
[site]
operator = "SIA Piemērs"
contact = "privacy@example.lv"
languages = ["en"]
[storage]
directory = "data"
[[consent.cookies]]
name = "theme"
category = "preferences"
purpose = "Remembers light or dark"
lifetime_days = 30
[[consent.cookies]]
name = "visits"
category = "statistics"
purpose = "Counts visits"
lifetime_days = 30
""",
        "utf-8",
    )
    with serving("tests.browser.leaking:app", folder, config=config) as running:
        output = folder / "report.html"
        done = inspect(
            f"{running.url}/", "--config", str(config), "--pages", "2", "--output", str(output), "--json"
        )
    assert done.returncode == 1, done.stderr
    (folder / "printed.json").write_text(done.stdout, "utf-8")
    return output


def test_each_fault_is_named_with_whom_it_happened_to(bad_report: Path) -> None:
    lines = (bad_report.parent / "printed.json").read_text("utf-8").splitlines()
    found = {(one["kind"], one["what"]): set(one["visitors"]) for one in map(json.loads, lines)}
    everyone = {"undecided", "refusing", "withdrawn", "gpc", "accepting"}
    assert found["undeclared", "leaky"] == everyone
    assert found["undeclared", "server_made"] == everyone
    assert found["undeclared", "localhost"] == everyone
    assert found["undeclared", "tracker"] == everyone
    assert found["not_agreed", "theme"] == {"undecided", "refusing", "gpc"}
    assert found["kept_after_withdrawal", "theme"] == {"withdrawn"}
    assert found["lives_longer", "theme"] == everyone
    assert not [what for _, what in found if what == "visits"]  # the gate keeps it from who has not agreed


def test_the_page_of_the_report_runs_nothing_and_shows_hostile_names_as_text(
    bad_report: Path, browser: Browser
) -> None:
    page = browser.new_page()
    page.goto(bad_report.as_uri())
    assert page.locator("img, script, iframe").count() == 0
    assert "x<img hidden>" in page.locator("main").inner_text()
    page.close()


def test_a_site_of_others_is_listed_and_not_judged(example: Server, tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("consentkit"), "inspect", f"{example.url}/", "--pages", "1"],
        env={name: value for name, value in os.environ.items() if name != "CONSENTKIT_CONFIG"},
        capture_output=True,
        text=True,
        timeout=280,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "nothing is judged" in done.stdout
    (page,) = tmp_path.glob("inspect-*.html")
    assert "Listed and not judged" in page.read_text("utf-8")
