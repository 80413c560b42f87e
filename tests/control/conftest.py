from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from consentkit.control import Control
from consentkit.crypto import Keyring


class OpenControl(Protocol):
    """Open the control database of one installation; a second time, as a second process of it would."""

    def __call__(self) -> Control: ...


@pytest.fixture(params=["embedded", pytest.param("postgresql", marks=pytest.mark.server)])
def open_control(request: pytest.FixtureRequest, tmp_path: Path) -> OpenControl:
    (tmp_path / "data").mkdir()
    url: str = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else ""
    return lambda: Control(tmp_path / "data", Keyring.open(tmp_path / "keys", ()), url)


@pytest.fixture
def control(open_control: OpenControl) -> Control:
    """The control database, on both databases that can hold it."""
    return open_control()
