"""A file that lies on the disk sealed, under a key of its own that goes before it goes.

Owns the order of lock, key and file, so that whatever a killed process leaves can be told from what is still being
written, and nothing of it opens for longer than it should. The sealing is `crypto.chunks`'.

The order: the lock, the draft, its key; then the file under its name; then the lock is given back. It goes in the
order of key, file, lock. So a key or a draft that nobody has locked is what a killed process left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from consentkit.archive.export.newfile import NewFile
from consentkit.crypto import KEY_BYTES, BadChunk, ChunkSealer, open_chunks, opened_bytes
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import TracebackType

    from consentkit.crypto import Keyring

ENDING: Final = ".sealed"
LOCK_ENDING: Final = ".lock"


class SealedFile:
    """A file that is sealed while it is written, and is not there until `publish`; used as `NewFile` is.

    Its key is destroyed where the block ends without it.

    Args:
        path: where it shall be; nothing may be there.
        keyring: keeps its key.
        key_name: of a key that is not there yet.

    Raises:
        StorageError: from every method: something is there, or the disk refuses.
        KeyUnavailable: the key can't be made.
    """

    def __init__(self, path: Path, keyring: Keyring, key_name: str) -> None:
        self._file = NewFile(path)
        self._lock = path.with_suffix(LOCK_ENDING)
        self._keyring = keyring
        self._key_name = key_name
        self._is_published = False
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as exits:
            exits.enter_context(_held(self._lock))
            exits.enter_context(self._file)
            key = secrets.token_bytes(KEY_BYTES)
            if not self._keyring.put(self._key_name, key):
                raise StorageError(str(self._lock.parent), "has a key of this name already; export anew")
            exits.callback(self._forget)
            self._sealer = ChunkSealer(key, self._key_name.encode())
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exits.__exit__(exc_type, exc, traceback)

    def write(self, data: bytes) -> None:
        """Write all of `data`."""
        if sealed := self._sealer.update(data):
            self._file.write(sealed)

    def settle(self) -> None:
        """Bring all that was written to the disk, and take the name if it is still free."""
        self._file.write(self._sealer.finish())
        self._file.settle()

    def publish(self) -> None:
        """Give the settled file its name."""
        self._file.publish()
        self._is_published = True

    def _forget(self) -> None:
        if not self._is_published:
            self._keyring.destroy(self._key_name)


class SealedContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a sealed file holds, to be read a chunk at a time.

    Attributes:
        path: of the file.
        key: that opens it.
        context: under which it was sealed.
        size_bytes: of the content.
    """

    path: Path
    key: bytes
    context: bytes
    size_bytes: int

    def __repr__(self) -> str:
        return f"SealedContent(size_bytes={self.size_bytes})"

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield the content; nothing of it is held for longer than a chunk.

        Raises:
            StorageError: the file is gone, or is not what was written; what was yielded before is.
        """
        try:
            with self.path.open("rb") as file:
                yield from open_chunks(file, self.key, self.context)
        except BadChunk:
            raise StorageError(str(self.path.parent), "holds an export that is damaged; order it anew") from None
        except OSError as exc:
            raise StorageError(str(self.path.parent), f"can't be read ({exc.strerror})") from exc


def sealed_content(path: Path, keyring: Keyring, key_name: str) -> SealedContent | None:
    """Return what a sealed file holds; None where it, or its key, is gone.

    Raises:
        StorageError: it can't be read, or is damaged.
        KeyUnavailable: its key is there and does not open.
    """
    try:
        size_bytes = opened_bytes(path.stat().st_size)
    except FileNotFoundError:
        return None
    except BadChunk:
        raise StorageError(str(path.parent), "holds an export that is damaged; order it anew") from None
    except OSError as exc:
        raise StorageError(str(path.parent), f"can't be read ({exc.strerror})") from exc
    if not keyring.has(key_name):
        return None
    key = keyring.load(key_name)
    return SealedContent(path=path, key=key, context=key_name.encode(), size_bytes=size_bytes)


def destroy(path: Path, keyring: Keyring, key_name: str) -> None:
    """Destroy a sealed file: its key, then it and what a killed process left of it.

    Raises:
        StorageError: the key can't be destroyed; then the file stays, to be found again.
    """
    keyring.destroy(key_name)
    for left in (path, *path.parent.glob(f".{path.name}.*.partial"), path.with_suffix(LOCK_ENDING)):
        left.unlink(missing_ok=True)


def is_being_written(path: Path) -> bool:
    """Tell whether some process writes this file now; a process that is gone writes nothing."""
    try:
        descriptor = os.open(path.with_suffix(LOCK_ENDING), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def _held(lock: Path) -> Iterator[None]:
    """Hold a lock that ends with its process, and take its file away in the end."""
    try:
        descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise StorageError(str(lock.parent), f"can't be written ({exc.strerror})") from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)
