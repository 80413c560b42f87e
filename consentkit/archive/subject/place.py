"""Erasing a person's rows in one place, be it a period or an incident's copy.

Owns what both have in common: the order, the count before, the rewrite without the rows, and what the audit says
of it. Locks, and the switch to the new generation, are its callers' business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.archive.periodlock import READER_SECONDS
from consentkit.archive.subject.person import Person
from consentkit.archive.subject.rows import count, own_rows
from consentkit.audit import Actor, Look
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from consentkit.archive.holdings import Holdings
    from consentkit.archive.store.places import Place, Rewritten
    from consentkit.archive.subject.certificate import Begun


class ErasureOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Whose rows are erased, by whom, and what goes with them.

    Attributes:
        person: by address.
        actor, look: for the audit.
        released: numbers of incidents whose copies are let go, by an officer's word.
        wait_seconds: how long readers may take to leave a place.
        spool_seconds: how long workers and ingester may take with the spool.
    """

    person: Person
    actor: Actor
    look: Look
    released: frozenset[int] = frozenset()
    wait_seconds: float = READER_SECONDS
    spool_seconds: float = 90.0


def count_rows(holdings: Holdings, place: Place, person: Person, *, is_cut: bool) -> int:
    """Return how many rows of a locked place are the person's; none where it does not exist.

    Raises:
        KeyUnavailable, StorageError: it can't be read.
    """
    if not holdings.rows.exists(place):
        return 0
    with holdings.rows.reader(place) as reader:
        return 0 if reader is None else count(reader, person, is_cut=is_cut).rows


def write_without(
    holdings: Holdings, old: Place, fresh: Place, sealed_hash: str, person: Person, *, is_cut: bool
) -> Rewritten:
    """Write a sealed place anew without the person's rows.

    Raises:
        KeyUnavailable, StorageError: it is not the file that was sealed, or can't be written.
    """
    if holdings.rows.file_hash(old) != sealed_hash:
        raise StorageError(old.stem, "is not the file that was sealed; it is left as it is")
    return holdings.rows.write_anew(old, fresh, left_out=own_rows(person, is_cut=is_cut))


def told(replaced_hash: str, generation: int, written: Rewritten, begun: Begun) -> dict[str, object]:
    """Return what the audit says of a place that was written anew, beside the place's name."""
    return {
        "generation": generation,
        "replaces_file_hash": replaced_hash,
        "erased": written.left_out,
        "erasing": begun.number,
        **msgspec.structs.asdict(written.contents),
    }
