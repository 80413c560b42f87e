"""Which store the settings ask for, and what is said where its driver is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from consentkit.archive.store.lane import own_lane
from consentkit.archive.store.opening import open_store
from consentkit.archive.store.server.store import ServerStore
from consentkit.archive.store.sqlite.store import SqliteStore
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.errors import SettingsError, StorageError
from consentkit.settings import Storage

PASSWORD = "an-open-secret-of-tests"
POSTGRESQL = f"postgresql://site:{PASSWORD}@127.0.0.1:9/log"
CLICKHOUSE = f"clickhouse://site:{PASSWORD}@127.0.0.1:9/log"


class Opened:
    """An installation without a log."""

    def __init__(self, folder: Path) -> None:
        self.directory = folder / "data"
        self.directory.mkdir()
        self.keys = folder / "keys"
        self.keyring = Keyring.open(self.keys, ())
        self.control = Control(self.directory, self.keyring)

    def store(self, **urls: str) -> object:
        storage = Storage(directory=self.directory, keys=self.keys, **urls)
        return open_store(storage, self.keyring, self.control)


@pytest.mark.parametrize(
    ("urls", "kind", "name"),
    [
        ({}, SqliteStore, None),
        ({"url": POSTGRESQL}, ServerStore, "postgresql"),
        ({"requests_url": CLICKHOUSE}, ServerStore, "clickhouse"),
        ({"url": POSTGRESQL, "requests_url": CLICKHOUSE}, ServerStore, "clickhouse"),
    ],
    ids=["files", "all in PostgreSQL", "requests in ClickHouse", "requests in ClickHouse, the rest in PostgreSQL"],
)
def test_the_settings_say_which_store_it_is(
    tmp_path: Path, urls: dict[str, str], kind: type[object], name: str | None
) -> None:
    store = Opened(tmp_path).store(**urls)
    assert (type(store), getattr(store, "name", None)) == (kind, name)


@pytest.mark.parametrize(
    ("driver", "urls", "setting", "extra"),
    [
        ("psycopg", {"url": POSTGRESQL}, "storage.url", "postgresql"),
        ("clickhouse_driver", {"requests_url": CLICKHOUSE}, "storage.requests_url", "clickhouse"),
    ],
    ids=["PostgreSQL", "ClickHouse"],
)
def test_a_missing_driver_names_what_to_install_and_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str, urls: dict[str, str], setting: str, extra: str
) -> None:
    installation = Opened(tmp_path)
    for name in [name for name in sys.modules if name.startswith(f"consentkit.archive.store.{extra}")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == driver]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Without(driver), *sys.meta_path])
    with pytest.raises(SettingsError) as told:
        installation.store(**urls)
    assert (told.value.key, told.value.allowed) == (setting, f"pip install 'consentkit[{extra}]'")
    assert PASSWORD not in str(told.value)


class _Without:
    """A machine on which a package is not installed."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] == self._package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_files_need_no_driver_of_a_server() -> None:
    code = (
        "import sys; import consentkit.archive.holdings, consentkit.archive.store.sqlite.store\n"
        "print(*{'psycopg', 'clickhouse_driver', 'chdb'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_a_host_keeps_its_name_and_no_other_has_it(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    name = own_lane(tmp_path)
    assert own_lane(tmp_path) == name != own_lane(tmp_path / "other")


@pytest.mark.parametrize("content", [b"", b"host\n", b"0123456789abcdeg\n", b"0123456789abcdef0123"])
def test_a_damaged_name_is_told_and_not_used(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lane").write_bytes(content)
    with pytest.raises(StorageError, match="is no host's name"):
        own_lane(tmp_path)
