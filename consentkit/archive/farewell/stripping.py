"""What stays where an incident is held: the control database without the visitors' choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from consentkit.audit.entry import Link
from consentkit.audit.memory import ChainMemory
from consentkit.control import audit as entries
from consentkit.control.tables import decision, restriction, subject_link, subject_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Table

    from consentkit.archive.holdings import Holdings


_PERSONAL: Final = (decision, subject_request, subject_link, restriction)


def strip_control(holdings: Holdings, tables: Iterable[Table] = _PERSONAL) -> Holdings:
    """Take all rows of some tables out of the control database, for good as far as `Control.emptied` can.

    Args:
        holdings: the store.
        tables: by default the visitors' choices, and people's requests.

    Returns:
        The store with the database opened anew.

    Raises:
        StorageError: it can't be done; running it again finishes it.
    """
    control = holdings.control.emptied(tables)
    with control.transaction() as connection:
        newest = connection.execute(
            select(entries.c.number, entries.c.hash).order_by(entries.c.number.desc()).limit(1)
        ).one()
    # The memory is bound to the key, which may be new.
    ChainMemory(control).keep(Link(newest.number, newest.hash), replacing=None)
    return holdings._replace(control=control)
