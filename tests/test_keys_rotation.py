"""Rotation of the root key: what opens afterwards, what does not, and that it may be killed anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import pytest

from consentkit.crypto import BEGUN, Keyring, Rotation, primitives
from consentkit.errors import KeyUnavailable, StorageError
from tests.crashing import NAMES, NEW, OLD, filled, opened

pytestmark = pytest.mark.usefixtures("fresh_roots")

REPOSITORY = Path(__file__).resolve().parent.parent
STEPS = [
    BEGUN, *(f"{name} is rewrapped" for name in sorted(NAMES)), "derived keys are kept", "root.old is linked",
    "root.key is replaced", "the secret for development is destroyed", "root.old is destroyed",
]  # fmt: skip


@pytest.fixture(autouse=True)
def cheap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make stretching cheap where no other process has to open the same folder."""
    if not request.node.get_closest_marker("server"):
        monkeypatch.setattr(primitives, "_SCRYPT_N", 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def keys(folder: Path) -> dict[str, bytes]:
    return filled(folder)


def rotate(folder: Path, *, new_root: bool = False, secrets: tuple[str, ...] = (OLD, NEW)) -> Rotation:
    rotation = Rotation(Keyring.open(folder, secrets, also_own=True), new_root=new_root)
    for _ in rotation.steps():
        pass
    return rotation


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / f"{name}.key").read_bytes() for name in NAMES}


@pytest.mark.parametrize("new_root", [False, True], ids=["secret", "root"])
def test_after_a_rotation_the_newest_secret_alone_opens(
    folder: Path, keys: dict[str, bytes], new_root: bool
) -> None:
    rotate(folder, new_root=new_root)
    assert opened(folder, NEW) == keys
    with pytest.raises(KeyUnavailable, match="none of the 1 secrets"):
        Keyring.open(folder, (OLD,))


def test_another_secret_touches_no_key_file(folder: Path, keys: dict[str, bytes]) -> None:
    before = contents(folder)
    rotation = rotate(folder)
    assert contents(folder) == before
    assert (rotation.rewrapped, rotation.replaced_root) == (0, False)
    assert Keyring.open(folder, (NEW,)).names("choice") == []


def test_one_secret_is_wrapped_with_fresh_salt(folder: Path, keys: dict[str, bytes]) -> None:
    before = (folder / "root.key").read_bytes()
    rotate(folder, secrets=(OLD,))
    assert (folder / "root.key").read_bytes() != before
    assert opened(folder, OLD) == keys


def test_another_root_wraps_every_key_anew_at_any_depth(folder: Path, keys: dict[str, bytes]) -> None:
    before = contents(folder)
    rotation = rotate(folder, new_root=True)
    assert not set(contents(folder).values()) & set(before.values())
    assert (rotation.rewrapped, rotation.replaced_root, rotation.total) == (len(NAMES), True, len(NAMES) + 1)


@pytest.mark.parametrize("done", range(len(STEPS)), ids=STEPS)
def test_a_rotation_that_ended_at_any_step_is_finished_by_another(
    folder: Path, keys: dict[str, bytes], done: int
) -> None:
    running = Keyring.open(folder, (OLD, NEW))
    steps = Rotation(Keyring.open(folder, (OLD, NEW)), new_root=True).steps()
    assert list(islice(steps, done + 1)) == STEPS[: done + 1]
    steps.close()
    assert opened(folder, OLD, NEW) == keys
    assert {name: running.load(name) for name in NAMES} == keys
    made = running.make("worker/later")
    root_of_the_first = (
        folder / "root.next" if (folder / "root.next").exists() else folder / "root.key"
    ).read_bytes()
    rotation = rotate(folder, new_root=True)
    assert opened(folder, NEW) == keys
    assert Keyring.open(folder, (NEW,)).load("worker/later") == made
    is_whole = done == len(STEPS) - 1
    assert rotation.was_unfinished is not is_whole
    assert ((folder / "root.key").read_bytes() == root_of_the_first) is not is_whole  # no third root is made


def test_another_kind_of_rotation_finishes_the_first_and_then_does_its_own(
    folder: Path, keys: dict[str, bytes]
) -> None:
    steps = Rotation(Keyring.open(folder, (OLD, NEW)), new_root=False).steps()
    next(steps)
    steps.close()
    rotation = rotate(folder, new_root=True)
    assert rotation.was_unfinished
    assert rotation.replaced_root
    assert opened(folder, NEW) == keys


def test_an_unfinished_rotation_is_told(folder: Path, keys: dict[str, bytes]) -> None:
    steps = Rotation(Keyring.open(folder, (OLD, NEW)), new_root=True).steps()
    told = {}
    for step in steps:
        told[step] = Keyring.open(folder, (OLD, NEW)).rotation_is_unfinished
    assert [step for step, is_unfinished in told.items() if not is_unfinished] == ["root.old is destroyed"]


