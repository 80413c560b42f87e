"""Counting names that come from outside, in bounded memory and safe from invented ones.

Owns the counts that a worker keeps of what passed its gate: names of cookies and hosts, never a value, an
address or a path. Who stores them is told by the composition root.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

# Names that a tally holds; a site has some dozens.
TALLY_NAMES: Final = 256
MAX_NAME_BYTES: Final = 128

_DAYS: Final = 7  # they are written down every minute


class Tally:
    """Count names; those that come often stay, however many others are invented.

    When it is full, a new name takes one off every count, and what has none left makes room (Misra and Gries,
    1982): a name that is more than one in `TALLY_NAMES` of all is never lost. A count may then be too low,
    never too high. The work for one name is constant on average.
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, name: str) -> bool:
        """Count a name once more; return whether it is new and was taken up."""
        counts = self._counts
        name = name[:MAX_NAME_BYTES]
        if name in counts:
            counts[name] += 1
            return False
        if len(counts) < TALLY_NAMES:
            counts[name] = 1
            return True
        self._counts = {known: count - 1 for known, count in counts.items() if count > 1}
        return False

    @property
    def counts(self) -> dict[str, int]:
        """How often each name came, the most frequent first."""
        return dict(sorted(self._counts.items(), key=lambda item: -item[1]))


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What passed a gate since it began; the names of each kind, with how often.

    Attributes:
        dropped: declarations of cookies that were kept from visitors.
        undeclared: cookies that the app set and nobody declared.
        undeletable: declarations of cookies that came back although they were expired in every form, twice.
        blocked_hosts: hosts from which pages were kept from loading, as browsers report.
        signals: pages shown to browsers that sent a privacy signal, by day in UTC, as ``2026-11-23``.
    """

    dropped: Mapping[str, int] = {}
    undeclared: Mapping[str, int] = {}
    undeletable: Mapping[str, int] = {}
    blocked_hosts: Mapping[str, int] = {}
    signals: Mapping[str, int] = {}


class Seen:
    """Count what passes the gates of one worker.

    Names of declarations are as many as the settings have, so a plain table holds them; all others go to a
    `Tally`.
    """

    __slots__ = ("_blocked_hosts", "_dropped", "_known_hosts", "_signals", "_undeclared", "_undeletable")

    def __init__(self) -> None:
        self._dropped: dict[str, int] = {}
        self._undeletable: dict[str, int] = {}
        self._known_hosts: dict[str, int] = {}
        self._undeclared = Tally()
        self._blocked_hosts = Tally()
        self._signals: dict[str, int] = {}

    def drop(self, declaration: str) -> bool:
        """Count a cookie that was kept from a visitor; return whether it is the first of its declaration."""
        return _add(self._dropped, declaration)

    def keep(self, declaration: str) -> bool:
        """Count a cookie that can't be deleted; return whether it is the first of its declaration."""
        return _add(self._undeletable, declaration)

    def meet(self, name: bytes) -> bool:
        """Count a cookie that nobody declared; return whether its name is new and was taken up."""
        return self._undeclared.add(name[:MAX_NAME_BYTES].decode("utf-8", "backslashreplace"))

    def block(self, host: str, *, is_declared: bool) -> None:
        """Count a host that a browser did not load from.

        Args:
            host: as it was declared, or else from a report, where anyone may have invented it.
            is_declared: it is one of the site's services'.
        """
        if is_declared:
            _add(self._known_hosts, host)
        else:
            self._blocked_hosts.add(host)

    def signal(self) -> None:
        """Count a page shown to a browser that sent a privacy signal; of the last days alone."""
        _add(self._signals, datetime.now(UTC).date().isoformat())
        if len(self._signals) > _DAYS:
            del self._signals[min(self._signals)]

    @property
    def counts(self) -> Counts:
        """What was counted so far."""
        return Counts(
            dropped=dict(self._dropped),
            undeclared=self._undeclared.counts,
            undeletable=dict(self._undeletable),
            blocked_hosts={**self._blocked_hosts.counts, **self._known_hosts},
            signals=dict(self._signals),
        )


def _add(counts: dict[str, int], name: str) -> bool:
    counts[name] = counts.get(name, 0) + 1
    return counts[name] == 1
