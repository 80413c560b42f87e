"""The embedded backend, whole: `RequestStore` over one SQLCipher file a place.

Owns finding a place's file and key, and handing both to the module that does what is asked. Files lie under
`requests/` and `incidents/` of the data directory; a lock lies beside each.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from consentkit.archive.periodlock import PeriodLock
from consentkit.archive.store.places import Rewritten
from consentkit.archive.store.sqlite import files
from consentkit.archive.store.sqlite.checking import check_contents
from consentkit.archive.store.sqlite.closing import close_for_good, file_hash
from consentkit.archive.store.sqlite.copyfile import CopyFile
from consentkit.archive.store.sqlite.periodfile import PeriodFile, make_empty
from consentkit.archive.store.sqlite.reading import Opened
from consentkit.archive.store.sqlite.rewriting import Source, copy_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from consentkit.archive.resolve import Resolvers
    from consentkit.archive.store.interface import Filters
    from consentkit.archive.store.places import Checked, Contents, Lying, NotedHeads, Place, RowsOf
    from consentkit.archive.store.requeststore import Limit, Reader, T
    from consentkit.archive.store.sqlite.files import Group
    from consentkit.crypto import Keyring


class SqliteStore:
    """The places of one data directory.

    Args:
        directory: the data directory.
        keyring: opens the places' keys.
    """

    def __init__(self, directory: Path, keyring: Keyring) -> None:
        self._folders = {group: directory / name for group, name in files.FOLDERS.items()}
        self._keyring = keyring

    @property
    def is_shared(self) -> bool:
        """Files are one host's."""
        return False

    def file(self, place: Place) -> Path:
        """Return where a place's database lies."""
        return self._folders[place.group] / files.file_name(place)

    def lock(self, place: Place, *, exclusive: bool, wait_seconds: float) -> PeriodLock:
        """Be in a place, with others who share it or alone; it need not exist."""
        return PeriodLock(self.file(place), exclusive=exclusive, wait_seconds=wait_seconds)

    def exists(self, place: Place) -> bool:
        """Tell whether there is such a file."""
        return self.file(place).exists()

    def lying(self, group: Group) -> list[Lying]:
        """Return all that lies in the folder of a group."""
        return files.lying_in(self._folders[group], group)

    def size_bytes(self, place: Place) -> int:
        """Return what a place takes on the disk, its write-ahead log with it."""
        return files.size_bytes(self.file(place))

    def stamp(self, place: Place) -> str:
        """Return the size of a place's file and when it was written to."""
        return files.stamp(self.file(place))

    def make(self, place: Place) -> None:
        """Make an empty file with its tables; nothing where there is one."""
        if not self.exists(place):
            make_empty(self._file_to_make(place), self._keyring.load(place.key_name))

    def writer(self, place: Place, resolvers: Resolvers) -> PeriodFile:
        """Open a place for writing; it is made where it does not exist."""
        return PeriodFile.open(self._file_to_make(place), self._key(place), place, resolvers)

    def reader(self, place: Place) -> AbstractContextManager[Reader | None]:
        """Open a place within one transaction."""
        file = self.file(place)
        return Opened(file, self._key(place), place).reader() if file.exists() else contextlib.nullcontext()

    def read(self, place: Place, work: Callable[[Reader | None], T]) -> T:
        """Return what some work with a place came to; a still file is read without a lock of SQLite's."""
        file = self.file(place)
        return Opened(file, self._key(place), place).read(work) if file.exists() else work(None)

    def may_match(self, places: Sequence[Place], filters: Filters, *, limit: Limit) -> list[Place]:
        """Return all places: to tell what is in a file is to open it."""
        return list(places)

    def copy(self, place: Place) -> CopyFile:
        """Begin an incident's copy."""
        return CopyFile(self._file_to_make(place), self._key(place), place)

    def seal(self, place: Place) -> Contents:
        """Make it one synced file without a write-ahead log, and return what it holds."""
        return close_for_good(self.file(place), self._key(place), place)

    def file_hash(self, place: Place) -> str:
        """Return the SHA-256 of a place's file."""
        return file_hash(self.file(place))

    def write_anew(
        self,
        old: Place,
        fresh: Place,
        *,
        address: Callable[[bytes], bytes] | None = None,
        left_out: RowsOf | None = None,
    ) -> Rewritten:
        """Write the rows of one file into another, under a new key that is made, and seal it."""
        self._throw_away(fresh)
        source = Source(self.file(old), self._key(old), old)
        key = self._keyring.make(fresh.key_name)
        count = copy_rows(source, self._file_to_make(fresh), key, address=address, left_out=left_out)
        return Rewritten(self.seal(fresh), count)

    def check(
        self, place: Place, noted: NotedHeads, *, is_sealed: bool, advance: Callable[[float], None]
    ) -> Checked:
        """Read every row, and hold it against the digests."""
        key = self._key(place)
        return check_contents(self.file(place), key, noted, is_sealed=is_sealed, advance=advance)

    def discard(self, place: Place) -> None:
        """Throw away a draft, its key first, its mark last."""
        self._throw_away(place)
        self.unmark(place)

    def remove(self, place: Place) -> Iterator[str]:
        """Remove a file with all that lies beside it."""
        return files.removed(self.file(place))

    def mark_draft(self, place: Place) -> None:
        """Put an empty file beside the place that is about to be made."""
        files.mark(self._file_to_make(place))

    def unmark(self, place: Place) -> None:
        """Take that file away."""
        files.unmark(self.file(place))

    def close(self) -> None:
        """Do nothing: no connection outlives what it was opened for."""

    def _throw_away(self, draft: Place) -> None:
        self._keyring.destroy(draft.key_name)
        for _ in self.remove(draft):
            pass

    def _key(self, place: Place) -> bytes:
        return self._keyring.load(place.key_name)

    def _file_to_make(self, place: Place) -> Path:
        file = self.file(place)
        files.make_folder(file.parent)
        return file