@pytest.mark.server
def test_a_rotation_killed_before_any_of_its_file_operations_loses_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.crashing", tmp_path],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    of_secret, of_root = map(int, done.stdout.split())
    assert of_secret > 10
    assert of_root > of_secret + 2 * len(NAMES)  # each key file is made and moved besides


def _make_keys(folder: str, prefix: str, seconds: float) -> dict[str, bytes]:
    keyring = Keyring.open(Path(folder), (OLD, NEW))
    end = time.monotonic() + seconds
    made: dict[str, bytes] = {}
    while time.monotonic() < end:
        name = f"worker/{prefix}{len(made)}"
        made[name] = keyring.make(name)
        if len(made) % 3 == 0:
            keyring.destroy(name, is_remembered=True)
            del made[name]
            made[f"gone/{prefix}{len(made)}"] = b""
    return made


@pytest.mark.server
def test_keys_made_and_destroyed_while_the_root_is_replaced_are_neither_lost_nor_back(folder: Path) -> None:
    keys = filled(folder)
    with get_context("spawn").Pool(2) as pool:
        working = [pool.apply_async(_make_keys, (str(folder), prefix, 3.0)) for prefix in "ab"]
        rotations = 0
        while not all(result.ready() for result in working):
            rotate(folder, new_root=True)
            rotations += 1
        made = [result.get() for result in working]
    keyring = Keyring.open(folder, (NEW,))
    lasting = {name: key for each in made for name, key in each.items() if key}
    assert {name: keyring.load(name) for name in lasting} == lasting
    assert opened(folder, NEW) == keys
    assert set(keyring.names("worker")) == {name for name in [*lasting, "worker/5f0c"] if name[:6] == "worker"}
    assert len(lasting) > 20
    assert rotations > 1


def test_a_key_destroyed_during_a_rotation_stays_destroyed(folder: Path, keys: dict[str, bytes]) -> None:
    running = Keyring.open(folder, (OLD, NEW))
    for step in Rotation(Keyring.open(folder, (OLD, NEW)), new_root=True).steps():
        if step == "control/control is rewrapped":
            running.destroy("period/2026-11-23.1", is_remembered=True)
    assert Keyring.open(folder, (NEW,)).names("period") == []
    assert Keyring.open(folder, (NEW,)).was_destroyed("period/2026-11-23.1")


def test_destroying_a_key_destroys_the_draft_that_a_crash_has_left(folder: Path, keys: dict[str, bytes]) -> None:
    draft = folder / "period" / ".2026-11-23.1.key.draft"
    draft.write_bytes((folder / "period/2026-11-23.1.key").read_bytes())
    Keyring.open(folder, (OLD,)).destroy("period/2026-11-23.1")
    assert list((folder / "period").iterdir()) == []


def test_a_running_process_follows_and_wraps_by_the_new_root(folder: Path, keys: dict[str, bytes]) -> None:
    running = Keyring.open(folder, (OLD, NEW))
    rotate(folder, new_root=True)
    assert {name: running.load(name) for name in NAMES} == keys
    made = running.make("period/2026-11-24.1")
    assert Keyring.open(folder, (NEW,)).load("period/2026-11-24.1") == made


def test_a_process_without_the_newest_secret_makes_no_key_that_nobody_could_open(
    folder: Path, keys: dict[str, bytes]
) -> None:
    running = Keyring.open(folder, (OLD,))
    rotate(folder, new_root=True)
    with pytest.raises(KeyUnavailable, match="CONSENTKIT_SECRET"):
        running.make("period/2026-11-24.1")
    with pytest.raises(KeyUnavailable, match="CONSENTKIT_SECRET"):
        running.load("control/control")
    assert not running.has("period/2026-11-24.1")


def test_a_process_without_the_newest_secret_goes_on_where_the_root_is_the_same(
    folder: Path, keys: dict[str, bytes]
) -> None:
    running = Keyring.open(folder, (OLD,))
    rotate(folder)
    made = running.make("period/2026-11-24.1")
    assert Keyring.open(folder, (NEW,)).load("period/2026-11-24.1") == made


def test_an_older_copy_of_a_single_key_file_opens_nothing(folder: Path, keys: dict[str, bytes]) -> None:
    file = folder / "period/2026-11-23.1.key"
    copy = file.read_bytes()
    rotate(folder, new_root=True)
    file.write_bytes(copy)
    with pytest.raises(KeyUnavailable, match="another root key"):
        Keyring.open(folder, (OLD, NEW)).load("period/2026-11-23.1")


