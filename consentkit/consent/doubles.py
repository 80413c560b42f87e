"""The same form sent twice: which decision it made the first time.

Owns a table that holds, for some minutes, a digest of each form's own value and the number of the decision that it
made. It links what nothing else links, a browser's first answers, and so nothing of it stays: no row of the
ledger names a form, and neither statement nor chain. Brings the database with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, select

from consentkit.control import answered_form

if TYPE_CHECKING:
    from sqlalchemy import Connection

# A double click comes within a second, a browser's second try within some; a page that is gone back to and sent
# again within minutes. Later on it is a new answer.
KEPT_MINUTES: Final = 5


def decision_of_form(connection: Connection, digest: str) -> int | None:
    """Return the number of the newest decision that a form made; None where none is known.

    Args:
        connection: the transaction that would write the next one.
        digest: of the form's own value; empty = the form has none.
    """
    if not digest:
        return None
    found = select(answered_form.c.number).where(answered_form.c.digest == digest)
    number: int | None = connection.execute(found).scalar()
    return number


def remember_form(connection: Connection, digest: str, number: int, now_minute: int) -> None:
    """Remember which decision a form made, and forget the forms of more than `KEPT_MINUTES` ago.

    Args:
        connection: the transaction that writes the decision: both are kept, or neither.
        digest: as above.
        number: of the decision.
        now_minute: minutes since 1970 UTC.
    """
    # One of a time to come was written while the clock was wrong.
    is_old = ~answered_form.c.minute.between(now_minute - KEPT_MINUTES, now_minute)
    connection.execute(delete(answered_form).where(is_old | (answered_form.c.digest == digest)))
    if digest:
        connection.execute(insert(answered_form).values(digest=digest, number=number, minute=now_minute))
