"""Both backends over the same frames: the embedded one says what is right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from consentkit.archive.store.interface import Batch, Misfiled
from consentkit.archive.store.places import Place
from consentkit.archive.store.requeststore import Writer
from consentkit.archive.store.server.engine import Engine
from consentkit.archive.store.server.store import ServerStore
from consentkit.archive.store.sqlite.store import SqliteStore
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.requestlog.record import Entry
from consentkit.requestlog.segment import FrameId
from tests.archive.installation import DAY_US, HOUR_US, MONDAY

PERIOD = Place("period", "2026-03-02", 1, MONDAY, MONDAY + 3 * DAY_US)
NEXT = Place("period", "2026-03-02", 2, MONDAY, MONDAY + 3 * DAY_US)
INCIDENT = Place("incident", "7", 1, MONDAY - DAY_US, MONDAY + 9 * DAY_US)
MISFILED = Misfiled(0, MONDAY + 2 * DAY_US + 23 * HOUR_US, PERIOD.since_us, PERIOD.until_us)

Frames = Iterable[tuple[FrameId, Entry]]


class Hosts:
    """A data directory with a keys folder, and the stores of hosts over one engine.

    Args:
        folder: for both.
    """

    def __init__(self, folder: Path) -> None:
        self.directory = folder / "data"
        self.directory.mkdir(parents=True)
        self.keyring = Keyring.open(folder / "keys", ())
        self.control = Control(self.directory, self.keyring)
        for place in (PERIOD, INCIDENT):
            self.keyring.make(place.key_name)

    def store(self, engine: Engine, lane: str = "a") -> ServerStore:
        """Return the store of one host."""
        return ServerStore(engine, self.keyring, self.control, lane=lane, name="server")

    def embedded(self) -> SqliteStore:
        """Return the embedded store under the same keys."""
        return SqliteStore(self.directory, self.keyring)


def batches_of(frames: Frames, size: int = 20) -> Iterator[Batch]:
    """Yield frames as the ingester adds them, so many at most at once."""
    for (worker, segment), own in groupby(frames, key=lambda one: one[0][:2]):
        entries = [(frame.sequence, entry) for frame, entry in own]
        for start in range(0, len(entries), size):
            yield Batch(worker, segment, entries[start : start + size], MISFILED)


def write(writer: Writer, batches: Iterable[Batch], *, commit_after: int = 3) -> int:
    """Add batches, committing after some of them; return how many requests came."""
    added = 0
    for number, batch in enumerate(batches, start=1):
        writer.add(batch)
        if number % commit_after == 0:
            added += writer.commit()
    return added + writer.commit()