def test_a_copy_of_the_whole_folder_opens_what_it_opened_with_the_old_secret_and_nothing_new(
    folder: Path, keys: dict[str, bytes], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    rotate(folder, new_root=True)
    Keyring.open(folder, (NEW,)).make("period/2026-11-24.1")
    assert opened(copy, OLD) == keys
    shutil.copy(folder / "period/2026-11-24.1.key", copy / "period")
    with pytest.raises(KeyUnavailable, match="another root key"):
        Keyring.open(copy, (OLD,)).load("period/2026-11-24.1")


def test_the_old_root_is_overwritten_in_place(folder: Path, keys: dict[str, bytes]) -> None:
    (folder / "second-name").hardlink_to(folder / "root.key")
    rotate(folder, new_root=True)
    assert not (folder / "second-name").read_bytes().strip(b"\0")


def test_a_secret_of_ones_own_takes_the_place_of_the_one_made_for_development(folder: Path) -> None:
    made = Keyring.open(folder, ()).make("worker/a")
    with pytest.raises(KeyUnavailable, match="consentkit keys rotate"):
        Keyring.open(folder, (NEW,))
    rotation = rotate(folder, secrets=(NEW,))
    assert rotation.left_own_secret
    assert not (folder / "secret").exists()
    assert Keyring.open(folder, (NEW,)).load("worker/a") == made
    with pytest.raises(KeyUnavailable, match="CONSENTKIT_SECRET is not set"):
        Keyring.open(folder, ())
    assert not (folder / "secret").exists()


def test_a_damaged_key_is_named_and_left_and_stops_nothing(folder: Path, keys: dict[str, bytes]) -> None:
    damaged = folder / "worker/5f0c.key"
    damaged.write_bytes(b"CKW1 and no more")
    rotation = rotate(folder, new_root=True)
    assert rotation.unreadable == ["worker/5f0c"]
    assert damaged.read_bytes() == b"CKW1 and no more"
    assert Keyring.open(folder, (NEW,)).load("control/control") == keys["control/control"]


def test_two_rotations_at_once_are_refused(folder: Path, keys: dict[str, bytes]) -> None:
    first = Rotation(Keyring.open(folder, (OLD, NEW)), new_root=True).steps()
    next(first)
    with pytest.raises(StorageError, match="held by another"):
        rotate(folder, new_root=True)
    assert list(first)[-1] == STEPS[-1]


def test_a_rotation_that_cannot_write_says_so_and_everything_still_opens(
    folder: Path, keys: dict[str, bytes]
) -> None:
    (folder / ".root.key").mkdir()
    (folder / "worker" / ".5f0c.key.draft").mkdir()  # in the way of the file that is to be made there
    with pytest.raises(StorageError, match="run it again"):
        rotate(folder, new_root=True)
    assert opened(folder, OLD, NEW) == keys


def test_a_root_removed_by_hand_during_a_rotation_is_not_overwritten(folder: Path, keys: dict[str, bytes]) -> None:
    steps = Rotation(Keyring.open(folder, (OLD, NEW)), new_root=False).steps()
    for step in steps:
        if step == "root.old is linked":
            break
    steps.close()
    (folder / "root.next").unlink()
    rotate(folder)
    assert opened(folder, NEW) == keys


def test_reading_a_key_writes_nothing(folder: Path, keys: dict[str, bytes]) -> None:
    (folder / "keys.lock").unlink()
    before = sorted(folder.rglob("*"))
    assert opened(folder, OLD) == keys
    assert sorted(folder.rglob("*")) == before


def test_what_a_rotation_writes_belongs_to_the_owner_of_the_folder(folder: Path, keys: dict[str, bytes]) -> None:
    if os.geteuid() == 0:  # as by sudo; else there is one user alone
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 65534, 65534)
    rotate(folder, new_root=True)
    assert {path.stat().st_uid for path in folder.rglob("*")} == {folder.stat().st_uid}


def test_the_derived_key_that_checks_older_choices_is_kept_until_it_is_forgotten(
    folder: Path, keys: dict[str, bytes]
) -> None:
    before, since_s = Keyring.open(folder, (OLD,)).derive("choice/v1"), int(time.time())
    rotate(folder, new_root=True)
    rotate(folder, new_root=True)  # a kept key outlives the next root too
    keyring = Keyring.open(folder, (NEW,))
    assert keyring.derive("choice/v1") != before
    kept = keyring.accepted("choice/v1")
    assert before in {each.key for each in kept}
    assert all(each.until_s is not None and each.until_s >= since_s for each in kept)
    keyring.forget("choice/v1", before_s=since_s)
    assert keyring.accepted("choice/v1") == kept
    keyring.forget("choice/v1", before_s=since_s + 3600)
    assert keyring.accepted("choice/v1") == []


def test_the_coming_roots_key_is_accepted_before_it_signs(folder: Path, keys: dict[str, bytes]) -> None:
    running = Keyring.open(folder, (OLD, NEW))
    steps = Rotation(Keyring.open(folder, (OLD, NEW)), new_root=True).steps()
    next(steps)
    running.refresh()
    coming = [each.key for each in running.accepted("choice/v1")]
    list(steps)
    assert coming == [Keyring.open(folder, (NEW,)).derive("choice/v1")]
