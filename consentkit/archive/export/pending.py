"""Exports that somebody waits for: files under random names in the data directory, each with how far it has come.

Owns the folder, so that any worker can tell of an export that another one writes, and that nothing stays there for
longer than `KEPT_SECONDS`. What is written is `copying`'s business, who may ask for it the admin area's.

The files lie sealed, each under a key of its own in the keys folder: a copy of the data directory opens none of
them. Key, then file go when it is removed, a few minutes after it was sent, within the hour, and as soon as it is
seen that the process is gone that wrote it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from consentkit.archive.export import sealedfile
from consentkit.archive.export.sealedfile import ENDING, LOCK_ENDING, SealedContent, SealedFile
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from consentkit.crypto import Keyring

FOLDER: Final = "exports"
KEPT_SECONDS: Final = 3600
# What was sent may not have arrived: so long it can be fetched once more.
SENT_SECONDS: Final = 300
# A run that says nothing for so long has died with its process.
SILENT_SECONDS: Final = 180

KEYS: Final = "export"

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_DRAFT: Final = re.compile(rf"\.(?P<name>[A-Za-z0-9_-]{{22}}){re.escape(ENDING)}\..+\.partial")
_NAME_BYTES: Final = 16


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far an export has come.

    Attributes:
        owner: who ordered it.
        format: one of `FORMATS`, or ``incident``.
        state: ``failed`` where it broke off.
        entry: number of the audit's entry that began it.
        begun_us, told_us: microseconds since 1970 UTC.
        rows: written so far.
        limit: at most so many are written.
        copy, bytes, sha256, destroy_by: as the register has them, once it is done.
        restricted: rows that match and were left out, as they may only be stored (GDPR art. 18).
        fault: what does not hold of what was exported; empty = all does.
    """

    owner: str
    format: str
    state: Literal["running", "done", "failed"]
    entry: int
    begun_us: int
    told_us: int
    rows: int = 0
    limit: int = 0
    copy: int = 0
    bytes: int = 0
    sha256: str = ""
    destroy_by: str = ""
    restricted: int = 0
    fault: str = ""

    @property
    def has_died(self) -> bool:
        """Whether it still runs by its own word, and nobody has heard of it for long."""
        return self.state == "running" and time.time_ns() // 1000 - self.told_us > SILENT_SECONDS * 1_000_000


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """The content of an export that waits, to be sent.

    Attributes:
        sealed: the content.
    """

    sealed: SealedContent

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return self.sealed.size_bytes

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield it, as `SealedContent.chunks` does."""
        return self.sealed.chunks()

    def sent(self) -> None:
        """Let it go soon, now that it was sent from beginning to end."""
        sent_s = time.time() - KEPT_SECONDS + SENT_SECONDS
        with contextlib.suppress(FileNotFoundError):
            if self.sealed.path.stat().st_mtime > sent_s:
                os.utime(self.sealed.path, (sent_s, sent_s))


class PendingExports:
    """The exports of one installation.

    Args:
        directory: the data directory.
        keyring: keeps their keys.
    """

    def __init__(self, directory: Path, keyring: Keyring) -> None:
        self._folder = directory / FOLDER
        self._keyring = keyring

    def begin(self) -> str:
        """Return the name of a new export, and take away what is too old.

        Raises:
            StorageError: the folder can't be made.
        """
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as exc:
            raise StorageError(str(self._folder), f"can't be made ({exc.strerror})") from exc
        self.sweep()
        return secrets.token_urlsafe(_NAME_BYTES)

    def create(self, name: str) -> SealedFile:
        """Return the file that an export is written to, as a context manager."""
        return SealedFile(self._sealed(name), self._keyring, key_name(name))

    def has(self, name: str) -> bool:
        """Tell whether an export's content can be fetched."""
        return self._sealed(name).exists() and self._keyring.has(key_name(name))

    def hand_out(self, name: str) -> Waiting | None:
        """Return an export's content to be sent; None where it is gone.

        Raises:
            StorageError: it can't be read, or is damaged.
            KeyUnavailable: its key is there and does not open.
        """
        sealed = sealedfile.sealed_content(self._sealed(name), self._keyring, key_name(name))
        return None if sealed is None else Waiting(sealed=sealed)

    def remove(self, name: str) -> None:
        """Take an export's content away; what was told of it stays for its time.

        Raises:
            StorageError: its key can't be destroyed.
        """
        sealedfile.destroy(self._sealed(name), self._keyring, key_name(name))

    def tell(self, name: str, progress: Progress) -> None:
        """Say how far an export has come.

        Raises:
            StorageError: it can't be written.
        """
        draft = self._folder / f"{name}.draft"
        try:
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
                file.write(msgspec.json.encode(progress))
            draft.replace(self._folder / f"{name}.json")
        except OSError as exc:
            raise StorageError(str(self._folder), f"can't be written ({exc.strerror})") from exc

    def find(self, name: str, owner: str) -> Progress | None:
        """Return how far somebody's export has come; None where there is none of that name, or it is another's."""
        if not _NAME.fullmatch(name):
            return None
        try:
            progress = msgspec.json.decode((self._folder / f"{name}.json").read_bytes(), type=Progress)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return progress if progress.owner == owner else None

    def sweep(self, *, now_s: float | None = None) -> int:
        """Take away what is too old or was left by a killed process, and return how many files that were.

        Raises:
            StorageError: a file can't be removed, or a key not be destroyed.
        """
        oldest_s = (time.time() if now_s is None else now_s) - KEPT_SECONDS
        try:
            removed = sum(self._sweep_sealed(name, oldest_s) for name in self._sealed_names())
            return removed + sum(self._sweep_other(path, oldest_s) for path in sorted(self._folder.glob("*")))
        except OSError as exc:
            raise StorageError(str(self._folder), f"can't be cleared ({exc.strerror})") from exc

    def clear(self) -> None:
        """Destroy all that waits, whether it is written still or not: for the end of an installation.

        Raises:
            StorageError: a key can't be destroyed.
        """
        for name in self._sealed_names():
            self.remove(name)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _sealed(self, name: str) -> Path:
        return self._folder / f"{name}{ENDING}"

    def _sealed_names(self) -> list[str]:
        """List what has a key, a file or a draft; keys before files, as it is locked before it has any of them."""
        names = {one.rpartition("/")[2] for one in self._keyring.names(KEYS)}
        names.update(path.stem for path in self._folder.glob(f"*{ENDING}"))
        names.update(found["name"] for path in self._folder.glob(".*") if (found := _DRAFT.fullmatch(path.name)))
        return sorted(name for name in names if _NAME.fullmatch(name))

    def _sweep_sealed(self, name: str, oldest_s: float) -> int:
        path = self._sealed(name)
        if sealedfile.is_being_written(path):
            return 0
        try:
            found = path.stat()
        except FileNotFoundError:
            found = None
        is_kept = found is not None and found.st_size and found.st_mtime >= oldest_s
        if is_kept and self._keyring.has(key_name(name)):
            return 0
        self.remove(name)
        return int(found is not None)

    def _sweep_other(self, path: Path, oldest_s: float) -> int:
        is_sealed = path.suffix == ENDING or _DRAFT.fullmatch(path.name)
        is_locked = path.suffix == LOCK_ENDING and sealedfile.is_being_written(path)
        try:
            if is_sealed or is_locked or path.stat().st_mtime >= oldest_s:
                return 0
            path.unlink()
        except FileNotFoundError:
            return 0  # another worker was faster
        return 1


def key_name(name: str) -> str:
    """Return the name of an export's key."""
    return f"{KEYS}/{name}"
