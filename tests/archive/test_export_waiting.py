"""Exports that wait: sealed on the disk, and gone with their keys, also when their process was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from consentkit.archive.export.pending import FOLDER, KEPT_SECONDS, KEYS, SENT_SECONDS, PendingExports
from consentkit.crypto import Keyring
from consentkit.errors import StorageError

WORDS = b"203.0.113.7 asked for /a-page-of-the-site\n"
SECRET = "a secret for tests of exports"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path


def exports_of(folder: Path) -> PendingExports:
    return PendingExports(folder / "data", Keyring.open(folder / "keys", (SECRET,)))


def written(exports: PendingExports, content: bytes = WORDS) -> str:
    """Write an export; return its name."""
    name = exports.begin()
    with exports.create(name) as file:
        file.write(content)
        file.settle()
        file.publish()
    return name


def fetched(exports: PendingExports, name: str) -> bytes:
    waiting = exports.hand_out(name)
    assert waiting is not None
    content = b"".join(waiting.chunks())
    assert len(content) == waiting.size_bytes
    return content


def left(folder: Path) -> list[str]:
    """Files and keys that are there."""
    keys = Keyring.open(folder / "keys", (SECRET,)).names(KEYS)
    return [*(path.name for path in (folder / "data" / FOLDER).iterdir()), *keys]


def test_nothing_is_on_the_disk_in_clear_at_any_time(folder: Path) -> None:
    exports = exports_of(folder)
    name = exports.begin()
    with exports.create(name) as file:
        for _ in range(5000):
            file.write(WORDS)
        seen = [path.read_bytes() for path in (folder / "data" / FOLDER).iterdir()]
        assert max(map(len, seen)) > 100_000
        file.settle()
        file.publish()
    seen += [path.read_bytes() for path in (folder / "data" / FOLDER).iterdir()]
    assert not any(WORDS[:12] in content for content in seen)
    assert fetched(exports, name) == WORDS * 5000


def test_a_copy_of_the_data_directory_opens_nothing_without_the_keys(folder: Path) -> None:
    name = written(exports_of(folder))
    elsewhere = PendingExports(folder / "data", Keyring.open(folder / "other-keys", (SECRET,)))
    assert not elsewhere.has(name)
    assert elsewhere.hand_out(name) is None


def test_a_file_put_in_anothers_place_or_cut_breaks_off(folder: Path) -> None:
    exports = exports_of(folder)
    name, other = written(exports), written(exports, WORDS * 9000)
    path, of_other = ((folder / "data" / FOLDER / f"{one}.sealed") for one in (name, other))
    whole = of_other.read_bytes()
    of_other.write_bytes(whole[: 65_552 * 2])
    path.write_bytes(whole)
    for one in (name, other):
        with pytest.raises(StorageError, match="damaged"):
            fetched(exports, one)


def test_what_breaks_off_leaves_neither_file_nor_key(folder: Path) -> None:
    exports = exports_of(folder)
    file = exports.create(exports.begin())
    with contextlib.suppress(InterruptedError), file:
        file.write(WORDS)
        raise InterruptedError
    assert left(folder) == []


def test_the_key_goes_before_the_file(folder: Path) -> None:
    exports = exports_of(folder)
    name = written(exports)
    waiting = exports.hand_out(name)
    keys = folder / "keys" / KEYS
    keys.rename(folder / "aside")
    keys.write_text("a file in the place of the folder", "ascii")
    with pytest.raises(StorageError):
        exports.remove(name)
    assert waiting is not None
    assert b"".join(waiting.chunks()) == WORDS, "a key that is not destroyed keeps its file to be found"
    keys.unlink()
    (folder / "aside").rename(keys)
    exports.remove(name)
    assert left(folder) == []


def test_one_name_is_written_once(folder: Path) -> None:
    exports = exports_of(folder)
    name = written(exports)
    with pytest.raises(StorageError), exports.create(name):
        pass
    assert fetched(exports, name) == WORDS


@pytest.mark.parametrize("step", ["begun", "written", "settled", "published"])
def test_what_a_killed_process_left_goes_with_the_next_round(step: str, folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder), step], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [one for one in left(folder) if one.startswith(KEYS)], "it had its key"
    exports = exports_of(folder)
    assert exports.sweep() == (step == "settled")
    assert bool(left(folder)) == (step == "published"), "what is whole has its hour"
    exports.sweep(now_s=time.time() + KEPT_SECONDS + 60)
    assert left(folder) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.archive.test_export_waiting import WORDS, exports_of
folder, step = Path(sys.argv[1]), sys.argv[2]
exports = exports_of(folder)
with exports.create(exports.begin()) as file:
    for one, do in (
        ("begun", lambda: None),
        ("written", lambda: file.write(WORDS * 5000)),
        ("settled", file.settle),
        ("published", file.publish),
    ):
        do()
        if one == step:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_is_being_written_is_left_alone_however_long_it_takes(folder: Path) -> None:
    exports = exports_of(folder)
    name = exports.begin()
    with exports.create(name) as file:
        file.write(WORDS)
        exports_of(folder).sweep(now_s=time.time() + 9 * KEPT_SECONDS)
        file.write(WORDS)
        file.settle()
        file.publish()
    assert fetched(exports, name) == WORDS * 2


def test_what_was_sent_stays_for_a_few_minutes_and_what_was_not_for_the_hour(folder: Path) -> None:
    exports = exports_of(folder)
    sent, kept = written(exports), written(exports)
    waiting = exports.hand_out(sent)
    assert waiting is not None
    waiting.sent()
    assert exports.sweep(now_s=time.time() + SENT_SECONDS - 60) == 0
    assert fetched(exports, sent) == WORDS, "it may not have arrived"
    assert exports.sweep(now_s=time.time() + SENT_SECONDS + 60) == 1
    assert exports.hand_out(sent) is None
    assert fetched(exports, kept) == WORDS


def test_what_has_lost_its_key_goes(folder: Path) -> None:
    exports = exports_of(folder)
    name = written(exports)
    Keyring.open(folder / "keys", (SECRET,)).destroy(f"{KEYS}/{name}")
    assert exports.sweep() == 1
    assert left(folder) == []


def test_foreign_files_and_keys_are_not_taken_for_exports(folder: Path) -> None:
    exports = exports_of(folder)
    exports.begin()
    Keyring.open(folder / "keys", (SECRET,)).make(f"{KEYS}/elsewhere")
    os.close(os.open(folder / "data" / FOLDER / "note", os.O_CREAT))
    assert exports.sweep() == 0
    assert sorted(left(folder)) == [f"{KEYS}/elsewhere", "note"]
