"""A host's part among those that share one control database: that it is there, and whether it leads.

Owns both locks. What the one who leads does for all, and what each does for itself, is the caretaker's business.
An embedded installation has one ingester, by a lock of its data directory: it leads.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from consentkit import audit
from consentkit.archive.store.lane import own_lane
from consentkit.control import Busy
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.control import Control, Lock

# Of the audit: the host of this lane begins to lead.
LEADS: Final = "hosts.leads"

_HOSTS: Final = "hosts"
_LEADER: Final = "leader"


class Leading:
    """The part of one ingester.

    Args:
        control: shared by the hosts.

    Attributes:
        leads: as of the last `renew`.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._present: Lock | None = None
        self._leader: Lock | None = None
        self.leads = not control.is_shared

    def attend(self) -> None:
        """Be there, so that nobody destroys all meanwhile.

        Raises:
            StorageError: the database is away, or somebody is just at it.
        """
        if self._control.is_shared and self._present is None:
            self._present = self._control.lock(_HOSTS, exclusive=False, wait_seconds=0)

    def renew(self) -> None:
        """Be there still, and lead if nobody else does; who led and died is followed by the first who asks.

        Raises:
            StorageError: as `attend`.
        """
        if not self._control.is_shared:
            return
        self.leads = False
        if self._present is not None and not self._present.is_held:
            self._present = None
        self.attend()
        if self._leader is None or not self._leader.is_held:
            self._leader = None
            with contextlib.suppress(Busy):
                self._leader = self._begin()
        self.leads = self._leader is not None

    def _begin(self) -> Lock:
        """Take the lead, and say so in the audit: what is destroyed from now on is by this host."""
        held = self._control.lock(_LEADER, exclusive=True, wait_seconds=0)
        try:
            audit.record(self._control, audit.SYSTEM, LEADS, detail={"lane": own_lane(self._control.directory)})
        except BaseException:
            held.release()
            raise
        return held

    def release(self) -> None:
        """Let another lead, and be gone."""
        for lock in (self._leader, self._present):
            if lock is not None:
                lock.release()
        self._leader = self._present = None
        self.leads = not self._control.is_shared


@contextlib.contextmanager
def no_other_host(control: Control) -> Iterator[None]:
    """Keep the ingesters of all hosts away while the block lasts.

    Raises:
        StorageError: one is at work.
    """
    if not control.is_shared:
        yield
        return
    try:
        held = control.lock(_HOSTS, exclusive=True, wait_seconds=0)
    except Busy:
        place = str(control.directory)
        raise StorageError(place, "the site runs on another host; stop its servers and ingesters first") from None
    with held:
        yield
