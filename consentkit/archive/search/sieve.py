"""Leaving out periods in which a look would find nothing, before they are locked and opened.

Owns which periods may be left out, and how far ahead is asked. Whether a place has what is looked for, its store
tells.

A period is left out only where it was listed as sealed and nothing of it waited in the spool, both before the
store is asked. What was stored by then, the store sees; what comes later may be missing from any search. One that
is written anew or destroyed meanwhile is left out only where the store still had it whole, as it was listed, and
none of its rows matched: it is as if it had been searched at that instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from consentkit.archive.period import Period
    from consentkit.archive.search.deadline import Deadline
    from consentkit.archive.store.interface import Filters
    from consentkit.archive.store.requeststore import RequestStore

# A page is often full after the first periods; where an address is rare, many are gone through.
_FEW: Final = 16
_MANY: Final = 128


class Sieve:
    """The periods that one look goes through.

    Args:
        rows: the store.
        filters: what is looked for.
        periods: in the order in which they are asked for.
        waiting: names of periods of which something waits in the spool.
        deadline: of the look.
    """

    def __init__(
        self,
        rows: RequestStore,
        filters: Filters,
        periods: Iterable[Period],
        waiting: Container[str],
        deadline: Deadline,
    ) -> None:
        self._rows = rows
        self._filters = filters
        self._deadline = deadline
        self._ahead = [one for one in periods if one.state == "sealed" and one.name not in waiting]
        self._unasked = {one.name for one in self._ahead}
        self._left_out: set[str] = set()
        self._at_once = _FEW

    def keeps(self, period: Period) -> bool:
        """Tell whether a period has to be opened: a row may match, or a gap touches the time.

        Raises:
            TimeIsUp: the deadline passed.
            StorageError: the store can't be asked.
        """
        while period.name in self._unasked:
            self._look_ahead()
        return period.name not in self._left_out

    def _look_ahead(self) -> None:
        some, self._ahead = self._ahead[: self._at_once], self._ahead[self._at_once :]
        self._unasked.difference_update(one.name for one in some)
        kept = set(self._rows.may_match([one.place for one in some], self._filters, limit=self._deadline))
        left_out = {one.name for one in some if one.place not in kept}
        self._left_out |= left_out
        self._at_once = _MANY if left_out else _FEW
