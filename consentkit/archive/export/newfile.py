"""A file that appears whole, under its name, or not at all.

Owns modes, fsync and names; what is written is the caller's business.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType


class NewFile:
    """A file for its owner alone (mode 0600) that is not there until `publish`.

    Until then it has a hidden name that ends in ``.partial``, in the same folder. What was not published is
    removed when the block ends; only a killed process or a power cut can leave it.

    Args:
        path: where it shall be; nothing may be there.

    Raises:
        StorageError: from every method: something is there, or the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_reserved = False
        self._is_published = False

    def __enter__(self) -> Self:
        with self._told():
            if self._path.exists() or self._path.is_symlink():
                raise FileExistsError
            self._descriptor, partial = tempfile.mkstemp(
                prefix=f".{self._path.name}.", suffix=".partial", dir=self._path.parent
            )
            self._partial = Path(partial)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        if self._is_published:
            return
        self._partial.unlink(missing_ok=True)
        if self._is_reserved:
            self._path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Write all of `data`."""
        with self._told():
            write_all(self._descriptor, data)

    def settle(self) -> None:
        """Bring what was written to the disk, and take the name if it is still free."""
        with self._told():
            os.fsync(self._descriptor)
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            self._is_reserved = True

    def publish(self) -> None:
        """Give the settled file its name, for good."""
        with self._told():
            self._partial.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self._is_published = True

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except FileExistsError as exc:
            raise StorageError(str(self._path), "there is a file already; name another one") from exc
        except OSError as exc:
            raise StorageError(str(self._path), f"can't be written ({exc.strerror})") from exc


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, in as many calls as the system wants.

    Raises:
        OSError: as `os.write`; a part may be written.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
