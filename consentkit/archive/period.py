"""Periods: the stretches of time that are kept and destroyed as one.

Owns which period an instant belongs to, and the catalogue of periods in the control database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import select

from consentkit.control import period as period_table

if TYPE_CHECKING:
    from consentkit.control import Control

Rotation: TypeAlias = Literal["hour", "day"]

_FORMATS: Final[dict[Rotation, str]] = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d"}
_LENGTHS: Final[dict[Rotation, timedelta]] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# What a clock may say: outside it `datetime` has no name for the day.
_LAST_US: Final = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


class Period(msgspec.Struct, frozen=True):
    """One period. It begins at `since_us` and ends before `until_us`, microseconds since 1970 UTC.

    Attributes:
        name: ``2026-11-23`` or ``2026-11-23T14``.
        generation: counts rewrites; each has a file and a key of its own.
        state: ``open``, ``sealed``, ``destroying`` or ``destroyed``.
    """

    name: str
    generation: int
    state: str
    since_us: int
    until_us: int

    @property
    def key_name(self) -> str:
        """The name of its key in the keys folder."""
        return f"period/{self.name}.{self.generation}"

    @property
    def file_name(self) -> str:
        """The name of its file below `requests/`."""
        return f"{self.name}.{self.generation}.db"


def new_period(time_us: int, rotation: Rotation) -> Period:
    """Return the period of an instant as the present rotation cuts it."""
    instant = _EPOCH + timedelta(microseconds=min(max(time_us, 0), _LAST_US))
    start = instant.replace(minute=0, second=0, microsecond=0)
    if rotation == "day":
        start = start.replace(hour=0)
    since_us = (start - _EPOCH) // timedelta(microseconds=1)
    length_us = _LENGTHS[rotation] // timedelta(microseconds=1)
    return Period(start.strftime(_FORMATS[rotation]), 1, "open", since_us, since_us + length_us)


class Catalogue:
    """The periods of an installation, as the control database lists them."""

    def __init__(self, control: Control, rotation: Rotation) -> None:
        self._control = control
        self._rotation = rotation
        self._known: list[Period] = self.list()

    def list(self) -> list[Period]:
        """Return all periods, newest first."""
        with self._control.transaction() as connection:
            rows = connection.execute(select(period_table).order_by(period_table.c.since_us.desc())).all()
        return [Period(**row._asdict()) for row in rows]

    def period_of(self, time_us: int) -> Period:
        """Return the period that holds an instant, entering it in the catalogue if it is new.

        One that exists keeps its bounds when the rotation setting changes, so that a record read twice
        from the spool goes to the same period twice.
        """
        for period in self._known:
            if period.since_us <= time_us < period.until_us:
                return period
        fresh = new_period(time_us, self._rotation)
        with self._control.transaction() as connection:
            known = connection.execute(
                select(period_table.c.name).where(period_table.c.name == fresh.name)
            ).first()
            if known is None:
                connection.execute(period_table.insert().values(msgspec.structs.asdict(fresh)))
        self._known = self.list()
        return next((period for period in self._known if period.name == fresh.name), fresh)
