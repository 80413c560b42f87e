"""The keys of choices over a replaced root: nobody is asked again, and nothing old goes on signing."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

import pytest

from consentkit.consent.choice import LATE_S, Choice, ChoiceSigner
from consentkit.consent.choicekeys import LABEL, FollowingKeys
from consentkit.consent.policy import Policy, PolicyState
from consentkit.crypto import BEGUN, AcceptedKey, Keyring, Rotation

SECRETS = ("a secret of more than 32 characters, the only one",)
NOW = int(time.time())
LIFETIME_DAYS = 180
POLICY = Policy(PolicyState(1, "", {}), ("statistics",), LIFETIME_DAYS)
CHOICE = Choice(frozenset({"statistics"}), frozenset(), 1, NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def worker(folder: Path) -> FollowingKeys:
    return FollowingKeys(Keyring.open(folder, SECRETS), POLICY)


def replace_root(folder: Path) -> None:
    for _ in Rotation(Keyring.open(folder, SECRETS), new_root=True).steps():
        pass


def written(keys: FollowingKeys) -> bytes:
    return keys.signer.write(CHOICE).encode()


def test_a_choice_made_before_the_root_was_replaced_still_holds(folder: Path) -> None:
    running = worker(folder)
    before = written(running)
    replace_root(folder)
    running.follow()
    assert running.signer.read(before) == CHOICE
    assert worker(folder).signer.read(before) == CHOICE


def test_running_workers_sign_with_the_new_root_and_read_each_other(folder: Path) -> None:
    first, second = worker(folder), worker(folder)
    before = written(first)
    replace_root(folder)
    first.follow()
    second.follow()
    assert written(first) == written(second) != before
    assert first.signer.read(written(second)) == CHOICE


def test_a_worker_reads_what_the_coming_root_signs_before_it_signs_itself(folder: Path) -> None:
    slow = worker(folder)
    steps = Rotation(Keyring.open(folder, SECRETS), new_root=True).steps()
    assert next(steps) == BEGUN
    slow.follow()
    list(steps)
    assert slow.signer.read(written(worker(folder))) == CHOICE


def test_a_signer_is_kept_while_nothing_changes(folder: Path) -> None:
    running = worker(folder)
    signer = running.signer
    running.follow()
    assert running.signer is signer


@pytest.mark.parametrize(
    ("until_s", "is_read"),
    [(NOW, True), (NOW - LATE_S, True), (NOW - LATE_S - 1, False), (None, True)],
    ids=["just replaced", "another host's clock", "made after its end", "about to begin"],
)
def test_a_replaced_key_makes_no_choices_after_its_end(until_s: int | None, is_read: bool) -> None:
    text = ChoiceSigner(b"o" * 32).write(CHOICE).encode()
    signer = ChoiceSigner(b"n" * 32, [AcceptedKey(b"o" * 32, until_s)])
    assert (signer.read(text) is not None) is is_read


def test_a_replaced_key_is_destroyed_when_all_its_choices_have_expired(folder: Path) -> None:
    keyring = Keyring.open(folder, SECRETS)
    day = 86_400
    expired, valid = (NOW - days * day for days in (LIFETIME_DAYS + 1, LIFETIME_DAYS - 1))
    keyring.put(f"choice/{expired}", b"e" * 32)
    keyring.put(f"choice/{valid}", b"v" * 32)
    worker(folder)
    assert keyring.names("choice") == [f"choice/{valid}"]
    assert keyring.accepted(LABEL) == [AcceptedKey(b"v" * 32, valid)]


def test_a_damaged_replaced_key_is_told_and_stops_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    Keyring.open(folder, SECRETS).put(f"choice/{NOW}", b"v" * 32)
    (folder / f"choice/{NOW}.key").write_bytes(b"damaged")
    with caplog.at_level(logging.ERROR):
        keys = worker(folder)
    assert keys.signer.read(written(keys)) == CHOICE
    assert "asked again" in caplog.text


def test_a_worker_that_cannot_open_the_new_root_goes_on_and_tells_it_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = worker(folder)
    newer = (*SECRETS, "another secret of more than 32 characters")
    for _ in Rotation(Keyring.open(folder, newer), new_root=True).steps():
        pass
    before = written(running)
    for _ in range(3):
        running.follow()
    assert running.signer.read(before) == CHOICE
    assert caplog.text.count("goes on with the one before") == 1


def test_reading_a_forged_choice_looks_at_no_file(folder: Path) -> None:
    running = worker(folder)
    own = written(running)
    shutil.rmtree(folder)
    assert running.signer.read(b"v1.s1.1.%d.forged" % NOW) is None
    assert running.signer.read(own) == CHOICE
