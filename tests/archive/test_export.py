from __future__ import annotations

import hashlib
import itertools
import json
import tracemalloc
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from consentkit import audit
from consentkit.archive.export import FORMATS, Export, NewFile, Order
from consentkit.archive.search import Found
from consentkit.archive.store import Cursor
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.errors import StorageError
from tests.archive.rows import found


@pytest.fixture
def control(tmp_path: Path) -> Control:
    (tmp_path / "data").mkdir()
    return Control(tmp_path / "data", Keyring.open(tmp_path / "keys", ()))


def entries(control: Control) -> list[audit.AuditEntry]:
    with control.transaction() as connection:
        return list(audit.entries(connection))


def rows(count: int) -> Iterator[Found]:
    for number in range(count):
        yield Cursor(count - number, 0), found(request_id=f"w-1-{count - number}", url=f"/{number}")


def make_export(control: Control, form: str = "json", **terms: Any) -> Export:
    order = Order(format=form, filters={"path": "/*"}, output="-", **terms)
    look = audit.Look("incident", "C-7", "a test")
    return Export(control, audit.Actor("anna", "cli"), look, order, retention_days=90)


def test_each_page_is_in_the_audit_before_it_is_written(control: Control) -> None:
    written: list[tuple[int, int]] = []

    def output(data: bytes) -> None:
        if data:
            written.append((data.count(b"\n"), sum(entry.rows for entry in entries(control))))

    assert list(make_export(control).write(rows(2500), output)) == [1000, 1000, 500]
    assert written == [(1000, 1000), (1000, 2000), (500, 2500)]
    begun, *of_pages = entries(control)
    assert (begun.action, begun.purpose, begun.case_id, begun.rows) == ("log.export", "incident", "C-7", 0)
    assert json.loads(begun.detail) == {"filters": {"path": "/*"}, "format": "json", "output": "stream"}
    assert {entry.action for entry in of_pages} == {"log.export.page"}
    assert json.loads(of_pages[2].detail) == {
        "export": begun.number, "first": "w-1-500", "last": "w-1-1",
        "since_us": 1, "until_us": 501, "requests": {"w-1": "1-500"},
    }  # fmt: skip


def test_a_page_that_the_audit_does_not_take_is_not_written(control: Control, tmp_path: Path) -> None:
    run, written = make_export(control), bytearray()
    pages = run.write(rows(2000), written.extend)
    next(pages)
    (tmp_path / "data/control.db").write_bytes(b"damaged" * 1000)
    with pytest.raises(StorageError, match=r"control\.db"):
        next(pages)
    assert written.count(b"\n") == 1000


@pytest.mark.parametrize("form", FORMATS)
def test_the_register_has_the_copys_number_digest_and_size(control: Control, form: str) -> None:
    run, written = make_export(control, form, recipient="CERT.LV"), bytearray()
    list(run.write(rows(1500), written.extend))
    copy = run.register()
    assert written.count(b"\n") == 1500 + bool(FORMATS[form].header)
    assert (copy.rows, copy.bytes, copy.sha256) == (1500, len(written), hashlib.sha256(written).hexdigest())
    made = entries(control)[-1]
    assert (made.action, made.number, made.actor, made.rows) == ("copy.made", copy.number, "anna", 1500)
    assert (made.purpose, made.reason) == ("incident", "a test")
    assert json.loads(made.detail) == {
        "export": 1,
        "rows": 1500,
        "bytes": len(written),
        "sha256": copy.sha256,
        "format": form,
        "output": "-",
        "recipient": "CERT.LV",
        "destroy_by": "2027-02-21",
        "is_whole": True,
    }


def test_a_copy_is_destroyed_when_its_first_row_would_be_or_when_it_was_agreed(control: Control) -> None:
    old = (Cursor(0, 0), found(time="2026-01-01T00:00:00.000000Z"))
    default, agreed, empty = (make_export(control, destroy_by=day) for day in (None, date(2026, 12, 31), None))
    for run in (default, agreed):
        list(run.write(itertools.chain(rows(1), [old]), bytes))
    list(empty.write(rows(0), bytes))
    assert [run.register().destroy_by for run in (default, agreed, empty)] == ["2026-04-01", "2026-12-31", ""]


def test_memory_does_not_grow_with_the_rows(control: Control) -> None:
    run = make_export(control, "ecs")
    pages = run.write(rows(20_000), lambda data: None)
    next(pages)
    tracemalloc.start()
    written = sum(pages)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert written == 19_000
    assert peak < 8 * 2**20


# the file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "copy.json"
    with NewFile(path) as file:
        file.write(b"one\n")
        assert not path.exists()
        file.write(b"two\n")
        file.settle()
        assert path.read_bytes() == b""
        file.publish()
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o7777 == 0o600
    assert names(tmp_path) == ["copy.json"]


@pytest.mark.parametrize("is_settled", [False, True])
def test_a_file_that_is_not_published_leaves_nothing(tmp_path: Path, is_settled: bool) -> None:
    with NewFile(tmp_path / "copy.json") as file:
        file.write(b"half")
        if is_settled:
            file.settle()
    assert names(tmp_path) == []


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "copy.json"
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StorageError, match="there is a file already"), NewFile(path):
        pass
    path.unlink()
    with NewFile(path) as file:
        path.write_text("another's")
        with pytest.raises(StorageError, match="there is a file already"):
            file.settle()
    assert path.read_text() == "another's"
    assert names(tmp_path) == ["copy.json"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory"), NewFile(tmp_path / "no/copy.json"):
        pass
