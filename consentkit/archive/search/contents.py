"""What lies where: the spool's workers and segments, and the periods, without a word of any request.

Owns counting it. Nothing here says who asked for what, so no purpose is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.archive.search.deadline import Deadline
from consentkit.archive.spoolreader import Segment, is_unlocked, segment_files
from consentkit.errors import KeyUnavailable
from consentkit.requestlog.record import Record
from consentkit.requestlog.workerfolder import LOCK_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period
    from consentkit.archive.search.archive import Archive
    from consentkit.archive.store.places import Marks
    from consentkit.archive.store.requeststore import Reader
    from consentkit.crypto import Keyring


class WaitingSegment(msgspec.Struct, frozen=True, kw_only=True):
    """One segment of the spool.

    Attributes:
        worker, number: which one.
        bytes: of the file.
        frames: that open; None where its worker's key does not.
        frames_waiting: those of them that are not stored yet.
        damaged: places at which bytes had to be passed over.
        is_open: its worker still appends to it.
        is_alive: its worker still runs.
    """

    worker: str
    number: int
    bytes: int
    frames: int | None
    frames_waiting: int | None
    damaged: int
    is_open: bool
    is_alive: bool


class PeriodState(msgspec.Struct, frozen=True, kw_only=True):
    """One period.

    Attributes:
        period: its name.
        state: as the catalogue of periods has it.
        file: its file's name; empty where there is none, or a server keeps the rows.
        place: what the server calls the place of its rows; empty where there is none, or a file keeps them.
        bytes: of the file and its write-ahead log, or of the place.
        rows: of a sealed one; None while it is open.
        has_key: its key is there.
    """

    period: str
    state: str
    file: str
    place: str
    bytes: int
    rows: int | None
    has_key: bool


def waiting_segments(archive: Archive, directory: Path, keyring: Keyring) -> Iterator[WaitingSegment]:
    """Yield what lies in the spool, by worker and number.

    Raises:
        StorageError: a period, whose marks say what is stored, can't be read.
    """
    marks = _Marks(archive)
    for path in segment_files(directory / "spool"):
        try:
            yield _segment(path, keyring, marks)
        except FileNotFoundError:
            continue  # stored and deleted while we looked


def period_states(archive: Archive) -> list[PeriodState]:
    """Return the periods that there are or were, newest first."""
    return [_state(period, archive.holdings) for period in archive.periods()]


def _segment(path: Path, keyring: Keyring, marks: _Marks) -> WaitingSegment:
    worker, number = path.parent.name, int(path.name)
    is_open, lock = not is_unlocked(path), path.parent / LOCK_NAME
    frames: int | None = None
    waiting: int | None = None
    damaged = 0
    try:
        segment = Segment(path, keyring.load(f"worker/{worker}"))
    except KeyUnavailable:
        pass
    else:
        frames = waiting = 0
        for sequence, entry in segment.read(complete=False):
            frames += 1
            time_us = entry.time_us if isinstance(entry, Record) else entry.until_us
            waiting += sequence >= marks.of(sequence, time_us, worker, number)
        damaged = segment.damaged
    return WaitingSegment(
        worker=worker,
        number=number,
        bytes=path.stat().st_size,
        frames=frames,
        frames_waiting=waiting,
        damaged=damaged,
        is_open=is_open,
        is_alive=lock.exists() and not is_unlocked(lock),
    )


def _state(period: Period, holdings: Holdings) -> PeriodState:
    is_there, is_on_server = holdings.rows.exists(period.place), holdings.rows.is_shared
    return PeriodState(
        period=period.name,
        state=period.state,
        file=period.file_name if is_there and not is_on_server else "",
        place=period.place.key_name if is_there and is_on_server else "",
        bytes=holdings.rows.size_bytes(period.place),
        rows=period.rows,
        has_key=holdings.keyring.has(period.key_name),
    )


class _Marks:
    """The marks of all periods, each read once."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._periods = archive.periods()
        self._decisions = archive.decisions()
        self._known: dict[str, Marks] = {}

    def of(self, sequence: int, time_us: int, worker: str, number: int) -> int:
        """Return the sequence below which the frames of a segment that go where this one goes are stored."""
        misfiled = self._decisions.get((worker, number))
        if misfiled is not None and misfiled.holds(sequence, time_us):
            time_us = misfiled.time_us
        period = next((one for one in self._periods if one.since_us <= time_us < one.until_us), None)
        if period is None:
            return 0
        if period.name not in self._known:
            self._known[period.name] = self._archive.stored.read(period, _read, deadline=Deadline(None)) or {}
        return self._known[period.name].get((worker, number), 0)


def _read(reader: Reader | None, _: Period) -> Marks:
    return {} if reader is None else reader.marks()
