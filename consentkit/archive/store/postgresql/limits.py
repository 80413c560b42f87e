"""How long what is asked of PostgreSQL may take, and what its errors become.

Leaves to `control.faults` what of an error may be told, and to `cutoff` what the server itself does not end.
"""

from __future__ import annotations

import contextlib
import math
from contextvars import ContextVar
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors

from consentkit.control.connecting import PLACE
from consentkit.control.faults import fault_of
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.archive.store.requeststore import Limit

_LIMIT: ContextVar[Limit | None] = ContextVar("limit", default=None)


class Busy(StorageError):
    """Report tables that others did not leave in time."""


class NotThere(StorageError):
    """Report a place whose tables are not there."""


@contextlib.contextmanager
def limited(limit: Limit) -> Iterator[None]:
    """Put what this thread reads within the block under a limit."""
    before = _LIMIT.get()
    _LIMIT.set(limit)
    try:
        yield
    finally:
        _LIMIT.set(before)  # `reset` would refuse where a generator is closed from elsewhere


def present_limit() -> tuple[Limit | None, float]:
    """Return the limit of the innermost `limited`, and the seconds that it leaves; infinite where there is none.

    Raises:
        TimeIsUp: it has passed.
    """
    limit = _LIMIT.get()
    if limit is None:
        return None, math.inf
    limit.check()
    return limit, limit.remaining


def milliseconds(seconds: float) -> int:
    """Return what `statement_timeout` is set to for so many seconds: 0 = none."""
    # One millisecond more, so that what the server ends is past the limit here too.
    return 0 if math.isinf(seconds) else min(int(seconds * 1000) + 2, 2**31 - 1)


@contextlib.contextmanager
def telling(limit: Limit | None) -> Iterator[None]:
    """Turn the driver's errors into ours.

    Raises:
        Busy: a lock was not had.
        NotThere: a table is not.
        TimeIsUp: the limit has passed.
        StorageError: anything else.
    """
    try:
        yield
    except (psycopg.Error, UnicodeError) as exc:
        if limit is not None:
            limit.check()
        if isinstance(exc, errors.LockNotAvailable | errors.DeadlockDetected):
            raise Busy(PLACE, "others did not leave the tables in time") from None
        if isinstance(exc, errors.UndefinedTable):
            raise NotThere(PLACE, "the place's tables are not there") from None
        raise StorageError(PLACE, _reason(exc)) from None


def _reason(exc: Exception) -> str:
    if isinstance(exc, errors.InsufficientPrivilege):
        return "the role may not do this; docs/postgresql.md says what it needs"
    return f"the server can't be reached, or refused ({fault_of(exc)})"
