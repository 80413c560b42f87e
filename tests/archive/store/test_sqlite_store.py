"""What the embedded backend leaves on the disk; that it does what every backend does, `tests/stores` asks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentkit.archive.store.interface import Batch, Filters
from consentkit.archive.store.memory import MemoryPlace
from consentkit.archive.store.places import Lying, Place
from consentkit.archive.store.requeststore import Reader
from consentkit.archive.store.sqlite.store import SqliteStore
from consentkit.crypto import Keyring
from consentkit.errors import KeyUnavailable, StorageError
from consentkit.requestlog.record import Record
from tests.archive.installation import DAY_US, MONDAY, RESOLVERS, request

PERIOD = Place("period", "2026-03-02", 1, MONDAY, MONDAY + DAY_US)
INCIDENT = Place("incident", "3", 1, 0, 2**55 - 1)
ENTRIES: list[Record] = [request(MONDAY + number, f"/{number}") for number in range(5)]


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.open(tmp_path / "keys", ())


@pytest.fixture
def store(tmp_path: Path, keyring: Keyring) -> Iterator[SqliteStore]:
    keyring.make(PERIOD.key_name)
    store = SqliteStore(tmp_path / "data", keyring)
    yield store
    store.close()


def batch(*entries: Record, segment: int = 1) -> Batch:
    return Batch("w", segment, list(enumerate(entries)))


def fill(store: SqliteStore) -> Path:
    writer = store.writer(PERIOD, RESOLVERS)
    writer.apply([batch(*ENTRIES)])
    writer.close()
    return store.file(PERIOD)


def files(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())


def count(reader: Reader | None) -> int | None:
    return None if reader is None else reader.measure()[0]


def test_periods_and_incidents_lie_in_folders_of_their_own_that_are_the_owners_alone(
    store: SqliteStore, tmp_path: Path
) -> None:
    store.lock(PERIOD, exclusive=False, wait_seconds=0).release()
    store.mark_draft(INCIDENT)
    assert store.file(PERIOD) == tmp_path / "data" / "requests" / "2026-03-02.1.db"
    assert store.file(INCIDENT) == tmp_path / "data" / "incidents" / "3.1.db"
    assert {(tmp_path / "data" / name).stat().st_mode & 0o777 for name in ("requests", "incidents")} == {0o700}


def test_what_was_sealed_is_one_file_that_is_not_written_to_again(store: SqliteStore) -> None:
    file = fill(store)
    contents = store.seal(PERIOD)
    content = file.read_bytes()
    assert files(file) == ["2026-03-02.1.db"]
    assert (contents.rows, contents.oldest_us, contents.bytes) == (5, MONDAY, len(content))
    assert contents.file_hash == hashlib.sha256(content).hexdigest() == store.file_hash(PERIOD)
    assert (store.seal(PERIOD), file.read_bytes()) == (contents, content)


def test_a_period_that_another_process_has_open_is_not_sealed(store: SqliteStore) -> None:
    fill(store)
    writer = store.writer(PERIOD, RESOLVERS)
    writer.add(batch(*ENTRIES, segment=2))
    with pytest.raises(StorageError, match=r"2026-03-02\.1\.db.*can't be sealed"):
        store.seal(PERIOD)
    assert writer.commit() == 5
    writer.close()


@pytest.mark.parametrize("age_seconds", [0, 60], ids=["just written", "still for a minute"])
def test_a_closed_file_is_read_and_left_as_it_is(store: SqliteStore, age_seconds: int) -> None:
    file = fill(store)
    store.seal(PERIOD)
    stamp = file.stat().st_mtime - age_seconds
    os.utime(file, (stamp, stamp))
    content = file.read_bytes()
    assert store.read(PERIOD, count) == 5
    assert (file.read_bytes(), files(file)) == (content, ["2026-03-02.1.db"])


def test_a_file_that_a_dead_writer_left_without_a_table_is_a_place_of_nothing(
    store: SqliteStore, keyring: Keyring
) -> None:
    store.make(PERIOD)
    store.file(PERIOD).write_bytes(b"")
    os.utime(store.file(PERIOD), (1, 1))
    assert store.read(PERIOD, count) is None


def test_a_damaged_file_is_told_by_its_name_alone(store: SqliteStore) -> None:
    file = fill(store)
    store.seal(PERIOD)
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    os.utime(file, (1, 1))
    with pytest.raises(StorageError, match=r"^2026-03-02\.1\.db: the period can't be read"):
        store.read(PERIOD, count)


def test_a_place_is_removed_file_by_file_its_lock_last(store: SqliteStore, keyring: Keyring) -> None:
    file = fill(store)
    for name in ("2026-03-02.1.db-wal", "2026-03-02.1.db-shm", "2026-03-02.1.db-journal"):
        (file.parent / name).write_bytes(b"x")
    with store.lock(PERIOD, exclusive=True, wait_seconds=0):
        left = []
        for step in store.remove(PERIOD):
            left.append((step, len(files(file))))
    assert left == [
        ("file removed", 4), ("file removed-wal", 3), ("file removed-shm", 2), ("file removed-journal", 1),
    ]  # fmt: skip
    assert files(file) == []


def test_all_that_lies_there_is_listed_but_for_locks(store: SqliteStore, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "incidents"
    store.lock(INCIDENT, exclusive=False, wait_seconds=0).release()
    store.mark_draft(INCIDENT)
    for name in ("3.1.db", "3.1.db-wal", "4.2.db", "notes.txt", "x.draft"):
        (folder / name).write_bytes(b"")
    assert store.lying("incident") == [
        Lying("3.1.db", "3", 1, is_draft=True),
        Lying("3.1.db-wal", "3", 1, is_draft=True),
        Lying("3.1.draft", "3", 1, is_draft=True),
        Lying("4.2.db", "4", 2, is_draft=False),
        Lying("notes.txt", "", 0, is_draft=False),
        Lying("x.draft", "", 0, is_draft=False),
    ]
    assert store.lying("period") == []


def test_a_draft_goes_with_its_key_first_and_its_mark_last(store: SqliteStore, keyring: Keyring) -> None:
    store.mark_draft(INCIDENT)
    keyring.make(INCIDENT.key_name)
    with store.copy(INCIDENT) as copy:
        copy.finish(())
    store.discard(INCIDENT)
    assert (store.lying("incident"), keyring.has(INCIDENT.key_name)) == ([], False)
    with pytest.raises(KeyUnavailable):
        store.copy(INCIDENT)


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_nothing_may_lie_beside_a_sealed_file_that_could_change_what_is_read(
    store: SqliteStore, suffix: str
) -> None:
    file = fill(store)
    contents = store.seal(PERIOD)
    checked = store.check(PERIOD, {}, is_sealed=True, advance=lambda _: None)
    assert (checked.rows, checked.fault, checked.file_hash) == (5, "", contents.file_hash)
    file.with_name(f"{file.name}{suffix}").write_bytes(b"x")
    checked = store.check(PERIOD, {}, is_sealed=True, advance=lambda _: None)
    assert checked.fault == f"2026-03-02.1.db{suffix} lies beside its sealed file"


def test_rows_in_memory_are_left_out_up_to_the_marks_for_good() -> None:
    waiting = MemoryPlace(PERIOD, RESOLVERS)
    waiting.add(batch(*ENTRIES))
    waiting.add(batch(request(MONDAY + 9, "/other"), segment=2))
    waiting.leave_out({("w", 1): 3, ("x", 2): 9})
    waiting.leave_out({})
    assert [found.url for _, found in waiting.reader.rows(Filters(), limit=0)] == ["/other", "/4", "/3"]
