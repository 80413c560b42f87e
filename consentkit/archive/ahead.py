"""The place of the period that comes next, made before its time where several hosts would want it at once.

Owns when that is. What a place is made of is its store's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Catalogue


def make_next(holdings: Holdings, catalogue: Catalogue, now_us: int) -> None:
    """Make the next period's place, under a key of its own; nothing where it is there or gone.

    Raises:
        KeyUnavailable, StorageError: it can't be made; whoever writes first makes it then.
    """
    if not holdings.rows.is_shared:
        return
    catalogue.reload()
    coming = catalogue.period_of(catalogue.period_of(now_us).until_us)
    place = coming.place
    if coming.state != "open" or holdings.rows.exists(place) or holdings.keyring.was_destroyed(place.key_name):
        return
    holdings.keyring.make(place.key_name)
    holdings.rows.make(place)
