"""The live inventory: which cookies and hosts were met, by name and day, kept across restarts.

Owns the file ``inventory.json`` in the data directory, to which every worker adds what it has met since it
last wrote. It holds names, days and counts, never a value, an address or a path. A name that was not met for 90
days drops out.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

logger = logging.getLogger("consentkit")

Kind: TypeAlias = Literal[
    "set", "sent", "dropped", "undeletable", "undeclared", "brought", "blocked_hosts", "signals"
]
Met: TypeAlias = "Mapping[str, Mapping[str, int]]"  # counts by kind and name

FILE: Final = "inventory.json"
KEPT_DAYS: Final = 90

_KINDS: Final[tuple[Kind, ...]] = (
    "set",
    "sent",
    "dropped",
    "undeletable",
    "undeclared",
    "brought",
    "blocked_hosts",
    "signals",
)
_NAMES_A_KIND: Final = 512
_MAX_BYTES: Final = 4 * 1024 * 1024  # far more than so many names take

_LOOK_EVERY_S: Final = 5.0
_WRITE_EVERY_S: Final = 60.0


class Sighting(msgspec.Struct, frozen=True):
    """When a name was met.

    Attributes:
        first, last: days in UTC.
        count: how often, at least.
    """

    first: date
    last: date
    count: int


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What was met so far.

    Attributes:
        last: the last day on which anything was; None = never.
        days: on how many days.
        names: by kind and name. ``set``, ``sent``, ``dropped`` and ``undeletable`` name declarations, the app's
            and the browsers'; ``undeclared`` cookies that the app set and ``brought`` those that only
            browsers send, declared by nobody at that time; ``blocked_hosts`` hosts that a policy kept away;
            ``signals`` days, with the pages shown then to browsers that sent a privacy signal.
    """

    last: date | None = None
    days: int = 0
    names: dict[str, dict[str, Sighting]] = {}

    def of(self, kind: Kind) -> Mapping[str, Sighting]:
        """Return the names of one kind."""
        return self.names.get(kind, {})

    def last_of(self, declaration: str) -> date | None:
        """Return the day on which a declared cookie was last met, set, sent or dropped; None = never."""
        found = [self.of(kind)[declaration].last for kind in _KINDS[:4] if declaration in self.of(kind)]
        return max(found, default=None)

    def with_met(self, met: Met, today: date) -> Inventory:
        """Return the inventory with what was met today; without what is too old, and within its bounds."""
        names: dict[str, dict[str, Sighting]] = {
            kind: _merged(self.of(kind), met.get(kind, {}), today) for kind in _KINDS
        }
        is_new_day = self.last is None or today > self.last
        last = today if self.last is None else max(self.last, today)
        return Inventory(last=last, days=self.days + is_new_day, names=names)


class InventoryWriter:
    """Add what one worker meets to the file of all, about once a minute, a new name within seconds.

    Args:
        directory: the data directory.
        look: returns the worker's counts since its start.
        clock: monotonic seconds.
    """

    def __init__(
        self, directory: Path, look: Callable[[], Met], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._directory = directory
        self._look = look
        self._clock = clock
        self._written: dict[str, dict[str, int]] = {}
        self._next_look = clock()
        self._next_write = clock()
        self._is_told = False

    def round(self) -> None:
        """Write if it is time; called about once a second."""
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_EVERY_S
        counts = self._look()
        if now >= self._next_write or self._has_new_name(counts):
            self._write(counts)

    def close(self) -> None:
        """Write what is left."""
        self._write(self._look())

    def _has_new_name(self, counts: Met) -> bool:
        return any(names.keys() - self._written.get(kind, {}).keys() for kind, names in counts.items())

    def _write(self, counts: Met) -> None:
        self._next_write = self._clock() + _WRITE_EVERY_S
        met = {kind: _increase(names, self._written.get(kind, {})) for kind, names in counts.items()}
        if not any(met.values()):
            return
        try:
            with _locked(self._directory):
                _store(self._directory, read_inventory(self._directory).with_met(met, datetime.now(UTC).date()))
        except OSError as exc:  # the site comes first; it is tried again with what comes until then
            if not self._is_told:
                logger.warning("the inventory of cookies can't be written (%s)", exc.strerror)
            self._is_told = True
            return
        self._written = {kind: dict(names) for kind, names in counts.items()}


def read_inventory(directory: Path) -> Inventory:
    """Return what was met so far; empty where nothing was, or where the file was damaged and is made anew.

    Args:
        directory: the data directory.

    Raises:
        OSError: it is there and can't be read.
    """
    try:
        with (directory / FILE).open("rb") as file:
            return msgspec.json.decode(file.read(_MAX_BYTES), type=Inventory)
    except FileNotFoundError:
        return Inventory()
    except msgspec.DecodeError:
        logger.warning("%s was damaged, and begins anew", FILE)
        return Inventory()


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold off the other workers for the milliseconds that a write takes."""
    descriptor = os.open(directory / f"{FILE}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _store(directory: Path, inventory: Inventory) -> None:
    draft = directory / f"{FILE}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(inventory))
    draft.replace(directory / FILE)


def _increase(counts: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """Return how often each name came since; a bounded table may have lowered a count meanwhile."""
    return {name: count - before.get(name, 0) for name, count in counts.items() if count > before.get(name, 0)}


def _merged(known: Mapping[str, Sighting], met: Mapping[str, int], today: date) -> dict[str, Sighting]:
    oldest = today - timedelta(days=KEPT_DAYS)
    merged = {name: sighting for name, sighting in known.items() if sighting.last >= oldest}
    for name, count in met.items():
        before = merged.get(name)
        merged[name] = (
            Sighting(before.first, max(before.last, today), before.count + count)
            if before
            else Sighting(today, today, count)
        )
    if len(merged) <= _NAMES_A_KIND:
        return merged
    kept = sorted(merged.items(), key=lambda item: (item[1].count, item[1].last), reverse=True)
    return dict(kept[:_NAMES_A_KIND])
