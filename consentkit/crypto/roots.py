"""The root keys of one folder: the one in force, and during a rotation the one that comes after it.

Owns the files ``root.key``, ``root.next``, ``root.old`` and ``secret``, the lock, and noticing that another
process has changed them. In which order a rotation uses them is `rotation`'s business.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from consentkit.crypto.files import locked, publish
from consentkit.crypto.root import Root, open_record, read_record
from consentkit.errors import KeyUnavailable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

# A rotation holds the lock for one file at a time. A worker waits inside a request.
_LOCK_SECONDS: Final = 5.0

_Stamp: TypeAlias = tuple[int, int, int] | None  # inode, time of change in nanoseconds, size; None = no file


class _Opened(msgspec.Struct, frozen=True):
    """What was read at one moment.

    Attributes:
        stamps: of ``root.key`` and ``root.next``, taken before they were read, so that a change meanwhile shows.
        current: in force.
        coming: takes its place; None where no rotation is under way. Keys are wrapped by it from its first moment.
    """

    stamps: tuple[_Stamp, _Stamp]
    current: Root
    coming: Root | None

    @property
    def all(self) -> tuple[Root, ...]:
        return (self.current,) if self.coming is None else (self.coming, self.current)


class Roots:
    """The opened root keys of one folder.

    Args:
        folder: the keys folder.
        given: secrets that are tried, newest last.

    Raises:
        KeyUnavailable: none of the secrets opens the root key, or its file is damaged or gone.
        OSError: the folder can't be read, or for the first start written.
    """

    def __init__(self, folder: Path, given: tuple[str, ...]) -> None:
        self.folder = folder
        self.key_file = folder / "root.key"
        self.next_file = folder / "root.next"
        self.old_file = folder / "root.old"
        self.given = given
        self._refused: tuple[tuple[_Stamp, _Stamp], str] | None = None
        self._opened = self._open(known=())

    @property
    def current(self) -> Root:
        """The root in force, as last read."""
        return self._opened.current

    @property
    def coming(self) -> Root | None:
        """The root that a rotation under way puts in its place, as last read."""
        return self._opened.coming

    @property
    def newest_first(self) -> tuple[Root, ...]:
        """The roots under which keys may lie, as last read; the first wraps from now on."""
        return self._opened.all

    def unwrap(self, name: str, content: bytes) -> bytes | None:
        """Return the key in a file under either root, as last read; None where neither opens it."""
        return next((key for root in self._opened.all if (key := root.unwrap(name, content)) is not None), None)

    def refresh(self, known: tuple[Root, ...] = ()) -> None:
        """Read the roots again if their files have changed.

        Costs two stat calls where nothing has changed.

        Args:
            known: roots that need no secret to be opened, beside those that are open.

        Raises:
            KeyUnavailable: none of the secrets of this process opens what stands there now.
            OSError: the files can't be read.
        """
        before = self._opened
        stamps = self._stamps()
        if stamps == before.stamps:
            return
        if self._refused is not None and self._refused[0] == stamps:
            raise KeyUnavailable("root", self._refused[1])  # stretching the secrets again would open nothing more
        try:
            self._opened = self._open(known=(*before.all, *known))
        except KeyUnavailable as exc:
            self._refused = (stamps, exc.reason)
            raise

    def lock(self, *, exclusive: bool) -> AbstractContextManager[None]:
        """Keep a rotation out (shared) or all who write or destroy keys (exclusive), for one file's time.

        Raises:
            StorageError: others did not let go.
            OSError: the lock's file can't be made.
        """
        return locked(self.folder / "keys.lock", exclusive=exclusive, wait_seconds=_LOCK_SECONDS)

    def _open(self, known: tuple[Root, ...]) -> _Opened:
        stamps = self._stamps()
        current = self._open_file(self.key_file, known)
        try:
            coming = self._open_file(self.next_file, (current, *known)) if stamps[1] is not None else None
        except FileNotFoundError:
            coming = None  # it is in force by now, which the stamps will show
        return _Opened(stamps, current, coming)

    def _open_file(self, path: Path, known: tuple[Root, ...]) -> Root:
        record = read_record(path)
        root = open_record(record, self.given, known)
        if root is not None:
            return root
        if open_record(record, own_secret(self.folder)) is not None:
            way_out = "it was made without one, for development; `consentkit keys rotate` goes over to yours"
        else:
            way_out = "set CONSENTKIT_SECRET to the one it was made with (several, comma-separated, newest last)"
        raise KeyUnavailable("root", f"none of the {len(self.given)} secrets given opens {path}; {way_out}")

    def _stamps(self) -> tuple[_Stamp, _Stamp]:
        return _stamp(self.key_file), _stamp(self.next_file)


def own_secret_file(folder: Path) -> Path:
    """Return where the secret lies that consentkit makes where none is given."""
    return folder / "secret"


def own_secret(folder: Path) -> tuple[str, ...]:
    """Return that secret; none where there is no file."""
    try:
        return (own_secret_file(folder).read_text("ascii"),)
    except FileNotFoundError:
        return ()


def prepare(folder: Path, given: tuple[str, ...]) -> tuple[str, ...]:
    """Make the root key where there is none yet, and return the secrets to open it with.

    Raises:
        KeyUnavailable: the folder was in use, and its root key or the secret for it is missing.
        OSError: the folder can't be read or written.
    """
    key_file = folder / "root.key"
    holds_keys = any(folder.glob("**/*.key"))  # asked first: another process may just be making the root
    if key_file.exists():
        opening = given or own_secret(folder)
        if not opening:
            raise KeyUnavailable("root", f"CONSENTKIT_SECRET is not set, and {key_file} needs one")
        return opening
    if holds_keys:  # a new root would open none of them, and stand in the way of the old one
        raise KeyUnavailable("root", f"{key_file} is missing; restore the keys folder from its backup")
    if not given:
        publish(own_secret_file(folder), secrets.token_urlsafe(32).encode())
        given = own_secret(folder)
    publish(key_file, Root.fresh().sealed(given[-1]))
    return given


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
