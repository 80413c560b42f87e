"""The keyring: the keys of one installation, each in a file of its own, wrapped by the root key.

Owns how keys are made, found and destroyed. What a key opens is its user's business.

The root is random, so that a new secret rewraps 32 bytes and touches nothing else. Keys that must be
destroyable (a period, a worker, the control database) are random too and lie in a file of their own;
keys that live as long as the root (choices, digests) come from it by HKDF and lie nowhere.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.crypto.files import draft_of, erase, make_folder, publish
from consentkit.crypto.primitives import KEY_BYTES
from consentkit.crypto.roots import Roots, own_secret, prepare
from consentkit.errors import KeyUnavailable, StorageError

if TYPE_CHECKING:
    from pathlib import Path

# Derived keys that stay of use after their root is gone, to check what they have signed: by label the group
# in which they are kept then, each under the unix time at which its root went.
KEPT: Final = {"choice/v1": "choice"}


class AcceptedKey(msgspec.Struct, frozen=True):
    """A derived key of another root, whose signatures hold still or already.

    Attributes:
        key: 32 bytes.
        until_s: it signed until then, in seconds since 1970 UTC; None = it is about to begin.
    """

    key: bytes
    until_s: int | None


class Keyring:
    """The opened keys folder of one installation.

    Names are paths without an ending, as in ``period/2026-11-23.1`` or ``worker/5f0c…``. A record is
    bound to its name, so that one file put in another's place does not open. Any number of processes use a
    folder at once, also while its root key is replaced.

    Attributes:
        folder: the keys folder; never inside the data directory.
        roots: the root keys; for a rotation.
        secret_is_own: the secret was made by consentkit and lies beside the keys (development only).
    """

    def __init__(self, roots: Roots, *, secret_is_own: bool) -> None:
        self.folder = roots.folder
        self.roots = roots
        self.secret_is_own = secret_is_own

    @classmethod
    def open(cls, folder: Path, given: tuple[str, ...], *, also_own: bool = False) -> Keyring:
        """Open the folder, making it and its root key where there are none yet.

        Args:
            folder: the keys folder.
            given: the operator's secrets, newest last; none = one is made in the folder.
            also_own: try the secret that was made in the folder too: for a rotation, which leaves it behind.

        Raises:
            KeyUnavailable: none of the secrets opens the root key, or its file is damaged or missing.
            StorageError: the folder can't be made, read or written.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            opening = prepare(folder, given)
            if also_own and given:
                opening = own_secret(folder) + given
            return cls(Roots(folder, opening), secret_is_own=not given)
        except OSError as exc:
            raise StorageError(
                str(folder),
                f"the keys folder can't be used ({exc.strerror}); let this user read and write it",
            ) from exc

    @property
    def rotation_is_unfinished(self) -> bool:
        """Whether a rotation was begun and has not come to its end; ``keys rotate`` goes on with it."""
        return self.roots.next_file.exists() or self.roots.old_file.exists()

    @property
    def root_ids(self) -> tuple[bytes, ...]:
        """The names of the root key as last read, and during a rotation before it of the one that comes."""
        return tuple(root.id for root in self.roots.newest_first)

    def refresh(self) -> None:
        """Read the root key again if another process has replaced it.

        Costs two stat calls where nothing has changed.

        Raises:
            KeyUnavailable: none of the secrets of this process opens it; what was read before stays in use.
            StorageError: it can't be read.
        """
        try:
            self.roots.refresh()
        except OSError as exc:
            raise StorageError(str(self.folder), f"the root key can't be read ({exc.strerror})") from exc

    def derive(self, label: str) -> bytes:
        """Return the 32-byte key for one use; the same label gives the same key as long as the root lives."""
        return self.roots.current.derive(label)

    def accepted(self, label: str) -> list[AcceptedKey]:
        """Return the derived keys of other roots whose signatures are to be accepted beside those of `derive`.

        These are the keys of roots that were replaced, and during a rotation the key of the coming one.

        Raises:
            KeyUnavailable: a kept key is damaged.
        """
        coming = self.roots.coming
        found = [] if coming is None else [AcceptedKey(coming.derive(label), None)]
        found += [AcceptedKey(self.load(name), until_s) for name, until_s in self._kept(label)]
        return found

    def forget(self, label: str, *, before_s: int) -> None:
        """Destroy the kept keys that signed nothing since a time, in seconds since 1970 UTC.

        Raises:
            StorageError: one can't be destroyed.
        """
        for name, until_s in self._kept(label):
            if until_s < before_s:
                self.destroy(name)

    def make(self, name: str) -> bytes:
        """Return the random key of that name, making it durably if there is none.

        Of several processes that make one name at once, one wins and all get its key.

        Raises:
            KeyUnavailable: a file of that name is there and does not open, or the root key was replaced by one
                that this process' secrets don't open.
            StorageError: it can't be written.
        """
        key = secrets.token_bytes(KEY_BYTES)
        return key if self.put(name, key) else self.load(name)

    def put(self, name: str, key: bytes) -> bool:
        """Keep a key that was made elsewhere under that name, durably; return False where one is there already.

        Raises:
            KeyUnavailable: the root key was replaced by one that this process' secrets don't open.
            StorageError: it can't be written.
        """
        path = self._path(name)
        try:
            with self.roots.lock(exclusive=False):
                self.roots.refresh()  # under the lock: what a destroyed root has wrapped would be lost
                make_folder(path.parent)
                return publish(path, self.roots.newest_first[0].wrap(name, key))
        except OSError as exc:
            raise StorageError(str(self.folder), f"a key can't be written ({exc.strerror})") from exc

    def has(self, name: str) -> bool:
        """Tell whether there is a key of that name, whether it opens or not."""
        return self._path(name).exists()

    def load(self, name: str) -> bytes:
        """Return the random key of that name.

        Raises:
            KeyUnavailable: it is not there (destroyed, or the folder is another one's), or does not open.
            StorageError: the root key has changed and can't be read.
        """
        key = self.roots.unwrap(name, self._read(name))
        if key is None:  # damaged, or wrapped by a root that came since
            self.refresh()
            key = self.roots.unwrap(name, self._read(name))
        if key is None:
            raise KeyUnavailable(name, "is damaged, or belongs to another root key; restore it")
        return key

    def destroy(self, name: str, *, is_remembered: bool = False) -> bool:
        """Destroy the key of that name durably; return whether it was there.

        Args:
            name: the key.
            is_remembered: leave an empty file that tells `was_destroyed`, also after the data directory was
                restored from before.

        Raises:
            StorageError: it can't be destroyed.
        """
        path = self._path(name)
        try:
            with self.roots.lock(exclusive=False):  # a rotation that has just read it would write it again
                if is_remembered:
                    make_folder(path.parent)
                    publish(self._trace(name), b"")
                erase(draft_of(path))
                return erase(path)
        except OSError as exc:
            raise StorageError(str(self.folder), f"a key can't be destroyed ({exc.strerror})") from exc

    def destroy_root(self) -> None:
        """Destroy the root key durably, and with it every key of the folder: for the end of an installation.

        Raises:
            StorageError: it can't be destroyed.
        """
        try:
            with self.roots.lock(exclusive=True):
                for path in (self.roots.next_file, self.roots.old_file, self.roots.key_file):
                    erase(path)
        except OSError as exc:
            raise StorageError(str(self.folder), f"the root key can't be destroyed ({exc.strerror})") from exc

    def was_destroyed(self, name: str) -> bool:
        """Tell whether the key was destroyed to be remembered as such; it may not be made or used again."""
        return self._trace(name).exists()

    def names(self, group: str) -> list[str]:
        """List the names in one group, as ``worker`` or ``period``, sorted."""
        return sorted(f"{group}/{path.stem}" for path in (self.folder / group).glob("*.key"))

    def _kept(self, label: str) -> list[tuple[str, int]]:
        """List the kept keys of one label, each with the time until which it signed."""
        names = [(name, name.rpartition("/")[2]) for name in self.names(KEPT[label])]
        return [(name, int(time)) for name, time in names if time.isdecimal()]

    def _read(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError as exc:
            raise KeyUnavailable(
                name, "is not in the keys folder: destroyed, or the folder is incomplete"
            ) from exc
        except OSError as exc:
            raise KeyUnavailable(name, f"can't be read ({exc.strerror})") from exc

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def _trace(self, name: str) -> Path:
        return self.folder / f"{name}.destroyed"
