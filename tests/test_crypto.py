from __future__ import annotations

import stat
from multiprocessing import get_context
from pathlib import Path

import pytest

from consentkit.crypto import Keyring, hkdf
from consentkit.errors import KeyUnavailable, StorageError

pytestmark = pytest.mark.usefixtures("fresh_roots")

OLD, NEW = "an old secret of more than 32 characters", "a new secret of more than 32 characters"


def test_a_key_is_the_same_after_the_folder_is_opened_again(tmp_path: Path) -> None:
    made = Keyring.open(tmp_path / "keys", (OLD,)).make("period/2026-11-23.1")
    assert Keyring.open(tmp_path / "keys", (OLD,)).load("period/2026-11-23.1") == made


def test_making_a_key_that_exists_returns_it(tmp_path: Path) -> None:
    keyring = Keyring.open(tmp_path / "keys", (OLD,))
    assert keyring.make("worker/a") == keyring.make("worker/a")


def test_any_of_several_secrets_opens_the_root(tmp_path: Path) -> None:
    label = "choice/v1"
    derived = Keyring.open(tmp_path / "keys", (OLD,)).derive(label)
    assert Keyring.open(tmp_path / "keys", (OLD, NEW)).derive(label) == derived


def test_a_wrong_secret_is_refused_with_the_way_out_and_without_the_secret(tmp_path: Path) -> None:
    Keyring.open(tmp_path / "keys", (OLD,))
    with pytest.raises(KeyUnavailable, match="CONSENTKIT_SECRET") as caught:
        Keyring.open(tmp_path / "keys", (NEW,))
    assert NEW not in str(caught.value)


def test_a_damaged_root_is_refused(tmp_path: Path) -> None:
    Keyring.open(tmp_path / "keys", (OLD,))
    (tmp_path / "keys" / "root.key").write_bytes(b"{")
    with pytest.raises(KeyUnavailable, match="backup"):
        Keyring.open(tmp_path / "keys", (OLD,))


def test_without_a_secret_one_is_made_and_told(tmp_path: Path) -> None:
    first = Keyring.open(tmp_path / "keys", ())
    second = Keyring.open(tmp_path / "keys", ())
    assert first.secret_is_own
    assert second.derive("choice/v1") == first.derive("choice/v1")


def test_a_destroyed_key_is_gone_and_a_new_one_differs(tmp_path: Path) -> None:
    keyring = Keyring.open(tmp_path / "keys", (OLD,))
    before = keyring.make("period/2026-11-23.1")
    assert keyring.destroy("period/2026-11-23.1")
    assert not keyring.destroy("period/2026-11-23.1")
    with pytest.raises(KeyUnavailable, match="destroyed"):
        keyring.load("period/2026-11-23.1")
    assert keyring.make("period/2026-11-23.1") != before


def test_without_its_root_no_key_opens_and_none_is_made(tmp_path: Path) -> None:
    keyring = Keyring.open(tmp_path / "keys", (OLD,))
    keyring.make("worker/a")
    (tmp_path / "second-name").hardlink_to(tmp_path / "keys" / "root.key")
    keyring.destroy_root()
    assert not (tmp_path / "second-name").read_bytes().strip(b"\0")
    with pytest.raises(KeyUnavailable, match="missing"):
        Keyring.open(tmp_path / "keys", (OLD,))
    with pytest.raises(StorageError):
        keyring.make("worker/b")


def test_a_key_put_in_anothers_place_does_not_open(tmp_path: Path) -> None:
    keyring = Keyring.open(tmp_path / "keys", (OLD,))
    keyring.make("period/2026-11-22.1")
    keyring.make("period/2026-11-23.1")
    folder = tmp_path / "keys" / "period"
    (folder / "2026-11-22.1.key").write_bytes((folder / "2026-11-23.1.key").read_bytes())
    with pytest.raises(KeyUnavailable, match="damaged"):
        keyring.load("period/2026-11-22.1")


@pytest.mark.parametrize("cut", [0, 4, 15, 40], ids=["empty", "magic", "nonce", "short"])
def test_a_cut_key_file_does_not_open(tmp_path: Path, cut: int) -> None:
    keyring = Keyring.open(tmp_path / "keys", (OLD,))
    keyring.make("worker/a")
    path = tmp_path / "keys" / "worker" / "a.key"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(KeyUnavailable):
        keyring.load("worker/a")


def test_only_the_owner_may_read_keys(tmp_path: Path) -> None:
    keyring = Keyring.open(tmp_path / "keys", ())
    keyring.make("worker/a")
    for path in (tmp_path / "keys").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="keys folder"):
        Keyring.open(tmp_path / "file" / "keys", (OLD,))


def test_no_key_stands_in_a_file_in_plain(tmp_path: Path) -> None:
    keyring = Keyring.open(tmp_path / "keys", (OLD,))
    key = keyring.make("worker/a")
    assert all(key not in path.read_bytes() for path in (tmp_path / "keys").rglob("*") if path.is_file())


def test_labels_give_keys_that_differ() -> None:
    assert hkdf(b"k" * 32, "a") != hkdf(b"k" * 32, "b")


def _first_key(folder: str) -> bytes:
    keyring = Keyring.open(Path(folder), ())
    return keyring.derive("choice/v1") + keyring.make("control/control")


def test_first_workers_that_start_at_once_agree(tmp_path: Path) -> None:
    with get_context("spawn").Pool(4) as pool:
        keys = pool.map(_first_key, [str(tmp_path / "keys")] * 8)
    assert len(set(keys)) == 1
