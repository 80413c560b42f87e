"""Tests of custody: which they are, and the installation that those of evidence begin with."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest

from tests.archive.installation import Installation
from tests.archive.tampering import ROOT, ROOT_FILES, make


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what works on whole installations, so that it runs as a group of its own."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item.module, "Installation"):
            item.add_marker(pytest.mark.custody)


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Installation, Path]:
    """What every test begins with, and a copy of it: opening the keys folder anew costs more than a test."""
    site, kept = make(tmp_path_factory.mktemp("evidence")), tmp_path_factory.mktemp("kept")
    shutil.copytree(site.directory, kept / "data")
    shutil.copytree(site.keyring.folder, kept / "keys", ignore=ROOT)
    return site, kept


@pytest.fixture
def evident(untouched: tuple[Installation, Path]) -> Installation:
    """An installation to be tampered with."""
    site, kept = copy.copy(untouched[0]), untouched[1]
    shutil.rmtree(site.directory)
    shutil.copytree(kept / "data", site.directory)
    for path in site.keyring.folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in ROOT_FILES:
            path.unlink()
    shutil.copytree(kept / "keys", site.keyring.folder, dirs_exist_ok=True)
    site.open()
    return site
