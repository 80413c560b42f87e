"""Adding what the workers counted to the rates: on how many pages the banner was shown.

Owns that each page is added once, whoever is killed when. A worker's counts only grow; how far they are added
stands in the same transaction as the sum. So the same file may be read again, by the ingester, by a command, by
both at once. What it holds is counted by `consent.showings`.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from sqlalchemy import select

from consentkit.consent.outcomes import WHOLE
from consentkit.consent.rates import SCRIPT_UNKNOWN, Cell, add
from consentkit.consent.showings import FOLDER, KEPT_DAYS, Showing, Shown
from consentkit.control import consent_showing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from consentkit.control import Control

logger = logging.getLogger("consentkit.ingest")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAME: Final = re.compile(r"[0-9a-f]{16}")
_MAX_FILES: Final = 1000
_MAX_BYTES: Final = 1024 * 1024  # ten times what a worker's 31 days take in twenty languages

# A file that does not grow for so long is taken away; one that grows again later is written again, whole.
_STALE: Final = timedelta(days=2)
# Longer than a worker keeps its counts: what is added is never met again without its mark.
_MARK_KEPT: Final = timedelta(days=2 * KEPT_DAYS)


class _Counter(NamedTuple):
    day: int
    language: str
    is_shared: bool


def add_showings(control: Control, directory: Path, *, now_s: float | None = None) -> int:
    """Add what the workers have counted since, and return how many pages that are.

    Args:
        control: the control database.
        directory: the data directory.
        now_s: the clock, seconds since 1970; None = the system's.

    Raises:
        StorageError: the control database refuses; it is all added the next time.
    """
    now = datetime.fromtimestamp(time.time() if now_s is None else now_s, UTC)
    files = list(_read_all(directory))
    added = 0
    if files:
        with control.transaction() as connection:
            for path, shown in files:
                if shown is not None:
                    added += _add_worker(connection, path.stem, shown, now)
            oldest = (now - _MARK_KEPT).date().isoformat()
            connection.execute(consent_showing.delete().where(consent_showing.c.day < oldest))
    _remove_stale(files, directory, now)
    return added


def _add_worker(connection: Connection, worker: str, shown: Shown, now: datetime) -> int:
    """Add what one worker has counted beyond its mark, and move the mark."""
    is_its = consent_showing.c.worker == worker
    mark = connection.execute(select(consent_showing.c.counted).where(is_its)).scalar()
    reached = {} if mark is None else _by_counter(msgspec.json.decode(mark, type=Shown))
    cells = []
    added = 0
    for counter, count in _by_counter(shown).items():
        # A file may be older than its mark: after a power cut, the disk may have the one and not the other.
        more = count - reached.get(counter, 0)
        if more > 0:
            kind = "shown_shared" if counter.is_shared else "shown"
            day, language = _iso(counter.day), counter.language
            cells += [
                Cell(day, language, category, kind, SCRIPT_UNKNOWN, more)
                for category in (WHOLE, *shown.categories)
            ]
            reached[counter] = count
            added += more
    if cells:
        add(connection, cells)
        oldest = (now - _MARK_KEPT - _EPOCH).days
        kept = tuple(Showing(*counter, count) for counter, count in reached.items() if counter.day >= oldest)
        row = {"counted": msgspec.json.encode(Shown((), kept)), "day": now.date().isoformat()}
        if mark is None:
            connection.execute(consent_showing.insert().values(worker=worker, **row))
        else:
            connection.execute(consent_showing.update().where(is_its).values(row))
    return added


def _by_counter(shown: Shown) -> dict[_Counter, int]:
    return {_Counter(each.day, each.language, each.is_shared): each.count for each in shown.showings}


def _iso(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).date().isoformat()


def _read_all(directory: Path) -> Iterator[tuple[Path, Shown | None]]:
    """Return the workers' files with what stands in them; None where a power cut has left no more than a part."""
    paths = [path for path in (directory / FOLDER).glob("*.json") if _NAME.fullmatch(path.stem)]
    for path in sorted(paths)[:_MAX_FILES]:
        try:
            with path.open("rb") as file:
                yield path, msgspec.json.decode(file.read(_MAX_BYTES), type=Shown)
        except msgspec.DecodeError:
            yield path, None
        except OSError:
            continue  # another process has taken it away this moment, or it is not for this one to read


def _remove_stale(files: Iterable[tuple[Path, Shown | None]], directory: Path, now: datetime) -> None:
    """Take away what workers that are gone have left: read, and so added now or before, or past reading."""
    drafts = ((path, None) for path in (directory / FOLDER).glob("*.draft"))
    for path, shown in (*files, *drafts):
        with contextlib.suppress(OSError):  # it is tried again
            if path.stat().st_mtime < (now - _STALE).timestamp():
                path.unlink()
                if shown is None:
                    logger.warning("what a worker had counted of the banner can't be read, and is not added")
