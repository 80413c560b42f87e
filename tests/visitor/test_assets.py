from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from consentkit.errors import StorageError
from consentkit.web.assets import Assets, find_folder

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SCRIPT_BUDGET_BYTES = 4_096
STYLE_BUDGET_BYTES = 2_048


def test_a_name_changes_with_the_content_alone() -> None:
    one = Assets({"a.css": b"one", "b.js": b"two"})
    other = Assets({"a.css": b"one", "b.js": b"three"})
    assert one.hashed_name("a.css") == other.hashed_name("a.css")
    assert one.hashed_name("b.js") != other.hashed_name("b.js")


def test_a_file_is_found_by_its_hashed_name_only() -> None:
    assets = Assets({"a.css": b".a{}"})
    asset = assets.find(assets.hashed_name("a.css"))
    assert asset is not None
    assert asset.content == b".a{}"
    assert gzip.decompress(asset.gzipped) == b".a{}"
    assert asset.content_type == "text/css; charset=utf-8"
    assert assets.find("a.css") is None
    assert assets.find("../a.css") is None


def test_what_no_browser_asks_for_is_not_served(assets: Assets) -> None:
    assert (REPOSITORY / "static" / "consentkit.d.ts").is_file()
    with pytest.raises(KeyError):
        assets.hashed_name("consentkit.d.ts")


def test_a_first_visit_loads_no_more_than_the_budget(assets: Assets) -> None:
    def gzipped_bytes(*names: str) -> int:
        found = [assets.find(assets.hashed_name(name)) for name in names]
        return sum(len(asset.gzipped) for asset in found if asset)

    assert 0 < gzipped_bytes("consentkit.js", "early.js") <= SCRIPT_BUDGET_BYTES
    assert 0 < gzipped_bytes("consentkit.css") <= STYLE_BUDGET_BYTES


def test_script_and_style_name_no_other_host(assets: Assets) -> None:
    signals = ("google-consent.js", "matomo-consent.js")
    for name in (
        "consentkit.js",
        "early.js",
        "waking.js",
        "known.js",
        "guard.js",
        *signals,
        "consentkit.css",
        "page.css",
    ):
        asset = assets.find(assets.hashed_name(name))
        assert asset is not None
        assert b"//" not in asset.content.replace(b"// ", b"")


def test_both_folders_are_found_in_a_checkout() -> None:
    assert find_folder("static") == REPOSITORY / "static"
    assert (find_folder("templates") / "consentkit" / "_banner.html").is_file()


def test_both_folders_are_found_inside_an_installed_package(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "consentkit", tmp_path / "consentkit")
    shutil.copytree(REPOSITORY / "static", tmp_path / "consentkit" / "static")
    shutil.copytree(REPOSITORY / "templates", tmp_path / "consentkit" / "templates")
    code = "from consentkit.web.assets import find_folder as f; print(f('static'), f('templates'), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    package = (tmp_path / "consentkit").resolve()
    assert done.stdout.split() == [str(package / "static"), str(package / "templates")]


def test_a_broken_installation_is_told() -> None:
    with pytest.raises(StorageError, match="install consentkit again"):
        find_folder("no-such-folder")
