"""The rotation: the root key under another secret, or another root key; forward only, a file at a time.

Owns the steps. Each is durable before the next, none takes away what is still needed, and each does nothing
where it is done, so that a rotation which was killed anywhere is finished by running it again, and everything
opens meanwhile:

1. ``root.next`` holds what comes: the same root under the newest secret, or a fresh root. From now on new keys
   are wrapped by it, by all processes.
2. Each key file is replaced by the same key wrapped by the coming root; nothing to do where that is the same.
3. Of a fresh root alone: derived keys that are needed to check old signatures are kept as files.
4. ``root.old`` becomes a second name of ``root.key``, and ``root.next`` takes the place of ``root.key``.
5. A secret that consentkit has made itself, for development, is destroyed where another was given.
6. ``root.old`` is destroyed, and with it what the older secrets, or copies of single key files, opened.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from consentkit.crypto.files import draft_of, erase, locked, publish, replace, sync_directory
from consentkit.crypto.keyring import KEPT
from consentkit.crypto.root import Root, open_record, read_record
from consentkit.crypto.roots import own_secret_file
from consentkit.errors import KeyUnavailable, StorageError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from consentkit.crypto.keyring import Keyring

# The step after which processes that look once a second learn of the coming root, before it signs anything.
BEGUN: Final = "root.next is written"


class Rotation:
    """One rotation of an opened keys folder.

    Args:
        keyring: opened with the secrets; the newest is the one that wraps from now on.
        new_root: make a fresh root key.

    Attributes:
        was_unfinished: an earlier rotation was found begun, and was finished.
        replaced_root: the root key is another one now.
        left_own_secret: the secret that was made for development was destroyed.
        rewrapped: how many keys were wrapped anew.
        unreadable: names of key files that neither root opens: they were damaged before, and left as they are.
    """

    def __init__(self, keyring: Keyring, *, new_root: bool) -> None:
        self._keyring = keyring
        self._roots = keyring.roots
        self._new_root = new_root
        self.was_unfinished = False
        self.replaced_root = False
        self.left_own_secret = False
        self.rewrapped = 0
        self.unreadable: list[str] = []

    @property
    def total(self) -> int:
        """How many keys there are."""
        return len(self._names())

    def steps(self) -> Generator[str, None, None]:
        """Rotate, yielding after each step what is durable by then.

        Nothing further is done until the next is asked for. What was begun earlier is finished first, and
        counts as what was asked for if it is that.

        Raises:
            KeyUnavailable: the root keys don't open.
            StorageError: another rotation is under way, or a step failed; running it again goes on with it.
        """
        try:
            with locked(self._keyring.folder / "rotation.lock", exclusive=True, wait_seconds=0.2):
                self._roots.refresh()
                is_enough = self._is_enough()
                if self.was_unfinished:
                    yield from self._finish()
                if not is_enough:
                    self._begin()
                    yield BEGUN
                    yield from self._finish()
        except OSError as exc:
            reason = f"the rotation stopped ({exc.strerror}); everything still opens, run it again"
            raise StorageError(str(self._keyring.folder), reason) from exc

    def _is_enough(self) -> bool:
        """Look for an earlier rotation, and tell whether to finish it is all that is asked for."""
        roots = self._roots
        if roots.next_file.exists():
            before, after = roots.key_file, roots.next_file
        elif roots.old_file.exists():
            before, after = roots.old_file, roots.key_file
        else:
            return False
        self.was_unfinished = True
        old_id, new = _id_in(before), read_record(after)
        self.replaced_root = bool(old_id) and old_id != new.id
        return (self.replaced_root or not self._new_root) and open_record(new, roots.given[-1:]) is not None

    def _begin(self) -> None:
        root = Root.fresh() if self._new_root else self._roots.current
        with self._roots.lock(exclusive=True):
            publish(self._roots.next_file, root.sealed(self._roots.given[-1]))
            self._roots.refresh(known=(root,))

    def _finish(self) -> Iterator[str]:
        coming, current = self._roots.coming, self._roots.current
        if coming is not None:
            for name in self._names():
                self._rewrap(name, coming, current)
                yield f"{name} is rewrapped"
            if coming.id != current.id:
                self.replaced_root = True
                self._keep_derived(current)
                yield "derived keys are kept"
            self._set_aside()
            yield "root.old is linked"
            self._switch()
            yield "root.key is replaced"
        self._destroy_own_secret()
        yield "the secret for development is destroyed"
        self._destroy_old()
        yield "root.old is destroyed"

    def _names(self) -> list[str]:
        folder = self._keyring.folder
        paths = (path for path in folder.glob("**/*.key") if path != self._roots.key_file)
        return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in paths)

    def _rewrap(self, name: str, coming: Root, current: Root) -> None:
        path = self._keyring.folder / f"{name}.key"
        # Alone for this one file: a key that is destroyed between reading and writing would come back.
        with self._roots.lock(exclusive=True):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                return  # destroyed meanwhile
            if coming.unwrap(name, content) is not None:
                draft_of(path).unlink(missing_ok=True)
                return
            key = current.unwrap(name, content)
            if key is None:
                self.unreadable.append(name)
                return
            replace(path, coming.wrap(name, key))
            self.rewrapped += 1

    def _keep_derived(self, current: Root) -> None:
        for label, group in KEPT.items():
            self._keyring.put(f"{group}/{int(time.time())}", current.derive(label))

    def _set_aside(self) -> None:
        old_file, key_file = self._roots.old_file, self._roots.key_file
        with self._roots.lock(exclusive=True):
            if old_file.exists() and not old_file.samefile(key_file):
                erase(old_file)
            if not old_file.exists():
                old_file.hardlink_to(key_file)
                sync_directory(self._keyring.folder)

    def _switch(self) -> None:
        with self._roots.lock(exclusive=True):
            self._roots.next_file.replace(self._roots.key_file)
            sync_directory(self._keyring.folder)
            self._roots.refresh()

    def _destroy_old(self) -> None:
        old_file, key_file = self._roots.old_file, self._roots.key_file
        with self._roots.lock(exclusive=True):
            if old_file.exists() and old_file.samefile(key_file):
                old_file.unlink()  # somebody has removed root.next by hand: overwriting would reach root.key
            else:
                erase(old_file)

    def _destroy_own_secret(self) -> None:
        if not self._keyring.secret_is_own:
            self.left_own_secret = erase(own_secret_file(self._keyring.folder))


def _id_in(path: Path) -> bytes:
    """Return the id of the root that goes; empty where a crash came in the middle of its destruction."""
    try:
        return read_record(path).id
    except KeyUnavailable:
        return b""
