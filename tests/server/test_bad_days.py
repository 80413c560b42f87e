"""Bad days of a running site: it goes on answering, the loss is counted, and what can be saved is found."""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from consentkit import Settings
from consentkit.archive.period import Catalogue
from consentkit.control import Control, open_sqlcipher
from consentkit.control.database import KEY_NAME
from consentkit.crypto import Keyring
from tests.conftest import Rows
from tests.server.test_kill import MARKS, processes_below
from tests.serving import Server, serving

pytestmark = pytest.mark.server

APP = "tests.server.sites:plain"

# The spool is tended, and a refused disk tried again, once a second; the ingester looks twice a second.
ROUND_S = 2.5

# Longer than a process waits for another's transaction.
HELD_S = 12.0


class Visits:
    """Requests for numbered pages, each of which must be answered."""

    def __init__(self) -> None:
        self.asked = 0

    def make(self, server: Server, count: int = 20) -> None:
        with httpx.Client(base_url=server.url, timeout=5) as client:
            for _ in range(count):
                assert client.get(f"/page/{self.asked}").status_code == 200
                self.asked += 1


@pytest.fixture
def visits() -> Visits:
    return Visits()


@pytest.fixture
def data(config: Path) -> Path:
    return config.parent / "data"


@pytest.fixture
def keys(config: Path) -> Path:
    return config.parent / "data-keys"


def found(search: Callable[..., Rows]) -> Counter[int]:
    return Counter(int(row["url"].removeprefix("/page/")) for row in search("--path", "/page/*"))


def gaps(config: Path) -> Counter[str]:
    """Return what the stored log says was lost, by reason."""
    settings = Settings.load(config)
    keyring = Keyring.open(settings.storage.keys, ())
    lost: Counter[str] = Counter()
    for period in Catalogue(Control(settings.storage.directory, keyring), "day").list():
        path = settings.storage.directory / "requests" / period.file_name
        with contextlib.closing(open_sqlcipher(path, keyring.load(period.key_name), read_only=True)) as stored:
            for reason, count in stored.execute("SELECT reason, sum(lost) FROM gap GROUP BY reason"):
                lost[reason] += count
    return lost


