from __future__ import annotations

from pathlib import Path

import pytest

from consentkit.crypto import Keyring
from tests.requestlog.calls import Log


@pytest.fixture(scope="session")
def log_keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    """One keys folder for all logs: to make one takes longer than most tests."""
    return Keyring.open(tmp_path_factory.mktemp("keys"), ())


@pytest.fixture
def log(tmp_path: Path, log_keyring: Keyring) -> Log:
    return Log(tmp_path, log_keyring)
