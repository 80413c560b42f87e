"""Who is signed in: sessions in the control database, under digests of their random ids.

Owns their limits. The cookie that carries an id is `cookie`'s matter, who a name stands for `people`'s.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import delete, insert, or_, select, update

from consentkit.admin.staff import fold
from consentkit.audit import PURPOSES, Look
from consentkit.control import session as table

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Row

    from consentkit.control import Control

_SECOND_US: Final = 1_000_000

# Source: OWASP Session Management Cheat Sheet, "Session Expiration", for what is of high value.
IDLE_US: Final = 30 * 60 * _SECOND_US
WHOLE_US: Final = 12 * 3600 * _SECOND_US
# Between the password and the one-time code.
PENDING_US: Final = 5 * 60 * _SECOND_US
CONFIRMED_US: Final = 5 * 60 * _SECOND_US
LOOK_US: Final = 3600 * _SECOND_US

# A write for each request would make every page wait for the disk.
_SEEN_AFTER_US: Final = 60 * _SECOND_US
_MAX_OF_ONE: Final = 20

_ID_BYTES: Final = 32


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One session.

    Attributes:
        number: never given twice.
        folded_name: whose it is.
        is_pending: the one-time code is still to come.
        address: where it began.
        begun_us, seen_us: microseconds since 1970 UTC; `seen_us` to a minute.
        confirmed_us: when the password was last given.
        look: why personal data is looked at; None where it was not said within the hour.
        language: that was chosen; empty = the browser's.
    """

    number: int
    folded_name: str
    is_pending: bool
    address: str
    begun_us: int
    seen_us: int
    confirmed_us: int
    look: Look | None
    language: str


class Sessions:
    """The sessions of all workers.

    Args:
        control: the control database.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def begin(self, name: str, address: str, *, is_pending: bool = False, replacing: str = "") -> str:
        """Begin a session and return its id; what the browser had before ends, so that none can be planted.

        Args:
            name: whose.
            address: where it begins.
            is_pending: the one-time code is still to come.
            replacing: id that came with the request; empty = none.

        Raises:
            StorageError: it can't be made durable.
        """
        with self._control.transaction() as connection:
            return begin(connection, name, address, is_pending=is_pending, replacing=replacing)

    def find(self, session_id: str, *, is_refresh: bool = False) -> Session | None:
        """Return the session of an id if it holds, and note about once a minute that it is in use.

        Args:
            session_id: as the cookie has it.
            is_refresh: a page left open asks by itself: nobody need be there.
        """
        now_us = _now_us()
        with self._control.reading() as connection:
            row = connection.execute(select(table).where(table.c.digest == _digest(session_id))).first()
        if row is None or _is_over(row, now_us):
            return None
        if not (row.is_pending or is_refresh) and now_us - row.seen_us > _SEEN_AFTER_US:
            self._set(row.number, seen_us=now_us)
        return _session(row, now_us)

    def of(self, name: str) -> list[Session]:
        """List a person's sessions that hold, newest first."""
        now_us = _now_us()
        query = select(table).where(table.c.folded_name == fold(name)).order_by(table.c.number.desc())
        with self._control.reading() as connection:
            rows = connection.execute(query).all()
        return [_session(row, now_us) for row in rows if not row.is_pending and not _is_over(row, now_us)]

    def confirm(self, number: int) -> None:
        """Note that the password was given again."""
        self._set(number, confirmed_us=_now_us())

    def look(self, number: int, look: Look) -> None:
        """Note why personal data is looked at, for an hour."""
        self._set(number, purpose=look.purpose, case_id=look.case, reason=look.reason, looked_us=_now_us())

    def speak(self, number: int, language: str) -> None:
        """Note in which language."""
        self._set(number, language=language)

    def end(self, number: int) -> None:
        """End one session."""
        self._delete(table.c.number == number)

    def end_all(self, name: str, *, but: int = 0) -> None:
        """End all of a person's sessions but one."""
        self._delete((table.c.folded_name == fold(name)) & (table.c.number != but))

    def _set(self, number: int, **values: object) -> None:
        with self._control.transaction() as connection:
            connection.execute(update(table).where(table.c.number == number).values(values))

    def _delete(self, condition: ColumnElement[bool]) -> None:
        with self._control.transaction() as connection:
            connection.execute(delete(table).where(condition))


def begin(
    connection: Connection, name: str, address: str, *, is_pending: bool = False, replacing: str = ""
) -> str:
    """Do as `Sessions.begin`, in a transaction of the caller's."""
    now_us, session_id = _now_us(), secrets.token_urlsafe(_ID_BYTES)
    _clean(connection, fold(name), now_us)
    before = connection.execute(select(table.c.language).where(table.c.digest == _digest(replacing))).scalar()
    connection.execute(delete(table).where(table.c.digest == _digest(replacing)))
    connection.execute(
        insert(table).values(
            digest=_digest(session_id),
            folded_name=fold(name),
            is_pending=int(is_pending),
            address=address,
            begun_us=now_us,
            seen_us=now_us,
            confirmed_us=0 if is_pending else now_us,
            purpose="",
            case_id="",
            reason="",
            looked_us=0,
            language=before or "",
        )
    )
    return session_id


def _clean(connection: Connection, folded_name: str, now_us: int) -> None:
    """Forget what is over, and the oldest of one person's where there are too many."""
    over = or_(
        table.c.seen_us < now_us - IDLE_US,
        table.c.begun_us < now_us - WHOLE_US,
        (table.c.is_pending == 1) & (table.c.begun_us < now_us - PENDING_US),
    )
    connection.execute(delete(table).where(over))
    own = select(table.c.number).where(table.c.folded_name == folded_name).order_by(table.c.number.desc())
    oldest = own.offset(_MAX_OF_ONE - 1).limit(1)
    connection.execute(
        delete(table).where(table.c.folded_name == folded_name, table.c.number <= oldest.scalar_subquery())
    )


def _is_over(row: Row[tuple[object, ...]], now_us: int) -> bool:
    values = row._mapping
    idle_us, age_us = now_us - values["seen_us"], now_us - values["begun_us"]
    if values["is_pending"]:
        return not 0 <= age_us <= PENDING_US
    # A clock that was set back by more than a moment ends it too: nobody can tell how old it is.
    return not (-_SEEN_AFTER_US <= idle_us <= IDLE_US and -_SEEN_AFTER_US <= age_us <= WHOLE_US)


def _session(row: Row[tuple[object, ...]], now_us: int) -> Session:
    values = row._mapping
    purpose = next((each for each in PURPOSES if each == values["purpose"]), None)
    is_fresh = 0 <= now_us - values["looked_us"] <= LOOK_US
    return Session(
        number=values["number"],
        folded_name=values["folded_name"],
        is_pending=bool(values["is_pending"]),
        address=values["address"],
        begun_us=values["begun_us"],
        seen_us=values["seen_us"],
        confirmed_us=values["confirmed_us"],
        look=Look(purpose, values["case_id"], values["reason"]) if purpose and is_fresh else None,
        language=values["language"],
    )


def _digest(session_id: str) -> str:
    # The id is random and long: a plain hash can't be guessed from.
    return hashlib.sha256(session_id.encode()).hexdigest()


def _now_us() -> int:
    return time.time_ns() // 1000
