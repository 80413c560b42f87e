"""Periods: the stretches of time that are kept and destroyed as one.

Owns which period an instant belongs to, and the catalogue of periods in the control database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import func, or_, select

from consentkit import audit
from consentkit.archive.store.places import Place
from consentkit.control import period as period_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Select

    from consentkit.audit import Actor
    from consentkit.control import Control

Rotation: TypeAlias = Literal["hour", "day"]

_FORMATS: Final[dict[Rotation, str]] = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d"}
_LENGTHS: Final[dict[Rotation, timedelta]] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# What a clock may say: outside it `datetime` has no name for the day.
LAST_US: Final = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)

# A clock may be a little behind when a day begins; a period that lies further ahead was made by a wrong one.
AHEAD_US: Final = 48 * 3_600_000_000

# What a seal found does not hold of an open period.
UNSEALED: Final[dict[str, object]] = {
    "rows": None,
    "bytes": None,
    "oldest_us": None,
    "file_hash": "",
    "is_truncated": 0,
}


class Period(msgspec.Struct, frozen=True):
    """One period. It begins at `since_us` and ends before `until_us`, microseconds since 1970 UTC.

    Attributes:
        name: ``2026-11-23`` or ``2026-11-23T14``.
        generation: counts rewrites; each has a place and a key of its own.
        state: ``open``, ``sealed``, ``destroying`` or ``destroyed``.
        rows, bytes, oldest_us: what the seal found; None while open.
        file_hash: of the sealed place, as its store says it.
        is_truncated: its addresses are cut to networks.
        old_generation: the generation before, while it is still to be destroyed.
        early: why it goes, or waits to go, before its day; empty where it does not.
        late_dropped: records that came after its destruction and were not stored.
        destroyed_us: when its certificate was written.
        ahead_us: what the clock said when the period was first found to lie ahead of it; None where it does
            not. It was made while the clock was wrong.
    """

    name: str
    generation: int
    state: str
    since_us: int
    until_us: int
    rows: int | None = None
    bytes: int | None = None
    oldest_us: int | None = None
    file_hash: str = ""
    is_truncated: int = 0
    old_generation: int | None = None
    early: str = ""
    late_dropped: int = 0
    destroyed_us: int | None = None
    ahead_us: int | None = None

    @property
    def is_gone(self) -> bool:
        """Whether nothing may be read from it or stored in it any more."""
        return self.state in ("destroying", "destroyed")

    @property
    def place(self) -> Place:
        """Where its present generation lies."""
        return Place("period", self.name, self.generation, self.since_us, self.until_us)

    @property
    def key_name(self) -> str:
        """The name of its key in the keys folder."""
        return self.place.key_name

    @property
    def file_name(self) -> str:
        """What its present generation is called in errors; embedded, the name of its file below `requests/`."""
        return f"{self.name}.{self.generation}.db"


def new_period(time_us: int, rotation: Rotation) -> Period:
    """Return the period of an instant as the present rotation cuts it."""
    instant = _EPOCH + timedelta(microseconds=min(max(time_us, 0), LAST_US))
    start = instant.replace(minute=0, second=0, microsecond=0)
    if rotation == "day":
        start = start.replace(hour=0)
    since_us = (start - _EPOCH) // timedelta(microseconds=1)
    length_us = _LENGTHS[rotation] // timedelta(microseconds=1)
    return Period(start.strftime(_FORMATS[rotation]), 1, "open", since_us, since_us + length_us)


def _cut_free(wanted: Period, time_us: int, known: Sequence[Period]) -> Period:
    """Return a period without what others hold of its time: periods that overlap would be paged out of order."""
    since_us = max((one.until_us for one in known if one.until_us <= time_us), default=0)
    until_us = min((one.since_us for one in known if one.since_us > time_us), default=wanted.until_us)
    return msgspec.structs.replace(
        wanted, since_us=max(wanted.since_us, since_us), until_us=min(wanted.until_us, until_us)
    )


def _containing(known: Iterable[Period], time_us: int) -> Period | None:
    return next((period for period in known if period.since_us <= time_us < period.until_us), None)


def note_ahead(control: Control, now_us: int, actor: Actor) -> None:
    """Note which periods lie ahead of the clock, since when, and tell the audit of each once.

    Such a one was made while the clock was wrong. Counted from its own time it would be kept for years; its
    retention counts from this note as long as it lies ahead.
    """
    with control.transaction() as connection:
        live = period_table.c.state.in_(("open", "sealed"))
        for row in connection.execute(select(period_table).where(live)).all():
            is_ahead = row.since_us > now_us + AHEAD_US
            if is_ahead == (row.ahead_us is not None):
                continue
            named = period_table.c.name == row.name
            connection.execute(period_table.update().where(named).values(ahead_us=now_us if is_ahead else None))
            if is_ahead:
                audit.append(connection, actor, "period.ahead", detail={"period": row.name})


def change(connection: Connection, period: Period, from_states: Sequence[str], **values: object) -> bool:
    """Change a period's entry if its state is still one of `from_states`; return whether it was.

    Args:
        connection: within a transaction, in which the audit is told as well.
        period: its name and generation are looked up.
        from_states: the states in which the change holds.
        values: columns of the table of periods.
    """
    done = connection.execute(
        period_table.update()
        .where(
            period_table.c.name == period.name,
            period_table.c.generation == period.generation,
            period_table.c.state.in_(from_states),
        )
        .values(values)
    )
    return done.rowcount == 1


# Destroyed periods stay listed for ever, so that thousands are read: in the order of the struct, not by name.
_SELECT: Final = select(*(period_table.c[name] for name in Period.__struct_fields__)).order_by(
    period_table.c.since_us.desc()
)

# As a list, which the index serves, and not as what they are not.
_KEPT: Final = period_table.c.state.in_(("open", "sealed", "destroying"))


def _listed(connection: Connection, query: Select[Any] = _SELECT) -> list[Period]:
    return [Period(*row) for row in connection.execute(query)]


def kept(control: Control, *, gone_since_us: int | None = None) -> list[Period]:
    """Return the periods that are not destroyed, newest first.

    Args:
        control: lists them.
        gone_since_us: with the destroyed ones that began at this time or later; None = none of them.
    """
    wanted = _KEPT if gone_since_us is None else or_(_KEPT, period_table.c.since_us >= gone_since_us)
    with control.reading() as connection:
        return _listed(connection, _SELECT.where(wanted))


def oldest_kept_us(control: Control) -> int | None:
    """Return when the oldest period begins that is not destroyed; None where all are."""
    query = select(func.min(period_table.c.since_us)).where(_KEPT)
    with control.reading() as connection:
        return connection.execute(query).scalar()


def destroyed(control: Control) -> tuple[int, int | None]:
    """Return how many periods were destroyed, and when the last one was."""
    query = select(func.count(), func.max(period_table.c.destroyed_us)).where(period_table.c.state == "destroyed")
    with control.reading() as connection:
        count, last_us = connection.execute(query).one()
    return count, last_us


class Catalogue:
    """The periods of an installation, as the control database lists them.

    Attributes:
        control: that database.
    """

    def __init__(self, control: Control, rotation: Rotation) -> None:
        self.control = control
        self._rotation = rotation
        self._known: list[Period] = self.list()

    def list(self) -> list[Period]:
        """Return all periods, newest first."""
        with self.control.reading() as connection:
            return _listed(connection)

    @property
    def known(self) -> Sequence[Period]:
        """The periods as of the last reload or change, newest first."""
        return self._known

    def reload(self) -> None:
        """Learn what other processes did to periods."""
        self._known = self.list()

    def reopen(self, period: Period, actor: Actor) -> Period:
        """Return a period as it is now; a sealed one is opened for a late record, which the audit is told.

        The caller holds the period's lock, so that it stays so.
        """
        with self.control.transaction() as connection:
            if change(connection, period, ("sealed",), state="open", **UNSEALED):
                audit.append(connection, actor, "period.reopened", detail={"period": period.name})
        self.reload()
        return next((known for known in self._known if known.name == period.name), period)

    def count_late(self, period: Period, records: int) -> None:
        """Count records that came for a period after its destruction."""
        of_period = period_table.c.name == period.name
        late = {"late_dropped": period_table.c.late_dropped + records}
        with self.control.transaction() as connection:
            connection.execute(period_table.update().where(of_period).values(late))

    def known_period(self, time_us: int) -> Period | None:
        """Return the period that holds an instant, as of the last reload or change; None where none does."""
        return _containing(self._known, time_us)

    def period_of(self, time_us: int) -> Period:
        """Return the period that holds an instant, entering it in the catalogue if it is new.

        One that exists keeps its bounds when the rotation setting changes, so that a record read twice
        from the spool goes to the same period twice; a new one takes the time that none has.
        """
        time_us = min(max(time_us, 0), LAST_US)
        if (period := _containing(self._known, time_us)) is not None:
            return period
        with self.control.transaction() as connection:
            known = _listed(connection)
            entered = _containing(known, time_us)
            if entered is None:
                entered = _cut_free(self._unnamed(time_us, known), time_us, known)
                connection.execute(period_table.insert().values(msgspec.structs.asdict(entered)))
        self.reload()
        return entered

    def _unnamed(self, time_us: int, known: Sequence[Period]) -> Period:
        """Return the period of an instant; of its hour alone where the day's name is another's already."""
        fresh = new_period(time_us, self._rotation)
        return new_period(time_us, "hour") if any(one.name == fresh.name for one in known) else fresh
