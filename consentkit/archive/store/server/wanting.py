"""What a search asks for, in the numbers of one place.

Owns the way from filters to numbers. What a filter means is the embedded store's `matching`, asked of the place's
words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.archive.store.server.engine import Among, Wanted, Withheld
from consentkit.archive.store.sqlite.matching import of_text, of_words
from consentkit.requestlog.record import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.archive.store.interface import Filters
    from consentkit.archive.store.places import RowsOf
    from consentkit.archive.store.server.engine import Kind
    from consentkit.archive.store.server.vocabulary import Vocabulary

# By table of the embedded store.
_KINDS: Final[dict[str, Kind]] = {
    "client": "client",
    "agent": "agent",
    "resource": "resource",
    "referrer": "referrer",
}

ALL: Final = Wanted(0, 2**63 - 1)


def wanted_of(vocabulary: Vocabulary, filters: Filters, withheld: Sequence[RowsOf] = ()) -> Wanted | None:
    """Return what rows of a place must meet; None where none can.

    Args:
        vocabulary: of the place.
        filters: what is asked for.
        withheld: rows that are left out.
    """
    all_of, any_of = [], []
    if filters.networks:
        all_of.append(Among("client", vocabulary.clients_of(filters.networks)))
        if not all_of[0].numbers:
            return None
    for table, (where, values) in of_words(filters):
        one = Among(_KINDS[table], vocabulary.numbers(_KINDS[table], where, values))
        if not one.numbers:
            return None
        all_of.append(one)
    for table, (where, values) in of_text(filters):
        one = Among(_KINDS[table], vocabulary.numbers(_KINDS[table], where, values))
        if one.numbers:
            any_of.append(one)
    if filters.text and not any_of:
        return None
    outcome = [*OUTCOMES, filters.outcome].index(filters.outcome) if filters.outcome else None
    return Wanted(
        max(filters.since_us, 0),
        max(filters.until_us, 0),
        all_of,
        any_of,
        filters.statuses,
        outcome,
        [one for one in (_withheld(vocabulary, rows) for rows in withheld) if _has_rows(one)],
    )


def wanted_rows(vocabulary: Vocabulary, rows: RowsOf) -> Wanted | None:
    """Return what the rows of somebody meet; None where there are none."""
    of = _withheld(vocabulary, rows)
    if not _has_rows(of):
        return None
    agents = [] if of.agents is None else [Among("agent", of.agents)]
    return Wanted(of.since_us, of.until_us, [Among("client", of.clients), *agents])


def _withheld(vocabulary: Vocabulary, rows: RowsOf) -> Withheld:
    clients = vocabulary.clients_of((rows.network,))
    agents = vocabulary.numbers("agent", "user_agent = ?", [rows.agent]) if rows.agent else None
    return Withheld(clients, max(rows.since_us, 0), max(rows.until_us, 0), agents)


def _has_rows(withheld: Withheld) -> bool:
    return bool(withheld.clients) and (withheld.agents is None or bool(withheld.agents))
