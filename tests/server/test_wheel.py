"""What is installed works where the checkout is not."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.serving import REPOSITORY

pytestmark = pytest.mark.server

SMOKE = """
from pathlib import Path
import consentkit
from consentkit import ConsentKit
from consentkit.web.assets import Assets, find_folder
here = Path(consentkit.__file__).parent
assert find_folder("static") == here / "static", find_folder("static")
assert find_folder("templates") == here / "templates"
ConsentKit()
print(here)
"""


def test_a_wheel_holds_all_that_is_needed_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), "."]
    done = subprocess.run(build, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    wanted = {
        "consentkit/py.typed",
        "consentkit/static/consentkit.js",
        "consentkit/templates/consentkit/settings.html",
        "consentkit/locale/lv/LC_MESSAGES/consentkit.mo",
        "consentkit/catalogue/services/matomo.toml",
    }
    assert wanted - names == set()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"consentkit"}
    smoke = subprocess.run(
        [sys.executable, "-c", SMOKE],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert smoke.returncode == 0, smoke.stderr
    assert smoke.stdout.strip() == str(tmp_path / "installed" / "consentkit")