@contextlib.contextmanager
def no_room(pid: int) -> Iterator[None]:
    """Let a process write no file further than its first byte: what works without a disk to fill."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


def test_a_worker_whose_disk_is_full_counts_what_it_loses(
    config: Path, tmp_path: Path, search: Callable[..., Rows], visits: Visits
) -> None:
    with serving(APP, tmp_path, config=config) as running:
        visits.make(running)
        with no_room(running.process.pid):
            visits.make(running)
        time.sleep(ROUND_S)
        visits.make(running)
    assert found(search) == Counter([*range(20), *range(40, 60)])
    assert gaps(config) == {"write": 20}


def test_a_store_whose_disk_is_full_loses_nothing(
    config: Path, tmp_path: Path, search: Callable[..., Rows], visits: Visits, data: Path
) -> None:
    with serving(APP, tmp_path, config=config) as running:
        visits.make(running)
        time.sleep(ROUND_S)
        (ingester,) = processes_below(running, MARKS["ingester"])
        with no_room(ingester):
            visits.make(running)
            time.sleep(ROUND_S)
            waiting = sum(path.stat().st_size for path in (data / "spool").glob("*/[0-9]*"))
    assert waiting > 0
    assert found(search) == Counter(range(40))
    assert gaps(config) == {}


def test_a_spool_that_is_deleted_under_a_running_site_is_put_back(
    config: Path, tmp_path: Path, search: Callable[..., Rows], visits: Visits, data: Path
) -> None:
    with serving(APP, tmp_path, config=config) as running:
        visits.make(running)
        shutil.rmtree(data / "spool")
        (data / "spool").write_text("a file where the spool should be")
        visits.make(running)
        time.sleep(ROUND_S)
        visits.make(running)
        (data / "spool").unlink()
        time.sleep(ROUND_S)
        visits.make(running)
        assert "can't be put back" in running.output()
    assert found(search) == Counter(range(80))


def test_a_spool_that_cannot_be_written_from_the_start_costs_no_answer(
    config: Path, tmp_path: Path, search: Callable[..., Rows], visits: Visits, data: Path
) -> None:
    with serving(APP, tmp_path, config=config):
        pass
    (data / "spool").rename(data / "spool-before")
    (data / "spool").write_text("a file where the spool should be")
    with serving(APP, tmp_path, config=config) as running:
        visits.make(running)
        (data / "spool").unlink()
        time.sleep(ROUND_S)
        visits.make(running)
    assert found(search) == Counter(range(20, 40))
    assert gaps(config) == {"write": 21}  # with the one by which the server was found to be ready


def test_a_control_database_that_another_process_holds_stops_no_answer(
    config: Path, tmp_path: Path, search: Callable[..., Rows], visits: Visits, data: Path, keys: Path
) -> None:
    with serving(APP, tmp_path, config=config) as running:
        visits.make(running)
        with held(data, keys):
            visits.make(running)
            time.sleep(HELD_S)
            visits.make(running)
    with held(data, keys), serving(APP, tmp_path, config=config) as running:
        visits.make(running)
        time.sleep(ROUND_S)
    with serving(APP, tmp_path, config=config):
        time.sleep(ROUND_S)
    assert found(search) == Counter(range(80))
    assert gaps(config) == {}


@contextlib.contextmanager
def held(data: Path, keys: Path) -> Iterator[None]:
    """Hold the control database's write lock, as a process that hangs in a transaction does."""
    key = Keyring.open(keys, ()).load(KEY_NAME)
    with contextlib.closing(open_sqlcipher(data / "control.db", key)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_damaged_control_database_stops_no_answer_and_loses_nothing(
    config: Path, tmp_path: Path, search: Callable[..., Rows], visits: Visits, data: Path
) -> None:
    with serving(APP, tmp_path, config=config) as running:
        visits.make(running)
    for name in ("control.db", "control.db-wal", "control.db-shm"):
        if (data / name).exists():
            shutil.copy(data / name, tmp_path / name)
    with (data / "control.db").open("r+b") as file:
        file.seek(100)
        file.write(b"\0" * 8192)
    with serving(APP, tmp_path, config=config) as running:
        visits.make(running)
        time.sleep(ROUND_S)
        visits.make(running)
        assert "the ingester can't start" in running.output()
    (data / "control.db-wal").unlink(missing_ok=True)
    (data / "control.db-shm").unlink(missing_ok=True)
    shutil.copy(tmp_path / "control.db", data / "control.db")
    with serving(APP, tmp_path, config=config) as running:
        visits.make(running)
        time.sleep(ROUND_S)
    assert found(search) == Counter(range(80))
    assert gaps(config) == {}


def test_a_worker_whose_key_is_removed_puts_it_back(
    config: Path, tmp_path: Path, search: Callable[..., Rows], visits: Visits, keys: Path
) -> None:
    with serving(APP, tmp_path, config=config) as running:
        visits.make(running)
        shutil.rmtree(keys / "worker")
        visits.make(running)
        time.sleep(ROUND_S)
    assert found(search) == Counter(range(40))
    assert gaps(config) == {}


def test_a_root_key_that_is_gone_is_asked_for_and_not_made_anew(
    config: Path,
    tmp_path: Path,
    search: Callable[..., Rows],
    consentkit: Callable[..., subprocess.CompletedProcess[str]],
    visits: Visits,
    keys: Path,
) -> None:
    with serving(APP, tmp_path, config=config) as running:
        visits.make(running)
        (keys / "root.key").rename(tmp_path / "root.key")
        visits.make(running)
        refused = consentkit("log", "search", "--purpose", "operation")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "restore the keys folder" in refused.stderr
        assert not (keys / "root.key").exists()
        time.sleep(ROUND_S)
        (tmp_path / "root.key").rename(keys / "root.key")
        visits.make(running)
    assert found(search) == Counter(range(60))
    assert gaps(config) == {}


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(byte ^ 0xFF for byte in content[middle : middle + 4]) + content[middle + 4 :]


def cut_out(content: bytes) -> bytes:
    third = len(content) // 3
    return content[:third] + content[2 * third :]


def with_magics(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + b"CKf1\0\0\0\x40" * 50 + content[middle:]


def with_copies(content: bytes) -> bytes:
    return content + content


def torn(content: bytes) -> bytes:
    return content[:-3]


@pytest.mark.parametrize(
    ("damage", "at_least"),
    [(flip, 39), (cut_out, 24), (with_magics, 39), (with_copies, 40), (torn, 39)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_of_a_damaged_segment_all_else_is_found_and_the_loss_is_told(
    damage: Callable[[bytes], bytes],
    at_least: int,
    config: Path,
    tmp_path: Path,
    search: Callable[..., Rows],
    visits: Visits,
    data: Path,
) -> None:
    at_work = config.read_text("utf-8")
    config.write_text(at_work.replace("[requestlog]", '[requestlog]\ningest = "external"'), "utf-8")
    with serving(APP, tmp_path, config=config) as running:
        visits.make(running, 40)
    (segment,) = (data / "spool").glob("*/[0-9]*")
    segment.write_bytes(damage(segment.read_bytes()))
    before = found(search)
    config.write_text(at_work, "utf-8")
    with serving(APP, tmp_path, config=config):
        time.sleep(ROUND_S)
    after = found(search)
    assert after == before
    assert at_least <= len(after) < 41
    assert set(after.values()) == {1}
    assert not segment.exists()
    assert gaps(config) == Counter(damaged=40 - len(after) if damage is not torn else 0) + Counter()


def test_in_a_flood_the_busiest_network_is_sampled_with_exact_counts_and_everyone_else_is_whole(
    config: Path, tmp_path: Path, search: Callable[..., Rows], data: Path
) -> None:
    config.write_text(config.read_text("utf-8").replace("[requestlog]", "[requestlog]\nspool_max_mb = 8"), "utf-8")
    waiting = data / "spool" / "of-another-worker" / "00000001"
    waiting.parent.mkdir(parents=True)
    waiting.write_bytes(b"\0" * (7 * 1024 * 1024))  # 87 % of what may wait
    with serving(APP, tmp_path, config=config) as running, httpx.Client(base_url=running.url) as client:
        time.sleep(ROUND_S)
        for number in range(400):
            flooding = {"X-Forwarded-For": f"192.0.2.{number % 250}"}
            assert client.get(f"/page/{number}", headers=flooding).status_code == 200
            if number % 40 == 0:
                visitor = {"X-Forwarded-For": "198.51.100.7"}
                assert client.get(f"/page/{1000 + number}", headers=visitor).status_code == 200
    rows = search("--path", "/page/*")
    visits = [row for row in rows if row["client_address"] == "198.51.100.7"]
    assert len(visits) == 10
    left_out = 410 - len(rows)
    assert 250 <= left_out <= 275  # of 300 past the first hundred, nine in ten
    assert gaps(config) == {"sampled": left_out}
