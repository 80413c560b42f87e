"""What custody works on: the data directory, its keys, its control database and its request rows, held together.

Owns no more than that. What is done to them is left to the modules that do it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple, Self

from consentkit.archive.periodlock import READER_SECONDS
from consentkit.archive.store.opening import open_store
from consentkit.control.moved import refuse_requests_moved

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consentkit.archive.store.places import Place
    from consentkit.archive.store.requeststore import Reader, RequestStore
    from consentkit.control import Control
    from consentkit.crypto import Keyring
    from consentkit.settings import Storage


class Holdings(NamedTuple):
    """One installation's store, opened.

    Attributes:
        directory: the data directory.
        keyring, control: opened.
        rows: of requests, wherever they are kept.
    """

    directory: Path
    keyring: Keyring
    control: Control
    rows: RequestStore

    @classmethod
    def open(cls, storage: Storage, keyring: Keyring, control: Control) -> Self:
        """Open the request rows of an installation whose keys and control database are open.

        Raises:
            SettingsError: the driver of the chosen database is not installed.
            StorageError: its server can't be reached, or the requests were moved elsewhere.
        """
        if not storage.requests_url:
            refuse_requests_moved(storage.directory)
        return cls(storage.directory, keyring, control, open_store(storage, keyring, control))

    @contextlib.contextmanager
    def reading(self, place: Place, *, wait_seconds: float = READER_SECONDS) -> Iterator[Reader | None]:
        """Open a place under its shared lock, as of one instant; None where nothing was ever stored in it.

        Raises:
            PeriodBusy: somebody is alone in it for longer than `wait_seconds`.
            KeyUnavailable, StorageError: it can't be opened.
        """
        with (
            self.rows.lock(place, exclusive=False, wait_seconds=wait_seconds),
            self.rows.reader(place) as reader,
        ):
            yield reader
